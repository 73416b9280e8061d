import { BlockList } from 'node:net'
import type { BindOptions, SocketOptions } from 'node:dgram'
import type { Case, Socket } from '../differential.js'

const HOST = '127.0.0.1'

interface SyncSocket extends Socket {
  bindSync(...values: unknown[]): unknown
  connectSync(...values: unknown[]): unknown
}

function blockList(...addresses: string[]): BlockList {
  const list = new BlockList()
  for (const address of addresses) list.addAddress(address, address.includes(':') ? 'ipv6' : 'ipv4')
  return list
}

const options = (more: Record<string, unknown>, type: 'udp4' | 'udp6' = 'udp4') => ({ type, ...more }) as SocketOptions
const withoutSync = (socket: Socket) => !('bindSync' in socket)

/** What younger versions of Node have; with older ones both sides do without. */
export const versionCases: Case[] = [
  {
    name: 'a blocked address is not sent to',
    program: async (b) => {
      const peer = await b.peer()
      const socket = await b.bound(options({ sendBlockList: blockList(HOST) }))
      socket.send('x', peer.port, HOST, b.callback('send'))
      socket.send('x', peer.port, HOST)
      socket.send('x', peer.port, b.callback('send without address'))
      socket.send('x', 9, '127.0.0.2', b.callback('send to another'))
      b.marks()
      await peer.heard()
    },
  },
  {
    name: 'a blocked address is not connected to',
    program: async (b) => {
      const socket = b.socket(options({ sendBlockList: blockList(HOST) }))
      socket.connect(9, HOST, b.callback('connect'))
      await b.settle()
      b.call('connect', () => socket.connect(9, HOST))
      b.marks()
      await b.settle()
      b.call('remoteAddress', () => socket.remoteAddress())
    },
  },
  {
    name: 'an address that is blocked when the socket is connected already',
    program: async (b) => {
      const peer = await b.peer()
      const list = blockList()
      const socket = await b.bound(options({ sendBlockList: list }))
      socket.connect(peer.port, HOST)
      await b.settle()
      list.addAddress(HOST)
      socket.send('x', b.callback('send'))
      await peer.heard()
    },
  },
  {
    name: 'messages from a blocked address are not heard',
    program: async (b) => {
      const [peer, other] = [await b.peer(), await b.peer('udp4', '127.0.0.2')]
      const socket = await b.bound(options({ receiveBlockList: blockList(HOST) }))
      await peer.send('blocked', b.port(socket))
      await other.send('heard', b.port(socket))
      await b.settle()
    },
  },
  {
    name: 'messages from a blocked address of IPv6 are not heard',
    program: async (b) => {
      const peer = await b.peer('udp6')
      const list = blockList('::1')
      const socket = await b.bound(options({ receiveBlockList: list }, 'udp6'))
      await peer.send('blocked?', b.port(socket), '::1')
      await b.settle()
    },
  },
  {
    name: 'a name that leads to a blocked address',
    program: async (b) => {
      const peer = await b.peer()
      const lookup = (_name: string, _family: unknown, answer: (...values: unknown[]) => void) =>
        process.nextTick(answer, null, HOST, 4)
      const socket = await b.bound(options({ sendBlockList: blockList(HOST), lookup }))
      socket.send('x', peer.port, 'name', b.callback('send'))
      await peer.heard()
    },
  },
  {
    name: 'bindSync binds at once and says where, where Node has it',
    program: async (b) => {
      const socket = b.socket() as SyncSocket
      if (withoutSync(socket)) return b.log('none')
      b.marks('before')
      const address = socket.bindSync({ address: HOST })
      b.port(socket)
      b.log('bindSync', address)
      b.marks('after')
      b.call('again', () => socket.bindSync())
      b.call('bind', () => socket.bind(0))
      socket.send('x', b.port(socket), HOST, b.callback('send'))
      await b.settle()
    },
  },
  {
    name: 'what bindSync refuses',
    program: async (b) => {
      const peer = await b.peer()
      if (withoutSync(b.socket())) return b.log('none')
      const forms = [
        null,
        5,
        'x',
        [],
        { port: -1 },
        { port: 'x' },
        { port: 65_536 },
        { port: null },
        { address: 5 },
        { address: 'name' },
        { address: '::1' },
        { address: '203.0.113.7' },
        { port: peer.port, address: HOST },
        { port: '0', address: '' },
      ]
      for (const form of forms) {
        const socket = b.socket() as SyncSocket
        b.call('bindSync', () => typeof socket.bindSync(form as BindOptions))
        b.call('bindSync after it', () => typeof socket.bindSync())
      }
      await b.settle()
    },
  },
  {
    name: 'bindSync and close at once, bindSync of a closed socket',
    program: async (b) => {
      const socket = b.socket() as SyncSocket
      if (withoutSync(socket)) return b.log('none')
      socket.bindSync()
      socket.close()
      b.call('closed', () => socket.bindSync())
      await b.settle()
    },
  },
  {
    name: 'sends that wait while bindSync binds',
    program: async (b) => {
      const peer = await b.peer()
      const socket = b.socket() as SyncSocket
      if (withoutSync(socket)) return b.log('none')
      b.call('send', () => socket.send('x', peer.port, HOST, b.callback('send')))
      b.call('bindSync', () => socket.bindSync())
      await b.settle()
      const other = b.socket() as SyncSocket
      other.bindSync({ address: HOST })
      other.send('y', peer.port, HOST, b.callback('send'))
      b.marks()
      await peer.heard()
    },
  },
  {
    name: 'connectSync connects at once, where Node has it',
    program: async (b) => {
      const peer = await b.peer()
      const socket = b.socket() as SyncSocket
      if (withoutSync(socket)) return b.log('none')
      b.call('connectSync', () => socket.connectSync(peer.port, HOST))
      b.call('remoteAddress', () => socket.remoteAddress())
      b.call('again', () => socket.connectSync(peer.port, HOST))
      socket.send('x', b.callback('send'))
      b.marks()
      await peer.heard()
    },
  },
  {
    name: 'what connectSync refuses',
    program: async (b) => {
      if (withoutSync(b.socket())) return b.log('none')
      const forms = [
        [],
        [0],
        ['x'],
        [9, 5],
        [9, 'name'],
        [9, '::1'],
        [9, null],
        [9, ''],
        [9, '255.255.255.255'],
        [9, HOST, 'more'],
      ]
      for (const form of forms) {
        const socket = b.socket() as SyncSocket
        b.call('connectSync', () => socket.connectSync(...form))
        b.call('remoteAddress', () => socket.remoteAddress())
      }
      const binding = b.socket() as SyncSocket
      binding.bind(0)
      b.call('while binding', () => binding.connectSync(9))
      const closed = b.socket() as SyncSocket
      closed.close()
      b.call('closed', () => closed.connectSync(9))
      const blocked = b.socket(options({ sendBlockList: blockList(HOST) })) as SyncSocket
      b.call('blocked', () => blocked.connectSync(9, HOST))
      await b.settle()
    },
  },
]
