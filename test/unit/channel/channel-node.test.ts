import { describe, expect, onTestFinished, test } from 'vitest'
import { ERRNO } from '../../../src/binding/index.js'
import { ChannelNode } from '../../../src/channel/channel-node.js'
import type { ChannelNodeOptions } from '../../../src/channel/node-options.js'
import { VirtualClock } from '../../../src/testing/index.js'
import { FakeAddon, interfaceEntry, type FakeSocket } from '../../support/fake-addon.js'
import { FakeInterfaces, ethernet } from '../net/membership-fakes.js'
import { failure } from '../support/errors.js'
import { settled } from '../support/turns.js'

const PORT = 8765

interface Opened {
  readonly addon: FakeAddon
  readonly node: ChannelNode
  readonly monitor: FakeInterfaces
  readonly clock: VirtualClock
  /** The sequence numbers that a socket has sent. */
  readonly sent: (socket: FakeSocket) => number[]
}

function open(options: Partial<ChannelNodeOptions> = {}): Opened {
  const addon = new FakeAddon()
  addon.interfaceEntries = [
    { ...interfaceEntry('lo', 1, '127.0.0.1'), flags: 0x49 },
    interfaceEntry('eth7', 7, '192.0.2.7'),
    interfaceEntry('eth8', 8, '192.0.2.8'),
  ]
  const monitor = new FakeInterfaces(ethernet(7, 'eth7', '192.0.2.7'), ethernet(8, 'eth8', '192.0.2.8'))
  const clock = new VirtualClock()
  const node = new ChannelNode({ port: PORT, monitor, clock, ...options }, addon)
  onTestFinished(() => node.close())
  const sent = (socket: FakeSocket): number[] => socket.datagrams.map(({ payload }) => payload.readUInt32BE(5 + payload[4]!))
  return { addon, node, monitor, clock, sent }
}

describe('a channel that publishes', () => {
  test('opens its socket when there is something to send, and one for all of it', async () => {
    const { addon, node, sent } = open()
    const channels = ['a', 'b'].map((name) => node.channel(name))
    expect(addon.sockets).toHaveLength(0)
    for (let i = 0; i < 3; i++) for (const channel of channels) channel.publish('x')
    await settled()
    expect(addon.sockets.map(sent)).toEqual([[0, 1, 2], [0, 1, 2]]) // prettier-ignore
    // Taking turns, they coalesce all the same.
    expect(addon.sockets.map(({ messages }) => messages.length)).toEqual([1, 1])
    expect(addon.sockets[0]!.datagrams[0]!.destination!.toString()).toBe(`${channels[0]!.group.address}:${PORT}`)
  })

  test('refuses what has no room, without a number, and says when there is room', async () => {
    const { addon, node, sent } = open({ sendSocket: { sendQueueDatagrams: 4 } })
    addon.onSocket = (socket) => void (socket.room = 0)
    const channel = node.channel('a')
    let drains = 0
    channel.on('drain', () => drains++)
    const accepted = Array.from({ length: 6 }, () => {
      const isTaken = channel.publish('x')
      channel.flush()
      return isTaken
    })
    expect(accepted).toEqual([true, true, true, true, false, false])
    expect(channel.reserve(1)).toBeUndefined()
    const socket = addon.socket
    socket.room = Infinity
    socket.turn()
    expect(drains).toBe(1)
    expect(channel.publish('after')).toBe(true)
    await settled()
    expect(sent(socket)).toEqual([0, 1, 2, 3, 4])
    expect(channel.stats()).toMatchObject({ datagramsPublished: 5, datagramsSent: 5, datagramsRefused: 3, queuedDatagrams: 0 })
  })

  test('sends each datagram by every interface, under one number', async () => {
    const { addon, node, sent } = open({ interfaces: ['eth7', 'eth8', 7] })
    const channel = node.channel('a')
    channel.publish('x')
    const room = channel.reserve(5)!
    room.write('y')
    channel.commit(1)
    await settled()
    const sockets = addon.sockets.filter(({ isOpen }) => isOpen)
    expect(sockets.map(sent)).toEqual([[0, 1], [0, 1]]) // prettier-ignore
    expect(sockets.map(({ datagrams }) => datagrams[1]!.payload.subarray(-1).toString())).toEqual(['y', 'y'])
    expect(channel.stats()).toMatchObject({ datagramsPublished: 2, datagramsSent: 4, sendSockets: 2 })
  })

  test('counts what the kernel refuses, and goes on', async () => {
    const { addon, node } = open()
    const channel = node.channel('a')
    const errors: string[] = []
    channel.on('sendError', (error) => errors.push((error as { code?: string }).code!))
    addon.onSocket = (socket) => (socket.sendRule = () => ERRNO.EPERM)
    channel.publish('x')
    await settled()
    addon.socket.sendRule = () => 0
    channel.publish('y')
    await settled()
    expect([errors, channel.stats()]).toMatchObject([['EPERM'], { datagramsFailed: 1, datagramsSent: 1, datagramsPublished: 2 }])
  })

  test('tries again to open a socket, but not at once', () => {
    const { addon, node, clock } = open()
    const channel = node.channel('a')
    addon.openErrno = ERRNO.ENOBUFS
    for (let i = 0; i < 3; i++) expect(channel.publish('x')).toBe(true)
    expect([addon.sockets.length, channel.stats().datagramsUnsent]).toEqual([1, 3])
    addon.openErrno = 0
    clock.advance(1000)
    channel.publish('x')
    expect([addon.open, channel.stats().datagramsUnsent]).toEqual([1, 3])
  })

  test('closes what it opened', async () => {
    const { addon, node, monitor } = open({ interfaces: ['eth7'] })
    const channel = node.channel('a')
    channel.subscribe(() => {})
    channel.publish('x')
    expect(addon.open).toBe(2)
    node.close()
    await settled()
    expect([addon.open, monitor.listenerCount('change')]).toEqual([0, 0])
    expect(channel.stats()).toMatchObject({ datagramsSent: 1, sendSockets: 0 })
  })
})

describe('a channel that is subscribed to', () => {
  test('is as before when no socket can be opened for it', () => {
    const { addon, node } = open()
    const channel = node.channel('a')
    const controller = new AbortController()
    addon.openErrno = ERRNO.ENOBUFS
    failure(() => channel.subscribe(() => {}, { signal: controller.signal }), 'ENOBUFS')
    controller.abort()
    expect([channel.stats().subscriptions, node.stats().membership.groups]).toEqual([0, 0])
    addon.openErrno = 0
    channel.subscribe(() => {})
    expect([channel.stats().subscriptions, node.stats().membership.groups]).toEqual([1, 1])
  })

  test('counts what waits behind the message that closes the node', () => {
    const { addon, node } = open({ interfaces: ['eth7'] })
    const channel = node.channel('a')
    channel.subscribe(() => node.close())
    const socket = addon.socket
    for (let i = 0; i < 3; i++) {
      const payload = Buffer.from(`PULI\x01a\0\0\0${String.fromCharCode(i)}x`, 'latin1')
      socket.arrive({ payload, to: channel.group, interfaceIndex: 7 })
    }
    socket.turn()
    expect(channel.stats().datagramsReceived).toBe(1)
    expect(node.stats().undelivered).toBe(2)
  })
})
