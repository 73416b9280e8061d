import type { Case } from '../differential.js'
import { sendWith } from './send.js'

const HOST = '127.0.0.1'
const TOO_LARGE = 65_508

export const sendErrorCases: Case[] = [
  {
    name: 'a datagram that is too large',
    program: async (b) => {
      const socket = await b.bound()
      sendWith(b, socket, [Buffer.alloc(TOO_LARGE), 9, HOST, b.callback('send')])
      sendWith(b, socket, [Buffer.alloc(TOO_LARGE), 9, HOST])
      sendWith(b, socket, [Buffer.alloc(TOO_LARGE), '9', b.callback('send, no address, port as text')])
      await b.settle()
    },
  },
  {
    name: 'a datagram that is too large, connected',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.connected('udp4', peer.port)
      sendWith(b, socket, [Buffer.alloc(TOO_LARGE), b.callback('send')])
      sendWith(b, socket, [Buffer.alloc(TOO_LARGE)])
      b.marks()
      await b.settle()
    },
  },
  {
    name: 'a datagram that is too large, unbound',
    program: async (b) => {
      const socket = b.socket()
      sendWith(b, socket, [Buffer.alloc(TOO_LARGE), 9, HOST, b.callback('send')])
      await b.settle()
    },
  },
  {
    name: 'a list that is too large',
    program: async (b) => {
      const socket = await b.bound()
      sendWith(b, socket, [[Buffer.alloc(40_000), Buffer.alloc(40_000)], 9, HOST, b.callback('send')])
      await b.settle()
    },
  },
  {
    name: 'more than a thousand parts',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound()
      sendWith(b, socket, [Array.from({ length: 1500 }, () => 'x'), peer.port, HOST, b.callback('send')])
      await b.settle()
    },
  },
  {
    name: 'one datagram that is too large between others fails alone',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound()
      for (let i = 0; i < 9; i++) {
        const message = i % 4 === 2 ? Buffer.alloc(TOO_LARGE) : `datagram ${i}`
        socket.send(message, peer.port, HOST, b.callback(String(i)))
        b.marks(String(i))
      }
      await peer.heard()
    },
  },
  {
    name: 'one datagram that is too large between others fails alone, connected',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.connected('udp4', peer.port)
      for (let i = 0; i < 9; i++) {
        const message = i % 4 === 2 ? Buffer.alloc(TOO_LARGE) : `datagram ${i}`
        socket.send(message, b.callback(String(i)))
        b.marks(String(i))
      }
      await peer.heard()
    },
  },
  {
    name: 'one datagram to an address of the other family between others fails alone',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound()
      for (let i = 0; i < 9; i++) socket.send(`datagram ${i}`, peer.port, i % 3 === 1 ? '::1' : HOST, b.callback(String(i)))
      await peer.heard()
    },
  },
  {
    name: 'one datagram to the broadcast address between others fails alone',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound()
      for (let i = 0; i < 9; i++)
        socket.send(`datagram ${i}`, peer.port, i % 3 === 1 ? '255.255.255.255' : HOST, b.callback(String(i)))
      await peer.heard()
    },
  },
  {
    name: 'an error without a callback is heard by nobody',
    program: async (b) => {
      const socket = await b.bound()
      sendWith(b, socket, ['x', 9, '255.255.255.255'])
      sendWith(b, socket, ['x', 9, '::1'])
      await b.settle()
    },
  },
  ...(['udp4', 'udp6'] as const).map((type): Case => ({
    name: `an address of the other family, ${type}`,
    program: async (b) => {
      const socket = await b.bound(type)
      const address = type === 'udp4' ? '::1' : HOST
      sendWith(b, socket, ['x', 9, address, b.callback('send')])
      sendWith(b, socket, ['x', '9', address, b.callback('port as text')])
      sendWith(b, socket, ['x', 9, address])
      b.marks()
      await b.settle()
    },
  })),
  ...['0.0.0.0', '127.255.255.254', '240.0.0.1'].map((address): Case => ({
    name: `a send to ${address}`,
    program: async (b) => {
      const socket = await b.bound()
      sendWith(b, socket, ['x', 9, address, b.callback('send')])
      await b.settle()
    },
  })),
  {
    name: 'a connected socket hears of the dead port',
    program: async (b) => {
      const port = await b.deadPort()
      const socket = await b.connected('udp4', port)
      socket.send('x', b.callback('send'))
      await b.settle()
    },
  },
  {
    name: 'a connected socket hears of the dead port though it has no callback',
    program: async (b) => {
      const port = await b.deadPort()
      const socket = await b.connected('udp4', port)
      socket.send('x')
      b.marks()
      await b.settle()
    },
  },
  {
    name: 'a dead port, IPv6',
    program: async (b) => {
      const peer = await b.peer('udp6')
      const { port } = peer
      peer.socket.close()
      await b.turn()
      const socket = await b.connected('udp6', port)
      socket.send('x', b.callback('send'))
      await b.settle()
    },
  },
  {
    name: 'a dead port that nobody listens to',
    program: async (b) => {
      const port = await b.deadPort()
      const socket = await b.connected('udp4', port, 'error')
      socket.send('x', b.callback('send'))
      await b.settle()
      socket.send('y', b.callback('send'))
      await b.settle()
    },
  },
  {
    name: 'a dead port tells every second send of one tick',
    program: async (b) => {
      const port = await b.deadPort()
      const socket = await b.connected('udp4', port)
      for (let i = 0; i < 6; i++) socket.send(`datagram ${i}`, b.callback(String(i)))
      await b.settle()
    },
  },
  {
    name: 'a dead port tells the send of the next tick',
    program: async (b) => {
      const port = await b.deadPort()
      const socket = await b.connected('udp4', port)
      socket.send('first', b.callback('first'))
      process.nextTick(() => socket.send('second', b.callback('second')))
      await b.settle()
    },
  },
  {
    name: 'an unconnected socket does not hear of the dead port',
    program: async (b) => {
      const port = await b.deadPort()
      const peer = await b.peer()
      const socket = await b.bound()
      for (let i = 0; i < 6; i++) socket.send(`datagram ${i}`, i % 2 === 0 ? port : peer.port, HOST, b.callback(String(i)))
      await peer.heard()
    },
  },
  {
    name: 'a connected socket whose peer comes back',
    program: async (b) => {
      const port = await b.deadPort()
      const socket = await b.connected('udp4', port)
      socket.send('x', b.callback('send'))
      await b.settle()
      const back = b.socket()
      back.bind(port, HOST)
      await b.settle()
      socket.send('y', b.callback('send'))
      await b.settle()
    },
  },
  {
    name: 'a send that is queued when the socket becomes connected fails',
    program: async (b) => {
      const peer = await b.peer()
      const socket = b.socket()
      socket.connect(peer.port, HOST, b.callback('connect'))
      sendWith(b, socket, ['x', peer.port, HOST, b.callback('with address')])
      sendWith(b, socket, ['x', peer.port, b.callback('without address')])
      sendWith(b, socket, ['x', b.callback('as if connected')])
      await peer.heard()
    },
  },
  {
    name: 'a send between connect and its event',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound()
      socket.connect(peer.port, HOST, b.callback('connect'))
      sendWith(b, socket, ['first', peer.port, HOST, b.callback('first')])
      process.nextTick(() => sendWith(b, socket, ['second', peer.port, HOST, b.callback('second')]))
      process.nextTick(() => sendWith(b, socket, ['third', b.callback('third')]))
      await peer.heard()
    },
  },
  {
    name: 'a send before connect, in one tick',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound()
      sendWith(b, socket, ['first', peer.port, HOST, b.callback('first')])
      socket.connect(peer.port, HOST, b.callback('connect'))
      await peer.heard()
    },
  },
  {
    name: 'a send before disconnect, in one tick',
    program: async (b) => {
      const peer = await b.peer()
      const other = await b.peer()
      const socket = await b.connected('udp4', peer.port)
      sendWith(b, socket, ['first', b.callback('first')])
      socket.disconnect()
      sendWith(b, socket, ['second', b.callback('second')])
      sendWith(b, socket, ['third', other.port, HOST, b.callback('third')])
      await peer.heard()
      await other.heard()
    },
  },
  {
    name: 'disconnect and connect to another between sends of one tick',
    program: async (b) => {
      const [first, second] = [await b.peer(), await b.peer()]
      const socket = await b.connected('udp4', first.port)
      socket.send('to the first', b.callback('first'))
      socket.disconnect()
      socket.connect(second.port, HOST, () => socket.send('to the second', b.callback('second')))
      await first.heard()
      await second.heard()
    },
  },
]
