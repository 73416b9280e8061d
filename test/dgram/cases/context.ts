import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'
import * as diagnostics from 'node:diagnostics_channel'
import type { Bench, Case, Socket } from '../differential.js'
import { lookup } from './lookup.js'

const HOST = '127.0.0.1'

interface Context {
  storage: AsyncLocalStorage<string>
  /** Writes down in which context something comes. */
  seen(what: string): () => void
  in<T>(name: string, call: () => T): T
  /** Which context a socket's events come in. */
  watch(socket: Socket): Socket
}

function context(b: Bench): Context {
  const storage = new AsyncLocalStorage<string>()
  const seen = (what: string) => () => b.log(`${what} in the context of ${storage.getStore() ?? 'nothing'}`)
  return {
    storage,
    seen,
    in: (name, call) => storage.run(name, call),
    watch: (socket) => {
      for (const event of ['listening', 'connect', 'close', 'error', 'message']) socket.on(event, seen(event))
      return socket
    },
  }
}

export const contextCases: Case[] = [
  {
    name: 'the context of every event is that of the call that caused it, of messages that of createSocket',
    program: async (b) => {
      const c = context(b)
      const socket = c.in('createSocket', () => c.watch(b.own(b.dgram.createSocket('udp4', c.seen('listener')))))
      c.in('bind', () => socket.bind(0, HOST, c.seen('bind callback')))
      await b.settle()
      const port = b.port(socket)
      c.in('send', () => socket.send('x', port, HOST, c.seen('send callback')))
      await b.settle()
      c.in('connect', () => socket.connect(port, HOST, c.seen('connect callback')))
      await b.settle()
      c.in('connected send', () => socket.send('x', c.seen('connected send callback')))
      await b.settle()
      c.in('failing send', () => socket.send(Buffer.alloc(65_508), c.seen('failing send callback')))
      await b.settle()
      c.in('close', () => socket.close(c.seen('close callback')))
      await b.settle()
    },
  },
  {
    name: 'the context of several sends in one tick',
    program: async (b) => {
      const c = context(b)
      const socket = await b.bound()
      for (let i = 0; i < 4; i++) c.in(`send ${i}`, () => socket.send('x', 9, HOST, c.seen(`callback ${i}`)))
      await b.settle()
      const connected = await b.connected()
      for (let i = 0; i < 4; i++) c.in(`send ${i}`, () => connected.send('x', c.seen(`callback ${i}`)))
      await b.settle()
    },
  },
  {
    name: 'the context of sends that wait for the bind',
    program: async (b) => {
      const c = context(b)
      const socket = c.in('createSocket', () => c.watch(b.own(b.dgram.createSocket('udp4'))))
      for (let i = 0; i < 3; i++) c.in(`send ${i}`, () => socket.send('x', 9, HOST, c.seen(`callback ${i}`)))
      c.in('close', () => socket.close(c.seen('close callback')))
      await b.settle()
      const other = c.in('createSocket', () => c.watch(b.own(b.dgram.createSocket('udp4'))))
      c.in('bind', () => other.bind(0, HOST))
      for (let i = 0; i < 3; i++) c.in(`send ${i}`, () => other.send('x', 9, HOST, c.seen(`callback ${i}`)))
      c.in('connect', () => other.connect(9, HOST, c.seen('connect callback')))
      await b.settle()
    },
  },
  {
    name: 'the context of errors',
    program: async (b) => {
      const c = context(b)
      const peer = await b.peer()
      const socket = c.in('createSocket', () => c.watch(b.own(b.dgram.createSocket('udp4'))))
      c.in('bind', () => socket.bind(peer.port, HOST))
      await b.settle()
      c.in('connect', () => socket.connect(9, '::1'))
      await b.settle()
      c.in('connect with callback', () => socket.connect(9, '::1', c.seen('connect callback')))
      await b.settle()
      c.in('send', () => socket.send('x', 9, '::1', c.seen('send callback')))
      await b.settle()
    },
  },
  {
    name: 'the context of an error that comes from the network',
    program: async (b) => {
      const c = context(b)
      const port = await b.deadPort()
      const socket = c.in('createSocket', () => c.watch(b.own(b.dgram.createSocket('udp4'))))
      c.in('connect', () => socket.connect(port, HOST))
      await b.settle()
      c.in('send', () => socket.send('x'))
      await b.settle()
    },
  },
  {
    name: 'the context of an abort, before and after createSocket',
    program: async (b) => {
      const c = context(b)
      const controller = new AbortController()
      const socket = c.in('createSocket', () => b.own(b.dgram.createSocket({ type: 'udp4', signal: controller.signal })))
      c.watch(socket)
      c.in('abort', () => controller.abort())
      await b.settle()
      c.in('createSocket', () => c.watch(b.own(b.dgram.createSocket({ type: 'udp4', signal: controller.signal }))))
      await b.settle()
    },
  },
  {
    name: 'the context of messages of one read, and of what they start',
    program: async (b) => {
      const c = context(b)
      const peer = await b.peer()
      const socket = c.in('createSocket', () => b.own(b.dgram.createSocket('udp4')))
      socket.on('message', (message) => {
        c.seen('message')()
        c.storage.enterWith(`message ${message.toString()}`)
        process.nextTick(c.seen('tick'))
        void Promise.resolve().then(c.seen('microtask'))
        setImmediate(c.seen('immediate'))
      })
      socket.bind(0, HOST)
      await b.settle()
      for (let i = 0; i < 3; i++) peer.socket.send(String(i), b.port(socket), HOST)
      await b.settle()
    },
  },
  {
    name: 'the context of a send in a message handler',
    program: async (b) => {
      const c = context(b)
      const peer = await b.peer()
      const socket = c.in('createSocket', () => b.own(b.dgram.createSocket('udp4')))
      socket.on('message', (message, from) => {
        c.in(`request ${message.toString()}`, () =>
          socket.send(message, from.port, from.address, c.seen(`callback of ${message.toString()}`)),
        )
      })
      socket.bind(0, HOST)
      await b.settle()
      for (let i = 0; i < 3; i++) peer.socket.send(String(i), b.port(socket), HOST)
      await b.settle()
    },
  },
  {
    name: 'the context of an async lookup',
    program: async (b) => {
      const c = context(b)
      const peer = await b.peer()
      const socket = c.in('createSocket', () =>
        c.watch(b.own(b.dgram.createSocket({ type: 'udp4', lookup: lookup(b, { name: HOST }, 'immediate') }))),
      )
      c.in('bind', () => socket.bind(0, 'name'))
      await b.settle()
      c.in('send', () => socket.send('x', peer.port, 'name', c.seen('callback')))
      await b.settle()
      c.in('connect', () => socket.connect(peer.port, 'name', c.seen('connect callback')))
      await b.settle()
    },
  },
  {
    name: 'a context that is left behind leaks into nothing',
    program: async (b) => {
      const c = context(b)
      const socket = c.watch(await b.bound())
      const seenInside = AsyncResource.bind(c.seen('bound function'))
      c.storage.enterWith('entered')
      socket.send('x', b.port(socket), HOST, seenInside)
      await b.settle()
      c.storage.disable()
    },
  },
  {
    name: 'async disposal keeps the context',
    program: async (b) => {
      const c = context(b)
      const socket = c.watch(await b.bound())
      await c.in('dispose', async () => {
        await socket[Symbol.asyncDispose]()
        c.seen('after')()
      })
    },
  },
  {
    name: 'the diagnostics channel tells of every socket, made and usable',
    program: (b) => {
      const heard = (message: unknown) => {
        const { socket, ...rest } = message as { socket: Socket }
        b.log('udp.socket', socket instanceof b.dgram.Socket, Object.keys(rest), socket.type, socket.listenerCount('message'))
        b.own(socket)
      }
      diagnostics.subscribe('udp.socket', heard)
      try {
        b.log(
          'made',
          b.dgram.createSocket('udp4', () => {}),
        )
        b.log('made', b.construct('udp6'))
        b.call('refused', () => b.dgram.createSocket('x' as never))
        b.call('refused', () => b.dgram.createSocket({ type: 'udp4', signal: 1 as never }))
        b.log('made, aborted', b.dgram.createSocket({ type: 'udp4', signal: AbortSignal.abort() }))
      } finally {
        diagnostics.unsubscribe('udp.socket', heard)
      }
    },
  },
  {
    name: 'a subscriber of the diagnostics channel that throws',
    program: async (b) => {
      const heard = () => {
        throw new Error('of the subscriber')
      }
      diagnostics.subscribe('udp.socket', heard)
      try {
        b.call('createSocket', () => b.own(b.dgram.createSocket('udp4')).type)
      } finally {
        diagnostics.unsubscribe('udp.socket', heard)
      }
      await b.settle()
    },
  },
  ...['bind', 'send', 'connect', 'close', 'addMembership'].map((member): Case => ({
    name: `a subscriber of the diagnostics channel calls ${member} at once`,
    program: async (b) => {
      const peer = await b.peer()
      const heard = (message: unknown) => {
        const { socket } = message as { socket: Socket }
        b.watch(b.own(socket))
        if (member === 'bind') socket.bind(0, HOST, b.callback('bind'))
        if (member === 'send') socket.send('from the subscriber', peer.port, HOST, b.callback('send'))
        if (member === 'connect') socket.connect(peer.port, HOST, b.callback('connect'))
        if (member === 'close') socket.close(b.callback('close'))
        if (member === 'addMembership') b.call('addMembership', () => socket.addMembership('239.77.6.1', HOST))
      }
      diagnostics.subscribe('udp.socket', heard)
      let socket: ReturnType<typeof b.dgram.createSocket>
      try {
        socket = b.dgram.createSocket('udp4')
      } finally {
        diagnostics.unsubscribe('udp.socket', heard)
      }
      await b.settle()
      b.port(socket as Socket)
      b.call('address', () => socket.address())
      b.call('send', () => socket.send('from the program', peer.port, HOST, b.callback('send')))
      await peer.heard()
    },
  })),
]
