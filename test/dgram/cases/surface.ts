import * as nodeDgram from 'node:dgram'
import { EventEmitter } from 'node:events'
import { inherits, inspect, types } from 'node:util'
import type { Bench, Case, Socket } from '../differential.js'

const HOST = '127.0.0.1'

/** A member's shape; internal symbols are nobody's business. */
function shapes(b: Bench, what: string, object: object): void {
  for (const [key, descriptor] of Object.entries<PropertyDescriptor>(Object.getOwnPropertyDescriptors(object))) {
    const { enumerable, configurable, writable } = descriptor
    const value = descriptor.value as unknown
    const kind = 'get' in descriptor ? 'accessor' : typeof value
    const length = typeof value === 'function' ? value.length : undefined
    b.log(`${what}.${key}`, kind, length, { enumerable, configurable, writable })
  }
}

type AnyClass = new (...values: unknown[]) => Socket & Record<string, unknown>

export const surfaceCases: Case[] = [
  {
    name: 'the names that the module exports',
    program: (b) => {
      const { default: whole, ...names } = b.dgram as unknown as { default: object } & Record<string, unknown>
      b.log('names', Object.keys(names).sort())
      b.log('names of the default export', Object.keys(whole).sort())
      for (const [name, value] of Object.entries(names)) b.log(`same ${name}`, Reflect.get(whole, name) === value, typeof value)
      b.log('createSocket', b.dgram.createSocket.length, b.dgram.createSocket.name)
    },
  },
  {
    name: 'the constructor',
    program: (b) => {
      const { Socket: constructor } = b.dgram
      b.log('constructor', constructor.name, constructor.length, Object.keys(constructor), types.isProxy(constructor))
      b.log('inherits', Object.getPrototypeOf(constructor) === EventEmitter, constructor.prototype instanceof EventEmitter)
      b.log('constructor of the prototype', constructor.prototype.constructor === constructor)
    },
  },
  {
    name: 'a socket is an instance of the Socket of node:dgram, which a dependency may ask for',
    program: (b) => b.log('instance', b.socket() instanceof nodeDgram.Socket, b.construct('udp6') instanceof nodeDgram.Socket),
  },
  { name: 'the members of the prototype', program: (b) => shapes(b, 'prototype', b.dgram.Socket.prototype) },
  {
    name: 'the names of the methods',
    program: (b) => {
      for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(b.dgram.Socket.prototype))) {
        if (typeof value === 'function') b.log(name, value.name)
      }
    },
  },
  {
    name: 'what for…in shows of a socket',
    program: (b) => {
      const names: string[] = []
      for (const name in b.socket()) names.push(name)
      b.log('names', names)
    },
  },
  {
    name: 'Symbol.asyncDispose is a member of the prototype',
    program: (b) => {
      const descriptor = Object.getOwnPropertyDescriptor(b.dgram.Socket.prototype, Symbol.asyncDispose)
      b.log('asyncDispose', typeof descriptor?.value, descriptor?.enumerable, (descriptor?.value as () => void).length)
      b.log('symbols', Object.getOwnPropertySymbols(b.dgram.Socket.prototype).length)
    },
  },
  {
    name: 'the own members of a socket, new, bound and closed',
    program: async (b) => {
      const socket = b.own(b.dgram.createSocket('udp4'))
      b.log('new', Object.keys(socket), JSON.stringify(Object.keys({ ...socket })))
      socket.bind(0, HOST)
      await b.settle()
      b.log('bound', Object.keys(socket))
      socket.send('x', 9, HOST)
      await b.settle()
      b.log('sent', Object.keys(socket))
      socket.close()
      await b.settle()
      b.log('closed', Object.keys(socket))
    },
  },
  {
    name: 'inspect shows a Socket and does not fail, at any time',
    program: async (b) => {
      const socket = b.own(b.dgram.createSocket('udp4'))
      const look = () =>
        b.log(
          'inspect',
          inspect(socket).startsWith('Socket {'),
          inspect(socket, { depth: 8, showHidden: true }).length > 50,
          `${socket as unknown as string}`,
        )
      look()
      socket.bind(0, HOST)
      look()
      await b.settle()
      look()
      socket.close()
      look()
    },
  },
  {
    name: 'a socket is no promise, and its string tag is that of an object',
    program: (b) => {
      const socket = b.socket()
      b.log(
        'tag',
        Object.prototype.toString.call(socket),
        typeof Reflect.get(socket, 'then'),
        Reflect.get(socket, Symbol.iterator),
      )
    },
  },
  {
    name: 'a class that extends Socket',
    program: async (b) => {
      class Mine extends (b.dgram.Socket as unknown as AnyClass) {
        own = 'field'
        constructor() {
          super('udp4', b.callback('message'))
        }
        override close(callback?: () => void): this {
          b.log('my close')
          return super.close(callback)
        }
      }
      const socket = b.watch(b.own(new Mine()))
      b.log('made', socket.type, socket.own, socket instanceof b.dgram.Socket, socket.constructor.name)
      socket.bind(0, HOST)
      await b.settle()
      socket.send('x', b.port(socket), HOST)
      await b.settle()
      socket.close()
      await b.settle()
    },
  },
  {
    name: 'a function that inherits from Socket the old way',
    program: async (b) => {
      const parent = b.dgram.Socket as unknown as { call(self: object, type: unknown, listener?: unknown): void }
      function Mine(this: object) {
        parent.call(this, 'udp4', b.callback('message'))
      }
      inherits(Mine, b.dgram.Socket)
      const socket = b.watch(b.own(new (Mine as unknown as new () => Socket)()))
      b.log('made', socket.type, socket instanceof b.dgram.Socket)
      socket.bind(0, HOST)
      await b.settle()
      socket.send('x', b.port(socket), HOST)
      await b.settle()
    },
  },
  {
    name: 'which methods call which',
    program: async (b) => {
      const peer = await b.peer()
      const watched = async (what: string, program: (socket: Socket) => unknown) => {
        const socket = b.own(b.dgram.createSocket('udp4'))
        socket.on('error', () => {})
        for (const name of ['bind', 'connect', 'send', 'sendto', 'close', 'address', 'disconnect'] as const) {
          const original = Reflect.get(socket, name) as (...values: unknown[]) => unknown
          Reflect.set(socket, name, function (this: unknown, ...values: unknown[]) {
            b.log(`${what}: ${name}`, values)
            return original.apply(this, values)
          })
        }
        await program(socket)
        await b.settle()
      }
      await watched('send', (socket) => socket.send('x', peer.port, HOST, b.callback('send')))
      await watched('send of a list', (socket) => socket.send(['x', 'y'], peer.port))
      await watched('sendto', (socket) =>
        (socket as Socket & { sendto: (...values: unknown[]) => void }).sendto('xyz', 1, 1, peer.port, HOST),
      )
      await watched('connect', (socket) => socket.connect(peer.port, HOST, b.callback('connect')))
      await watched('close', (socket) => {
        socket.send('x', peer.port, HOST)
        socket.close()
      })
      await watched('dispose', (socket) => socket[Symbol.asyncDispose]())
    },
  },
  {
    name: 'all events go through emit',
    program: async (b) => {
      const peer = await b.peer()
      const socket = b.own(b.dgram.createSocket('udp4'))
      const emit = socket.emit.bind(socket)
      socket.emit = (name: string | symbol, ...values: unknown[]) => {
        if (name === 'listening') b.port(socket)
        b.log(`emit ${String(name)}`, values)
        return emit(name, ...values)
      }
      socket.on('newListener', () => {})
      socket.on('removeListener', () => {})
      socket.send('x', peer.port, HOST, b.callback('send'))
      await b.settle()
      await peer.send('message', b.port(socket))
      await b.settle()
      socket.connect(peer.port, HOST, b.callback('connect'))
      await b.settle()
      socket.close(b.callback('close'))
    },
  },
  {
    name: 'all events go through emit, those of errors, too',
    program: async (b) => {
      const peer = await b.peer()
      const socket = b.own(b.dgram.createSocket('udp4'))
      socket.emit = (name: string | symbol, ...values: unknown[]) => {
        b.log(`emit ${String(name)}`, values)
        return true
      }
      socket.bind(peer.port, HOST, b.callback('bind'))
      await b.settle()
      socket.connect(9, '::1')
      await b.settle()
    },
  },
  {
    name: 'listeners that come and go with bind, connect and close',
    program: async (b) => {
      const peer = await b.peer()
      const socket = b.own(b.dgram.createSocket('udp4'))
      socket.on('newListener', (name) => b.log(`added ${String(name)}`))
      socket.on('removeListener', (name) => b.log(`removed ${String(name)}`))
      socket.bind(0, HOST, b.callback('bind'))
      await b.settle()
      socket.connect(peer.port, HOST, b.callback('connect'))
      await b.settle()
      socket.close(b.callback('close'))
      await b.settle()
      const failing = b.own(b.dgram.createSocket('udp4'))
      failing.on('newListener', (name) => b.log(`failing: added ${String(name)}`))
      failing.on('removeListener', (name) => b.log(`failing: removed ${String(name)}`))
      failing.on('error', () => b.log('failed'))
      failing.bind(peer.port, HOST, b.callback('bind'))
      failing.send('x', 9)
    },
  },
  {
    name: 'emit of the prototype, replaced after the socket was made',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound()
      const emit = Reflect.get(EventEmitter.prototype, 'emit') as (...values: unknown[]) => boolean
      Reflect.set(EventEmitter.prototype, 'emit', function (this: unknown, ...values: unknown[]) {
        if (this === socket) b.log(`emit ${String(values[0])}`)
        return emit.apply(this, values)
      })
      try {
        await peer.send('x', b.port(socket))
        await b.settle()
      } finally {
        Reflect.set(EventEmitter.prototype, 'emit', emit)
      }
    },
  },
  {
    name: 'send of the prototype, wrapped before a socket is made',
    program: async (b) => {
      const peer = await b.peer()
      const prototype = b.dgram.Socket.prototype
      const send = Reflect.get(prototype, 'send') as (...values: unknown[]) => void
      Reflect.set(prototype, 'send', function (this: Socket, ...values: unknown[]) {
        b.log('wrapped send', values)
        return send.apply(this, values)
      })
      try {
        const socket = b.socket()
        socket.send('x', peer.port, HOST, b.callback('send'))
        await peer.heard()
      } finally {
        Reflect.set(prototype, 'send', send)
      }
    },
  },
  {
    name: 'a maximum of listeners, and the warning beyond it',
    program: async (b) => {
      const socket = b.own(b.dgram.createSocket('udp4'))
      b.log('maximum', socket.getMaxListeners())
      socket.setMaxListeners(1)
      socket.bind(0, HOST, () => {})
      socket.on('listening', () => {})
      await b.settle()
    },
  },
  {
    name: 'captureRejections of a socket',
    program: async (b) => {
      const socket = await b.bound()
      Reflect.set(socket, Symbol.for('nodejs.rejection'), (error: Error, name: string) => b.log('rejection', name, error))
      socket.on('message', () => Promise.reject(new Error('of the handler')) as never)
      socket.send('x', b.port(socket), HOST)
      await b.settle()
    },
  },
]
