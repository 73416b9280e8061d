import { EventEmitter } from 'node:events'
import * as net from 'node:net'
import type { SocketOptions } from 'node:dgram'
import type { Case } from '../differential.js'

const anything = (value: unknown) => value as SocketOptions

/** What `createSocket` takes and refuses. */
const TYPES: [string, unknown][] = [
  ['udp4', 'udp4'],
  ['udp6', 'udp6'],
  ['nothing', undefined],
  ['null', null],
  ['an unknown type', 'udp'],
  ['upper case', 'UDP4'],
  ['unix_dgram', 'unix_dgram'],
  ['a number', 4],
  ['an empty object', {}],
  ['an options object', { type: 'udp4' }],
  ['an unknown type in options', { type: 'tcp4' }],
  ['a type that is a String object', { type: Object('udp4') as unknown }],
  ['an array', ['udp4']],
  ['a function', () => {}],
]

const OPTIONS: [string, Record<string, unknown>][] = [
  ['recvBufferSize -1', { recvBufferSize: -1 }],
  ['recvBufferSize 1.5', { recvBufferSize: 1.5 }],
  ['recvBufferSize of a string', { recvBufferSize: '9000' }],
  ['recvBufferSize 0', { recvBufferSize: 0 }],
  ['recvBufferSize null', { recvBufferSize: null }],
  ['recvBufferSize 2 ** 32', { recvBufferSize: 2 ** 32 }],
  ['sendBufferSize -1', { sendBufferSize: -1 }],
  ['sendBufferSize NaN', { sendBufferSize: NaN }],
  ['sendBufferSize of an object', { sendBufferSize: {} }],
  ['both sizes wrong', { recvBufferSize: 'a', sendBufferSize: 'b' }],
  ['size and type wrong', { recvBufferSize: 'a', type: 'x' }],
  ['lookup a number', { lookup: 1 }],
  ['lookup null', { lookup: null }],
  ['lookup undefined', { lookup: undefined }],
  ['lookup and type wrong', { lookup: 1, type: 'x' }],
  ['signal a number', { signal: 1 }],
  ['signal null', { signal: null }],
  ['signal undefined', { signal: undefined }],
  ['signal an object', { signal: {} }],
  ['signal like an abort signal', { signal: { aborted: false } }],
  ['signal and type wrong', { signal: 1, type: 'x' }],
  ['reuseAddr a string', { reuseAddr: 'yes' }],
  ['reusePort a string', { reusePort: 'yes' }],
  ['ipv6Only a number', { ipv6Only: 1 }],
  ['an unknown option', { nonsense: true }],
  ['receiveBlockList a number', { receiveBlockList: 1 }],
  ['receiveBlockList a block list', { receiveBlockList: new net.BlockList() }],
  ['sendBlockList an object', { sendBlockList: {} }],
  ['sendBlockList null', { sendBlockList: null }],
]

export const createCases: Case[] = [
  ...TYPES.map(([what, type]): Case => ({
    name: `createSocket takes or refuses ${what} as type`,
    program: (b) => {
      const socket = b.call('createSocket', () => b.own(b.dgram.createSocket(anything(type))))
      b.log('type', socket?.type)
    },
  })),
  ...OPTIONS.map(([what, options]): Case => ({
    name: `createSocket takes or refuses ${what}`,
    program: (b) => {
      const socket = b.call('createSocket', () => b.own(b.dgram.createSocket({ type: 'udp4', ...options })))
      b.log('type', socket?.type)
      if (socket !== undefined) for (const event of ['message', 'close', 'error']) b.log(event, socket.listenerCount(event))
    },
  })),
  ...[undefined, null, 1, 'text', {}, () => {}].map((listener): Case => ({
    name: `createSocket with a listener of type ${listener === null ? 'null' : typeof listener}`,
    program: (b) => {
      const socket = b.call('createSocket', () => b.own(b.dgram.createSocket('udp4', listener as () => void)))
      b.log('listeners', socket?.listenerCount('message'), socket?.listeners('message')[0] === listener)
    },
  })),
  {
    name: 'an option is read once, and which ones are read',
    program: (b) => {
      const read: string[] = []
      const options = new Proxy<SocketOptions>(
        { type: 'udp4' },
        {
          get(target, key, receiver) {
            if (!read.includes(String(key))) read.push(String(key))
            return Reflect.get(target, key, receiver) as unknown
          },
        },
      )
      b.own(b.dgram.createSocket(options))
      b.log('read', read.sort())
    },
  },
  {
    name: 'Socket can be constructed',
    program: (b) => {
      const socket = b.construct('udp4', () => {})
      b.log(
        'made',
        socket.type,
        socket instanceof b.dgram.Socket,
        socket instanceof EventEmitter,
        socket.listenerCount('message'),
      )
    },
  },
  {
    name: 'a socket is created by createSocket and of class Socket',
    program: (b) => {
      const socket = b.socket({ type: 'udp6' })
      b.log(
        'made',
        socket.type,
        socket instanceof b.dgram.Socket,
        socket instanceof EventEmitter,
        socket.constructor === b.dgram.Socket,
      )
    },
  },
  {
    name: 'the message listener of createSocket is called with the socket as this',
    program: async (b) => {
      const heard = b.callback('message')
      const socket = await b.bound('udp4', heard, 'message')
      const port = b.port(socket)
      socket.send('x', port, '127.0.0.1')
      await b.settle()
    },
  },
  {
    name: 'a signal that is aborted already closes the socket in the next tick',
    program: (b) => {
      const socket = b.socket({ type: 'udp4', signal: AbortSignal.abort() })
      b.marks()
      b.log('close listeners', socket.listenerCount('close'))
      b.call('bind', () => socket.bind(0))
      b.call('address', () => socket.address())
      b.call('close', () => socket.close())
    },
  },
  {
    name: 'aborting the signal closes an unbound socket',
    program: (b) => {
      const controller = new AbortController()
      const socket = b.own(b.dgram.createSocket({ type: 'udp4', signal: controller.signal }))
      b.log('close listeners', socket.listenerCount('close'))
      b.watch(socket)
      b.marks('before')
      controller.abort()
      b.marks('after')
      b.call('close', () => socket.close())
    },
  },
  {
    name: 'aborting the signal closes a bound socket, with nothing said about the abort',
    program: async (b) => {
      const controller = new AbortController()
      const socket = await b.bound({ type: 'udp4', signal: controller.signal })
      controller.abort(new Error('the reason'))
      b.call('send', () => socket.send('x', 9))
      await b.settle()
      b.log('close listeners', socket.listenerCount('close'))
    },
  },
  {
    name: 'aborting the signal while the bind is under way',
    program: (b) => {
      const controller = new AbortController()
      const socket = b.socket({ type: 'udp4', signal: controller.signal })
      socket.bind(0, '127.0.0.1', b.callback('bind'))
      controller.abort()
      b.marks()
    },
  },
  {
    name: 'aborting the signal with sends waiting',
    program: async (b) => {
      const controller = new AbortController()
      const peer = await b.peer()
      const socket = b.socket({ type: 'udp4', signal: controller.signal })
      socket.send('x', peer.port, '127.0.0.1', b.callback('send'))
      controller.abort()
      await peer.heard()
    },
  },
  {
    name: 'aborting after close does nothing',
    program: async (b) => {
      const controller = new AbortController()
      const socket = b.socket({ type: 'udp4', signal: controller.signal })
      socket.close()
      await b.settle()
      controller.abort()
      b.log('close listeners', socket.listenerCount('close'))
    },
  },
  {
    name: 'one signal closes several sockets in the order of their creation',
    program: (b) => {
      const controller = new AbortController()
      for (let i = 0; i < 3; i++) b.socket({ type: 'udp4', signal: controller.signal })
      controller.abort()
      b.marks()
    },
  },
  {
    name: 'buffer sizes given as options are set when the socket is bound',
    program: async (b) => {
      const socket = await b.bound({ type: 'udp4', recvBufferSize: 20_000, sendBufferSize: 30_000 })
      b.call('receive', () => socket.getRecvBufferSize())
      b.call('send', () => socket.getSendBufferSize())
    },
  },
  {
    name: 'a buffer size that cannot be set fails when the socket is bound',
    program: async (b) => {
      const socket = b.socket({ type: 'udp4', recvBufferSize: 2 ** 31 })
      socket.bind(0, '127.0.0.1', b.callback('bind'))
      await b.settle()
      b.call('bind', () => socket.bind(0))
      b.call('getRecvBufferSize is a number', () => typeof socket.getRecvBufferSize())
    },
  },
  {
    name: 'a send buffer size that cannot be set fails when the socket is bound implicitly',
    program: async (b) => {
      const socket = b.socket({ type: 'udp4', sendBufferSize: 2 ** 32 - 1 })
      socket.send('x', 9, '127.0.0.1', b.callback('send'))
      await b.settle()
    },
  },
]
