import { describe, expect, test } from 'vitest'
import { ERRNO } from '../../../src/binding/index.js'
import { Endpoint, drained } from '../../../src/core/index.js'
import type { UdpSocketOptions } from '../../../src/socket/index.js'
import { openFake, turnAll, type Opened } from '../support/open-fake.js'
import { settled } from '../support/turns.js'

const A = Endpoint.of('192.0.2.1', 1001)

/** A socket whose kernel takes nothing until the test gives it room, and a count of its 'drain' events. */
function openFull(options: UdpSocketOptions = {}): Opened & { drains: () => number } {
  const opened = openFake(options)
  opened.native.room = 0
  let drains = 0
  opened.socket.on('drain', () => void drains++)
  return { ...opened, drains: () => drains }
}

describe('a full kernel buffer', () => {
  test('lets datagrams wait, watches for room, and says when all are gone', async () => {
    const { socket, native, drains } = openFull()
    expect(socket.send('a', A)).toBe(true)
    expect(socket.flush()).toBe(false)
    expect(native.isWaitingToWrite).toBe(true)
    expect(socket.stats()).toMatchObject({ wouldBlock: 1, queuedDatagrams: 1, queuedBytes: 1, datagramsSent: 0 })
    native.turn()
    expect(native.datagrams).toHaveLength(0)
    native.room = Infinity
    native.turn()
    expect(native.datagrams).toHaveLength(1)
    expect(drains()).toBe(1)
    expect(native.isWaitingToWrite).toBe(false)
    expect(socket.flush()).toBe(true)
    await settled()
    expect(drains()).toBe(1)
  })

  test('may be waited for, and the wait ends with the socket', async () => {
    const { socket, native } = openFull({ sendQueueDatagrams: 1 })
    socket.send('a', A)
    expect(socket.send('b', A)).toBe(false)
    const waits = [drained(socket), drained(socket)]
    native.room = Infinity
    native.turn()
    await Promise.all(waits)
    const inVain = drained(socket)
    socket.close()
    await expect(inVain).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    await expect(drained(socket)).rejects.toMatchObject({ code: 'ERR_CLOSED' })
    expect(socket.listenerCount('close')).toBe(0)
    expect(socket.listenerCount('drain')).toBe(1)
    expect(() => void drained(undefined as never)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }))
  })

  test('asks the kernel no more until it says that there is room', async () => {
    const { socket, native } = openFull()
    for (let i = 0; i < 10; i++) {
      socket.send('a', A)
      expect(socket.flush()).toBe(false)
    }
    await settled()
    expect(native.sendCalls).toHaveLength(1)
    expect(socket.stats().wouldBlock).toBe(1)
  })

  test('keeps the order of what waits and what comes after', () => {
    const { socket, native } = openFull({ sendOffload: false })
    for (const payload of ['a', 'b', 'c']) socket.send(payload, A)
    native.room = 2
    socket.flush()
    socket.send('d', A)
    native.room = 1
    native.turn()
    socket.send('e', A)
    native.room = Infinity
    turnAll(native)
    expect(native.datagrams.map(({ payload }) => String(payload))).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  test('lets datagrams coalesce while they wait, but not with what the kernel has seen', () => {
    const { socket, native } = openFull()
    socket.send('aa', A)
    socket.flush()
    socket.send('bb', A)
    socket.send('cc', A)
    native.room = Infinity
    native.turn()
    expect(native.messages.map((message) => message.datagrams.map(String))).toEqual([['aa'], ['bb', 'cc']])
  })

  test('takes a message of many datagrams whole or not at all', () => {
    const { socket, native } = openFull()
    for (let i = 0; i < 10; i++) socket.send('a', A)
    native.room = 9
    expect(socket.flush()).toBe(false)
    expect(native.datagrams).toHaveLength(0)
    native.room = 10
    native.turn()
    expect(native.datagrams).toHaveLength(10)
  })

  test('keeps the process alive only while something waits', () => {
    const { socket, native } = openFull()
    socket.send('a', A)
    expect(native.interest).toBe(0)
    socket.flush()
    expect(native.isWaitingToWrite).toBe(true)
    native.room = 1
    native.turn()
    expect(native.interest).toBe(0)
  })

  test('does not stop receiving', () => {
    const { socket, native } = openFull()
    let received = 0
    socket.on('batch', (batch) => void (received += batch.count))
    socket.send('a', A)
    socket.flush()
    expect([native.isReading, native.isWaitingToWrite]).toEqual([true, true])
    native.arrive({ payload: 'x' })
    native.turn()
    expect(received).toBe(1)
  })

  test('at the end of a tick is followed by drain as well', async () => {
    const { socket, native, drains } = openFull()
    socket.send('a', A)
    await settled()
    native.room = 1
    native.turn()
    expect(drains()).toBe(1)
  })
})

describe('send', () => {
  test.each([
    ['datagrams', { sendQueueDatagrams: 3 }],
    ['bytes', { sendQueueBytes: 12 }],
  ] as [string, UdpSocketOptions][])('returns false at the bound in %s, and queues nothing', (_name, options) => {
    const { socket, native, drains } = openFull(options)
    for (let i = 0; i < 3; i++) expect(socket.send('abcd', A)).toBe(true)
    for (let i = 0; i < 2; i++) expect(socket.send('abcd', A)).toBe(false)
    expect(socket.reserve(4, A)).toBeUndefined()
    expect(socket.reserveRun(4, 2, A)).toBeUndefined()
    expect(socket.stats()).toMatchObject({ datagramsRefused: 4, datagramsQueued: 3, queuedDatagrams: 3, queuedBytes: 12 })
    expect(native.isWaitingToWrite).toBe(true)
    expect(drains()).toBe(0)
    native.room = 100
    native.turn()
    expect(drains()).toBe(1)
    expect(native.datagrams).toHaveLength(3)
    expect(socket.send('abcd', A)).toBe(true)
  })

  test('still takes a shorter datagram where a longer one had no room', () => {
    const { socket } = openFull({ sendQueueBytes: 10 })
    expect(socket.send('1234567', A)).toBe(true)
    expect(socket.send('4567', A)).toBe(false)
    expect(socket.send('890', A)).toBe(true)
    expect(socket.send('', A)).toBe(true)
    expect(socket.stats()).toMatchObject({ queuedDatagrams: 3, queuedBytes: 10 })
  })

  test('takes an empty datagram while the bound in datagrams allows it', () => {
    const { socket } = openFull({ sendQueueDatagrams: 2, sendQueueBytes: 1 })
    expect([socket.send('', A), socket.send('', A), socket.send('', A)]).toEqual([true, true, false])
  })

  test('holds its bound in bytes after a datagram that was longer than it', () => {
    const { socket, native } = openFake({ sendQueueBytes: 10 })
    expect(socket.send(Buffer.alloc(1000), A)).toBe(true)
    socket.flush()
    native.room = 0
    const taken = Array.from({ length: 20 }, () => socket.send('abcd', A)).filter((accepted) => accepted)
    expect(taken).toHaveLength(2)
    expect(socket.stats().queuedBytes).toBe(8)
  })

  test('holds its bounds when what waited has gone and more comes', () => {
    for (const options of [{ sendQueueBytes: 1000 }, { sendQueueDatagrams: 10 }]) {
      const { socket, native } = openFull({ sendOffload: false, ...options })
      const fill = (): void => {
        while (socket.send(Buffer.alloc(100), A)) expect(socket.stats().queuedDatagrams).toBeLessThanOrEqual(10)
      }
      fill()
      expect(socket.stats().queuedDatagrams).toBe(10)
      native.room = 6
      native.turn()
      fill()
      expect(socket.stats().queuedDatagrams).toBe(10)
      native.room = 10
      native.turn()
      native.room = 0
      fill()
      expect(socket.stats().queuedDatagrams).toBe(10)
    }
  })

  test('takes the default of 4 MiB and 65,536 datagrams, and no more', () => {
    const bytes = openFull()
    const payload = Buffer.alloc(1024)
    let taken = 0
    while (bytes.socket.send(payload, A)) taken++
    expect(taken).toBe(4096)
    expect(bytes.socket.stats().queuedBytes).toBe(4 * 1024 * 1024)
    bytes.native.room = Infinity
    turnAll(bytes.native)
    expect(bytes.native.datagrams).toHaveLength(4096)
  })

  test('counts to its bound across many slabs', () => {
    const { socket, native } = openFull({ sendQueueDatagrams: 1000, sendOffload: false })
    let taken = 0
    while (socket.send(String(taken), A)) taken++
    expect(taken).toBe(1000)
    native.room = Infinity
    turnAll(native)
    expect(native.datagrams.map(({ payload }) => Number(payload))).toEqual(Array.from({ length: 1000 }, (_, i) => i))
    expect(socket.stats()).toMatchObject({ queuedDatagrams: 0, queuedBytes: 0, datagramsSent: 1000 })
  })

  test('has its whole bound again after each drain', () => {
    const { socket, native } = openFull({ sendQueueDatagrams: 300, sendOffload: false })
    for (let round = 0; round < 5; round++) {
      native.room = 0
      let taken = 0
      while (socket.send('x', A)) taken++
      expect(taken).toBe(300)
      native.room = 137
      native.turn()
      expect(socket.stats().queuedDatagrams).toBe(163)
      let more = 0
      while (socket.send('x', A)) more++
      expect(more).toBe(137)
      native.room = Infinity
      turnAll(native)
      expect(socket.stats().queuedDatagrams).toBe(0)
    }
  })
})

describe('drain', () => {
  test('comes when everything is gone, not before', () => {
    const { socket, native, drains } = openFull({ sendQueueDatagrams: 4, sendOffload: false })
    for (let i = 0; i < 5; i++) socket.send('x', A)
    native.room = 3
    native.turn()
    expect(drains()).toBe(0)
    expect(native.isWaitingToWrite).toBe(true)
    native.room = 1
    native.turn()
    expect(drains()).toBe(1)
  })

  test('comes again after the next refusal', () => {
    const { socket, native, drains } = openFull({ sendQueueDatagrams: 1 })
    for (let round = 1; round <= 3; round++) {
      native.room = 0
      expect(socket.send('x', A)).toBe(true)
      expect(socket.send('x', A)).toBe(false)
      native.room = 1
      native.turn()
      expect(drains()).toBe(round)
    }
  })

  test('does not come when nothing had to wait', async () => {
    const { socket, native, drains } = openFull()
    native.room = 1
    socket.send('x', A)
    await settled()
    turnAll(native)
    expect(native.datagrams).toHaveLength(1)
    expect(drains()).toBe(0)
  })

  test('may send from its handler, up to the bound and again', async () => {
    const { socket, native, drains } = openFull({ sendQueueDatagrams: 10, sendOffload: false })
    let next = 0
    const fill = (): void => {
      while (next < 100 && socket.send(String(next), A)) next++
    }
    socket.on('drain', fill)
    fill()
    while (next < 100) {
      native.room = 7
      native.turn()
      expect(socket.stats().queuedDatagrams).toBeLessThanOrEqual(10)
    }
    native.room = Infinity
    await settled()
    turnAll(native)
    expect(native.datagrams.map(({ payload }) => Number(payload))).toEqual(Array.from({ length: 100 }, (_, i) => i))
    expect(drains()).toBeGreaterThan(5)
  })

  test('may close the socket from its handler', async () => {
    const { socket, native, addon } = openFull()
    socket.on('drain', () => socket.close())
    socket.send('x', A)
    socket.flush()
    native.room = 1
    native.turn()
    await settled()
    expect(native.isOpen).toBe(false)
    expect(addon.uncaught).toEqual([])
    expect(socket.stats()).toMatchObject({ datagramsSent: 1, datagramsDiscarded: 0 })
  })

  test('goes on after a handler of it that throws', () => {
    const { socket, native, addon } = openFull()
    socket.once('drain', () => {
      throw new Error('handler')
    })
    for (let round = 0; round < 2; round++) {
      socket.send('x', A)
      socket.flush()
      native.room = 1
      turnAll(native)
    }
    expect(addon.uncaught.map(String)).toEqual(['Error: handler'])
    expect(native.datagrams).toHaveLength(2)
    expect(native.interest).toBe(0)
  })

  test('does not come after close, and what waited is counted', async () => {
    const { socket, native, drains } = openFull()
    for (let i = 0; i < 3; i++) socket.send('x', A)
    socket.flush()
    socket.close()
    native.room = 10
    native.turn()
    await settled()
    expect(drains()).toBe(0)
    expect(native.datagrams).toHaveLength(0)
    expect(socket.stats()).toMatchObject({ datagramsQueued: 3, datagramsDiscarded: 3, queuedDatagrams: 0 })
  })
})

describe('a reserved datagram', () => {
  test('waits with the others, in its place', () => {
    const { socket, native } = openFull({ sendOffload: false })
    socket.send('a', A)
    socket.reserve(1, A)!.write('b')
    socket.flush()
    socket.commit()
    socket.send('c', A)
    native.room = Infinity
    native.turn()
    expect(native.datagrams.map(({ payload }) => String(payload))).toEqual(['a', 'b', 'c'])
  })

  test('is not overwritten when what was before it drains', () => {
    const { socket, native } = openFull({ sendOffload: false })
    socket.send('first', A)
    socket.flush()
    const view = socket.reserve(8, A)!
    view.write('reserved')
    native.room = Infinity
    native.turn()
    expect(String(view)).toBe('reserved')
    socket.commit()
    socket.send('later', A)
    socket.flush()
    expect(native.datagrams.map(({ payload }) => String(payload))).toEqual(['first', 'reserved', 'later'])
  })

  test('that lies in a slab of its own is sent when those before it are gone', () => {
    const { socket, native } = openFull({ sendOffload: false })
    for (let i = 0; i < 8; i++) socket.send(Buffer.alloc(60_000, i), A)
    socket.reserve(60_000, A)!.fill(8)
    native.room = 8
    native.turn()
    native.room = Infinity
    socket.commit()
    socket.flush()
    expect(native.datagrams.map(({ payload }) => payload[59_999])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8])
  })
})

describe('the kernel says would-block', () => {
  test('also by a script, with room left: the next turn goes on', () => {
    const { socket, native } = openFake({ sendOffload: false })
    native.sendScript.push({ take: 1 }, { errno: ERRNO.EAGAIN })
    for (const payload of ['a', 'b', 'c']) socket.send(payload, A)
    expect(socket.flush()).toBe(false)
    expect(native.datagrams).toHaveLength(1)
    native.turn()
    expect(native.datagrams.map(({ payload }) => String(payload))).toEqual(['a', 'b', 'c'])
  })
})
