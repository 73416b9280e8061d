import { describe, expect, test } from 'vitest'
import { Endpoint, type ReceiveBatch } from '../../../src/core/index.js'
import type { UdpSocketOptions } from '../../../src/socket/index.js'
import type { ArrivingMessage, FakeSocket } from '../../support/fake-addon.js'
import { failure } from '../support/errors.js'
import { openFake } from '../support/open-fake.js'

const A = Endpoint.of('192.0.2.1', 1001)
const SIX = Endpoint.of('fe80::1%7', 1001)

/** Receives `message` and replies to it. */
function replyTo(message: ArrivingMessage, options: UdpSocketOptions = {}): FakeSocket {
  const { socket, native, addon } = openFake({ receivePacketInfo: true, ...options })
  socket.on('batch', (batch) => void socket.reply(batch, 0, 'answer'))
  native.arrive(message)
  native.turn()
  expect(addon.uncaught).toEqual([])
  return native
}

describe('reply', () => {
  test('leaves from the address and by the interface that the datagram came to', () => {
    const native = replyTo({ from: A, payload: 'x', to: Endpoint.of('192.0.2.7', 0), interfaceIndex: 7 })
    expect(native.datagrams).toHaveLength(1)
    expect(String(native.datagrams[0]!.destination)).toBe('192.0.2.1:1001')
    expect(native.datagrams[0]!.control).toMatchObject({ source: '192.0.2.7', interfaceIndex: 7, ttl: undefined, tos: undefined })
  })

  test('leaves from the unicast address where the datagram came to a group', () => {
    const replyAddress = Endpoint.of('192.0.2.7', 0)
    const native = replyTo({ from: A, payload: 'x', to: Endpoint.of('239.1.2.3', 0), replyAddress, interfaceIndex: 7 })
    expect(native.datagrams[0]!.control).toMatchObject({ source: '192.0.2.7', interfaceIndex: 7 })
  })

  test('works over IPv6 and goes back through the zone', () => {
    const native = replyTo({ from: SIX, payload: 'x', to: Endpoint.of('fe80::7', 0), interfaceIndex: 7 }, { type: 'udp6' })
    expect(String(native.datagrams[0]!.destination)).toBe('[fe80::1%7]:1001')
    expect(native.datagrams[0]!.control).toMatchObject({ source: 'fe80::7', interfaceIndex: 7, ipv6: true })
  })

  test('over IPv6 leaves the source of a group to the kernel', () => {
    const native = replyTo({ from: SIX, payload: 'x', to: Endpoint.of('ff02::5', 0), interfaceIndex: 7 }, { type: 'udp6' })
    expect(native.datagrams[0]!.control).toMatchObject({ source: '::', interfaceIndex: 7 })
  })

  test.each([
    ['192.0.2.7', '192.0.2.7'],
    ['239.1.2.3', '0.0.0.0'],
    ['255.255.255.255', '0.0.0.0'],
  ])('of a dual-stack socket to an IPv4 peer, which sent to %s, leaves from %s', (to, source) => {
    const native = replyTo({ from: A, payload: 'x', to: Endpoint.of(to, 0), interfaceIndex: 7 }, { type: 'udp6' })
    expect(String(native.datagrams[0]!.destination)).toBe('[::ffff:192.0.2.1]:1001')
    expect(native.datagrams[0]!.control).toMatchObject({ source, interfaceIndex: 7, ipv6: false })
  })

  test('returns false when the queue is full', () => {
    const { socket, native } = openFake({ receivePacketInfo: true, sendQueueDatagrams: 1 })
    native.room = 0
    const results: boolean[] = []
    socket.on('batch', (batch) => {
      for (let i = 0; i < batch.count; i++) results.push(socket.reply(batch, i, 'x'))
    })
    const message = { from: A, payload: 'x', to: Endpoint.of('192.0.2.7', 0), interfaceIndex: 7 }
    native.arrive(message, message)
    native.turn()
    expect(results).toEqual([true, false])
  })

  test('to many datagrams of one peer coalesces', () => {
    const { socket, native } = openFake({ receivePacketInfo: true })
    socket.on('batch', (batch) => {
      for (let i = 0; i < batch.count; i++) socket.reply(batch, i, batch.payload(i))
    })
    native.arrive({ from: A, payload: 'aabbcc', segmentBytes: 2, to: Endpoint.of('192.0.2.7', 0), interfaceIndex: 7 })
    native.turn()
    expect(native.messages.map((message) => message.datagrams.map(String))).toEqual([['aa', 'bb', 'cc']])
  })

  test('may come later for a batch that was retained', () => {
    const { socket, native } = openFake({ receivePacketInfo: true })
    let kept: ReceiveBatch | undefined
    socket.on('batch', (batch) => void (kept = batch.retain()))
    native.arrive({ from: A, payload: 'x', to: Endpoint.of('192.0.2.7', 0), interfaceIndex: 7 })
    native.turn()
    socket.reply(kept!, 0, 'late')
    kept!.release()
    socket.flush()
    expect(String(native.datagrams[0]!.payload)).toBe('late')
  })

  test('refuses a socket without receivePacketInfo', () => {
    const { socket, native } = openFake()
    let error: unknown
    socket.on(
      'batch',
      (batch) => void (error = failure(() => socket.reply(batch, 0, 'x'), 'ERR_INVALID_STATE', /receivePacketInfo/)),
    )
    native.arrive({ from: A, payload: 'x' })
    native.turn()
    expect(error).toBeDefined()
  })

  test('refuses a datagram that is not there, and a batch that is over', () => {
    const { socket, native } = openFake({ receivePacketInfo: true })
    let over: ReceiveBatch | undefined
    socket.on('batch', (batch) => {
      over = batch
      failure(() => socket.reply(batch, 1, 'x'), 'ERR_OUT_OF_RANGE', /"i"/)
    })
    native.arrive({ from: A, payload: 'x', to: Endpoint.of('192.0.2.7', 0), interfaceIndex: 7 })
    native.turn()
    failure(() => socket.reply(over!, 0, 'x'), 'ERR_OUT_OF_RANGE', /"i"/)
    expect(native.datagrams).toHaveLength(0)
  })

  test('refuses a payload that is none', () => {
    const { socket, native } = openFake({ receivePacketInfo: true })
    socket.on('batch', (batch) => void failure(() => socket.reply(batch, 0, 5 as never), 'ERR_INVALID_ARG_TYPE', /payload/))
    native.arrive({ from: A, payload: 'x', to: Endpoint.of('192.0.2.7', 0), interfaceIndex: 7 })
    native.turn()
    expect(socket.stats().batchesReceived).toBe(1)
  })

  test('refuses what is no batch', () => {
    const { socket } = openFake({ receivePacketInfo: true })
    for (const batch of [undefined, null, {}, 5]) {
      failure(() => socket.reply(batch as never, 0, 'x'), 'ERR_INVALID_ARG_TYPE', /"batch" argument/)
    }
  })

  test('refuses while a datagram is reserved, which keeps its own options', () => {
    const { socket, native, addon } = openFake({ receivePacketInfo: true })
    socket.on('batch', (batch) => {
      socket.reserve(1, A, { ttl: 5 })
      failure(() => socket.reply(batch, 0, 'x'), 'ERR_INVALID_STATE')
      socket.commit()
    })
    native.arrive({ from: A, payload: 'x', to: Endpoint.of('192.0.2.7', 0), interfaceIndex: 7 })
    native.turn()
    expect(addon.uncaught).toEqual([])
    expect(native.datagrams[0]!.control).toMatchObject({ ttl: 5, source: undefined })
  })
})
