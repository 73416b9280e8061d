import type { Bench, Case, Peer, Socket } from '../differential.js'
import { groupReceiver, groupSender, switchLoopback } from './group-sockets.js'

const LOOPBACK = '127.0.0.1'
const GROUP = '239.77.4.1'
const OTHER_GROUP = '239.77.4.2'
const SOURCE_GROUP = '232.77.4.1'

const PLACE = { type: 'udp4', interface: LOOPBACK, group: GROUP } as const

const sender = (b: Bench, address = LOOPBACK): Promise<Peer> => groupSender(b, PLACE, address)
const receiver = (b: Bench, port?: number, address?: string): Promise<Socket> => groupReceiver(b, PLACE.type, port, address)

/** Delivery on the loopback interface. Each case hears something, so that silence proves something. */
export const multicastCases: (Case & { hears: string[]; misses?: string[] })[] = [
  {
    name: 'a member hears its group until it leaves',
    hears: ['to the group', 'to the socket'],
    misses: ['too late'],
    program: async (b) => {
      const [peer, socket] = [await sender(b), await receiver(b)]
      b.call('addMembership', () => socket.addMembership(GROUP, LOOPBACK))
      await peer.send('to the group', b.port(socket), GROUP)
      await b.settle()
      b.call('dropMembership', () => socket.dropMembership(GROUP, LOOPBACK))
      await peer.send('too late', b.port(socket), GROUP)
      await peer.send('to the socket', b.port(socket))
      await b.settle()
    },
  },
  {
    name: 'a socket sends to a group through the interface that it was told',
    hears: ['from the socket'],
    program: async (b) => {
      const member = await receiver(b)
      member.addMembership(GROUP, LOOPBACK)
      const socket = await b.bound()
      b.call('setMulticastInterface', () => socket.setMulticastInterface(LOOPBACK))
      b.call('setMulticastTTL', () => socket.setMulticastTTL(1))
      b.call('setMulticastLoopback', () => socket.setMulticastLoopback(true))
      socket.send('from the socket', b.port(member), GROUP, b.callback('send'))
      await b.settle()
    },
  },
  {
    // Whoever sends on the loopback interface is heard there all the same: test/netns has two hosts.
    name: 'multicast loopback is switched off and on',
    hears: ['loud'],
    program: async (b) => switchLoopback(b, PLACE, await receiver(b), await b.bound()),
  },
  {
    name: 'a member hears itself',
    hears: ['to all of us'],
    program: async (b) => {
      const socket = await receiver(b)
      socket.addMembership(GROUP, LOOPBACK)
      socket.setMulticastInterface(LOOPBACK)
      socket.send('to all of us', b.port(socket), GROUP, b.callback('send'))
      await b.settle()
    },
  },
  {
    name: 'all members that share a port hear',
    hears: ['<socket a> message', '<socket b> message'],
    program: async (b) => {
      const peer = await sender(b)
      const first = await receiver(b)
      const second = await receiver(b, b.port(first))
      for (const socket of [first, second]) socket.addMembership(GROUP, LOOPBACK)
      await peer.send('to both', b.port(first), GROUP)
      await b.settle()
    },
  },
  {
    name: 'a socket that joined nothing hears what another one on its port joined',
    hears: ['<socket b> message'],
    program: async (b) => {
      const peer = await sender(b)
      const member = await receiver(b)
      await receiver(b, b.port(member))
      member.addMembership(GROUP, LOOPBACK)
      await peer.send('to the group', b.port(member), GROUP)
      await b.settle()
      member.close()
      await b.settle()
    },
  },
  {
    name: 'a member of one group hears the group of another one on its port',
    hears: ['to the other'],
    program: async (b) => {
      const peer = await sender(b)
      const first = await receiver(b)
      const second = await receiver(b, b.port(first))
      first.addMembership(GROUP, LOOPBACK)
      second.addMembership(OTHER_GROUP, LOOPBACK)
      await peer.send('to the one', b.port(first), GROUP)
      await b.settle()
      await peer.send('to the other', b.port(first), OTHER_GROUP)
      await b.settle()
    },
  },
  {
    name: 'a socket that is bound to the group hears only what is sent to the group',
    hears: ['to the group'],
    misses: ['to the host'],
    program: async (b) => {
      const [peer, socket] = [await sender(b), await receiver(b, 0, GROUP)]
      b.call('address', () => socket.address())
      socket.addMembership(GROUP, LOOPBACK)
      await peer.send('to the host', b.port(socket))
      await peer.send('to the group', b.port(socket), GROUP)
      await b.settle()
    },
  },
  {
    name: 'membership ends with the socket',
    hears: ['while it lived'],
    misses: ['after'],
    program: async (b) => {
      const peer = await sender(b)
      const member = await receiver(b)
      const bystander = await receiver(b, b.port(member))
      member.addMembership(GROUP, LOOPBACK)
      await peer.send('while it lived', b.port(bystander), GROUP)
      await b.settle()
      member.close()
      await b.settle()
      await peer.send('after', b.port(bystander), GROUP)
      await b.settle()
    },
  },
  {
    name: 'a source-specific member hears its source only',
    hears: ['from the source'],
    misses: ['from another'],
    program: async (b) => {
      const [source, another] = [await sender(b, '127.0.0.2'), await sender(b, '127.0.0.3')]
      const socket = await receiver(b)
      b.call('add', () => socket.addSourceSpecificMembership('127.0.0.2', SOURCE_GROUP, LOOPBACK))
      await another.send('from another', b.port(socket), SOURCE_GROUP)
      await source.send('from the source', b.port(socket), SOURCE_GROUP)
      await b.settle()
    },
  },
  {
    name: 'a source-specific member leaves one of its sources',
    hears: ['from the second'],
    misses: ['from the first'],
    program: async (b) => {
      const [first, second] = [await sender(b, '127.0.0.2'), await sender(b, '127.0.0.3')]
      const socket = await receiver(b)
      for (const source of ['127.0.0.2', '127.0.0.3']) socket.addSourceSpecificMembership(source, SOURCE_GROUP, LOOPBACK)
      b.call('drop', () => socket.dropSourceSpecificMembership('127.0.0.2', SOURCE_GROUP, LOOPBACK))
      await first.send('from the first', b.port(socket), SOURCE_GROUP)
      await second.send('from the second', b.port(socket), SOURCE_GROUP)
      await b.settle()
    },
  },
  {
    name: 'the address that messages come from is that of the interface',
    hears: ["address: '127.0.0.1'"],
    program: async (b) => {
      const member = await receiver(b)
      member.addMembership(GROUP, LOOPBACK)
      const socket = b.socket()
      socket.bind(0)
      await b.settle()
      socket.setMulticastInterface(LOOPBACK)
      socket.send('x', b.port(member), GROUP)
      await b.settle()
    },
  },
  {
    name: 'a socket connected to a group',
    hears: ['from the connected'],
    program: async (b) => {
      const member = await receiver(b)
      member.addMembership(GROUP, LOOPBACK)
      const socket = await b.bound()
      socket.setMulticastInterface(LOOPBACK)
      socket.connect(b.port(member), GROUP, b.callback('connect'))
      await b.settle()
      socket.send('from the connected', b.callback('send'))
      await b.settle()
      b.call('remoteAddress', () => socket.remoteAddress())
    },
  },
  {
    name: 'many datagrams to a group in one tick arrive in order',
    hears: ['<Buffer 2: 3239>'],
    program: async (b) => {
      const member = await receiver(b)
      member.addMembership(GROUP, LOOPBACK)
      const socket = await b.bound()
      socket.setMulticastInterface(LOOPBACK)
      for (let i = 0; i < 30; i++) socket.send(String(i), b.port(member), GROUP, b.callback(String(i)))
      await b.settle()
    },
  },
]
