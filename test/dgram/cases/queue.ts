import type { Case } from '../differential.js'

const HOST = '127.0.0.1'

/** Sends, connects and closes that wait for the bind, and sends that wait for the lookup. */
export const queueCases: Case[] = [
  {
    name: 'sends wait for the bind that they cause',
    program: async (b) => {
      const peer = await b.peer()
      const socket = b.socket()
      b.marks('before')
      for (let i = 0; i < 3; i++) socket.send(`datagram ${i}`, peer.port, HOST, b.callback(String(i)))
      b.marks('after')
      await peer.hears(3)
    },
  },
  {
    name: 'sends wait for the bind that is under way',
    program: async (b) => {
      const peer = await b.peer()
      const socket = b.socket()
      socket.bind(0, HOST, b.callback('bind'))
      socket.send('early', peer.port, HOST, b.callback('early'))
      process.nextTick(() => socket.send('late', peer.port, HOST, b.callback('late')))
      await peer.hears(2)
    },
  },
  {
    name: 'a send in the listening handler overtakes none that waits',
    program: async (b) => {
      const peer = await b.peer()
      const socket = b.socket()
      socket.on('listening', () => socket.send('in listening', peer.port, HOST, b.callback('in listening')))
      socket.send('queued', peer.port, HOST, b.callback('queued'))
      socket.on('listening', () => socket.send('in listening, after', peer.port, HOST, b.callback('in listening, after')))
      await peer.hears(3)
    },
  },
  {
    name: 'what is listened to while sends wait',
    program: async (b) => {
      const socket = b.own(b.dgram.createSocket('udp4'))
      socket.send('x', 9, HOST)
      socket.send('x', 9, HOST)
      b.log('names', socket.eventNames())
      b.log('listening', socket.listenerCount('listening'))
      await b.settle()
      b.log('names', socket.eventNames())
    },
  },
  {
    name: 'close with sends waiting for the bind closes when bound, and nothing is sent',
    program: async (b) => {
      const peer = await b.peer()
      const socket = b.socket()
      socket.send('x', peer.port, HOST, b.callback('send'))
      b.call('close', () => socket.close(b.callback('close')))
      b.call('address', () => socket.address())
      b.call('send', () => socket.send('y', peer.port, HOST, b.callback('send')))
      b.call('close again', () => socket.close(b.callback('close again')))
      b.marks()
      await peer.heard()
    },
  },
  {
    name: 'close in the tick after the first send',
    program: async (b) => {
      const peer = await b.peer()
      const socket = b.socket()
      socket.send('x', peer.port, HOST, b.callback('send'))
      process.nextTick(() => b.call('close', () => socket.close()))
      await peer.heard()
    },
  },
  {
    name: 'close two ticks after the first send',
    program: async (b) => {
      const peer = await b.peer()
      const socket = b.socket()
      socket.send('x', peer.port, HOST, b.callback('send'))
      process.nextTick(() => process.nextTick(() => b.call('close', () => socket.close())))
      await peer.heard()
    },
  },
  {
    name: 'close in the callback of the first send',
    program: async (b) => {
      const peer = await b.peer()
      const socket = b.socket()
      socket.send('x', peer.port, HOST, () => b.call('close', () => socket.close(b.callback('close'))))
      await peer.heard()
    },
  },
  {
    name: 'close after a send of a bound socket: the datagram is lost and the callback is never called',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound()
      socket.send('x', peer.port, HOST, b.callback('send'))
      b.call('close', () => socket.close())
      b.marks()
      await peer.heard()
    },
  },
  {
    name: 'close after a send of a connected socket: the datagram is out',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.connected('udp4', peer.port)
      for (let i = 0; i < 3; i++) socket.send(`datagram ${i}`, b.callback(String(i)))
      b.call('close', () => socket.close(b.callback('close')))
      b.marks()
      await peer.heard()
    },
  },
  {
    name: 'close after a failing send of a connected socket',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.connected('udp4', peer.port)
      socket.send(Buffer.alloc(65_508), b.callback('send'))
      socket.close()
      await peer.heard()
    },
  },
  {
    name: 'close in the callback of one of several sends',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound()
      for (let i = 0; i < 4; i++) {
        socket.send(
          `datagram ${i}`,
          peer.port,
          HOST,
          b.callback(String(i), () => i === 1 && b.call('close', () => socket.close())),
        )
      }
      await peer.heard()
    },
  },
  {
    name: 'close in the callback of one of several sends of a connected socket',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.connected('udp4', peer.port)
      for (let i = 0; i < 4; i++) {
        socket.send(
          `datagram ${i}`,
          b.callback(String(i), () => i === 1 && b.call('close', () => socket.close())),
        )
      }
      await peer.heard()
    },
  },
  {
    name: 'a bind that fails drops what waits',
    program: async (b) => {
      const peer = await b.peer()
      const socket = b.socket()
      socket.bind(peer.port, HOST)
      socket.send('x', peer.port, HOST, b.callback('send'))
      socket.close(b.callback('close'))
      await b.settle()
      b.log('close listeners', socket.listenerCount('close'))
      socket.send('y', peer.port, HOST, b.callback('later'))
      await peer.heard()
      socket.close()
      await b.settle()
    },
  },
  {
    name: 'a bind that fails with sends waiting, and nobody listens to errors',
    program: async (b) => {
      const peer = await b.peer()
      const socket = b.socket('udp4', undefined, 'error')
      socket.bind(peer.port, HOST)
      socket.send('x', peer.port, HOST, b.callback('send'))
      await peer.heard()
    },
  },
  {
    name: 'an error that the program emits drops what waits',
    program: async (b) => {
      const peer = await b.peer()
      const socket = b.socket()
      socket.send('x', peer.port, HOST, b.callback('send'))
      socket.emit('error', new Error('of the program'))
      await peer.heard()
    },
  },
  {
    name: 'a listening event that the program emits sets off what waits',
    program: async (b) => {
      const peer = await b.peer()
      const socket = b.socket()
      socket.send('x', peer.port, HOST, b.callback('send'))
      socket.emit('listening')
      await peer.heard()
    },
  },
  {
    name: 'removing all listeners while sends wait',
    program: async (b) => {
      const peer = await b.peer()
      const socket = b.socket()
      socket.send('x', peer.port, HOST, b.callback('send'))
      socket.removeAllListeners()
      b.watch(socket)
      await peer.heard()
      b.call('close', () => socket.close(b.callback('close')))
      await b.settle()
    },
  },
  {
    name: 'the marks around one send of a bound socket',
    program: async (b) => {
      const socket = await b.bound()
      b.marks('before')
      socket.send(
        'x',
        9,
        HOST,
        b.callback('send', () => b.marks('in the callback')),
      )
      b.marks('after')
    },
  },
  {
    name: 'the marks around sends of a bound socket',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound()
      for (let i = 0; i < 4; i++) {
        b.marks(`before ${i}`)
        socket.send(`datagram ${i}`, peer.port, HOST, b.callback(String(i)))
      }
      b.marks('after')
      await peer.hears(4)
    },
  },
  {
    name: 'the marks around sends of a connected socket',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.connected('udp4', peer.port)
      for (let i = 0; i < 4; i++) {
        b.marks(`before ${i}`)
        socket.send(`datagram ${i}`, b.callback(String(i)))
      }
      b.marks('after')
      await peer.hears(4)
    },
  },
  {
    name: 'sends from ticks, microtasks and immediates',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound()
      process.nextTick(() => socket.send('tick', peer.port, HOST, b.callback('tick')))
      queueMicrotask(() => socket.send('microtask', peer.port, HOST, b.callback('microtask')))
      setImmediate(() => socket.send('immediate', peer.port, HOST, b.callback('immediate')))
      socket.send('at once', peer.port, HOST, b.callback('at once'))
      b.marks()
      await peer.hears(4)
    },
  },
  {
    name: 'sends of a connected socket from ticks, microtasks and immediates',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.connected('udp4', peer.port)
      process.nextTick(() => socket.send('tick', b.callback('tick')))
      queueMicrotask(() => socket.send('microtask', b.callback('microtask')))
      setImmediate(() => socket.send('immediate', b.callback('immediate')))
      socket.send('at once', b.callback('at once'))
      b.marks()
      await peer.hears(4)
    },
  },
  {
    name: 'sends of two sockets in turn, callbacks in the order of the calls',
    program: async (b) => {
      const peer = await b.peer()
      const sockets = [await b.bound(), await b.bound()]
      for (let i = 0; i < 6; i++) sockets[i % 2]!.send(`datagram ${i}`, peer.port, HOST, b.callback(String(i)))
      await b.settle()
    },
  },
  {
    name: 'a bound and a connected socket send in turn',
    program: async (b) => {
      const peer = await b.peer()
      const [bound, connected] = [await b.bound(), await b.connected('udp4', peer.port)]
      for (let i = 0; i < 6; i++) {
        if (i % 2 === 0) bound.send(`datagram ${i}`, peer.port, HOST, b.callback(String(i)))
        else connected.send(`datagram ${i}`, b.callback(String(i)))
      }
      await b.settle()
    },
  },
  {
    name: 'awaiting promises of sends, one after the other',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound()
      for (let i = 0; i < 3; i++) {
        await new Promise<void>((resolve) =>
          socket.send(
            String(i),
            peer.port,
            HOST,
            b.callback(String(i), () => resolve()),
          ),
        )
        b.log('awaited', i)
        process.nextTick(() => b.log('tick', i))
      }
      await peer.hears(3)
    },
  },
  {
    name: 'the send queue is empty, whatever was sent',
    program: async (b) => {
      const peer = await b.peer()
      const unbound = b.socket()
      const bound = await b.bound()
      const connected = await b.connected('udp4', peer.port)
      unbound.send('x', peer.port, HOST)
      for (let i = 0; i < 3; i++) bound.send('y', peer.port, HOST)
      for (let i = 0; i < 3; i++) connected.send('z')
      for (const socket of [unbound, bound, connected]) b.log('queue', socket.getSendQueueSize(), socket.getSendQueueCount())
      process.nextTick(() => b.log('in the tick', bound.getSendQueueSize(), bound.getSendQueueCount()))
      await b.settle()
      for (const socket of [unbound, bound, connected]) b.log('queue', socket.getSendQueueSize(), socket.getSendQueueCount())
      bound.close()
      b.call('closed', () => bound.getSendQueueSize())
      b.call('closed', () => bound.getSendQueueCount())
    },
  },
]
