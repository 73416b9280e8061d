import { inspect } from 'node:util'
import type { Bench, Case, Peer, Socket } from '../differential.js'

type AnySend = (...values: unknown[]) => void

export function sendWith(b: Bench, socket: Socket, values: unknown[], what = 'send'): void {
  b.call(what, () => (socket.send as AnySend)(...values))
}

const bytes = (text: string) => Buffer.from(text)
/** Bytes in the middle of a larger buffer: an offset that is forgotten is seen. */
const inside = (text: string) => Buffer.from(`<<<${text}>>>`).subarray(3, 3 + text.length)

/** Everything that is a payload. */
const PAYLOADS: [string, () => unknown][] = [
  ['a buffer', () => bytes('hello')],
  ['a part of a larger buffer', () => inside('hello')],
  ['text', () => 'hello'],
  ['text of more bytes than characters', () => 'héllo→'],
  ['empty text', () => ''],
  ['an empty buffer', () => Buffer.alloc(0)],
  ['a Uint8Array', () => new Uint8Array([104, 105])],
  ['a part of a larger Uint8Array', () => new Uint8Array([1, 104, 105, 2]).subarray(1, 3)],
  ['a Uint16Array', () => new Uint16Array([0x6968, 0x6a6b])],
  ['a part of a larger Uint32Array', () => new Uint32Array([1, 0x6a6b6c6d, 2]).subarray(1, 2)],
  ['a Float64Array', () => new Float64Array([1.5])],
  ['a BigInt64Array', () => new BigInt64Array([7n])],
  ['a DataView', () => new DataView(bytes('hello').buffer.slice(0, 4))],
  ['a part of a larger DataView', () => new DataView(new Uint8Array([1, 104, 105, 2]).buffer, 1, 2)],
  ['shared memory', () => new Uint8Array(new SharedArrayBuffer(3)).fill(65)],
  ['a list of buffers', () => [bytes('hel'), bytes('lo')]],
  ['a list of text', () => ['hel', 'lo']],
  [
    'a list of everything',
    () => ['a', bytes('b'), new Uint16Array([0x6364]), new DataView(new Uint8Array([101]).buffer), inside('f')],
  ],
  ['an empty list', () => []],
  ['a list of one', () => ['x']],
  ['a list of nothing', () => ['', Buffer.alloc(0)]],
  ['a list with nothing in between', () => ['a', '', 'b']],
  ['a list of many', () => Array.from({ length: 40 }, (_, i) => String.fromCharCode(65 + i))],
  ['1472 bytes', () => Buffer.alloc(1472, 'a')],
  ['65507 bytes, the most there can be', () => Buffer.alloc(65_507, 'b')],
]

const NO_PAYLOADS: [string, unknown][] = [
  ['undefined', undefined],
  ['null', null],
  ['a number', 5],
  ['true', true],
  ['an object', {}],
  ['an ArrayBuffer', new ArrayBuffer(3)],
  ['a function', () => {}],
  ['a symbol', Symbol('payload')],
  ['a String object', Object('text')],
  ['a list with a number', ['a', 5]],
  ['a list with null', [null]],
  ['a list with a list', [['a']]],
  ['a list with a hole', new Array(2)],
]

/** Forms of send to a peer on loopback, not connected; PORT and HOST stand for the peer's. */
const PORT = Symbol('port')
const PORT_TEXT = Symbol('port as text')
const HOST = '127.0.0.1'
const CALLBACK = Symbol('callback')

const UNCONNECTED: unknown[][] = [
  ['hello', PORT],
  ['hello', PORT, CALLBACK],
  ['hello', PORT, HOST],
  ['hello', PORT, HOST, CALLBACK],
  ['hello', PORT, undefined, CALLBACK],
  ['hello', PORT, null, CALLBACK],
  ['hello', PORT, '', CALLBACK],
  ['hello', PORT_TEXT, HOST, CALLBACK],
  [bytes('hello'), 1, 3, PORT],
  [bytes('hello'), 1, 3, PORT, CALLBACK],
  [bytes('hello'), 1, 3, PORT, HOST],
  [bytes('hello'), 1, 3, PORT, HOST, CALLBACK],
  [bytes('hello'), 1, 3, PORT, undefined, CALLBACK],
  [bytes('hello'), 1, 3, PORT, null, CALLBACK],
  [bytes('hello'), 0, 0, PORT, HOST, CALLBACK],
  [bytes('hello'), 5, 0, PORT, HOST, CALLBACK],
  [bytes('hello'), 0, 5, PORT, HOST, CALLBACK],
  [bytes('hello'), '1', '3', PORT, HOST, CALLBACK],
  [bytes('hello'), 1.9, 3.9, PORT, HOST, CALLBACK],
  [bytes('hello'), undefined, undefined, PORT, HOST, CALLBACK],
  [bytes('hello'), null, 2, PORT, HOST, CALLBACK],
  [inside('world'), 1, 3, PORT, HOST, CALLBACK],
  ['hello', 1, 3, PORT, HOST, CALLBACK],
  ['héllo', 1, 2, PORT, HOST, CALLBACK],
  [new Uint16Array([0x6161, 0x6262]), 1, 2, PORT, HOST, CALLBACK],
  [new DataView(new Uint8Array([97, 98, 99]).buffer, 1), 1, 1, PORT, HOST, CALLBACK],
  // Out of bounds, and forms that are none.
  [bytes('hello'), 6, 0, PORT, HOST, CALLBACK],
  [bytes('hello'), 1, 5, PORT, HOST, CALLBACK],
  [bytes('hello'), -1, 1, PORT, HOST, CALLBACK],
  [bytes('hello'), 0, -1, PORT, HOST, CALLBACK],
  [bytes('hello'), 0, 6, PORT],
  [['hello'], 0, 3, PORT, HOST, CALLBACK],
  ['hello', PORT, HOST, 'later'],
  ['hello', PORT, HOST, null],
  ['hello', PORT, HOST, {}],
  ['hello', PORT, 5],
  ['hello', PORT, 0],
  ['hello', PORT, {}],
  ['hello', PORT, true, CALLBACK],
  ['hello', PORT, false, CALLBACK],
  ['hello', 1, 3, PORT, 5],
  ['hello', 1, 3, PORT, {}, CALLBACK],
  ['hello'],
  ['hello', CALLBACK],
  ['hello', HOST, PORT],
  [CALLBACK],
  [],
]

const CONNECTED: unknown[][] = [
  ['hello'],
  ['hello', CALLBACK],
  ['hello', undefined, CALLBACK],
  [bytes('hello'), 1, 3],
  [bytes('hello'), 1, 3, CALLBACK],
  [bytes('hello'), 0, 0, CALLBACK],
  [bytes('hello'), 1, 3, undefined, undefined, CALLBACK],
  [bytes('hello'), '1', 3, CALLBACK],
  [bytes('hello'), undefined, 3, CALLBACK],
  ['hello', 1, 3, CALLBACK],
  [bytes('hello'), 6, 0, CALLBACK],
  [bytes('hello'), 1, 5, CALLBACK],
  [['hel', 'lo'], CALLBACK],
  [[], CALLBACK],
  [['hello'], 1, 3, CALLBACK],
  ['hello', PORT],
  ['hello', PORT, CALLBACK],
  ['hello', PORT, HOST, CALLBACK],
  ['hello', 0, CALLBACK],
  ['hello', HOST],
  [bytes('hello'), 1, 3, PORT, CALLBACK],
  [bytes('hello'), 1, 3, PORT, HOST, CALLBACK],
  [bytes('hello'), 1, 3, 0, CALLBACK],
  [bytes('hello'), 1, 3, undefined, HOST],
  [CALLBACK],
  [],
]

function fill(b: Bench, peer: Peer, form: unknown[]): unknown[] {
  return form.map((value) => {
    if (value === PORT) return peer.port
    if (value === PORT_TEXT) return String(peer.port)
    if (value === CALLBACK) return b.callback('send')
    return value
  })
}

function formName(form: unknown[]): string {
  return form
    .map((value) => (typeof value === 'symbol' ? value.description : inspect(value, { breakLength: Infinity })))
    .join(', ')
}

const BAD_PORTS = [undefined, null, 0, -1, 65_536, 1.5, NaN, 'x', '0', {}, true]
const IN_FORMS: [string, (port: unknown) => unknown[]][] = [
  ['send(payload, port, address, callback)', (port) => ['x', port, HOST, () => {}]],
  ['send(payload, port)', (port) => ['x', port]],
  ['send(payload, offset, length, port, address)', (port) => ['x', 0, 1, port, HOST]],
]

export const sendCases: Case[] = [
  ...PAYLOADS.flatMap(([what, payload]): Case[] => [
    {
      name: `send ${what}`,
      program: async (b) => {
        const peer = await b.peer()
        const socket = await b.bound()
        sendWith(b, socket, [payload(), peer.port, HOST, b.callback('send')])
        await peer.hears(1)
        await peer.heard()
      },
    },
    {
      name: `send ${what}, connected`,
      program: async (b) => {
        const peer = await b.peer()
        const socket = await b.connected('udp4', peer.port)
        sendWith(b, socket, [payload(), b.callback('send')])
        await peer.hears(1)
        await peer.heard()
      },
    },
    {
      name: `send ${what}, unbound`,
      program: async (b) => {
        const peer = await b.peer()
        const socket = b.socket()
        sendWith(b, socket, [payload(), peer.port, HOST, b.callback('send')])
        await peer.hears(1)
        await peer.heard()
      },
    },
  ]),
  ...NO_PAYLOADS.map(([what, payload]): Case => ({
    name: `send refuses ${what}`,
    program: async (b) => {
      const [unbound, bound, connected] = [b.socket(), await b.bound(), await b.connected()]
      for (const socket of [unbound, bound]) {
        sendWith(b, socket, [payload, 9, HOST, b.callback('send')])
        sendWith(b, socket, [payload, 0, 1, 9, HOST, b.callback('send')])
      }
      sendWith(b, connected, [payload, b.callback('send')])
      sendWith(b, connected, [payload, 0, 1, b.callback('send')])
      await b.settle()
      b.call('still unbound', () => unbound.address())
    },
  })),
  ...UNCONNECTED.map((form): Case => ({
    name: `send(${formName(form)})`,
    program: async (b) => {
      const peer = await b.peer()
      const bound = await b.bound()
      sendWith(b, bound, fill(b, peer, form))
      await peer.heard()
      const unbound = b.socket()
      sendWith(b, unbound, fill(b, peer, form))
      await peer.heard()
    },
  })),
  ...CONNECTED.map((form): Case => ({
    name: `connected, send(${formName(form)})`,
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.connected('udp4', peer.port)
      sendWith(b, socket, fill(b, peer, form))
      await peer.heard()
    },
  })),
  ...IN_FORMS.flatMap(([form, values]) =>
    BAD_PORTS.map((port): Case => ({
      name: `port ${inspect(port)} in ${form}`,
      program: async (b) => {
        const socket = b.socket()
        sendWith(b, socket, values(port))
        await b.settle()
        b.call('still unbound', () => socket.address())
      },
    })),
  ),
  {
    name: 'what is refused first: payload, port, address, the closed socket',
    program: async (b) => {
      const socket = await b.bound()
      socket.close()
      sendWith(b, socket, [5, 0, 5])
      sendWith(b, socket, ['x', 0, 5])
      sendWith(b, socket, ['x', 9, 5])
      sendWith(b, socket, ['x', 9, HOST, b.callback('send')])
      const connected = await b.connected()
      connected.close()
      sendWith(b, connected, [5, 9])
      sendWith(b, connected, [bytes('x'), 0, 9])
      sendWith(b, connected, ['x', b.callback('send')])
    },
  },
  {
    name: 'sendto checks its arguments',
    program: async (b) => {
      const peer = await b.peer()
      const socket = (await b.bound()) as Socket & { sendto: AnySend }
      for (const values of [
        [],
        ['hello'],
        ['hello', '0', 5, 9, HOST],
        ['hello', 0, '5', 9, HOST],
        ['hello', 0, 5, '9', HOST],
        ['hello', 0, 5, 9],
        ['hello', 0, 5, 9, null],
        ['hello', 0, 9, 9, HOST],
        [5, 0, 1, 9, HOST],
        ['hello', 1, 3, peer.port, HOST],
        ['hello', 0, 5, peer.port, HOST, b.callback('sendto')],
      ])
        b.call('sendto', () => socket.sendto(...values))
      await peer.heard()
    },
  },
  {
    name: 'a send that binds implicitly binds to every address',
    program: async (b) => {
      const socket = b.socket()
      socket.send('x', 9, HOST, b.callback('send'))
      b.call('at once', () => socket.address())
      b.call('bind', () => socket.bind(0))
      await b.settle()
      b.port(socket)
      b.call('address', () => socket.address())
    },
  },
  {
    name: 'a send of IPv6, with and without an address',
    program: async (b) => {
      const peer = await b.peer('udp6')
      const socket = b.socket('udp6')
      socket.send('first', peer.port, '::1', b.callback('first'))
      socket.send('second', peer.port, b.callback('second'))
      await peer.hears(2)
      b.port(socket)
    },
  },
  {
    name: 'a udp6 socket speaks to IPv4 by a mapped address',
    program: async (b) => {
      const peer = await b.peer()
      const socket = b.socket('udp6', undefined)
      socket.send('to IPv4', peer.port, '::ffff:127.0.0.1', b.callback('send'))
      await peer.hears(1)
      await peer.send('back', b.port(socket))
      await b.settle()
    },
  },
  {
    name: 'a udp6 socket with ipv6Only does not speak to IPv4',
    program: async (b) => {
      const socket = await b.bound({ type: 'udp6', ipv6Only: true })
      socket.send('x', 9, '::ffff:127.0.0.1', b.callback('send'))
      await b.settle()
    },
  },
  {
    name: 'a name is looked up for each send, and the callbacks come',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound()
      for (const name of ['first', 'second']) {
        await new Promise<void>((resolve) =>
          socket.send(
            name,
            peer.port,
            'localhost',
            b.callback(name, () => resolve()),
          ),
        )
      }
      await peer.hears(2)
    },
  },
  {
    name: 'a buffer that is changed after send, in the same tick, before it leaves',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound()
      const message = Buffer.from('before')
      socket.send(message, peer.port, HOST, b.callback('send'))
      message.write('after!')
      await peer.heard()
    },
  },
  {
    name: 'a buffer that is changed after send of a connected socket',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.connected('udp4', peer.port)
      const message = Buffer.from('before')
      socket.send(message, b.callback('send'))
      message.write('after!')
      await peer.heard()
    },
  },
  {
    name: 'a list that is changed after send',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound()
      const list = ['a', 'b']
      socket.send(list, peer.port, HOST, b.callback('send'))
      list.push('c')
      await peer.heard()
    },
  },
  {
    name: 'a buffer that is changed in the callback',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound()
      const message = Buffer.from('1')
      const again = (): void => {
        message[0]!++
        if (message[0]! < 0x35) socket.send(message, peer.port, HOST, again)
      }
      socket.send(message, peer.port, HOST, again)
      await peer.hears(4)
    },
  },
  {
    name: 'many sends in one tick arrive in order, with their callbacks in order',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound()
      for (let i = 0; i < 100; i++) socket.send(`datagram ${i}`, peer.port, HOST, b.callback(String(i)))
      await peer.hears(100)
    },
  },
  {
    name: 'many sends of a connected socket in one tick, of many sizes',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.connected('udp4', peer.port)
      for (let i = 0; i < 100; i++) socket.send(Buffer.alloc((i * 37) % 1500, i), b.callback(String(i)))
      await peer.hears(100)
    },
  },
  {
    name: 'sends of one tick to two peers in turn',
    program: async (b) => {
      const [first, second] = [await b.peer(), await b.peer()]
      const socket = await b.bound()
      for (let i = 0; i < 20; i++) socket.send(`datagram ${i}`, (i % 2 === 0 ? first : second).port, HOST, b.callback(String(i)))
      await first.hears(10)
      await second.hears(10)
    },
  },
  {
    name: 'a send in the callback of a send',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound()
      socket.send('first', peer.port, HOST, () => {
        socket.send('second', peer.port, HOST, b.callback('second'))
        b.marks('in the callback')
      })
      await peer.hears(2)
    },
  },
  {
    name: 'a send in the message handler comes back at once',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound('udp4', (message, from) => {
        socket.send(`echo of ${message.toString()}`, from.port, from.address, b.callback('echo'))
      })
      for (const text of ['first', 'second']) await peer.send(text, b.port(socket))
      await peer.hears(2)
    },
  },
  {
    name: 'a socket speaks to itself',
    program: async (b) => {
      const socket = await b.bound()
      socket.send('to myself', b.port(socket), HOST, b.callback('send'))
      await b.settle()
    },
  },
  {
    name: 'a connected socket speaks to itself',
    program: async (b) => {
      const socket = await b.connected()
      socket.send('to myself', b.callback('send'))
      await b.settle()
    },
  },
  {
    name: 'an exception in the callback of a send',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound()
      socket.send('first', peer.port, HOST, () => {
        throw new Error('of the callback')
      })
      socket.send('second', peer.port, HOST, b.callback('second'))
      await peer.hears(2)
    },
  },
]
