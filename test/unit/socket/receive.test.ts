import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ERRNO } from '../../../src/binding/index.js'
import { Endpoint, type ReceiveBatch } from '../../../src/core/index.js'
import * as k from '../../../src/socket/kernel-constants.js'
import { FakeAddon, type ArrivingMessage } from '../../support/fake-addon.js'
import { checkProperty } from '../support/check-property.js'
import { failure } from '../support/errors.js'
import { openFake, turnAll } from '../support/open-fake.js'
import { settled, uncaughtDuring } from '../support/turns.js'

const A = Endpoint.of('192.0.2.1', 1001)
const B = Endpoint.of('192.0.2.2', 1002)

/** What a batch says about each of its datagrams, copied. */
function listed(batch: ReceiveBatch): string[] {
  return Array.from({ length: batch.count }, (_, i) => `${batch.copy(i).toString()} from ${batch.endpoint(i)}`)
}

describe('a batch', () => {
  test('hands over what arrived together, in order, in one call', () => {
    const { socket, native } = openFake()
    const batches: string[][] = []
    socket.on('batch', (batch) => void batches.push(listed(batch)))
    native.arrive({ from: A, payload: 'one' }, { from: B, payload: 'two' }, { from: A, payload: 'three' })
    native.turn()
    expect(batches).toEqual([['one from 192.0.2.1:1001', 'two from 192.0.2.2:1002', 'three from 192.0.2.1:1001']])
    expect(socket.stats()).toMatchObject({ batchesReceived: 1, datagramsReceived: 3, bytesReceived: 11, segmentsReceived: 0 })
  })

  test('is as long as asked for, and the rest comes in the next turn', () => {
    const { socket, native } = openFake({ receiveBatchMessages: 2 })
    const counts: number[] = []
    socket.on('batch', (batch) => void counts.push(batch.count))
    native.arrive(...Array.from({ length: 5 }, () => ({ payload: 'x' })))
    native.turn()
    expect(counts).toEqual([2])
    turnAll(native)
    expect(counts).toEqual([2, 2, 1])
  })

  test('cuts a coalesced message into its datagrams, the last one shorter', () => {
    const { socket, native } = openFake()
    const seen: string[] = []
    socket.on('batch', (batch) => {
      seen.push(...listed(batch))
      expect(batch.endpoint(0)).toBe(batch.endpoint(2))
    })
    native.arrive({ from: A, payload: 'aabbc', segmentBytes: 2 }, { from: B, payload: 'alone' })
    native.turn()
    expect(seen).toEqual([
      'aa from 192.0.2.1:1001',
      'bb from 192.0.2.1:1001',
      'c from 192.0.2.1:1001',
      'alone from 192.0.2.2:1002',
    ])
    expect(socket.stats()).toMatchObject({ datagramsReceived: 4, segmentsReceived: 3, bytesReceived: 10 })
  })

  test('holds sixteen coalesced messages of 128 datagrams', () => {
    const { socket, native } = openFake()
    let seen = 0
    socket.on('batch', (batch) => void (seen += batch.count))
    native.arrive(...Array.from({ length: 16 }, () => ({ payload: Buffer.alloc(128 * 500), segmentBytes: 500 })))
    native.turn()
    expect(seen).toBe(16 * 128)
    expect(socket.stats().overflowed).toBe(0)
  })

  test('counts datagrams that found no record, where a kernel coalesces more than it documents', () => {
    const { socket, native } = openFake({ receiveBatchMessages: 64 })
    let seen = 0
    socket.on('batch', (batch) => void (seen += batch.count))
    native.arrive(...Array.from({ length: 64 }, () => ({ payload: Buffer.alloc(130), segmentBytes: 1 })))
    native.turn()
    expect(seen).toBe(64 * 128)
    expect(socket.stats()).toMatchObject({ datagramsReceived: 64 * 128, overflowed: 64 * 2 })
  })

  test('marks a datagram that was cut, and counts it', () => {
    const { socket, native } = openFake({ maxDatagramBytes: 4 })
    const seen: unknown[] = []
    socket.on('batch', (batch) => {
      for (let i = 0; i < batch.count; i++) seen.push([String(batch.payload(i)), batch.wireLength(i), batch.truncated(i)])
    })
    native.arrive({ payload: 'whole' }, { payload: 'fits' }, { payload: '' })
    native.turn()
    expect(seen).toEqual([
      ['whol', 5, true],
      ['fits', 4, false],
      ['', 0, false],
    ])
    expect(socket.stats()).toMatchObject({ truncated: 1, datagramsReceived: 3, bytesReceived: 8 })
  })

  test('brings the ancillary data that was asked for', () => {
    const { socket, native } = openFake({ type: 'udp6', receivePacketInfo: true, receiveTtl: true, receiveTos: true })
    const seen: unknown[] = []
    socket.on('batch', (batch) => {
      seen.push([batch.destination(0), batch.interfaceIndex(0), batch.ttl(0), batch.tos(0), batch.ecn(0), batch.receiveTimeNs(0)])
      seen.push([batch.destination(1), batch.interfaceIndex(1), batch.ttl(1), batch.tos(1), batch.ecn(1), batch.receiveTimeNs(1)])
    })
    const time = { seconds: 1_700_000_000, nanoseconds: 5 }
    native.arrive({ payload: 'x', to: Endpoint.of('2001:db8::5', 0), interfaceIndex: 7, ttl: 63, tos: 3, time }, { payload: 'y' })
    native.turn()
    expect(seen).toEqual([
      ['2001:db8::5', 7, 63, 3, 3, 1_700_000_000_000_000_005n],
      [undefined, 0, -1, -1, -1, undefined],
    ])
  })

  test('gives the same endpoint object for the same peer in every batch of a socket', () => {
    const { socket, native } = openFake()
    const seen: Endpoint[] = []
    socket.on('batch', (batch) => void seen.push(batch.endpoint(0)))
    for (const from of [A, B, A, B]) {
      native.arrive({ from, payload: 'x' })
      native.turn()
    }
    expect(seen[2]).toBe(seen[0])
    expect(seen[3]).toBe(seen[1])
    expect(seen[0]).not.toBe(seen[1])
  })

  test('goes to all its listeners, then datagram by datagram to those who want that', () => {
    const { socket, native } = openFake()
    const seen: string[] = []
    socket.on('datagram', (payload, endpoint, batch, i) => {
      expect(batch.payload(i)).toBe(payload)
      seen.push(`${payload} ${endpoint.port} ${i}`)
    })
    socket.on('batch', (batch) => void seen.push(`first ${batch.count}`))
    socket.on('batch', (batch) => void seen.push(`second ${batch.count}`))
    native.arrive({ from: A, payload: 'a' }, { from: B, payload: 'b' })
    native.turn()
    expect(seen).toEqual(['first 2', 'second 2', 'a 1001 0', 'b 1002 1'])
  })

  test('of two sockets of a thread shares one memory, one after the other', () => {
    const addon = new FakeAddon()
    const one = openFake({}, addon)
    const two = openFake({ type: 'udp6' }, addon)
    const seen: string[] = []
    one.socket.on('batch', (batch) => void seen.push(...listed(batch)))
    two.socket.on('batch', (batch) => void seen.push(...listed(batch)))
    one.native.arrive({ from: A, payload: 'one' })
    two.native.arrive({ from: A, payload: 'two' })
    one.native.turn()
    two.native.turn()
    expect(seen).toEqual(['one from 192.0.2.1:1001', 'two from [::ffff:192.0.2.1]:1001'])
  })

  test('property: whatever arrives is handed over whole, in order, and counted', () =>
    checkProperty(
      fc.property(
        fc.array(fc.record({ from: fc.nat(3), length: fc.nat(400), segmentBytes: fc.option(fc.integer({ min: 1, max: 200 })) }), {
          maxLength: 60,
        }),
        fc.integer({ min: 1, max: 64 }),
        (arriving, receiveBatchMessages) => {
          const { socket, native } = openFake({ receiveBatchMessages })
          const got: string[] = []
          socket.on('batch', (batch) => {
            for (let i = 0; i < batch.count; i++) got.push(`${batch.endpoint(i)} ${batch.payload(i).toString('hex')}`)
          })
          const expected: string[] = []
          for (const [i, { from, length, segmentBytes }] of arriving.entries()) {
            const payload = Buffer.alloc(length, i)
            const source = Endpoint.of(`192.0.2.${from}`, 1)
            const step = segmentBytes ?? Math.max(length, 1)
            for (let at = 0; at === 0 || at < length; at += step) {
              expected.push(`${source} ${payload.subarray(at, at + step).toString('hex')}`)
            }
            native.arrive({ from: source, payload, ...(segmentBytes === null ? {} : { segmentBytes }) })
          }
          turnAll(native)
          expect(got).toEqual(expected)
          expect(socket.stats()).toMatchObject({
            datagramsReceived: expected.length,
            bytesReceived: arriving.reduce((sum, { length }) => sum + length, 0),
          })
        },
      ),
      150,
    ))
})

describe('views of a batch', () => {
  test('are poisoned after the handler in test builds, so that a stale one is seen', () => {
    const { socket, native } = openFake()
    let stale: Buffer | undefined
    let kept: ReceiveBatch | undefined
    socket.on('batch', (batch) => {
      stale = batch.payload(0)
      kept = batch
      expect(String(stale)).toBe('fresh')
    })
    native.arrive({ payload: 'fresh' })
    native.turn()
    expect(stale).toEqual(Buffer.alloc(5, 0xdb))
    failure(() => kept!.payload(0), 'ERR_OUT_OF_RANGE')
    failure(() => kept!.retain(), 'ERR_INVALID_STATE')
  })

  test('of a retained batch live on while others come, until it is released', () => {
    const { socket, native } = openFake()
    const batches: ReceiveBatch[] = []
    socket.on('batch', (batch) => void batches.push(batch.retain()))
    for (const payload of ['one', 'two', 'three']) {
      native.arrive({ payload })
      native.turn()
    }
    expect(batches.map((batch) => String(batch.payload(0)))).toEqual(['one', 'two', 'three'])
    expect(new Set(batches.map((batch) => batch.slab)).size).toBe(3)
    const view = batches[0]!.payload(0)
    batches[0]!.release()
    expect(view).toEqual(Buffer.alloc(3, 0xdb))
    expect(String(batches[1]!.payload(0))).toBe('two')
  })

  test('of a retained batch are over after its release, when its memory serves again', () => {
    const { socket, native } = openFake()
    const held: ReceiveBatch[] = []
    const slabs = new Set<Buffer>()
    socket.on('batch', (batch) => {
      slabs.add(batch.slab)
      held.push(batch.retain())
    })
    for (let i = 0; i < 50; i++) {
      native.arrive({ payload: 'x' })
      native.turn()
      if (held.length > 3) held.shift()!.release()
    }
    // Never more than four held, and one to receive into.
    expect(slabs.size).toBeLessThanOrEqual(5)
  })

  test('of a batch that was retained and released in its handler do not reach who comes later', () => {
    const { socket, native, addon } = openFake()
    const seen: string[] = []
    socket.on('batch', (batch) => batch.retain().release())
    socket.on('datagram', (payload) => void seen.push(String(payload)))
    native.arrive({ payload: 'x' })
    native.turn()
    expect(seen).toEqual([])
    expect(addon.uncaught).toEqual([])
  })
})

describe('a handler that throws', () => {
  test('for a batch: the socket goes on, and the memory is not lost', async () => {
    const { socket, native } = openFake()
    const seen: string[] = []
    socket.on('batch', (batch) => {
      seen.push(String(batch.payload(0)))
      if (seen.length === 1) throw new Error('handler')
    })
    const uncaught = await uncaughtDuring(() => {
      native.arrive({ payload: 'one' })
      native.turn()
    })
    expect(uncaught.map(String)).toEqual(['Error: handler'])
    native.arrive({ payload: 'two' })
    native.turn()
    expect(seen).toEqual(['one', 'two'])
  })

  test('for a batch: what it sent before leaves all the same', async () => {
    const { socket, native } = openFake()
    socket.on('batch', () => {
      socket.send('answer', A)
      throw new Error('handler')
    })
    const uncaught = await uncaughtDuring(() => {
      native.arrive({ payload: 'x' })
      native.turn()
      expect(native.datagrams.map(({ payload }) => String(payload))).toEqual(['answer'])
    })
    expect(uncaught).toHaveLength(1)
    // And a later send is not mistaken for one of a running handler.
    socket.send('later', A)
    await settled()
    expect(native.datagrams).toHaveLength(2)
  })

  test('for one datagram: the others are delivered, and each error is uncaught', async () => {
    const { socket, native, addon } = openFake()
    const seen: string[] = []
    socket.on('datagram', (payload) => {
      seen.push(String(payload))
      if (String(payload) !== 'b') throw new Error(`handler of ${payload}`)
    })
    const uncaught = await uncaughtDuring(() => {
      native.arrive({ payload: 'a' }, { payload: 'b' }, { payload: 'c' })
      native.turn()
    })
    expect(seen).toEqual(['a', 'b', 'c'])
    expect(uncaught.map(String)).toEqual(['Error: handler of a', 'Error: handler of c'])
    expect(addon.uncaught).toEqual([])
  })

  test('for a batch: those who listen for datagrams still get theirs', async () => {
    const { socket, native } = openFake()
    let delivered = 0
    socket.on('batch', () => {
      throw new Error('handler')
    })
    socket.on('datagram', () => void delivered++)
    const uncaught = await uncaughtDuring(() => {
      native.arrive({ payload: 'a' }, { payload: 'b' })
      native.turn()
    })
    expect(uncaught).toHaveLength(1)
    expect(delivered).toBe(2)
    expect(socket.stats()).toMatchObject({ datagramsReceived: 2, datagramsAfterClose: 0 })
  })

  test('for a batch: who waits by async iteration still gets it', async () => {
    const { socket, native } = openFake()
    socket.once('batch', () => {
      throw new Error('handler')
    })
    const step = socket[Symbol.asyncIterator]().next()
    await settled()
    const uncaught = await uncaughtDuring(() => {
      native.arrive({ payload: 'a' })
      native.turn()
    })
    expect(uncaught).toHaveLength(1)
    expect(String(((await step).value as ReceiveBatch).payload(0))).toBe('a')
    socket.close()
  })
})

describe('a handler that closes the socket', () => {
  test('in a batch: nothing comes after', async () => {
    const { socket, native, addon } = openFake()
    let calls = 0
    socket.on('batch', () => {
      calls++
      socket.close()
    })
    native.arrive({ payload: 'a' }, { payload: 'b' })
    native.turn()
    native.turn()
    await settled()
    expect(calls).toBe(1)
    expect(addon.uncaught).toEqual([])
  })

  test('in a datagram: the others of the batch are counted, not delivered', () => {
    const { socket, native } = openFake()
    const seen: string[] = []
    socket.on('datagram', (payload) => {
      seen.push(String(payload))
      if (seen.length === 2) socket.close()
    })
    native.arrive({ payload: 'a' }, { payload: 'b' }, { payload: 'c' }, { payload: 'd' })
    native.turn()
    expect(seen).toEqual(['a', 'b'])
    expect(socket.stats()).toMatchObject({ datagramsReceived: 4, datagramsAfterClose: 2 })
  })

  test('in a batch: datagram listeners get nothing, counted', () => {
    const { socket, native } = openFake()
    let seen = 0
    socket.on('batch', () => socket.close())
    socket.on('datagram', () => void seen++)
    native.arrive({ payload: 'a' }, { payload: 'b' })
    native.turn()
    expect(seen).toBe(0)
    expect(socket.stats().datagramsAfterClose).toBe(2)
  })

  test('may keep the batch', () => {
    const { socket, native } = openFake()
    let kept: ReceiveBatch | undefined
    socket.on('batch', (batch) => {
      kept = batch.retain()
      socket.close()
    })
    native.arrive({ payload: 'a' })
    native.turn()
    expect(String(kept!.payload(0))).toBe('a')
    kept!.release()
  })
})

describe('a handler that answers', () => {
  test('has its answers sent when it returns, in one system call', () => {
    const { socket, native } = openFake()
    socket.on('batch', (batch) => {
      for (let i = 0; i < batch.count; i++) socket.send(batch.payload(i), batch.endpoint(i))
      expect(native.sendCalls).toHaveLength(0)
    })
    native.arrive({ from: A, payload: 'a' }, { from: B, payload: 'b' }, { from: A, payload: 'c' })
    native.turn()
    expect(native.sendCalls).toHaveLength(1)
    expect(native.datagrams.map(({ payload, destination }) => `${payload} ${destination}`)).toEqual([
      'a 192.0.2.1:1001',
      'b 192.0.2.2:1002',
      'c 192.0.2.1:1001',
    ])
  })
})

describe('the kernel’s drop counter', () => {
  const one: ArrivingMessage = { payload: 'x' }

  test('comes with the datagrams that arrive after the drop', () => {
    const { socket, native, addon } = openFake()
    addon.lacks(k.SOL_SOCKET, k.SO_MEMINFO)
    socket.on('batch', () => undefined)
    native.arrive(one)
    native.drops = 7
    native.arrive(one)
    native.turn()
    expect(socket.stats().kernelDrops).toBe(7)
  })

  test('can be asked for without any datagram', () => {
    const { socket, native } = openFake()
    native.drops = 3
    expect(socket.stats().kernelDrops).toBe(3)
  })

  test('goes on past 2^32, either way', () => {
    const { socket, native } = openFake()
    socket.on('batch', () => undefined)
    const receive = (drops: number): void => {
      native.drops = drops
      native.arrive(one)
      native.turn()
    }
    receive(0x7000_0000)
    receive(0xe000_0000)
    receive(0xffff_ffff)
    expect(socket.stats().kernelDrops).toBe(2 ** 32 - 1)
    // A counter of 0 is not sent along: the kernel leaves it out.
    receive(0)
    expect(socket.stats().kernelDrops).toBe(2 ** 32)
    receive(5)
    expect(socket.stats().kernelDrops).toBe(2 ** 32 + 5)
  })

  test('is right when it was asked for while older datagrams were still in the buffer', () => {
    const { socket, native } = openFake()
    native.drops = 40
    native.arrive(one)
    native.drops = 100
    expect(socket.stats().kernelDrops).toBe(100)
    socket.on('batch', () => undefined)
    native.turn()
    expect(socket.stats().kernelDrops).toBe(100)
  })

  test('is kept when the socket is closed, as it was then', () => {
    const { socket, native } = openFake()
    native.drops = 12
    socket.close()
    native.drops = 13
    expect(socket.stats().kernelDrops).toBe(12)
  })
})

describe('a receive that fails', () => {
  test('closes the socket by itself, with the error first', async () => {
    const { socket, native } = openFake()
    const events: string[] = []
    socket
      .on('error', (error) => void events.push(`${error.message} ${socket.closed}`))
      .on('close', () => void events.push('close'))
    socket.on('batch', () => undefined)
    native.receiveErrno = ERRNO.ENOMEM
    native.turn()
    await settled()
    expect(events).toEqual(['recvmmsg ENOMEM true', 'close'])
    expect(native.isOpen).toBe(false)
  })

  test('is uncaught where nobody listens for it', () => {
    const { socket, native, addon } = openFake()
    socket.on('batch', () => undefined)
    native.receiveErrno = ERRNO.ENOMEM
    native.turn()
    expect(addon.uncaught).toHaveLength(1)
    expect(socket.closed).toBe(true)
  })

  test.each([ERRNO.EAGAIN, ERRNO.EINTR])('with errno %i is none', (errno) => {
    const { socket, native } = openFake()
    let batches = 0
    socket.on('batch', () => void batches++)
    native.receiveErrno = errno
    native.arrive({ payload: 'x' })
    native.turn()
    expect(batches).toBe(0)
    native.turn()
    expect(batches).toBe(1)
    expect(socket.closed).toBe(false)
  })
})
