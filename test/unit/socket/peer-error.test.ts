import { describe, expect, test } from 'vitest'
import { ERRNO } from '../../../src/binding/index.js'
import { Endpoint, type ReceiveBatch } from '../../../src/core/index.js'
import { PeerError, type UdpSocket } from '../../../src/socket/index.js'
import * as k from '../../../src/socket/kernel-constants.js'
import { openFake, turnAll } from '../support/open-fake.js'
import { settled, uncaughtDuring } from '../support/turns.js'

const A = Endpoint.of('192.0.2.1', 1001)
const B = Endpoint.of('192.0.2.2', 1002)

function peerErrorsOf(socket: UdpSocket): PeerError[] {
  const errors: PeerError[] = []
  socket.on('peerError', (error) => void errors.push(error))
  return errors
}

describe('an ICMP error, with receiveErrors,', () => {
  test('is reported with the peer that it concerns', () => {
    const { socket, native } = openFake({ receiveErrors: true })
    const errors = peerErrorsOf(socket)
    native.arriveErrors({ peer: A, errno: ERRNO.ECONNREFUSED, type: 3, code: 3 })
    native.turn()
    expect(errors).toHaveLength(1)
    expect(errors[0]).toBeInstanceOf(PeerError)
    expect(errors[0]).toMatchObject({
      code: 'ECONNREFUSED',
      errno: -111,
      syscall: 'icmp',
      address: '192.0.2.1',
      port: 1001,
      icmpType: 3,
      icmpCode: 3,
      mtuBytes: undefined,
      message: 'icmp ECONNREFUSED 192.0.2.1:1001',
    })
    expect(errors[0]!.endpoint!.equals(A)).toBe(true)
    expect(socket.stats().peerErrors).toBe(1)
  })

  test('tells the MTU of the next hop where a datagram was too long', () => {
    const { socket, native } = openFake({ type: 'udp6', receiveErrors: true })
    const errors = peerErrorsOf(socket)
    const peer = Endpoint.of('2001:db8::1', 5)
    native.arriveErrors({ peer, errno: ERRNO.EMSGSIZE, origin: k.SO_EE_ORIGIN.icmp6, type: 2, code: 0, info: 1280 })
    native.turn()
    expect(errors[0]).toMatchObject({ code: 'EMSGSIZE', icmpType: 2, icmpCode: 0, mtuBytes: 1280, address: '2001:db8::1' })
  })

  test('that this host made itself is left out: the send failed with it already', () => {
    const { socket, native } = openFake({ receiveErrors: true })
    const errors = peerErrorsOf(socket)
    native.arriveErrors(
      { peer: A, errno: ERRNO.EMSGSIZE, origin: k.SO_EE_ORIGIN.local, info: 1500 },
      { peer: B, errno: ERRNO.ECONNREFUSED },
    )
    native.turn()
    expect(errors.map((error) => String(error.endpoint))).toEqual(['192.0.2.2:1002'])
    expect(socket.stats().peerErrors).toBe(1)
  })

  test('is one of many that are all read, in order, in one turn', () => {
    const { socket, native } = openFake({ receiveErrors: true, receiveBatchMessages: 4 })
    const errors = peerErrorsOf(socket)
    for (let i = 1; i <= 30; i++) native.arriveErrors({ peer: Endpoint.of('192.0.2.1', i), errno: ERRNO.EHOSTUNREACH })
    native.turn()
    expect(errors.map((error) => error.port)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1))
    expect(native.unreadErrors).toBe(0)
  })

  test('is one of a flood that does not hold up the loop: the rest waits for the next turn', () => {
    const { socket, native } = openFake({ receiveErrors: true, receiveBatchMessages: 1 })
    const errors = peerErrorsOf(socket)
    for (let i = 1; i <= 100; i++) native.arriveErrors({ peer: Endpoint.of('192.0.2.1', i), errno: ERRNO.EHOSTUNREACH })
    native.turn()
    expect(errors.length).toBeLessThan(100)
    turnAll(native)
    expect(errors).toHaveLength(100)
  })

  test('is counted where nobody listens for it, and disturbs no batch', () => {
    const { socket, native } = openFake({ receiveErrors: true })
    const seen: string[] = []
    socket.on('datagram', (payload) => void seen.push(String(payload)))
    native.arrive({ payload: 'a' })
    native.arriveErrors({ peer: A, errno: ERRNO.ECONNREFUSED })
    turnAll(native)
    expect(seen).toEqual(['a'])
    expect(socket.stats().peerErrors).toBe(1)
  })

  test('does not spoil a batch that somebody retained', () => {
    const { socket, native } = openFake({ receiveErrors: true })
    let kept: ReceiveBatch | undefined
    socket.on('batch', (batch) => void (kept = batch.retain()))
    native.arrive({ from: A, payload: 'a' })
    native.turn()
    native.arriveErrors({ peer: B, errno: ERRNO.ECONNREFUSED })
    native.turn()
    expect(socket.stats().peerErrors).toBe(1)
    expect(`${kept!.payload(0)} ${kept!.endpoint(0)}`).toBe('a 192.0.2.1:1001')
  })

  test('does not fail a healthy send to somebody else', async () => {
    const { socket, native } = openFake({ receiveErrors: true })
    const errors = peerErrorsOf(socket)
    const failed: unknown[] = []
    socket.on('sendError', (error) => void failed.push(error))
    native.arriveErrors({ peer: A, errno: ERRNO.ECONNREFUSED })
    native.pendingErrno = ERRNO.ECONNREFUSED
    for (let i = 0; i < 3; i++) socket.send(String(i), B)
    expect(socket.flush()).toBe(true)
    await settled()
    expect(native.datagrams.map(({ payload }) => String(payload))).toEqual(['0', '1', '2'])
    expect(failed).toEqual([])
    expect(errors.map((error) => String(error.endpoint))).toEqual(['192.0.2.1:1001'])
    expect(socket.stats()).toMatchObject({ datagramsSent: 3, datagramsFailed: 0, offloadFallbacks: 0, peerErrors: 1 })
  })

  test('that comes while the kernel is full fails nothing either', async () => {
    const { socket, native } = openFake({ receiveErrors: true })
    const errors = peerErrorsOf(socket)
    native.room = 0
    native.arriveErrors({ peer: A, errno: ERRNO.ECONNREFUSED })
    native.pendingErrno = ERRNO.ECONNREFUSED
    socket.send('x', B)
    expect(socket.flush()).toBe(false)
    await settled()
    expect(errors).toHaveLength(1)
    native.room = Infinity
    turnAll(native)
    expect(native.datagrams).toHaveLength(1)
    expect(socket.stats().datagramsFailed).toBe(0)
  })

  test('is reported once where the kernel tells it both ways, in the queue and as the socket’s error', () => {
    const { socket, native } = openFake({ receiveErrors: true })
    const errors = peerErrorsOf(socket)
    native.arriveErrors({ peer: A, errno: ERRNO.ECONNREFUSED })
    native.pendingErrno = ERRNO.ECONNREFUSED
    native.turn()
    expect(errors.map((error) => String(error.endpoint))).toEqual(['192.0.2.1:1001'])
  })

  test('is read from the queue once, though a send and the loop both saw it', async () => {
    const { socket, native } = openFake({ receiveErrors: true })
    const errors = peerErrorsOf(socket)
    native.arriveErrors({ peer: A, errno: ERRNO.ECONNREFUSED })
    native.pendingErrno = ERRNO.ECONNREFUSED
    socket.send('x', B)
    socket.flush()
    turnAll(native)
    await settled()
    expect(errors).toHaveLength(1)
  })
})

describe('an ICMP error on a connected socket, without receiveErrors,', () => {
  test('is reported with the peer of the socket', async () => {
    const { socket, native } = openFake()
    const errors = peerErrorsOf(socket)
    await socket.connect(A)
    native.pendingErrno = ERRNO.ECONNREFUSED
    native.turn()
    expect(errors).toHaveLength(1)
    expect(errors[0]).toMatchObject({ code: 'ECONNREFUSED', address: '192.0.2.1', port: 1001, icmpType: undefined })
    expect(socket.closed).toBe(false)
  })

  test('that makes a send fail is not the send’s: it is made again', async () => {
    const { socket, native } = openFake()
    const errors = peerErrorsOf(socket)
    await socket.connect(A)
    native.pendingErrno = ERRNO.ECONNREFUSED
    for (let i = 0; i < 3; i++) socket.send(String(i))
    socket.flush()
    await settled()
    expect(native.datagrams.map(({ payload }) => String(payload))).toEqual(['0', '1', '2'])
    expect(errors.map((error) => String(error.endpoint))).toEqual(['192.0.2.1:1001'])
    expect(socket.stats()).toMatchObject({ datagramsSent: 3, datagramsFailed: 0, peerErrors: 1, coalescedSends: 1 })
  })

  test('that comes with every try is a failed send in the end', async () => {
    const { socket, native } = openFake()
    const failed: string[] = []
    socket.on('sendError', (error) => void failed.push(error.code))
    await socket.connect(A)
    native.sendRule = () => ERRNO.ECONNREFUSED
    socket.send('x')
    socket.flush()
    await settled()
    expect(failed).toEqual(['ECONNREFUSED'])
    expect(socket.stats()).toMatchObject({ datagramsFailed: 1, queuedDatagrams: 0 })
  })

  test('that a send met before its own failure is reported all the same', async () => {
    const { socket, native } = openFake()
    const errors = peerErrorsOf(socket)
    await socket.connect(A)
    native.pendingErrno = ERRNO.ECONNREFUSED
    native.sendRule = () => ERRNO.EPERM
    socket.send('x')
    socket.flush()
    await settled()
    expect(socket.stats().sendErrors).toEqual({ EPERM: 1 })
    expect(errors.map((error) => error.code)).toEqual(['ECONNREFUSED'])
  })
})

describe('an error of a socket that is neither connected nor told to receive errors', () => {
  test('is the send’s own', async () => {
    const { socket, native } = openFake()
    const failed: string[] = []
    socket.on('sendError', (error) => void failed.push(error.code))
    native.sendScript.push({ errno: ERRNO.ECONNREFUSED })
    socket.send('x', A)
    socket.flush()
    await settled()
    expect(failed).toEqual(['ECONNREFUSED'])
    expect(native.sendCalls).toHaveLength(1)
  })
})

describe('the kernel', () => {
  test('may say "look at the error queue" where there is nothing', () => {
    const { socket, native, addon } = openFake({ receiveErrors: true })
    const errors = peerErrorsOf(socket)
    native.arriveErrors({ peer: A, errno: ERRNO.ECONNREFUSED, origin: k.SO_EE_ORIGIN.local })
    native.turn()
    expect(errors).toEqual([])
    expect(socket.closed).toBe(false)
    expect(addon.uncaught).toEqual([])
  })

  test('may have an error of the socket’s own: it closes with it', async () => {
    const { socket, native } = openFake({ receiveErrors: true })
    const events: string[] = []
    socket.on('error', (error) => void events.push(error.message)).on('close', () => void events.push('close'))
    socket.on('batch', () => undefined)
    native.pendingErrno = ERRNO.ENOMEM
    native.turn()
    await settled()
    expect(events).toEqual(['recvmmsg ENOMEM', 'close'])
  })
})

describe('a handler of peerError', () => {
  test('may close the socket: what was read with it comes before close, and is counted', async () => {
    const { socket, native, addon } = openFake({ receiveErrors: true })
    const events: string[] = []
    socket.on('close', () => void events.push('close'))
    socket.on('peerError', () => {
      events.push('peerError')
      socket.close()
    })
    native.arriveErrors({ peer: A, errno: ERRNO.ECONNREFUSED }, { peer: B, errno: ERRNO.ECONNREFUSED })
    native.turn()
    await settled()
    expect(addon.uncaught).toEqual([])
    expect(events.at(-1)).toBe('close')
    expect(socket.stats().peerErrors).toBe(2)
  })

  test('that throws does not lose the other errors: they are counted', async () => {
    const { socket, native } = openFake({ receiveErrors: true })
    socket.on('peerError', () => {
      throw new Error('handler')
    })
    const uncaught = await uncaughtDuring(() => {
      native.arriveErrors({ peer: A, errno: ERRNO.ECONNREFUSED }, { peer: B, errno: ERRNO.ECONNREFUSED })
      native.turn()
    })
    expect(uncaught).toHaveLength(2)
    expect(socket.stats().peerErrors).toBe(2)
  })

  test('may send', async () => {
    const { socket, native } = openFake({ receiveErrors: true })
    socket.on('peerError', () => void socket.send('elsewhere', B))
    native.arriveErrors({ peer: A, errno: ERRNO.ECONNREFUSED })
    native.turn()
    await settled()
    expect(native.datagrams).toHaveLength(1)
  })
})
