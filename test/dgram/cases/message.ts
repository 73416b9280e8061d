import { on, once } from 'node:events'
import type { RemoteInfo } from 'node:dgram'
import type { Case } from '../differential.js'

const HOST = '127.0.0.1'

export const messageCases: Case[] = [
  {
    name: 'what a message event carries',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound(
        'udp4',
        (message, rinfo) => {
          b.log('message', Object.getPrototypeOf(message) === Buffer.prototype, Buffer.isBuffer(message))
          b.log('rinfo', Object.keys(rinfo), Object.getPrototypeOf(rinfo) === Object.prototype, rinfo)
          for (const [key, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(rinfo))) {
            b.log(key, descriptor.writable, descriptor.enumerable, descriptor.configurable)
          }
        },
        'message',
      )
      await peer.send('hello', b.port(socket))
      await b.settle()
    },
  },
  {
    name: 'the arguments of a message handler',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound('udp4', undefined, 'message')
      socket.on('message', (...values: unknown[]) => b.log('arguments', values.length))
      await peer.send('hello', b.port(socket))
      await b.settle()
    },
  },
  {
    name: 'an empty message is an event',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound()
      await peer.send('', b.port(socket))
      await peer.send('after', b.port(socket))
      await b.settle()
    },
  },
  {
    name: 'the largest message',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound()
      await peer.send(Buffer.alloc(65_507, 'm'), b.port(socket))
      await b.settle()
    },
  },
  {
    name: 'messages from IPv6',
    program: async (b) => {
      const peer = await b.peer('udp6')
      const socket = await b.bound('udp6')
      await peer.send('hello', b.port(socket), '::1')
      await b.settle()
    },
  },
  {
    name: 'messages from IPv4 at a socket of both families',
    program: async (b) => {
      const peer = await b.peer()
      const socket = b.socket('udp6')
      socket.bind()
      await b.settle()
      await peer.send('hello', b.port(socket))
      await b.settle()
    },
  },
  {
    name: 'messages of several senders',
    program: async (b) => {
      const peers = [await b.peer(), await b.peer()]
      const socket = await b.bound()
      for (let i = 0; i < 6; i++) {
        await peers[i % 2]!.send(`datagram ${i}`, b.port(socket))
        await b.settle()
      }
    },
  },
  {
    name: 'between two messages of one read all ticks and microtasks run',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound('udp4', (message) => {
        const text = message.toString()
        process.nextTick(() => {
          b.log(`tick of ${text}`)
          process.nextTick(() => b.log(`second tick of ${text}`))
          queueMicrotask(() => b.log(`microtask of the tick of ${text}`))
        })
        void Promise.resolve()
          .then(() => b.log(`first microtask of ${text}`))
          .then(() => b.log(`second microtask of ${text}`))
          .then(() => process.nextTick(() => b.log(`tick of the microtask of ${text}`)))
      })
      for (let i = 0; i < 4; i++) peer.socket.send(`datagram ${i}`, b.port(socket), HOST)
      await b.settle()
    },
  },
  {
    name: 'an async handler ends before the next message of one read',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound('udp4', (message) => {
        void (async () => {
          b.log('begins', message)
          for (let i = 0; i < 5; i++) await Promise.resolve()
          b.log('ends', message)
        })()
      })
      for (let i = 0; i < 4; i++) peer.socket.send(`datagram ${i}`, b.port(socket), HOST)
      await b.settle()
    },
  },
  {
    name: 'messages come before the immediate of the tick that sent them',
    program: async (b) => {
      const socket = await b.bound()
      for (let i = 0; i < 3; i++) socket.send(`datagram ${i}`, b.port(socket), HOST, b.callback(String(i)))
      b.marks()
      await b.settle()
    },
  },
  {
    name: 'messages of a connected socket come before the immediate of the tick that sent them',
    program: async (b) => {
      const socket = await b.connected()
      for (let i = 0; i < 3; i++) socket.send(`datagram ${i}`, b.callback(String(i)))
      b.marks()
      await b.settle()
    },
  },
  {
    name: 'an exception in a message handler costs that message only',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound('udp4', (message) => {
        if (message.toString().endsWith('1')) throw new Error('of the handler')
      })
      for (let i = 0; i < 4; i++) peer.socket.send(`datagram ${i}`, b.port(socket), HOST)
      await b.settle()
    },
  },
  {
    name: 'a rejected promise of a message handler',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound('udp4', (message) => void Promise.reject(new Error(`of ${message.toString()}`)))
      for (let i = 0; i < 3; i++) peer.socket.send(`datagram ${i}`, b.port(socket), HOST)
      await b.settle()
    },
  },
  {
    name: 'close in a message handler stops the others of the same read',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound('udp4', (message) => {
        if (message.toString().endsWith('1')) {
          b.call('close', () => socket.close(b.callback('close')))
          b.marks()
          b.call('address', () => socket.address())
        }
      })
      for (let i = 0; i < 4; i++) peer.socket.send(`datagram ${i}`, b.port(socket), HOST)
      await b.settle()
    },
  },
  {
    name: 'close in a tick of a message handler',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound('udp4', (message) => {
        if (message.toString().endsWith('1')) process.nextTick(() => socket.close())
      })
      for (let i = 0; i < 4; i++) peer.socket.send(`datagram ${i}`, b.port(socket), HOST)
      await b.settle()
    },
  },
  {
    name: 'close in a microtask of a message handler',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound('udp4', (message) => {
        if (message.toString().endsWith('1')) void Promise.resolve().then(() => socket.close())
      })
      for (let i = 0; i < 4; i++) peer.socket.send(`datagram ${i}`, b.port(socket), HOST)
      await b.settle()
    },
  },
  {
    name: 'close and send in a message handler',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound('udp4', (_message, from) => {
        socket.send('bye', from.port, from.address, b.callback('send'))
        socket.close()
        b.call('send', () => socket.send('too late', from.port, from.address))
      })
      await peer.send('hello', b.port(socket))
      await peer.heard()
    },
  },
  {
    name: 'a reply and then close in its callback',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound('udp4', (_message, from) => {
        socket.send(
          'bye',
          from.port,
          from.address,
          b.callback('send', () => socket.close()),
        )
      })
      await peer.send('hello', b.port(socket))
      await peer.heard()
    },
  },
  {
    name: 'another message listener that is added in the handler hears the next message',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound('udp4', undefined, 'message')
      socket.once('message', (message) => {
        b.log('first listener', message)
        socket.on('message', (next) => b.log('second listener', next))
      })
      for (let i = 0; i < 3; i++) peer.socket.send(`datagram ${i}`, b.port(socket), HOST)
      await b.settle()
    },
  },
  {
    name: 'a message listener that is removed in the handler hears no more',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound('udp4', undefined, 'message')
      const listener = (message: Buffer) => {
        b.log('heard', message)
        socket.off('message', listener)
      }
      socket.on('message', listener)
      for (let i = 0; i < 3; i++) peer.socket.send(`datagram ${i}`, b.port(socket), HOST)
      await b.settle()
      socket.on('message', (message) => b.log('heard again', message))
      await peer.send('datagram 3', b.port(socket))
      await b.settle()
    },
  },
  {
    name: 'messages that nobody listens to are gone',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound('udp4', undefined, 'message')
      for (let i = 0; i < 3; i++) await peer.send(`datagram ${i}`, b.port(socket))
      await b.settle()
      socket.on('message', (message) => b.log('heard', message))
      await peer.send('datagram 3', b.port(socket))
      await b.settle()
    },
  },
  {
    name: 'messages that came before the socket was read',
    program: async (b) => {
      const peer = await b.peer()
      const socket = b.socket()
      socket.bind(0, HOST, () => peer.socket.send('early', b.port(socket), HOST))
      await b.settle()
    },
  },
  {
    name: 'all listeners hear the same message object',
    program: async (b) => {
      const peer = await b.peer()
      const seen: unknown[] = []
      const socket = await b.bound('udp4', (message, from) => void seen.push(message, from))
      socket.on('message', (message, from) => b.log('same', seen.includes(message), seen.includes(from)))
      await peer.send('hello', b.port(socket))
      await b.settle()
    },
  },
  {
    name: 'a handler that changes what it got changes nothing else',
    program: async (b) => {
      const peer = await b.peer()
      const kept: Buffer[] = []
      const socket = await b.bound('udp4', (message, from: RemoteInfo) => {
        message.fill(0)
        kept.push(message)
        from.address = 'changed'
        from.port = 0
        Reflect.set(from, 'added', true)
      })
      for (let i = 0; i < 3; i++) peer.socket.send(`datagram ${i}`, b.port(socket), HOST)
      await b.settle()
      b.log('kept', kept)
    },
  },
  {
    name: 'messages that are kept stay as they were',
    program: async (b) => {
      const peer = await b.peer()
      const kept: Buffer[] = []
      const socket = await b.bound('udp4', (message) => void kept.push(message), 'message')
      for (let round = 0; round < 5; round++) {
        for (let i = 0; i < 20; i++) peer.socket.send(`datagram ${round} ${i}`, b.port(socket), HOST)
        await b.settle()
      }
      b.log('kept', kept)
    },
  },
  {
    name: 'echo between two sockets',
    program: async (b) => {
      let left = 5
      const echo = await b.bound('udp4', (message, from) => echo.send(message, from.port, from.address))
      const socket = await b.bound('udp4', (message, from) => left-- > 0 && socket.send(message, from.port, from.address))
      socket.send('ball', b.port(echo), HOST)
      for (let i = 0; i < 8; i++) await b.settle()
      b.log('left', left)
    },
  },
  {
    name: 'a message event that the program emits',
    program: (b) => {
      const socket = b.socket()
      b.call('emit', () => socket.emit('message', Buffer.from('fake'), { address: 'x', family: 'IPv4', port: 1, size: 4 }))
    },
  },
  {
    name: 'waiting for messages with once and on of events',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound('udp4', undefined, 'message')
      peer.socket.send('first', b.port(socket), HOST)
      b.log('once', await once(socket, 'message'))
      for (let i = 0; i < 3; i++) peer.socket.send(`datagram ${i}`, b.port(socket), HOST)
      let count = 0
      for await (const values of on(socket, 'message')) {
        b.log('on', values)
        if (++count === 3) break
      }
    },
  },
  {
    name: 'a message that is larger than what the peer announces is cut nowhere',
    program: async (b) => {
      const peer = await b.peer()
      const sizes: number[] = []
      const socket = await b.bound('udp4', (message, from) => void sizes.push(message.length, from.size), 'message')
      for (const size of [1, 1472, 1473, 9000, 32_768, 65_506, 0, 1]) {
        await peer.send(Buffer.alloc(size, 'x'), b.port(socket))
        await b.settle()
      }
      b.log('sizes', sizes)
    },
  },
  {
    name: 'numbers are read from a message by a typed array over its memory',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound(
        'udp4',
        (message) => b.call('read', () => [...new Float64Array(message.buffer, message.byteOffset, 2)].join()),
        'message',
      )
      const values = new Uint8Array([...new Uint8Array(new Float64Array([1.5, -2]).buffer), 1, 2, 3])
      for (let i = 0; i < 6; i++) peer.socket.send(values, b.port(socket), HOST)
      await b.settle()
    },
  },
]
