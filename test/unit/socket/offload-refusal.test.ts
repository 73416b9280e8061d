import { describe, expect, test } from 'vitest'
import { ERRNO } from '../../../src/binding/index.js'
import { Endpoint } from '../../../src/core/index.js'
import type { FakeSocket, SentMessage } from '../../support/fake-addon.js'
import { openFake, turnAll } from '../support/open-fake.js'

const A = Endpoint.of('192.0.2.1', 1001)
const B = Endpoint.of('198.51.100.1', 1002)

/** A device that refuses to segment, on the way to these addresses (of either form). */
function refusingDevice(errno: number, ...peers: Endpoint[]): (message: SentMessage) => number {
  return (message) =>
    message.segmentBytes > 0 && peers.some((peer) => message.destination?.words[3] === peer.words[3]) ? errno : 0
}

/** The datagrams a message, for messages since `from`. */
function shape(native: FakeSocket, from = 0): number[] {
  return native.messages.slice(from).map((message) => message.datagrams.length)
}

/** How often a coalesced message was tried in vain. */
function refusals(native: FakeSocket): number {
  return native.sendCalls.filter(({ offered, result }) => result < 0 && offered[0]!.segmentBytes > 0).length
}

describe.each([
  ['EIO, of a device that cannot checksum', ERRNO.EIO],
  ['EINVAL, of an old kernel or a segment over the path MTU', ERRNO.EINVAL],
  ['EMSGSIZE, of a newer kernel and a segment over the path MTU', ERRNO.EMSGSIZE],
])('offload refused with %s', (_name, errno) => {
  test('costs no datagram: they leave one by one, in order', () => {
    const { socket, native } = openFake()
    native.sendRule = refusingDevice(errno, A)
    for (let i = 0; i < 10; i++) socket.send(String(i), A)
    expect(socket.flush()).toBe(true)
    expect(native.datagrams.map(({ payload }) => Number(payload))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(socket.stats()).toMatchObject({
      datagramsSent: 10,
      bytesSent: 10,
      datagramsFailed: 0,
      offloadFallbacks: 1,
      coalescedSends: 0,
      segmentsSent: 0,
    })
  })

  test('is remembered for its destination: the next flush does not try again', () => {
    const { socket, native } = openFake()
    native.sendRule = refusingDevice(errno, A)
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 5; i++) socket.send(String(i), A)
      socket.flush()
    }
    expect(native.datagrams).toHaveLength(15)
    expect(refusals(native)).toBe(1)
    expect(socket.stats().offloadFallbacks).toBe(1)
    // What is known to fail goes by sendmmsg, all in one call.
    expect(native.sendCalls.at(-1)).toMatchObject({ result: 5 })
  })

  test('concerns nobody else', () => {
    const { socket, native } = openFake()
    native.sendRule = refusingDevice(errno, A)
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 5; i++) socket.send('a', A)
      for (let i = 0; i < 5; i++) socket.send('b', B)
      socket.flush()
    }
    expect(
      native.messages.filter((message) => message.destination!.equals(B)).map((message) => message.datagrams.length),
    ).toEqual([5, 5])
  })

  test('is known to all sockets of the thread', () => {
    const { socket, native, addon } = openFake()
    native.sendRule = refusingDevice(errno, A)
    for (let i = 0; i < 2; i++) socket.send('a', A)
    socket.flush()
    const other = openFake({}, addon)
    for (let i = 0; i < 2; i++) other.socket.send('a', Endpoint.of('192.0.2.1', 5))
    other.socket.flush()
    expect(shape(other.native)).toEqual([1, 1])
  })

  test('is remembered on an IPv6 socket that sends to IPv4 too', () => {
    const { socket, native } = openFake({ type: 'udp6' })
    native.sendRule = refusingDevice(errno, A)
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 3; i++) socket.send('a', A)
      socket.flush()
    }
    expect(native.datagrams).toHaveLength(9)
    expect(refusals(native)).toBe(1)
  })

  test('is remembered for the peer of a connected socket', async () => {
    const { socket, native } = openFake()
    await socket.connect(A)
    native.sendRule = (message) => (message.segmentBytes > 0 ? errno : 0)
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 3; i++) socket.send('a')
      socket.flush()
    }
    expect(native.datagrams).toHaveLength(9)
    // EMSGSIZE could also be a pending ICMP error, so a connected socket tries that one thrice.
    expect(refusals(native)).toBeLessThanOrEqual(3)
    expect(socket.stats()).toMatchObject({ offloadFallbacks: 1, datagramsFailed: 0 })
  })

  test('in the middle of a run takes effect from the next message on', () => {
    const { socket, native } = openFake()
    for (let i = 0; i < 3; i++) socket.send('a', A)
    socket.flush()
    expect(shape(native)).toEqual([3])
    native.sendRule = refusingDevice(errno, A)
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 3; i++) socket.send('a', A)
      socket.flush()
    }
    expect(shape(native, 1)).toEqual(Array<number>(9).fill(1))
    expect(refusals(native)).toBe(1)
  })

  test('and then a full kernel: what is left waits, in order, and nothing goes twice', () => {
    const { socket, native } = openFake()
    native.sendRule = refusingDevice(errno, A)
    native.room = 4
    for (let i = 0; i < 10; i++) socket.send(String(i), A)
    socket.send('B', B)
    expect(socket.flush()).toBe(false)
    expect(native.datagrams).toHaveLength(4)
    expect(socket.stats()).toMatchObject({ datagramsSent: 4, queuedDatagrams: 7, offloadFallbacks: 1 })
    native.room = 3
    native.turn()
    expect(native.datagrams).toHaveLength(7)
    native.room = Infinity
    turnAll(native)
    expect(native.datagrams.map(({ payload }) => String(payload)).join('')).toBe('0123456789B')
    expect(socket.stats()).toMatchObject({ offloadFallbacks: 1, queuedDatagrams: 0 })
  })

  test('and a full kernel at once is remembered when the rest has passed', () => {
    const { socket, native } = openFake()
    native.sendRule = refusingDevice(errno, A)
    native.sendScript.push({ errno }, { errno: ERRNO.EAGAIN })
    for (let i = 0; i < 3; i++) socket.send(String(i), A)
    expect(socket.flush()).toBe(false)
    native.turn()
    for (let i = 3; i < 6; i++) socket.send(String(i), A)
    socket.flush()
    expect(native.datagrams.map(({ payload }) => String(payload)).join('')).toBe('012345')
    expect(socket.stats().offloadFallbacks).toBe(1)
    expect(refusals(native)).toBe(1)
  })
})

describe('offload refused', () => {
  test('for a size leaves smaller ones to it', () => {
    const { socket, native } = openFake()
    native.sendRule = (message) => (message.segmentBytes > 1400 ? ERRNO.EINVAL : 0)
    const send = (size: number): number[] => {
      const before = native.messages.length
      for (let i = 0; i < 3; i++) socket.send(Buffer.alloc(size), A)
      socket.flush()
      return shape(native, before)
    }
    expect(send(1450)).toEqual([1, 1, 1])
    expect(send(1449)).toEqual([1, 1, 1])
    expect(send(1401)).toEqual([1, 1, 1])
    expect(send(1400)).toEqual([3])
    expect(send(1450)).toEqual([1, 1, 1])
  })

  test('by the device leaves no size to it', () => {
    const { socket, native } = openFake()
    native.sendRule = refusingDevice(ERRNO.EIO, A)
    for (const size of [1400, 100, 1]) {
      for (let i = 0; i < 3; i++) socket.send(Buffer.alloc(size), A)
      socket.flush()
    }
    expect(native.sendCalls.filter(({ result }) => result < 0)).toHaveLength(1)
  })

  test('for one datagram alone is no refusal of offload', () => {
    const { socket, native } = openFake()
    native.sendRule = (message) => (message.datagrams.some((datagram) => String(datagram) === 'bad') ? ERRNO.EINVAL : 0)
    socket.send('bad', A)
    socket.flush()
    expect(socket.stats()).toMatchObject({ offloadFallbacks: 0, datagramsFailed: 1 })
    for (let i = 0; i < 3; i++) socket.send('fine', A)
    socket.flush()
    expect(native.messages.at(-1)!.datagrams).toHaveLength(3)
  })

  test('for a message whose datagrams all fail alone too is not remembered', () => {
    const { socket, native } = openFake()
    native.sendRule = () => ERRNO.EINVAL
    for (let i = 0; i < 3; i++) socket.send('a', A)
    socket.flush()
    expect(socket.stats()).toMatchObject({ datagramsFailed: 3, offloadFallbacks: 0 })
    native.sendRule = () => 0
    for (let i = 0; i < 3; i++) socket.send('a', A)
    socket.flush()
    expect(shape(native)).toEqual([3])
  })

  test('for two destinations in one flush is remembered for both', () => {
    const { socket, native } = openFake()
    native.sendRule = refusingDevice(ERRNO.EIO, A, B)
    for (let round = 0; round < 2; round++) {
      for (const to of [A, B]) for (let i = 0; i < 3; i++) socket.send('a', to)
      socket.flush()
    }
    expect(native.sendCalls.filter(({ result }) => result < 0)).toHaveLength(2)
    expect(socket.stats()).toMatchObject({ offloadFallbacks: 2, datagramsSent: 12 })
  })
})
