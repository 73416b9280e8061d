import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { Endpoint, randomBelow, randomFill } from '../../../src/core/index.js'
import { MemoryPool } from '../../../src/fec/index.js'
import { checkProperty } from '../support/check-property.js'
import { shuffled } from '../fec/code.js'
import { KEY, expectSame, seeded, sendMessage, without, type Sent } from './messages.js'
import { give, makeTable, peer, type Tabled } from './table.js'

const FORMATS = ['classic', 'compact'] as const

function expectBalanced({ table, pool }: Tabled): void {
  const { chunksReceived, chunksUsed, chunksRejected } = table.counters
  expect(chunksReceived).toBe(chunksUsed + Object.values(chunksRejected).reduce((sum, count) => sum + count))
  expect(pool.usedBytes).toBe(0)
  expect(table.messages).toBe(0)
  expect(table.peers).toBe(0)
}

let simulated = 0
afterAll(() => {
  if (process.env['GEYSIR_RUNS'] !== undefined) console.log(`${simulated} messages were sent`)
})

describe.each(FORMATS)('messages of many peers in the %s format', (format) => {
  test('interleaved, lossy, out of order, repeated, damaged: each is delivered once and equal, or dropped once', async () => {
    const wanted = fc.record({
      seed: fc.nat(2 ** 32 - 1),
      peers: fc.integer({ min: 1, max: 200 }),
      messages: fc.integer({ min: 1, max: 200 }),
      loss: fc.nat(30),
      damage: fc.nat(3),
      keyed: fc.boolean(),
    })
    await checkProperty(
      fc.property(wanted, ({ seed, peers, messages, loss, damage, keyed }) => {
        const random = seeded(seed)
        const options = keyed ? { key: KEY } : {}
        const tabled = makeTable({ format, limitBytes: 1 << 30, ...options }, { maxPeerBytes: 1 << 30 })
        const sent: { message: Sent; from: number; arrived: Set<number>; hurt: boolean }[] = []
        const datagrams: [chunk: Uint8Array, from: number][] = []
        simulated += messages
        for (let i = 0; i < messages; i++) {
          const most = randomBelow(random, 4) === 0 ? (format === 'classic' ? 30_000 : 1500) : 100
          const message = sendMessage(random, {
            format,
            bytes: 1 + randomBelow(random, most),
            redundantChunks: randomBelow(random, 5),
            ...options,
          })
          const one = { message, from: randomBelow(random, peers), arrived: new Set<number>(), hurt: false }
          sent.push(one)
          for (const [j, chunk] of message.chunks.entries()) {
            if (randomBelow(random, 100) < loss) continue
            const copy = Uint8Array.from(chunk)
            if (randomBelow(random, 100) < damage) {
              copy[randomBelow(random, copy.length)]! ^= 1 << randomBelow(random, 8)
              one.hurt = true
            } else one.arrived.add(j)
            datagrams.push([copy, one.from])
            if (randomBelow(random, 10) === 0) datagrams.push([copy, one.from])
          }
        }
        for (const i of shuffled(random, datagrams.length)) give(tabled, datagrams[i]![0], peer(datagrams[i]![1]))
        tabled.table.expire(1e9)
        const delivered = new Map<string, number>()
        for (const { bytes, endpoint } of tabled.messages) {
          const key = `${endpoint} ${bytes.toString('latin1')}`
          delivered.set(key, (delivered.get(key) ?? 0) + 1)
        }
        const dropped = new Set(tabled.dropped.map(({ id, endpoint }) => `${endpoint} ${id}`))
        let count = 0
        for (const { message, from, arrived, hurt } of sent) {
          const key = `${peer(from)} ${Buffer.from(message.message).toString('latin1')}`
          const times = delivered.get(key) ?? 0
          count += times
          const whole =
            message.chunkCount === 1
              ? arrived.size > 0
              : [...arrived].filter((j) => j < message.chunkCount).length === message.chunkCount
          if (whole && !hurt) expect(times).toBeGreaterThanOrEqual(1)
          const hex = Buffer.from(message.id)
            .toString('hex')
            .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
          if (times === 0 && arrived.size > 0 && !hurt) expect(dropped).toContain(`${peer(from)} ${hex}`)
        }
        // Nothing but what was sent, and each as often as it was sent; but a digest without a key does not cover the classic header's id.
        expect(count).toBeGreaterThanOrEqual(tabled.messages.length)
        const again = format === 'classic' && !keyed ? sent.filter(({ hurt }) => hurt).length : 0
        expect(tabled.messages.length).toBeLessThanOrEqual(sent.length + again)
        expectBalanced(tabled)
      }),
      25,
    )
  })

  test('a late or repeated chunk of a message that has ended does nothing', () => {
    const tabled = makeTable({ format })
    const { chunks, message } = sendMessage(seeded(1), { format, bytes: 20_000, redundantChunks: 3 })
    for (const chunk of chunks) give(tabled, chunk, peer(1))
    for (const chunk of chunks) give(tabled, chunk, peer(1))
    expect(tabled.messages.length).toBe(1)
    expectSame(tabled.messages[0]!.bytes, message)
    expect(tabled.table.counters.chunksRejected.late).toBe(3 + chunks.length)
    const other = sendMessage(seeded(2), { format, bytes: 20_000 })
    give(tabled, other.chunks[0]!, peer(1))
    tabled.table.expire(5000)
    expect(tabled.dropped.map(({ reason }) => reason)).toEqual(['expired'])
    for (const chunk of other.chunks) give(tabled, chunk, peer(1))
    tabled.table.expire(50_000)
    expect(tabled.messages.length).toBe(1)
    expect(tabled.dropped.length).toBe(1)
    expectBalanced(tabled)
  })

  test('the same message from two peers is two messages', () => {
    const tabled = makeTable({ format })
    const { chunks } = sendMessage(seeded(1), { format, bytes: 10_000 })
    for (const chunk of chunks) for (const i of [1, 2]) give(tabled, chunk, peer(i))
    expect(tabled.messages.map(({ endpoint }) => endpoint.port)).toEqual([1001, 1002])
    expectBalanced(tabled)
  })

  test('an equal endpoint is the same peer, though another object', () => {
    const tabled = makeTable({ format })
    const { chunks } = sendMessage(seeded(1), { format, bytes: 10_000 })
    for (const chunk of chunks) give(tabled, chunk, Endpoint.of('::1', 5))
    expect(tabled.messages.length).toBe(1)
    expectBalanced(tabled)
  })

  test('a first chunk with a damaged header does not spoil its message', () => {
    const tabled = makeTable({ format })
    const { chunks, message } = sendMessage(seeded(1), { format, bytes: 20_000, redundantChunks: 2 })
    // The time stamp: the name of the message is right.
    const damaged = Uint8Array.from(chunks[0]!)
    damaged[format === 'classic' ? 0 : 8]! ^= 1
    give(tabled, damaged, peer(1))
    for (const chunk of chunks.slice(1)) give(tabled, chunk, peer(1))
    expectSame(tabled.messages[0]!.bytes, message)
    expect(tabled.messages[0]!.chunksRepaired).toBe(1)
    expect(tabled.table.counters.messagesConflicting).toBe(1)
    expect(tabled.dropped).toEqual([])
    expectBalanced(tabled)
  })

  test('headers under one name are followed up to a bound', () => {
    const tabled = makeTable({ format })
    const { chunks } = sendMessage(seeded(1), { format, bytes: 20_000 })
    for (let i = 0; i < 10; i++) {
      const chunk = Uint8Array.from(chunks[0]!)
      chunk[format === 'classic' ? 0 : 8] = i
      give(tabled, chunk, peer(1))
    }
    expect(tabled.table.messages).toBe(4)
    expect(tabled.table.counters.chunksRejected.disagrees).toBe(6)
    tabled.table.expire(1e6)
    expectBalanced(tabled)
  })

  test('what was damaged and cannot be found out is dropped as damaged, when it expires', () => {
    const tabled = makeTable({ format })
    const { chunks } = sendMessage(seeded(1), { format, bytes: 20_000 })
    chunks[1]![chunks[1]!.length - 1]! ^= 1
    for (const chunk of chunks) give(tabled, chunk, peer(1))
    expect(tabled.messages).toEqual([])
    tabled.table.expire(1e6)
    expect(tabled.dropped).toMatchObject([{ reason: 'damaged', messageBytes: 20_000, chunkCount: chunks.length }])
    expectBalanced(tabled)
  })

  test('two damaged chunks of a message: it is dropped as damaged, once, and what comes later does nothing', () => {
    const tabled = makeTable({ format })
    const { chunks, chunkCount } = sendMessage(seeded(1), { format, bytes: 60_000, redundantChunks: 30, maxDatagramBytes: 1472 })
    for (const i of [1, 3]) chunks[i]![chunks[i]!.length - 1]! ^= i
    for (const chunk of chunks) give(tabled, chunk, peer(1))
    expect(tabled.messages).toEqual([])
    tabled.table.expire(1e6)
    for (const chunk of chunks) give(tabled, chunk, peer(1), 1e6)
    expect(tabled.dropped).toMatchObject([{ reason: 'damaged', messageBytes: 60_000, chunkCount }])
    expect(tabled.table.counters.chunksRejected.late).toBe(chunks.length)
    expectBalanced(tabled)
  })

  test('a damaged message of one chunk is delivered when it is repeated', () => {
    const tabled = makeTable({ format })
    const { chunks, message } = sendMessage(seeded(1), { format, bytes: 50, redundantChunks: 1 })
    chunks[0]![chunks[0]!.length - 1]! ^= 1
    for (const chunk of chunks) give(tabled, chunk, peer(1))
    expectSame(tabled.messages[0]!.bytes, message)
    expectBalanced(tabled)
  })
})

describe('limits', () => {
  test('a flood of first chunks: memory stays within its limit to the byte, and the oldest are evicted', () => {
    const limitBytes = 1 << 20
    const tabled = makeTable({ limitBytes }, { maxPeerBytes: 200_000 })
    const random = seeded(1)
    for (let i = 0; i < 3000; i++) {
      const { chunks } = sendMessage(random, {
        format: 'compact',
        bytes: 1000 + randomBelow(random, 60_000),
        redundantChunks: 2,
        maxDatagramBytes: 1400,
      })
      give(tabled, chunks[0]!, peer(randomBelow(random, 50)), i)
      if (randomBelow(random, 3) === 0) give(tabled, chunks.at(-1)!, peer(randomBelow(random, 50)), i)
      expect(tabled.pool.usedBytes).toBeLessThanOrEqual(limitBytes)
    }
    expect(tabled.table.counters.messagesDropped.evicted).toBeGreaterThan(2000)
    tabled.table.expire(1e9)
    expectBalanced(tabled)
  })

  test('a limit of bytes is exact: what fits is taken, a byte less and it is not', () => {
    const [a, b] = [1, 2].map((seed) =>
      sendMessage(seeded(seed), { format: 'compact', bytes: 20_000, redundantChunks: 4, maxDatagramBytes: 1400 }),
    ) as [Sent, Sent]
    const ofMessage = MemoryPool.roundedBytes(20_032)
    const whole = makeTable()
    give(whole, a.chunks[0]!, peer(1))
    expect(whole.pool.usedBytes).toBe(ofMessage)
    give(whole, a.chunks.at(-1)!, peer(1))
    const ofBoth = whole.pool.usedBytes
    expect(ofBoth).toBeGreaterThan(ofMessage)
    whole.table.clear()
    expectBalanced(whole)

    const exact = makeTable({ limitBytes: ofBoth })
    give(exact, a.chunks[0]!, peer(1))
    give(exact, a.chunks.at(-1)!, peer(1))
    expect(exact.pool.usedBytes).toBe(ofBoth)
    expect(exact.table.counters.chunksUsed).toBe(2)
    give(exact, b.chunks[0]!, peer(2))
    expect(exact.dropped).toMatchObject([{ reason: 'evicted', chunksReceived: 2 }])
    expect(exact.pool.usedBytes).toBe(ofMessage)
    exact.table.clear()

    const less = makeTable({ limitBytes: ofBoth - 1 })
    give(less, a.chunks[0]!, peer(1))
    give(less, a.chunks.at(-1)!, peer(1))
    expect(less.pool.usedBytes).toBe(ofMessage)
    expect(less.table.counters.chunksRejected.memory).toBe(1)
    less.table.clear()

    const tooLittle = makeTable({ limitBytes: ofMessage - 1 })
    give(tooLittle, a.chunks[0]!, peer(1))
    expect(tooLittle.dropped).toMatchObject([{ reason: 'limit', messageBytes: 20_000 }])
    expectBalanced(tooLittle)

    const ofPeer = makeTable({}, { maxPeerBytes: 2 * ofMessage - 1 })
    for (const { chunks } of [a, b]) give(ofPeer, chunks[0]!, peer(1))
    give(ofPeer, a.chunks[0]!, peer(2))
    expect(ofPeer.dropped).toMatchObject([{ reason: 'evicted', endpoint: peer(1) }])
    expect(ofPeer.pool.usedBytes).toBe(2 * ofMessage)
    ofPeer.table.clear()
    expectBalanced(ofPeer)
  })

  test('a flood by one peer costs the others nothing', () => {
    const tabled = makeTable({ limitBytes: 1 << 20 }, { maxPeerBytes: 1 << 18 })
    const honest = sendMessage(seeded(7), { format: 'compact', bytes: 100_000, maxDatagramBytes: 1400 })
    const random = seeded(8)
    for (const chunk of honest.chunks) {
      give(tabled, chunk, peer(1))
      for (let i = 0; i < 5; i++) {
        give(tabled, sendMessage(random, { format: 'compact', bytes: 50_000, maxDatagramBytes: 1400 }).chunks[0]!, peer(2))
      }
    }
    expectSame(tabled.messages[0]!.bytes, honest.message)
    expect(tabled.dropped.every(({ endpoint }) => endpoint.equals(peer(2)))).toBe(true)
  })

  test('the number of messages is bounded, in all and of one peer', () => {
    const random = seeded(1)
    const first = (): Uint8Array => sendMessage(random, { format: 'compact', bytes: 500 }).chunks[0]!
    const ofOne = makeTable({}, { maxPeerMessages: 3 })
    for (let i = 0; i < 10; i++) give(ofOne, first(), peer(1), i)
    expect(ofOne.table.messages).toBe(3)
    const ofAll = makeTable({}, { maxMessages: 5 })
    for (let i = 0; i < 10; i++) give(ofAll, first(), peer(i), i)
    expect(ofAll.table.messages).toBe(5)
    expect(ofAll.dropped.map(({ endpoint }) => endpoint.port)).toEqual([1000, 1001, 1002, 1003, 1004])
  })

  test('who made progress last is evicted last', () => {
    const random = seeded(1)
    const messages = Array.from({ length: 3 }, () => sendMessage(random, { format: 'compact', bytes: 500 }))
    const tabled = makeTable({}, { maxMessages: 3 })
    for (const [i, { chunks }] of messages.entries()) give(tabled, chunks[0]!, peer(i), i)
    give(tabled, messages[0]!.chunks[1]!, peer(0), 5)
    give(tabled, sendMessage(random, { format: 'compact', bytes: 500 }).chunks[0]!, peer(9), 6)
    expect(tabled.dropped.map(({ endpoint }) => endpoint.port)).toEqual([1001])
  })

  test('a message that is too long, or has no place at all, is told of once and evicts nobody', () => {
    const tabled = makeTable({ limitBytes: 100_000, maxMessageBytes: 300_000 })
    give(tabled, sendMessage(seeded(3), { format: 'compact', bytes: 50_000 }).chunks[0]!, peer(1))
    for (const bytes of [200_000, 400_000]) {
      const { chunks } = sendMessage(seeded(bytes), { format: 'compact', bytes, maxDatagramBytes: 1400 })
      for (const chunk of chunks) give(tabled, chunk, peer(1))
    }
    expect(tabled.dropped.map(({ reason, messageBytes }) => [reason, messageBytes])).toEqual([
      ['limit', 200_000],
      ['limit', 400_000],
    ])
    expect(tabled.table.messages).toBe(1)
  })

  test('time runs from the last progress, and the deadline tells when', () => {
    const tabled = makeTable({}, { expiryMs: 100 })
    expect(tabled.table.deadlineMs).toBe(Infinity)
    const { chunks } = sendMessage(seeded(3), { format: 'compact', bytes: 1000 })
    give(tabled, chunks[0]!, peer(1), 10)
    expect(tabled.table.deadlineMs).toBe(110)
    give(tabled, chunks[1]!, peer(1), 50)
    give(tabled, chunks[1]!, peer(1), 90)
    expect(tabled.table.deadlineMs).toBe(150)
    tabled.table.expire(149)
    expect(tabled.dropped).toEqual([])
    tabled.table.expire(150)
    expect(tabled.dropped).toMatchObject([{ reason: 'expired', chunksReceived: 2 }])
  })
})

test('noise is counted by reason, and nothing comes of it', async () => {
  await checkProperty(
    fc.property(fc.nat(2 ** 32 - 1), fc.constantFrom(...FORMATS), (seed, format) => {
      const random = seeded(seed)
      const tabled = makeTable({ format, limitBytes: 1 << 22 })
      for (let i = 0; i < 50; i++) {
        const noise = new Uint8Array(4 + randomBelow(random, 300))
        randomFill(random, noise)
        if (format === 'compact') noise.set([1, 0, 1 + randomBelow(random, 2), 0], 0)
        give(tabled, noise, peer(1))
      }
      expect(tabled.messages).toEqual([])
      tabled.table.expire(1e9)
      expectBalanced(tabled)
    }),
    100,
  )
})

test('chunks of a pool that is nearly empty never leave it unbalanced', () => {
  const { chunks } = sendMessage(seeded(1), { format: 'compact', bytes: 5000, redundantChunks: 10 })
  for (let limitBytes = 0; limitBytes < 20_000; limitBytes += 500) {
    const tabled = makeTable({ limitBytes })
    for (const chunk of without(chunks, 0, 5)) give(tabled, chunk, peer(1))
    expect(tabled.pool.usedBytes).toBeLessThanOrEqual(limitBytes)
    tabled.table.expire(1e9)
    expectBalanced(tabled)
  }
  expect(MemoryPool.roundedBytes(1)).toBe(256)
})
