import * as net from 'node:net'
import type { BindOptions } from 'node:dgram'
import type { Bench, Case, Socket } from '../differential.js'

/** An address of nobody: RFC 5737. */
const NOWHERE = '203.0.113.7'

type AnyBind = (...values: unknown[]) => Socket

function bindWith(b: Bench, socket: Socket, values: unknown[]): void {
  b.call(`bind ${values.length}`, () => (socket.bind as AnyBind)(...values))
}

async function logAddress(b: Bench, socket: Socket): Promise<void> {
  await b.settle()
  b.port(socket)
  b.call('address', () => socket.address())
}

/** Arguments of bind that need no port of our own. */
const ARGUMENTS: [string, 'udp4' | 'udp6', (b: Bench) => unknown[]][] = [
  ['nothing', 'udp4', () => []],
  ['nothing, IPv6', 'udp6', () => []],
  ['port 0', 'udp4', () => [0]],
  ['undefined', 'udp4', () => [undefined]],
  ['null', 'udp4', () => [null]],
  ['null and an address', 'udp4', () => [null, '127.0.0.1']],
  ['a callback', 'udp4', (b) => [b.callback('bind')]],
  ['port and callback', 'udp4', (b) => [0, b.callback('bind')]],
  ['port, address', 'udp4', () => [0, '127.0.0.1']],
  ['port, address, callback', 'udp4', (b) => [0, '127.0.0.2', b.callback('bind')]],
  ['port, undefined, callback', 'udp4', (b) => [0, undefined, b.callback('bind')]],
  ['port, null, callback', 'udp4', (b) => [0, null, b.callback('bind')]],
  ['port, empty address', 'udp4', () => [0, '']],
  ['port, address, something that is no function', 'udp4', () => [0, '127.0.0.1', 'later']],
  ['more than three arguments, the last one a function', 'udp4', (b) => [0, '127.0.0.1', null, 1, b.callback('bind')]],
  ['an empty options object', 'udp4', () => [{}]],
  ['options with port 0', 'udp4', () => [{ port: 0 }]],
  ['options with address', 'udp4', () => [{ address: '127.0.0.1' }]],
  ['options and callback', 'udp4', (b) => [{ address: '127.0.0.1' }, b.callback('bind')]],
  ['options with exclusive', 'udp4', () => [{ port: 0, address: '127.0.0.1', exclusive: true }]],
  ['options with a null address', 'udp4', () => [{ port: 0, address: null }]],
  ['options and an address beside them', 'udp4', () => [{ port: 0 }, '127.0.0.1']],
  ['an address of IPv6', 'udp6', () => [0, '::1']],
  ['an address of IPv6 on udp4', 'udp4', () => [0, '::1']],
  ['an address of IPv4 on udp6', 'udp6', () => [0, '127.0.0.1']],
  ['a mapped address on udp6', 'udp6', () => [0, '::ffff:127.0.0.1']],
  ['an IPv6 address in brackets', 'udp6', () => [{ port: 0, address: '::' }]],
  ['an address that is not here', 'udp4', () => [0, NOWHERE]],
  ['an address that is not here, and a callback', 'udp4', (b) => [0, NOWHERE, b.callback('bind')]],
  ['an address that is not here, with a port', 'udp4', () => [4000, NOWHERE]],
  ['an address that is not here, with a port as text', 'udp4', () => ['4000', NOWHERE]],
  ['an IPv6 address that is not here', 'udp6', () => [4000, '2001:db8::7']],
  ['a number as address', 'udp4', () => [0, 127]],
  ['an object as address', 'udp4', () => [0, {}]],
  ['true as address', 'udp4', () => [0, true]],
  ['a symbol as port', 'udp4', () => [Symbol('port')]],
  ['a bigint as port', 'udp4', () => [5n]],
  ['text that is no port', 'udp4', () => ['port', '127.0.0.1']],
  ['NaN as port', 'udp4', () => [NaN, '127.0.0.1']],
  ['a fraction as port', 'udp4', () => [0.5, '127.0.0.1']],
  ['an array', 'udp4', () => [[1, 2]]],
  ['fd 0, which is taken for none', 'udp4', () => [{ fd: 0 }]],
  ['fd -1, which is taken for none', 'udp4', () => [{ fd: -1, address: '127.0.0.1' }]],
  ['a fraction as fd, which is taken for none', 'udp4', () => [{ fd: 1.5 }]],
  ['fd as text, which is taken for none', 'udp4', () => [{ fd: '99999' }]],
  ['fd that is not open', 'udp4', () => [{ fd: 99_999 }]],
  ['fd that is not open, and a callback', 'udp4', (b) => [{ fd: 99_999 }, b.callback('bind')]],
]

export const bindCases: Case[] = [
  ...ARGUMENTS.map(([what, type, values]): Case => ({
    name: `bind with ${what}`,
    program: async (b) => {
      const socket = b.socket(type)
      bindWith(b, socket, values(b))
      b.marks()
      await logAddress(b, socket)
      for (const event of ['listening', 'error']) b.log(event, socket.listenerCount(event))
      b.call('bind again', () => socket.bind(0))
    },
  })),
  ...[
    ['as text', (port: number) => String(port)],
    ['in hexadecimal', (port: number) => `0x${port.toString(16)}`],
    ['with a fraction', (port: number) => port + 0.7],
    ['65536 too high', (port: number) => port + 65_536],
    ['as a function with a value', (port: number) => Object.assign(() => {}, { valueOf: () => port })],
    ['as an object with fields', (port: number) => ({ port })],
    ['as text in an object', (port: number) => ({ port: String(port) })],
  ].map(([what, form]): Case => ({
    name: `bind to a chosen port ${String(what)}`,
    program: async (b) => {
      const port = await b.deadPort()
      const socket = b.socket()
      bindWith(b, socket, [(form as (port: number) => unknown)(port), '127.0.0.1'])
      await logAddress(b, socket)
    },
  })),
  {
    name: 'a port in use',
    program: async (b) => {
      const peer = await b.peer()
      const socket = b.socket()
      b.marks('before')
      socket.bind(peer.port, '127.0.0.1')
      b.marks('after')
      await b.settle()
      b.call('address', () => socket.address())
    },
  },
  {
    name: 'a port in use, in options and with a callback',
    program: async (b) => {
      const peer = await b.peer()
      const socket = b.socket()
      socket.bind({ port: peer.port, address: '127.0.0.1', exclusive: true }, b.callback('bind'))
      await b.settle()
      for (const event of ['listening', 'error']) b.log(event, socket.listenerCount(event))
    },
  },
  {
    name: 'a port in use on any address',
    program: async (b) => {
      const peer = await b.peer('udp4', '0.0.0.0')
      b.socket().bind(peer.port)
      b.socket('udp6').bind(peer.port)
      b.socket({ type: 'udp6', ipv6Only: true }).bind(peer.port)
      await b.settle()
    },
  },
  {
    name: 'bind again in the error handler',
    program: async (b) => {
      const peer = await b.peer()
      const socket = b.socket()
      socket.once('error', () => b.call('bind again', () => socket.bind(0, '127.0.0.1')))
      socket.bind(peer.port, '127.0.0.1', b.callback('first'))
      b.marks()
      await b.settle()
      b.call('address', () => socket.address())
    },
  },
  {
    name: 'bind again after the error, with the callbacks of both',
    program: async (b) => {
      const peer = await b.peer()
      const socket = b.socket()
      socket.bind(peer.port, '127.0.0.1', b.callback('first'))
      await b.settle()
      socket.bind(0, '127.0.0.1', b.callback('second'))
      await b.settle()
    },
  },
  {
    name: 'a bind error that nobody listens to',
    program: async (b) => {
      const peer = await b.peer()
      b.socket('udp4', undefined, 'error').bind(peer.port, '127.0.0.1')
      await b.settle()
    },
  },
  {
    name: 'a bind error that nobody but the callback of bind knows of',
    program: async (b) => {
      const peer = await b.peer()
      b.socket('udp4', undefined, 'error').bind(peer.port, '127.0.0.1', b.callback('bind'))
      await b.settle()
    },
  },
  {
    name: 'bind twice at once',
    program: (b) => {
      const socket = b.socket()
      b.call('first', () => socket.bind(0, '127.0.0.1', b.callback('first')))
      b.call('second', () => socket.bind(0, '127.0.0.1', b.callback('second')))
      b.log('listening', socket.listenerCount('listening'))
    },
  },
  {
    name: 'bind in the listening handler',
    program: (b) => {
      const socket = b.socket()
      socket.on('listening', () => b.call('bind', () => socket.bind(0)))
      socket.bind(0, '127.0.0.1')
    },
  },
  {
    name: 'bind after close',
    program: async (b) => {
      const socket = b.socket()
      socket.close()
      b.call('at once', () => socket.bind(0))
      await b.settle()
      b.call('later', () => socket.bind(0, b.callback('bind')))
      b.log('listening', socket.listenerCount('listening'))
    },
  },
  {
    name: 'close while the bind is under way',
    program: (b) => {
      const socket = b.socket()
      socket.bind(0, '127.0.0.1', b.callback('bind'))
      b.call('close', () => socket.close(b.callback('close')))
      b.call('address', () => socket.address())
      b.marks()
    },
  },
  {
    name: 'close in the listening handler',
    program: (b) => {
      const socket = b.socket()
      socket.on('listening', () => {
        socket.close()
        b.marks('in listening')
      })
      socket.bind(0, '127.0.0.1', b.callback('bind'))
    },
  },
  {
    name: 'close in the callback of bind, with a listening handler after it',
    program: (b) => {
      const socket = b.socket()
      socket.bind(0, '127.0.0.1', () => socket.close())
      socket.on('listening', () => b.call('address', () => socket.address()))
    },
  },
  {
    name: 'the order of the marks around bind',
    program: (b) => {
      b.marks('before')
      const socket = b.socket()
      b.call('bind', () => socket.bind(0, '127.0.0.1', b.callback('bind')))
      b.marks('after')
      socket.on('listening', () => b.marks('in listening'))
    },
  },
  {
    name: 'the order of two sockets bound at once',
    program: (b) => {
      const [first, second] = [b.socket(), b.socket('udp6')]
      second.bind(0, '::1')
      process.nextTick(() => b.log('between'))
      first.bind(0, '127.0.0.1')
    },
  },
  {
    name: 'bind from a tick, a microtask and an immediate',
    program: async (b) => {
      const times: Record<string, (call: () => void) => void> = {
        tick: (call) => process.nextTick(call),
        microtask: (call) => queueMicrotask(call),
        immediate: (call) => void setImmediate(call),
      }
      for (const [time, schedule] of Object.entries(times)) {
        schedule(() => {
          b.socket().bind(0, '127.0.0.1')
          b.marks(`of the ${time}`)
        })
        await b.settle()
      }
    },
  },
  {
    name: 'listening emitted to a listener that was added after bind',
    program: (b) => {
      const socket = b.own(b.dgram.createSocket('udp4'))
      socket.bind(0, '127.0.0.1')
      b.watch(socket)
    },
  },
  {
    name: 'what is listened to while bind is under way and after it',
    program: async (b) => {
      const socket = b.own(b.dgram.createSocket('udp4'))
      socket.bind(0, '127.0.0.1', b.callback('bind'))
      b.log('under way', socket.listenerCount('listening'))
      await b.settle()
      b.log('after', socket.listenerCount('listening'), socket.listenerCount('error'), socket.eventNames())
    },
  },
  {
    name: 'reuseAddr lets two sockets have one port',
    program: async (b) => {
      const first = await b.bound({ type: 'udp4', reuseAddr: true })
      const port = b.port(first)
      b.socket({ type: 'udp4', reuseAddr: true }).bind(port, '127.0.0.1')
      b.socket({ type: 'udp4' }).bind(port, '127.0.0.1')
      await b.settle()
    },
  },
  {
    name: 'reusePort lets two sockets have one port where Node knows it',
    program: async (b) => {
      const options = { type: 'udp4', reusePort: true } as const
      const first = await b.bound(options)
      const port = b.port(first)
      b.socket(options).bind(port, '127.0.0.1')
      b.socket({ type: 'udp4' }).bind(port, '127.0.0.1')
      await b.settle()
    },
  },
  {
    name: 'ipv6Only leaves the port free for IPv4',
    program: async (b) => {
      const both = await b.bound({ type: 'udp6', ipv6Only: true })
      b.socket().bind(b.port(both), '127.0.0.1')
      const any = b.socket({ type: 'udp6', ipv6Only: true })
      any.bind(0)
      await b.settle()
      b.socket().bind(b.port(any))
      await b.settle()
    },
  },
  {
    name: 'without ipv6Only any address of IPv6 takes the port for IPv4',
    program: async (b) => {
      const any = b.socket('udp6')
      any.bind(0)
      await b.settle()
      b.socket().bind(b.port(any))
      await b.settle()
    },
  },
  {
    name: 'ipv6Only on udp4 fails',
    program: (b) => {
      b.socket({ type: 'udp4', ipv6Only: true }).bind(0, '127.0.0.1')
    },
  },
  {
    name: 'the file descriptor of a TCP server is refused by its type',
    program: async (b) => {
      const server = net.createServer()
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const { fd } = (server as unknown as { _handle: { fd: number } })._handle
      const socket = b.socket()
      b.call('bind', () => socket.bind({ fd }))
      b.call('bind again', () => socket.bind({ fd } as BindOptions))
      server.close()
    },
  },
  {
    name: 'after a refused file descriptor the socket waits for ever',
    program: async (b) => {
      const socket = b.socket()
      b.call('bind', () => socket.bind({ fd: 99_999 }))
      b.call('send', () => socket.send('x', 9, '127.0.0.1', b.callback('send')))
      b.call('close', () => socket.close(b.callback('close')))
      b.call('connect', () => socket.connect(9, b.callback('connect')))
      await b.settle()
    },
  },
  {
    name: 'after an address of the wrong type the socket is binding for ever',
    program: async (b) => {
      const socket = b.socket()
      b.call('bind', () => (socket.bind as AnyBind)(0, 5))
      b.call('bind again', () => socket.bind(0))
      b.call('close', () => socket.close())
      await b.settle()
    },
  },
  {
    name: 'address before bind, while binding, bound, closed',
    program: async (b) => {
      const socket = b.socket()
      b.call('before', () => socket.address())
      socket.bind(0, '127.0.0.1')
      b.call('binding', () => socket.address())
      socket.once('listening', () => b.call('listening', () => socket.address()))
      await b.settle()
      b.call('bound', () => socket.address())
      b.log('another object', socket.address() !== socket.address())
      socket.close()
      b.call('closed', () => socket.address())
    },
  },
  {
    name: 'address of an IPv6 socket on every address',
    program: async (b) => {
      const socket = b.socket('udp6')
      socket.bind()
      await b.settle()
      b.call('address', () => socket.address())
    },
  },
  {
    name: 'a host name is looked up',
    program: async (b) => {
      const socket = b.socket()
      const listening = b.event(socket, 'listening')
      b.call('bind', () => socket.bind(0, 'localhost'))
      await listening
      b.call('address', () => socket.address())
    },
  },
  {
    name: 'an exception in the listening handler',
    program: async (b) => {
      const socket = b.socket()
      socket.on('listening', () => {
        throw new Error('of the handler')
      })
      socket.bind(0, '127.0.0.1', b.callback('bind'))
      b.ticks()
      await b.settle()
      b.call('address', () => socket.address())
    },
  },
  {
    name: 'membership before bind binds already',
    program: async (b) => {
      const socket = b.socket()
      b.call('addMembership', () => socket.addMembership('239.77.1.1', '127.0.0.1'))
      b.port(socket)
      b.call('address', () => socket.address())
      socket.bind(0, b.callback('bind'))
      await b.settle()
    },
  },
]
