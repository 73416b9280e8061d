import type { Case } from '../differential.js'

const HOST = '127.0.0.1'

/** Every member that a program can call on a closed socket, with arguments that are good. */
export const MEMBERS: Record<string, unknown[]> = {
  bind: [0],
  connect: [9],
  disconnect: [],
  sendto: ['x', 0, 1, 9, HOST],
  send: ['x', 9, HOST],
  address: [],
  remoteAddress: [],
  setBroadcast: [true],
  setTTL: [5],
  setMulticastTTL: [5],
  setMulticastLoopback: [true],
  setMulticastInterface: [HOST],
  addMembership: ['239.77.1.2'],
  dropMembership: ['239.77.1.2'],
  addSourceSpecificMembership: [HOST, '232.77.1.2'],
  dropSourceSpecificMembership: [HOST, '232.77.1.2'],
  ref: [],
  unref: [],
  setRecvBufferSize: [10_000],
  setSendBufferSize: [10_000],
  getRecvBufferSize: [],
  getSendBufferSize: [],
  getSendQueueSize: [],
  getSendQueueCount: [],
}

/** Of a reply that was sent without anybody being told, and a close right behind it. */
const CLOSES_BEHIND_A_REPLY: [string, (reply: (text: string) => void, close: () => void) => void | Promise<void>][] = [
  [
    'a reply and a close',
    (reply, close) => {
      reply('lost with the lookup')
      close()
    },
  ],
  [
    'a reply, and a close in the next tick',
    (reply, close) => {
      reply('in time')
      process.nextTick(close)
    },
  ],
  [
    'a reply, and a close in a tick that comes first',
    (reply, close) => {
      process.nextTick(close)
      reply('too late')
    },
  ],
  [
    'a reply, and a close in a microtask',
    async (reply, close) => {
      reply('in time')
      await Promise.resolve()
      close()
    },
  ],
  [
    'a reply in a microtask and a close',
    async (reply, close) => {
      await Promise.resolve()
      reply('lost with the lookup')
      close()
    },
  ],
  [
    'a reply in a microtask, and a close in the next tick',
    async (reply, close) => {
      await Promise.resolve()
      reply('in time')
      process.nextTick(close)
    },
  ],
  [
    'a reply, another one and a close in the next tick',
    (reply, close) => {
      reply('in time')
      process.nextTick(() => {
        reply('lost with the lookup')
        close()
      })
    },
  ],
]

export const closeCases: Case[] = [
  ...Object.entries(MEMBERS).flatMap(([member, values]): Case[] => [
    {
      name: `${member} of a closed socket`,
      program: async (b) => {
        for (const socket of [b.socket(), await b.bound(), await b.connected()]) {
          socket.close()
          const call = () => (Reflect.get(socket, member) as (...values: unknown[]) => unknown).apply(socket, values)
          b.call(member, call)
          await b.settle()
          b.call(`${member} later`, call)
        }
      },
    },
    {
      name: `${member} of an object that is no socket`,
      program: (b) => {
        const method = Reflect.get(b.dgram.Socket.prototype, member) as (...values: unknown[]) => unknown
        b.call(member, () => method.apply({}, values))
      },
    },
  ]),
  ...CLOSES_BEHIND_A_REPLY.flatMap(([name, replyAndClose]) =>
    [true, false].map((calledBack): Case => ({
      name: `in a message listener: ${name}${calledBack ? ', with a callback' : ''}`,
      program: async (b) => {
        const peer = await b.peer()
        const socket = await b.bound()
        const reply = (text: string): void => {
          if (calledBack) socket.send(text, peer.port, HOST, b.callback(text))
          else socket.send(text, peer.port, HOST)
        }
        socket.once('message', () => void replyAndClose(reply, () => socket.close()))
        await peer.send('first', b.port(socket))
        await peer.heard()
      },
    })),
  ),
  {
    name: 'close of an unbound socket, and the marks around it',
    program: (b) => {
      const socket = b.socket()
      b.marks('before')
      b.call('close', () => socket.close(b.callback('close')))
      b.marks('after')
    },
  },
  {
    name: 'close of a bound socket, and the marks around it',
    program: async (b) => {
      const socket = await b.bound()
      b.marks('before')
      b.call('close', () => socket.close(b.callback('close')))
      b.marks('after')
    },
  },
  {
    name: 'close twice, with callbacks',
    program: async (b) => {
      const socket = await b.bound()
      b.call('first', () => socket.close(b.callback('first')))
      b.call('second', () => socket.close(b.callback('second')))
      await b.settle()
      b.call('third', () => socket.close(b.callback('third')))
      await b.settle()
      b.log('listeners', socket.listenerCount('close'))
    },
  },
  ...[undefined, null, 'later', 5, {}].map((value): Case => ({
    name: `close with ${value === null ? 'null' : typeof value} as callback`,
    program: (b) => {
      const socket = b.socket()
      b.call('close', () => socket.close(value as never))
      b.log('listeners', socket.listenerCount('close'))
    },
  })),
  {
    name: 'close in the close handler',
    program: async (b) => {
      const socket = await b.bound()
      socket.on('close', () => b.call('close', () => socket.close()))
      socket.close()
    },
  },
  {
    name: 'an exception in the close handler',
    program: async (b) => {
      const socket = await b.bound()
      socket.on('close', () => {
        throw new Error('of the handler')
      })
      socket.close()
      b.ticks()
    },
  },
  {
    name: 'the callback of close is a listener that stays',
    program: async (b) => {
      const socket = await b.bound()
      socket.close(b.callback('close'))
      await b.settle()
      socket.emit('close')
    },
  },
  {
    name: 'the port is free when close returns',
    program: async (b) => {
      const socket = await b.bound()
      const port = b.port(socket)
      socket.close()
      b.socket().bind(port, HOST, b.callback('bind'))
      await b.settle()
    },
  },
  {
    name: 'messages that wait are gone with close',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound()
      await peer.send('hello', b.port(socket))
      socket.close()
      await b.settle()
    },
  },
  {
    name: 'Symbol.asyncDispose of an unbound socket',
    program: async (b) => {
      const socket = b.socket()
      const disposed = b.call('dispose', () => socket[Symbol.asyncDispose]().then((value: unknown) => b.log('disposed', value)))
      b.marks()
      b.call('address', () => socket.address())
      await disposed
    },
  },
  {
    name: 'Symbol.asyncDispose of a bound socket',
    program: async (b) => {
      const socket = await b.bound()
      const disposed = socket[Symbol.asyncDispose]().then((value: unknown) => b.log('disposed', value))
      b.marks()
      await disposed
      b.log('listeners', socket.listenerCount('close'))
    },
  },
  {
    name: 'Symbol.asyncDispose twice, and of a closed socket',
    program: async (b) => {
      const socket = await b.bound()
      const both = [socket[Symbol.asyncDispose](), socket[Symbol.asyncDispose]()]
      both.forEach((disposed, i) => void disposed.then((value: unknown) => b.log('disposed', i, value)))
      b.marks()
      await Promise.all(both)
      b.log('again', await socket[Symbol.asyncDispose]())
    },
  },
  {
    name: 'Symbol.asyncDispose with sends waiting',
    program: async (b) => {
      const peer = await b.peer()
      const socket = b.socket()
      socket.send('x', peer.port, HOST, b.callback('send'))
      await socket[Symbol.asyncDispose]()
      b.log('disposed')
      await peer.heard()
    },
  },
  {
    name: 'close while Symbol.asyncDispose is under way',
    program: async (b) => {
      const socket = await b.bound()
      const disposed = socket[Symbol.asyncDispose]()
      b.call('close', () => socket.close(b.callback('close')))
      await disposed
    },
  },
  {
    name: 'close of many sockets, in the order of the calls',
    program: async (b) => {
      const sockets = [await b.bound(), b.socket(), await b.connected(), b.socket('udp6')]
      for (const socket of sockets.reverse()) socket.close()
      b.marks()
    },
  },
  {
    name: 'a listener for errors alone keeps nothing from closing',
    program: async (b) => {
      const socket = await b.bound()
      socket.on('error', () => {})
      socket.removeAllListeners()
      socket.close()
      await b.settle()
      b.call('address', () => socket.address())
    },
  },
]
