import type { Bench, Case, Peer, Socket } from '../differential.js'
import { groupReceiver, groupSender, switchLoopback } from './group-sockets.js'

/** Of host a of test/support/network.ts. */
const ADDRESS = '10.77.0.1'
const INTERFACE6 = '::%va'
const GROUP = '239.77.5.1'
const GROUP6 = 'ff15::7741'
const SOURCE_GROUP6 = 'ff35::7741'

const PLACE = { type: 'udp4', interface: ADDRESS, group: GROUP } as const
const PLACE6 = { type: 'udp6', interface: INTERFACE6, group: GROUP6 } as const

const sender6 = (b: Bench, address = '::'): Promise<Peer> => groupSender(b, PLACE6, address)
const receiver = (b: Bench, type: 'udp4' | 'udp6' = 'udp6'): Promise<Socket> => groupReceiver(b, type)

/** What the loopback interface cannot show: groups of IPv6, and silence. In a network of two hosts, on the first. */
export const multicastInterfaceCases: (Case & { hears: string[]; misses?: string[] })[] = [
  {
    name: 'an IPv6 member hears its group until it leaves',
    hears: ['to the group'],
    misses: ['too late'],
    program: async (b) => {
      const [peer, socket] = [await sender6(b), await receiver(b)]
      b.call('addMembership', () => socket.addMembership(GROUP6, INTERFACE6))
      await peer.send('to the group', b.port(socket), GROUP6)
      await b.settle()
      b.call('dropMembership', () => socket.dropMembership(GROUP6, INTERFACE6))
      await peer.send('too late', b.port(socket), GROUP6)
      await b.settle()
    },
  },
  {
    name: 'an IPv6 socket sends to a group through the interface that it was told',
    hears: ['from the socket'],
    program: async (b) => {
      const member = await receiver(b)
      member.addMembership(GROUP6, INTERFACE6)
      const socket = await receiver(b)
      b.call('setMulticastInterface', () => socket.setMulticastInterface(INTERFACE6))
      b.call('setMulticastTTL', () => socket.setMulticastTTL(1))
      socket.send('from the socket', b.port(member), GROUP6, b.callback('send'))
      await b.settle()
    },
  },
  {
    name: 'a source-specific member of IPv6',
    hears: ['from the source'],
    misses: ['from another'],
    program: async (b) => {
      const [peer, another, socket] = [await sender6(b, 'fd77::1'), await sender6(b, 'fe80::a%va'), await receiver(b)]
      b.call('add', () => socket.addSourceSpecificMembership('fd77::1', SOURCE_GROUP6, INTERFACE6))
      await another.send('from another', b.port(socket), SOURCE_GROUP6)
      await peer.send('from the source', b.port(socket), SOURCE_GROUP6)
      await b.settle()
    },
  },
  {
    name: 'without multicast loopback nobody on this host hears',
    hears: ['loud'],
    misses: ['silent'],
    program: async (b) => switchLoopback(b, PLACE, await receiver(b, 'udp4'), await receiver(b, 'udp4')),
  },
  {
    name: 'without multicast loopback nobody on this host hears, IPv6',
    hears: ['loud'],
    misses: ['silent'],
    program: async (b) => switchLoopback(b, PLACE6, await receiver(b), await receiver(b)),
  },
  {
    name: 'an address with its zone, bound, connected and sent to',
    hears: ['to the zone'],
    program: async (b) => {
      const member = b.socket('udp6')
      member.bind(0, 'fe80::a%va')
      await b.settle()
      b.port(member)
      b.call('address', () => member.address())
      const socket = b.socket('udp6')
      socket.send('to the zone', b.port(member), 'fe80::a%va', b.callback('send'))
      socket.send('without it', b.port(member), 'fe80::a', b.callback('send without'))
      socket.send('another', b.port(member), 'fe80::a%nosuch', b.callback('send to no zone'))
      await b.settle()
      b.port(socket)
      socket.connect(b.port(member), 'fe80::a%va', b.callback('connect'))
      await b.settle()
      b.call('remoteAddress', () => socket.remoteAddress())
      socket.send('connected', b.callback('send'))
      await b.settle()
    },
  },
]
