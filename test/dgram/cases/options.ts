import { inspect } from 'node:util'
import type { Bench, Case, Socket } from '../differential.js'

type Any = (...values: unknown[]) => unknown

function callAll(b: Bench, socket: Socket, member: string, values: unknown[][]): void {
  for (const value of values)
    b.call(`${member}(${value.map((v) => inspect(v)).join(', ')})`, () =>
      (Reflect.get(socket, member) as Any).apply(socket, value),
    )
}

const TTLS = [
  [],
  [undefined],
  [null],
  ['5'],
  [0],
  [1],
  [5],
  [64],
  [255],
  [256],
  [-1],
  [1.5],
  [NaN],
  [Infinity],
  [2 ** 32 + 7],
  [{}],
  [true],
  [5n],
  [Symbol('x')],
  [5, 6],
]
const FLAGS = [[], [undefined], [null], [true], [false], [1], [0], [''], ['x'], [{}], [NaN], [Symbol('x')]]
const SIZES = [[], [undefined], [null], ['5'], [-1], [1.5], [NaN], [Infinity], [{}], [true], [2 ** 31], [2 ** 32 - 1], [2 ** 32]]
const INTERFACES = [
  [],
  [undefined],
  [null],
  [1],
  [{}],
  [''],
  ['x'],
  ['127.0.0.1'],
  ['0.0.0.0'],
  ['203.0.113.7'],
  ['::1'],
  ['::'],
  ['::%lo'],
  ['::%1'],
  ['::%nosuch'],
  ['lo'],
  ['239.77.1.1'],
]

const TABLES: [string, unknown[][]][] = [
  ['setTTL', TTLS],
  ['setMulticastTTL', TTLS],
  ['setBroadcast', FLAGS],
  ['setMulticastLoopback', FLAGS],
  ['setMulticastInterface', INTERFACES],
  ['setRecvBufferSize', SIZES],
  ['setSendBufferSize', SIZES],
  ['getRecvBufferSize', []],
  ['getSendBufferSize', []],
  ['ref', [[], [1]]],
  ['unref', [[], [1]]],
  ['getSendQueueSize', [[]]],
  ['getSendQueueCount', [[]]],
]

export const optionCases: Case[] = [
  ...TABLES.flatMap(([member, values]): Case[] => [
    {
      name: `${member} before bind`,
      program: (b) => {
        callAll(b, b.socket(), member, values.length === 0 ? [[]] : values)
        callAll(b, b.socket('udp6'), member, values)
      },
    },
    {
      name: `${member} of a bound socket`,
      program: async (b) => callAll(b, await b.bound(), member, values),
    },
    {
      name: `${member} of a bound IPv6 socket`,
      program: async (b) => callAll(b, await b.bound('udp6'), member, values),
    },
    {
      name: `${member} while the bind is under way`,
      program: (b) => {
        const socket = b.socket()
        socket.bind(0, '127.0.0.1')
        callAll(b, socket, member, values.slice(0, 8))
        socket.on('listening', () => callAll(b, socket, member, values.slice(0, 8)))
      },
    },
  ]),
  ...(['Recv', 'Send'] as const).map((which): Case => ({
    name: `set${which}BufferSize is what get${which}BufferSize says, as the kernel has it`,
    program: async (b) => {
      const socket = await b.bound()
      for (const size of [0, 1, 5000, 20_000, 100_000, 2 ** 31 - 1]) {
        b.call(`set ${size}`, () => socket[`set${which}BufferSize`](size))
        b.call('get', () => socket[`get${which}BufferSize`]())
      }
    },
  })),
  {
    name: 'the buffer sizes of a new socket are those of the kernel',
    program: async (b) => {
      for (const type of ['udp4', 'udp6'] as const) {
        const socket = await b.bound(type)
        b.log(type, socket.getRecvBufferSize(), socket.getSendBufferSize())
      }
    },
  },
  {
    name: 'broadcast is forbidden, allowed, forbidden again',
    program: async (b) => {
      const socket = await b.bound()
      const attempt = (what: string) =>
        new Promise<void>((resolve) =>
          socket.send(
            'x',
            9,
            '127.255.255.255',
            b.callback(what, () => resolve()),
          ),
        )
      await attempt('at first')
      socket.setBroadcast(true)
      await attempt('allowed')
      socket.setBroadcast(false)
      await attempt('forbidden')
    },
  },
  {
    name: 'ref and unref can be called at any time',
    program: async (b) => {
      const socket = b.socket()
      b.call('unref', () => socket.unref())
      b.call('ref', () => socket.ref())
      socket.unref().bind(0, '127.0.0.1')
      b.call('unref', () => socket.unref().ref().unref())
      await b.settle()
      b.call('unref', () => socket.unref())
      b.call('ref', () => socket.ref())
      socket.close()
      b.call('unref', () => socket.unref())
      b.call('ref', () => socket.ref())
    },
  },
  {
    name: 'an unreferenced socket hears and sends',
    program: async (b) => {
      const socket = await b.bound()
      socket.unref()
      socket.send('x', b.port(socket), '127.0.0.1', b.callback('send'))
      await b.settle()
    },
  },
  {
    name: 'type is a property like any other',
    program: (b) => {
      const socket = b.socket()
      b.log('type', Object.getOwnPropertyDescriptor(socket, 'type'))
      Reflect.set(socket, 'type', 'udp6')
      socket.bind(0)
      b.log('type', socket.type)
    },
  },
]
