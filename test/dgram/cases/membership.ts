import { inspect } from 'node:util'
import type { Bench, Case, Socket } from '../differential.js'

type Any = (...values: unknown[]) => unknown

const GROUP = '239.77.1.3'
const GROUP6 = 'ff15::7713'
const SOURCE_GROUP = '232.77.1.3'
const SOURCE_GROUP6 = 'ff35::7713'
const LOOPBACK = '127.0.0.1'

function callAll(b: Bench, socket: Socket, member: string, values: unknown[][]): void {
  for (const value of values)
    b.call(`${member}(${value.map((v) => inspect(v)).join(', ')})`, () =>
      (Reflect.get(socket, member) as Any).apply(socket, value),
    )
}

const MEMBERSHIPS: unknown[][] = [
  [],
  [undefined],
  [null],
  [''],
  [0],
  [5],
  [{}],
  [true],
  [['239.77.1.4', LOOPBACK]],
  ['x'],
  ['239.77.1'],
  ['256.1.1.1'],
  ['239.77.1.3 '],
  [LOOPBACK],
  ['203.0.113.7'],
  ['::1'],
  [GROUP6],
  [GROUP, LOOPBACK],
  [GROUP, LOOPBACK],
  [GROUP, ''],
  [GROUP, 'x'],
  [GROUP, 5],
  [GROUP, {}],
  [GROUP, true],
  [GROUP, null],
  [GROUP, undefined],
  [GROUP, '203.0.113.7'],
  [GROUP, '0.0.0.0'],
  [GROUP, '::1'],
  [GROUP, 'lo'],
  [GROUP, LOOPBACK, 'more'],
  [{ toString: () => '239.77.1.5' }, { toString: () => LOOPBACK }],
]

const MEMBERSHIPS6: unknown[][] = [
  [GROUP, LOOPBACK],
  [GROUP6, '::%lo'],
  [GROUP6, '::%lo'],
  [GROUP6, '::%1'],
  [GROUP6, '::%nosuch'],
  [GROUP6, '::1'],
  [GROUP6, '::'],
  [GROUP6, 'lo'],
  [GROUP6, LOOPBACK],
  [GROUP6, ''],
  [`${GROUP6}%lo`],
  ['fe80::1', '::%lo'],
]

const SOURCES: unknown[][] = [
  [],
  [LOOPBACK],
  [LOOPBACK, undefined, LOOPBACK],
  [undefined, SOURCE_GROUP],
  [1, SOURCE_GROUP, LOOPBACK],
  [LOOPBACK, 1, LOOPBACK],
  ['', SOURCE_GROUP, LOOPBACK],
  [LOOPBACK, '', LOOPBACK],
  ['x', SOURCE_GROUP, LOOPBACK],
  [LOOPBACK, 'x', LOOPBACK],
  [LOOPBACK, LOOPBACK, LOOPBACK],
  ['::1', SOURCE_GROUP, LOOPBACK],
  [LOOPBACK, SOURCE_GROUP6, LOOPBACK],
  [LOOPBACK, SOURCE_GROUP, LOOPBACK],
  [LOOPBACK, SOURCE_GROUP, LOOPBACK],
  ['127.0.0.2', SOURCE_GROUP, LOOPBACK],
  [LOOPBACK, SOURCE_GROUP, ''],
  [LOOPBACK, SOURCE_GROUP, 'x'],
  [LOOPBACK, SOURCE_GROUP, 5],
  [LOOPBACK, SOURCE_GROUP, null],
  [LOOPBACK, SOURCE_GROUP, '203.0.113.7'],
  [LOOPBACK, GROUP, LOOPBACK],
]

const SOURCES6: unknown[][] = [
  ['::1', SOURCE_GROUP6, '::%lo'],
  ['::1', SOURCE_GROUP6, '::%lo'],
  ['::1', SOURCE_GROUP6, '::%nosuch'],
  [LOOPBACK, SOURCE_GROUP6, '::%lo'],
  ['::1', SOURCE_GROUP, '::%lo'],
  ['x', SOURCE_GROUP6, '::%lo'],
]

const TABLES: ['udp4' | 'udp6', string, unknown[][]][] = [
  ['udp4', 'addMembership', MEMBERSHIPS],
  ['udp4', 'dropMembership', MEMBERSHIPS],
  ['udp6', 'addMembership', MEMBERSHIPS6],
  ['udp6', 'dropMembership', MEMBERSHIPS6],
  ['udp4', 'addSourceSpecificMembership', SOURCES],
  ['udp4', 'dropSourceSpecificMembership', SOURCES],
  ['udp6', 'addSourceSpecificMembership', SOURCES6],
  ['udp6', 'dropSourceSpecificMembership', SOURCES6],
]

export const membershipCases: Case[] = [
  ...TABLES.flatMap(([type, member, values]): Case[] => [
    { name: `${member} of a bound ${type} socket`, program: async (b) => callAll(b, await b.bound(type), member, values) },
    {
      name: `${member} of unbound ${type} sockets`,
      // A socket each: the first that succeeds has bound the socket.
      program: (b) => {
        for (const value of values) callAll(b, b.socket(type), member, [value])
      },
    },
    {
      name: `${member} while the bind of a ${type} socket is under way`,
      program: async (b) => {
        const socket = b.socket(type)
        socket.bind(0)
        callAll(b, socket, member, values.slice(0, 4))
        await b.settle()
      },
    },
  ]),
  {
    name: 'join, join again, leave, leave again, join again',
    program: async (b) => {
      const socket = await b.bound()
      callAll(b, socket, 'addMembership', [
        [GROUP, LOOPBACK],
        [GROUP, LOOPBACK],
      ])
      callAll(b, socket, 'dropMembership', [
        [GROUP, LOOPBACK],
        [GROUP, LOOPBACK],
      ])
      callAll(b, socket, 'addMembership', [[GROUP, LOOPBACK]])
      callAll(b, socket, 'dropMembership', [[GROUP]])
    },
  },
  {
    name: 'join and leave a source, and the group as a whole',
    program: async (b) => {
      const socket = await b.bound()
      callAll(b, socket, 'addSourceSpecificMembership', [[LOOPBACK, SOURCE_GROUP, LOOPBACK]])
      callAll(b, socket, 'addMembership', [[SOURCE_GROUP, LOOPBACK]])
      callAll(b, socket, 'dropSourceSpecificMembership', [
        ['127.0.0.2', SOURCE_GROUP, LOOPBACK],
        [LOOPBACK, SOURCE_GROUP, LOOPBACK],
      ])
      callAll(b, socket, 'addMembership', [[SOURCE_GROUP, LOOPBACK]])
      callAll(b, socket, 'addSourceSpecificMembership', [[LOOPBACK, SOURCE_GROUP, LOOPBACK]])
      callAll(b, socket, 'dropMembership', [
        [SOURCE_GROUP, LOOPBACK],
        [SOURCE_GROUP, LOOPBACK],
      ])
    },
  },
  {
    name: 'more groups than the kernel allows',
    program: async (b) => {
      const socket = await b.bound()
      for (let i = 0; i < 22; i++) callAll(b, socket, 'addMembership', [[`239.77.2.${i}`, LOOPBACK]])
    },
  },
  {
    name: 'an unbound IPv4 socket that joins a group of IPv6',
    program: async (b) => {
      const socket = b.socket()
      callAll(b, socket, 'addMembership', [[GROUP6, '::%lo']])
      b.port(socket)
      b.call('address', () => socket.address())
      socket.bind(0, LOOPBACK)
      await b.settle()
    },
  },
  {
    name: 'a socket that joined before it was bound sends and cannot be bound',
    program: async (b) => {
      const peer = await b.peer()
      const socket = b.socket()
      socket.addMembership(GROUP, LOOPBACK)
      b.port(socket)
      callAll(b, socket, 'setMulticastTTL', [[3]])
      callAll(b, socket, 'getSendQueueSize', [[]])
      socket.send('x', peer.port, LOOPBACK, b.callback('send'))
      await peer.heard()
    },
  },
  {
    name: 'a socket that joined before it was bound is connected',
    program: async (b) => {
      const socket = b.socket()
      socket.addMembership(GROUP, LOOPBACK)
      b.port(socket)
      socket.connect(9, LOOPBACK, b.callback('connect'))
      await b.settle()
    },
  },
]
