import { describe, expect, test } from 'vitest'
import { ERRNO, type SocketError } from '../../../src/binding/index.js'
import { Endpoint } from '../../../src/core/index.js'
import type { UdpSocket } from '../../../src/socket/index.js'
import type { FakeSocket } from '../../support/fake-addon.js'
import { openFake, turnAll } from '../support/open-fake.js'
import { settled, uncaughtDuring } from '../support/turns.js'

const A = Endpoint.of('192.0.2.1', 1001)
const B = Endpoint.of('192.0.2.2', 1002)

function payloads(native: FakeSocket): string[] {
  return native.datagrams.map(({ payload }) => String(payload))
}

/** Notes each 'sendError' as its code and where the datagram was going. */
function errorsOf(socket: UdpSocket): string[] {
  const errors: string[] = []
  socket.on('sendError', (error, endpoint) => void errors.push(`${error.code} ${endpoint}`))
  return errors
}

describe('a short count from sendmmsg', () => {
  test('is no loss: the tail is sent again, once', () => {
    const { socket, native } = openFake({ sendOffload: false })
    native.sendScript.push({ take: 1 }, { take: 2 }, { take: 1 })
    for (let i = 0; i < 10; i++) socket.send(String(i), A)
    expect(socket.flush()).toBe(true)
    expect(payloads(native)).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
    expect(native.sendCalls.map(({ result }) => result)).toEqual([1, 2, 1, 6])
    expect(socket.stats()).toMatchObject({ batchesSent: 4, datagramsSent: 10 })
  })

  test('before a datagram that is refused costs only that one', async () => {
    const { socket, native } = openFake({ sendOffload: false })
    const errors = errorsOf(socket)
    native.sendRule = (message) => (String(message.datagrams[0]) === '3' ? ERRNO.EPERM : 0)
    for (let i = 0; i < 6; i++) socket.send(String(i), A)
    expect(socket.flush()).toBe(true)
    await settled()
    expect(payloads(native)).toEqual(['0', '1', '2', '4', '5'])
    expect(errors).toEqual(['EPERM 192.0.2.1:1001'])
    expect(socket.stats()).toMatchObject({ datagramsSent: 5, datagramsFailed: 1, sendErrors: { EPERM: 1 }, queuedDatagrams: 0 })
  })
})

describe('an interrupted send', () => {
  test('is made again', async () => {
    const { socket, native } = openFake()
    const errors = errorsOf(socket)
    for (let i = 0; i < 10; i++) native.sendScript.push({ errno: ERRNO.EINTR })
    for (const payload of ['aa', 'bb']) socket.send(payload, A)
    socket.flush()
    await settled()
    expect(payloads(native)).toEqual(['aa', 'bb'])
    expect(errors).toEqual([])
    expect(socket.stats()).toMatchObject({ offloadFallbacks: 0, coalescedSends: 1 })
  })
})

describe.each([
  ['ENOBUFS', ERRNO.ENOBUFS],
  ['ENOMEM', ERRNO.ENOMEM],
  ['EMSGSIZE', ERRNO.EMSGSIZE],
  ['EPERM', ERRNO.EPERM],
  ['ENETUNREACH', ERRNO.ENETUNREACH],
  ['EHOSTUNREACH', ERRNO.EHOSTUNREACH],
  ['EACCES', ERRNO.EACCES],
  ['EINVAL', ERRNO.EINVAL],
  ['EIO', ERRNO.EIO],
] as const)('%s', (code, errno) => {
  test('for one destination fails its datagrams and nobody else’s', async () => {
    const { socket, native } = openFake()
    const errors = errorsOf(socket)
    native.sendRule = (message) => (message.destination?.equals(B) ? errno : 0)
    for (const [payload, to] of [
      ['a1', A],
      ['b1', B],
      ['b2', B],
      ['a2', A],
      ['a3', A],
    ] as const)
      socket.send(payload, to)
    expect(socket.flush()).toBe(true)
    await settled()
    expect(payloads(native)).toEqual(['a1', 'a2', 'a3'])
    expect(errors).toEqual([`${code} 192.0.2.2:1002`, `${code} 192.0.2.2:1002`])
    expect(socket.stats()).toMatchObject({
      datagramsQueued: 5,
      datagramsSent: 3,
      datagramsFailed: 2,
      sendErrors: { [code]: 2 },
      queuedDatagrams: 0,
      queuedBytes: 0,
      peerErrors: 0,
      // Nothing passed one by one, so it was not the segmentation that was refused.
      offloadFallbacks: 0,
    })
  })

  test('once is one lost datagram: the next is tried', () => {
    const { socket, native } = openFake({ sendOffload: false })
    native.sendScript.push({ errno })
    for (const payload of ['a', 'b', 'c']) socket.send(payload, A)
    socket.flush()
    expect(payloads(native)).toEqual(['b', 'c'])
    expect(socket.stats().sendErrors).toEqual({ [code]: 1 })
  })
})

describe('one bad datagram in a coalesced message', () => {
  test.each([0, 1, 4, 9])('costs only itself, at place %i of 10', async (bad) => {
    const { socket, native } = openFake()
    const errors = errorsOf(socket)
    native.sendRule = (message) => (message.datagrams.some((datagram) => String(datagram) === String(bad)) ? ERRNO.EPERM : 0)
    for (let i = 0; i < 10; i++) socket.send(String(i), A)
    expect(socket.flush()).toBe(true)
    await settled()
    expect(payloads(native)).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'].filter((_, i) => i !== bad))
    expect(errors).toEqual(['EPERM 192.0.2.1:1001'])
    expect(socket.stats()).toMatchObject({ datagramsSent: 9, datagramsFailed: 1, offloadFallbacks: 0 })
  })

  test('does not stop the neighbours from coalescing next time', () => {
    const { socket, native } = openFake()
    native.sendRule = (message) => (message.datagrams.some((datagram) => String(datagram) === 'bad') ? ERRNO.EPERM : 0)
    for (const payload of ['one', 'bad', 'two']) socket.send(payload, A)
    socket.flush()
    for (let i = 0; i < 3; i++) socket.send('fine', A)
    socket.flush()
    expect(native.messages.at(-1)!.datagrams).toHaveLength(3)
  })

  test('may be the shorter last one', () => {
    const { socket, native } = openFake()
    native.sendRule = (message) => (message.datagrams.some((datagram) => datagram.length === 2) ? ERRNO.EPERM : 0)
    for (const payload of ['aaaa', 'bbbb', 'cc', 'dddd']) socket.send(payload, A)
    socket.flush()
    expect(payloads(native)).toEqual(['aaaa', 'bbbb', 'dddd'])
  })

  test('keeps the ancillary data of the others', () => {
    const { socket, native } = openFake()
    native.sendRule = (message) => (message.datagrams.some((datagram) => String(datagram) === 'bad') ? ERRNO.EPERM : 0)
    for (const payload of ['one', 'bad', 'two']) socket.send(payload, A, { ttl: 5, source: '192.0.2.7' })
    socket.flush()
    expect(native.datagrams.map(({ control }) => [control.ttl, control.source])).toEqual([
      [5, '192.0.2.7'],
      [5, '192.0.2.7'],
    ])
  })

  test('waits in its place when the kernel is full in the middle', async () => {
    const { socket, native } = openFake()
    const errors = errorsOf(socket)
    native.sendRule = (message) => (message.datagrams.some((datagram) => String(datagram) === '3') ? ERRNO.EPERM : 0)
    native.room = 2
    for (let i = 0; i < 6; i++) socket.send(String(i), A)
    socket.send('B', B)
    expect(socket.flush()).toBe(false)
    expect(payloads(native)).toEqual(['0', '1'])
    expect(socket.stats()).toMatchObject({ datagramsSent: 2, queuedDatagrams: 5, queuedBytes: 5 })
    for (let room = 1; room <= 3; room++) {
      native.room = 1
      native.turn()
    }
    native.room = Infinity
    turnAll(native)
    await settled()
    expect(payloads(native)).toEqual(['0', '1', '2', '4', '5', 'B'])
    expect(errors).toHaveLength(1)
    expect(socket.stats()).toMatchObject({ datagramsSent: 6, datagramsFailed: 1, queuedDatagrams: 0, queuedBytes: 0 })
  })
})

describe('an error that an earlier datagram met (ECONNREFUSED), on a socket that is told of none,', () => {
  test.each([
    [true, ['b', 'c']],
    [false, ['b', 'c']],
  ])('costs one datagram, coalesced %j', async (sendOffload, delivered) => {
    const { socket, native } = openFake({ sendOffload })
    const errors = errorsOf(socket)
    native.pendingErrno = ERRNO.ECONNREFUSED
    for (const payload of ['a', 'b', 'c']) socket.send(payload, A)
    expect(socket.flush()).toBe(true)
    await settled()
    expect(payloads(native)).toEqual(delivered)
    expect(errors).toEqual(['ECONNREFUSED 192.0.2.1:1001'])
    expect(socket.stats()).toMatchObject({
      datagramsQueued: 3,
      datagramsSent: 2,
      bytesSent: 2,
      datagramsFailed: 1,
      queuedDatagrams: 0,
      queuedBytes: 0,
      offloadFallbacks: 0,
    })
  })

  test('leaves the rest of its message in order where the kernel is full', async () => {
    const { socket, native } = openFake()
    native.pendingErrno = ERRNO.ECONNREFUSED
    native.room = 1
    for (const payload of ['aa', 'bb', 'cc', 'd']) socket.send(payload, A)
    expect(socket.flush()).toBe(false)
    expect(payloads(native)).toEqual(['bb'])
    expect(socket.stats()).toMatchObject({ datagramsFailed: 1, queuedDatagrams: 2, queuedBytes: 3 })
    native.room = Infinity
    turnAll(native)
    expect(payloads(native)).toEqual(['bb', 'cc', 'd'])
    await settled()
  })
})

describe('a failed send is reported', () => {
  test('once, as Node shapes a system error, in a tick of its own', async () => {
    const { socket, native } = openFake()
    const errors: [SocketError, Endpoint | undefined][] = []
    socket.on('sendError', (error, endpoint) => void errors.push([error, endpoint]))
    native.sendRule = () => ERRNO.EPERM
    socket.send('x', A)
    socket.flush()
    expect(errors).toEqual([])
    await settled()
    expect(errors).toHaveLength(1)
    const [error, endpoint] = errors[0]!
    expect(error).toMatchObject({ code: 'EPERM', errno: -1, syscall: 'sendmmsg', address: '192.0.2.1', port: 1001 })
    expect(endpoint!.equals(A)).toBe(true)
    await settled()
    expect(errors).toHaveLength(1)
  })

  test('with the peer of a connected socket', async () => {
    const { socket, native } = openFake()
    const errors = errorsOf(socket)
    await socket.connect(A)
    native.sendRule = () => ERRNO.EPERM
    socket.send('x')
    await settled()
    expect(errors).toEqual(['EPERM 192.0.2.1:1001'])
  })

  test('sixty-four times in a tick at most, but counted each time', async () => {
    const { socket, native } = openFake({ sendOffload: false })
    const errors = errorsOf(socket)
    native.sendRule = () => ERRNO.EPERM
    for (let i = 0; i < 100; i++) socket.send('x', A)
    socket.flush()
    await settled()
    expect(errors).toHaveLength(64)
    expect(socket.stats()).toMatchObject({ datagramsFailed: 100, sendErrors: { EPERM: 100 } })
    socket.send('x', A)
    await settled()
    expect(errors).toHaveLength(65)
  })

  test('to nobody, without harm', async () => {
    const { socket, native } = openFake()
    native.sendRule = () => ERRNO.EPERM
    expect(socket.send('x', A)).toBe(true)
    await settled()
    expect(socket.stats().datagramsFailed).toBe(1)
  })

  test('by error code in the statistics, which are a copy', () => {
    const { socket, native } = openFake({ sendOffload: false })
    native.sendScript.push({ errno: ERRNO.EPERM }, { errno: ERRNO.ENOBUFS }, { errno: ERRNO.EPERM }, { errno: 133 })
    for (let i = 0; i < 5; i++) socket.send('x', A)
    socket.flush()
    const { sendErrors } = socket.stats()
    expect(sendErrors).toEqual({ EPERM: 2, ENOBUFS: 1, E133: 1 })
    sendErrors['EPERM'] = 99
    expect(socket.stats().sendErrors['EPERM']).toBe(2)
  })

  test('to a handler that throws: the other failures are still reported', async () => {
    const { socket, native } = openFake({ sendOffload: false })
    let reported = 0
    socket.on('sendError', () => {
      reported++
      throw new Error('handler')
    })
    native.sendRule = () => ERRNO.EPERM
    const uncaught = await uncaughtDuring(() => {
      for (let i = 0; i < 3; i++) socket.send('x', A)
      socket.flush()
    })
    expect(uncaught.length).toBeGreaterThanOrEqual(1)
    expect(reported).toBe(3)
  })

  test('to a handler that sends again', async () => {
    const { socket, native } = openFake()
    native.sendRule = (message) => (message.destination?.equals(B) ? ERRNO.EPERM : 0)
    socket.on('sendError', () => void socket.send('elsewhere', A))
    socket.send('x', B)
    await settled()
    expect(payloads(native)).toEqual(['elsewhere'])
  })

  test('to a handler that closes the socket', async () => {
    const { socket, native } = openFake({ sendOffload: false })
    let reported = 0
    socket.on('sendError', () => {
      reported++
      socket.close()
    })
    native.sendRule = () => ERRNO.EPERM
    for (let i = 0; i < 3; i++) socket.send('x', A)
    await settled()
    expect(socket.closed).toBe(true)
    expect(reported).toBe(3)
    expect(socket.stats().datagramsFailed).toBe(3)
  })
})
