import { inspect } from 'node:util'
import type { Bench, Case, Socket } from '../differential.js'

type AnyConnect = (...values: unknown[]) => void

function connectWith(b: Bench, socket: Socket, values: unknown[]): void {
  b.call('connect', () => (socket.connect as AnyConnect)(...values))
}

const BAD_PORTS = [undefined, null, 0, -1, 65_536, 1.5, NaN, Infinity, '', ' ', 'x', '80x', '-1', '65536', {}, [], true, () => {}]
const GOOD_PORTS = ['9', ' 9 ', '0x9', '9.0', 65_535]
const BAD_ADDRESSES = [null, 1, {}, true, [], Symbol('address')]

export const connectCases: Case[] = [
  ...BAD_PORTS.map((port): Case => ({
    name: `connect refuses port ${inspect(port)}`,
    program: (b) => {
      const socket = b.socket()
      connectWith(b, socket, [port])
      connectWith(b, socket, [port, '127.0.0.1', b.callback('connect')])
      b.marks()
    },
  })),
  ...GOOD_PORTS.map((port): Case => ({
    name: `connect takes port ${inspect(port)}`,
    program: async (b) => {
      const socket = b.socket()
      connectWith(b, socket, [port, '127.0.0.1'])
      await b.settle()
      b.call('remoteAddress', () => socket.remoteAddress())
    },
  })),
  ...BAD_ADDRESSES.map((address): Case => ({
    name: `connect refuses address ${inspect(address)}`,
    program: async (b) => {
      const socket = b.socket()
      connectWith(b, socket, [9, address])
      connectWith(b, socket, [9, address, b.callback('connect')])
      await b.settle()
      b.call('disconnect', () => socket.disconnect())
    },
  })),
  ...(
    [
      ['a port', () => []],
      ['a port and a callback', (b) => [b.callback('connect')]],
      ['a port, undefined and a callback', (b) => [undefined, b.callback('connect')]],
      ['a port, an empty address and a callback', (b) => ['', b.callback('connect')]],
      ['a port, an address and a callback', (b) => ['127.0.0.1', b.callback('connect')]],
      ['a callback that is no function', () => ['127.0.0.1', 'later']],
      ['a callback that is null', () => ['127.0.0.1', null]],
    ] as [string, (b: Bench) => unknown[]][]
  ).flatMap(([what, values]): Case[] => [
    {
      name: `connect of an unbound socket with ${what}`,
      program: async (b) => {
        const peer = await b.peer()
        const socket = b.socket()
        b.marks('before')
        connectWith(b, socket, [peer.port, ...values(b)])
        b.marks('after')
        await b.settle()
        b.port(socket)
        b.call('remoteAddress', () => socket.remoteAddress())
        b.call('address', () => socket.address())
      },
    },
    {
      name: `connect of a bound socket with ${what}`,
      program: async (b) => {
        const peer = await b.peer()
        const socket = await b.bound()
        b.marks('before')
        connectWith(b, socket, [peer.port, ...values(b)])
        b.marks('after')
        await b.settle()
        b.call('remoteAddress', () => socket.remoteAddress())
      },
    },
  ]),
  {
    name: 'connect of IPv6',
    program: async (b) => {
      const peer = await b.peer('udp6')
      const socket = b.socket('udp6')
      socket.connect(peer.port, b.callback('connect'))
      await b.settle()
      b.call('remoteAddress', () => socket.remoteAddress())
      b.log('address', socket.address().address)
    },
  },
  {
    name: 'connect of a udp6 socket to a mapped address',
    program: async (b) => {
      const socket = b.socket('udp6')
      socket.connect(9, '::ffff:127.0.0.1', b.callback('connect'))
      await b.settle()
      b.call('remoteAddress', () => socket.remoteAddress())
    },
  },
  ...(['udp4', 'udp6'] as const).flatMap((type): Case[] =>
    [true, false].map((withCallback) => ({
      name: `connect of ${type} to an address of the other family ${withCallback ? 'with' : 'without'} callback`,
      program: async (b) => {
        const socket = b.socket(type)
        const address = type === 'udp4' ? '::1' : '127.0.0.1'
        if (withCallback) socket.connect(9, address, b.callback('connect'))
        else socket.connect(9, address)
        b.marks()
        await b.settle()
        b.call('remoteAddress', () => socket.remoteAddress())
        b.log('listeners', socket.listenerCount('connect'))
        b.call('connect again', () => socket.connect(9, b.callback('again')))
        await b.settle()
      },
    })),
  ),
  {
    name: 'connect to the broadcast address without permission',
    program: async (b) => {
      const socket = await b.bound()
      socket.connect(9, '255.255.255.255', b.callback('connect'))
      await b.settle()
      socket.connect(9, '255.255.255.255')
      await b.settle()
    },
  },
  {
    name: 'a connect error that nobody listens to',
    program: async (b) => {
      const socket = b.socket('udp4', undefined, 'error')
      socket.connect(9, '::1')
      b.ticks()
      await b.settle()
    },
  },
  {
    name: 'connect twice at once',
    program: async (b) => {
      const socket = b.socket()
      b.call('first', () => socket.connect(9, '127.0.0.1', b.callback('first')))
      b.call('second', () => socket.connect(10, '127.0.0.1', b.callback('second')))
      await b.settle()
      b.call('third', () => socket.connect(11, '127.0.0.1', b.callback('third')))
      b.call('remoteAddress', () => socket.remoteAddress())
    },
  },
  {
    name: 'connect, disconnect, connect to another',
    program: async (b) => {
      const socket = await b.bound()
      socket.connect(9, '127.0.0.1', b.callback('first'))
      await b.settle()
      b.call('disconnect', () => socket.disconnect())
      b.call('remoteAddress', () => socket.remoteAddress())
      b.call('disconnect again', () => socket.disconnect())
      b.call('connect', () => socket.connect(10, '127.0.0.1', b.callback('second')))
      b.marks()
      await b.settle()
      b.call('remoteAddress', () => socket.remoteAddress())
    },
  },
  {
    name: 'disconnect in the connect handler, and connect again there',
    program: async (b) => {
      const socket = await b.bound()
      socket.once('connect', () => {
        b.call('disconnect', () => socket.disconnect())
        b.call('connect', () => socket.connect(10, '127.0.0.1', b.callback('second')))
      })
      socket.connect(9, '127.0.0.1', b.callback('first'))
      await b.settle()
      b.call('remoteAddress', () => socket.remoteAddress())
    },
  },
  {
    name: 'disconnect before the connect event',
    program: async (b) => {
      const socket = await b.bound()
      socket.connect(9, '127.0.0.1', b.callback('connect'))
      b.call('at once', () => socket.disconnect())
      process.nextTick(() => b.call('in the next tick', () => socket.disconnect()))
      await b.settle()
      b.call('later', () => socket.disconnect())
    },
  },
  {
    name: 'disconnect of an unbound, bound and closed socket',
    program: async (b) => {
      b.call('unbound', () => b.socket().disconnect())
      const socket = await b.bound()
      b.call('bound', () => socket.disconnect())
      socket.close()
      b.call('closed', () => socket.disconnect())
    },
  },
  {
    name: 'disconnect after close of a connected socket',
    program: async (b) => {
      const socket = await b.connected()
      socket.close()
      b.call('disconnect', () => socket.disconnect())
      b.call('remoteAddress', () => socket.remoteAddress())
      b.call('connect', () => socket.connect(9))
      b.call('send', () => socket.send('x'))
    },
  },
  {
    name: 'the address of a socket after disconnect',
    program: async (b) => {
      const socket = b.socket()
      socket.connect(9, '127.0.0.1')
      await b.settle()
      b.port(socket)
      b.call('connected', () => socket.address())
      socket.disconnect()
      b.port(socket)
      b.log('disconnected', socket.address().address)
    },
  },
  {
    name: 'remoteAddress before bind, bound, connecting, connected, closed',
    program: async (b) => {
      const socket = b.socket()
      b.call('before', () => socket.remoteAddress())
      socket.bind(0, '127.0.0.1')
      await b.settle()
      b.call('bound', () => socket.remoteAddress())
      socket.connect(9, '127.0.0.1')
      b.call('connecting', () => socket.remoteAddress())
      socket.once('connect', () => b.call('in connect', () => socket.remoteAddress()))
      await b.settle()
      b.call('connected', () => socket.remoteAddress())
      socket.close()
      b.call('closed', () => socket.remoteAddress())
    },
  },
  {
    name: 'connect while the bind is under way',
    program: async (b) => {
      const socket = b.socket()
      socket.bind(0, '127.0.0.1', b.callback('bind'))
      b.call('connect', () => socket.connect(9, '127.0.0.1', b.callback('connect')))
      b.marks()
      await b.settle()
      b.call('remoteAddress', () => socket.remoteAddress())
    },
  },
  {
    name: 'connect in the listening handler',
    program: async (b) => {
      const socket = b.socket()
      socket.bind(0, '127.0.0.1', () => {
        socket.connect(9, '127.0.0.1', b.callback('connect'))
        b.marks()
      })
      await b.settle()
    },
  },
  {
    name: 'connect while the bind is under way that fails',
    program: async (b) => {
      const peer = await b.peer()
      const socket = b.socket()
      socket.bind(peer.port, '127.0.0.1')
      b.call('connect', () => socket.connect(9, '127.0.0.1', b.callback('connect')))
      await b.settle()
      b.call('connect again', () => socket.connect(9, '127.0.0.1', b.callback('again')))
      b.call('remoteAddress', () => socket.remoteAddress())
    },
  },
  {
    name: 'connect after close',
    program: async (b) => {
      const socket = b.socket()
      socket.close()
      b.call('connect', () => socket.connect(9, '127.0.0.1', b.callback('connect')))
      b.call('connect again', () => socket.connect(9, '127.0.0.1', b.callback('connect')))
      await b.settle()
      const bound = await b.bound()
      bound.close()
      b.call('connect of one that was bound', () => bound.connect(9, '127.0.0.1', b.callback('connect')))
      b.call('connect again of one that was bound', () => bound.connect(9, '127.0.0.1', b.callback('connect')))
    },
  },
  {
    name: 'close while the connect is under way',
    program: async (b) => {
      const socket = await b.bound()
      socket.connect(9, '127.0.0.1', b.callback('connect'))
      b.call('close', () => socket.close(b.callback('close')))
      b.marks()
      await b.settle()
      b.log('listeners', socket.listenerCount('connect'))
    },
  },
  {
    name: 'close between the connect and its event',
    program: async (b) => {
      const socket = await b.bound()
      socket.connect(9, '127.0.0.1', b.callback('connect'))
      process.nextTick(() => b.call('close', () => socket.close(b.callback('close'))))
      await b.settle()
    },
  },
  {
    name: 'close while the connect of an unbound socket is under way',
    program: async (b) => {
      const socket = b.socket()
      socket.connect(9, '127.0.0.1', b.callback('connect'))
      b.call('close', () => socket.close(b.callback('close')))
      b.marks()
      await b.settle()
    },
  },
  {
    name: 'the connect event without a callback, and with two listeners',
    program: async (b) => {
      const socket = b.socket()
      socket.once('connect', b.callback('once'))
      socket.connect(9, '127.0.0.1')
      await b.settle()
      b.log('listeners', socket.listenerCount('connect'))
    },
  },
  {
    name: 'an exception in the callback of connect',
    program: async (b) => {
      const socket = await b.bound()
      socket.connect(9, '127.0.0.1', () => {
        throw new Error('of the callback')
      })
      b.ticks()
      await b.settle()
      b.call('remoteAddress', () => socket.remoteAddress())
    },
  },
  {
    name: 'connect to a host name',
    program: async (b) => {
      const socket = b.socket()
      const connect = b.event(socket, 'connect')
      socket.connect(9, 'localhost', b.callback('connect'))
      await connect
      b.call('remoteAddress', () => socket.remoteAddress())
    },
  },
  {
    name: 'a connected socket hears its peer only',
    program: async (b) => {
      const [peer, stranger] = [await b.peer(), await b.peer()]
      const socket = await b.connected('udp4', peer.port)
      const port = b.port(socket)
      await stranger.send('from a stranger', port)
      await peer.send('from the peer', port)
      await b.settle()
      socket.disconnect()
      await stranger.send('from a stranger, now', port)
      await b.settle()
    },
  },
]
