import { createHash, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { randomBelow } from '../../../src/core/index.js'
import { MemoryPool } from '../../../src/fec/index.js'
import { MessageSender, type MessageFormat } from '../../../src/strokkur/index.js'
import { checkProperty } from '../support/check-property.js'
import { failure } from '../support/errors.js'
import { shuffled } from '../fec/code.js'
import { KEY, expectSame, makeReceiver, receiveMessage, seeded, sendMessage, without, type Wanted } from './messages.js'

const FORMATS = ['classic', 'compact'] as const

describe.each(FORMATS)('a message in the %s format', (format) => {
  test.each([1, 31, 32, 33, 68, 69, 100, 101, 1000, 8191, 8192, 8193, 16_384, 100_000, 4 << 20])(
    'of %i bytes arrives from its own chunks',
    (bytes) => {
      const maxDatagramBytes = bytes > 10_000 ? 1472 : 140
      const { message, chunks } = sendMessage(seeded(bytes), { format, bytes, maxDatagramBytes })
      const { receiver, pool } = makeReceiver(format)
      expectSame(receiveMessage(receiver, chunks), message)
      expect(pool.usedBytes).toBe(0)
    },
  )

  test.each(['sha256', 'sha3-256'] as const)('is protected by %s', (hash) => {
    const { message, chunks } = sendMessage(seeded(1), { format, bytes: 1000, hash })
    expectSame(receiveMessage(makeReceiver(format, { hash }).receiver, chunks), message)
    const expected = createHash(hash).update(message).digest()
    if (format === 'classic') expect(Buffer.from(chunks[0]!.subarray(24, 56))).toEqual(expected)
    else expect(Buffer.from(Buffer.concat(chunks.map((chunk) => chunk.subarray(40))).subarray(1000, 1032))).toEqual(expected)
  })

  test('made with a key arrives only where the key is known', () => {
    const { message, chunks } = sendMessage(seeded(1), { format, bytes: 1000, key: KEY })
    expectSame(receiveMessage(makeReceiver(format, { key: KEY }).receiver, chunks), message)
    expect(receiveMessage(makeReceiver(format, { key: randomBytes(32) }).receiver, chunks)).toBeUndefined()
    expect(receiveMessage(makeReceiver(format, {}).receiver, chunks)).toBeUndefined()
    const unkeyed = sendMessage(seeded(2), { format, bytes: 1000 })
    expect(receiveMessage(makeReceiver(format, { key: KEY }).receiver, unkeyed.chunks)).toBeUndefined()
  })

  test('with a key cannot be sent again under another id', () => {
    const { chunks } = sendMessage(seeded(1), { format, bytes: 50, key: KEY })
    const idAt = format === 'classic' ? 8 : 12
    chunks[0]![idAt]! ^= 1
    const { receiver } = makeReceiver(format, { key: KEY })
    expect(receiver.init(chunks[0]!)).toBe('more')
    expect(receiver.isDamaged).toBe(true)
  })

  test('any loss within its power, any order, any repetition: it arrives, and equal', async () => {
    const wanted = fc.record({
      seed: fc.nat(2 ** 32 - 1),
      bytes: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: format === 'classic' ? 150_000 : 9000 })),
      redundantChunks: fc.nat(20),
      loss: fc.nat(30),
    })
    await checkProperty(
      fc.property(wanted, ({ seed, bytes, redundantChunks, loss }) => {
        const random = seeded(seed)
        const { message, chunks, chunkCount } = sendMessage(random, { format, bytes, redundantChunks })
        const arriving = shuffled(random, chunks.length).filter(() => randomBelow(random, 100) >= loss)
        const repeated = arriving.flatMap((i) => (randomBelow(random, 10) === 0 ? [i, i] : [i])).map((i) => chunks[i]!)
        const { receiver, pool } = makeReceiver(format)
        const received = receiveMessage(receiver, repeated)
        if (received !== undefined) expectSame(received, message)
        // Whether fewer rows than these are enough is the decoder's affair.
        const enough = arriving.filter((i) => i < chunkCount).length === chunkCount || (chunkCount === 1 && arriving.length > 0)
        if (enough) expect(received).toBeDefined()
        if (received === undefined) expect(receiver.initialised ? receiver.needed : 1).toBeGreaterThan(0)
        receiver.deinit()
        expect(pool.usedBytes).toBe(0)
      }),
      150,
    )
  })

  test('any one changed bit: never delivered wrong, and delivered where enough else is there', async () => {
    await checkProperty(
      fc.property(
        fc.nat(2 ** 32 - 1),
        fc.integer({ min: 1, max: format === 'classic' ? 60_000 : 2500 }),
        fc.boolean(),
        (seed, bytes, extra) => {
          const random = seeded(seed)
          const redundantChunks = extra ? 24 : randomBelow(random, 4)
          const { message, chunks, chunkCount } = sendMessage(random, { format, bytes, redundantChunks })
          const damaged = randomBelow(random, chunks.length)
          const bit = randomBelow(random, chunks[damaged]!.length * 8)
          chunks[damaged]![bit >> 3]! ^= 1 << (bit & 7)
          // The damaged one must not be what decides which message this is.
          const order = [...without([...chunks.keys()], damaged), damaged]
          if (damaged < chunkCount && order.length > 1) order.splice(1 + randomBelow(random, order.length - 1), 0, order.pop()!)
          const { receiver } = makeReceiver(format, { acceptUnhashed: false })
          const received = receiveMessage(
            receiver,
            order.map((i) => chunks[i]!),
          )
          if (received !== undefined) expectSame(received, message)
          // Of few chunks there are few different sums.
          if (extra && chunkCount > (format === 'classic' ? 5 : 3)) expect(received).toBeDefined()
        },
      ),
      150,
    )
  })

  test('each single bit of each header, and many of each payload: never delivered wrong', () => {
    const { message, chunks } = sendMessage(seeded(11), {
      format,
      bytes: format === 'classic' ? 17_000 : 150,
      redundantChunks: 3,
    })
    const headerBits = (format === 'classic' ? 128 : 40) * 8
    const { receiver, pool } = makeReceiver(format)
    for (const [i, chunk] of chunks.entries()) {
      // A prime, so that all bits of a byte have their turn.
      for (let bit = 0; bit < chunk.length * 8; bit += bit < headerBits ? 1 : format === 'classic' ? 1009 : 1) {
        chunk[bit >> 3]! ^= 1 << (bit & 7)
        // The changed one neither first, where it decides which message this is, nor always last.
        const others = without(chunks, i)
        const received = receiveMessage(receiver, [...others.slice(0, 1 + (bit % 3)), chunk, ...others.slice(1 + (bit % 3))])
        if (received !== undefined) expectSame(received, message)
        receiver.deinit()
        chunk[bit >> 3]! ^= 1 << (bit & 7)
      }
    }
    expect(pool.usedBytes).toBe(0)
  })

  test('two changed payloads: never delivered, whatever the redundancy, and nothing is kept', async () => {
    await checkProperty(
      fc.property(
        fc.nat(2 ** 32 - 1),
        fc.integer({ min: 200, max: format === 'classic' ? 60_000 : 2500 }),
        fc.boolean(),
        (seed, bytes, isSameBit) => {
          const random = seeded(seed)
          const { chunks, chunkCount } = sendMessage(random, { format, bytes, redundantChunks: 30 })
          if (chunkCount < 2) return
          const [a, b] = shuffled(random, chunkCount) as [number, number]
          const headerBytes = format === 'classic' ? 128 : 40
          const least = Math.min(chunks[a]!.length, chunks[b]!.length) - headerBytes
          for (const i of [a, b]) {
            const at = isSameBit ? 0 : randomBelow(random, Math.min(least, chunks[i]!.length - headerBytes))
            chunks[i]![headerBytes + at]! ^= isSameBit ? 1 : 1 + randomBelow(random, 255)
          }
          const { receiver, pool } = makeReceiver(format)
          expect(receiveMessage(receiver, chunks)).toBeUndefined()
          expect(receiver.isDamaged).toBe(true)
          receiver.deinit()
          expect(pool.usedBytes).toBe(0)
        },
      ),
      100,
    )
  })

  test('one changed payload beside changed headers, which only count as lost, is made good', () => {
    const { message, chunks } = sendMessage(seeded(8), {
      format,
      bytes: 60_000,
      redundantChunks: 30,
      maxDatagramBytes: 1472,
    })
    chunks[2]![chunks[2]!.length - 1]! ^= 0x10
    // Within what all chunks of a message have in common.
    for (const i of [3, 4, 5]) chunks[i]![format === 'classic' ? 3 : 9]! ^= 0x10
    const { receiver } = makeReceiver(format)
    expectSame(receiveMessage(receiver, chunks), message)
    expect(receiver.chunksDamaged).toBe(1)
    expect(receiver.chunksRepaired).toBe(3)
  })

  test('redundant chunks that were changed and not needed do no harm, however many', () => {
    const { message, chunks, chunkCount } = sendMessage(seeded(8), {
      format,
      bytes: 60_000,
      redundantChunks: 10,
      maxDatagramBytes: 1472,
    })
    for (const chunk of chunks.slice(chunkCount)) chunk[chunk.length - 1]! ^= 1
    expectSame(receiveMessage(makeReceiver(format).receiver, chunks), message)
  })

  test('a chunk that disagrees about its message, of another message, or repeated is told apart', () => {
    const { chunks } = sendMessage(seeded(1), { format, bytes: 30_000, redundantChunks: 3 })
    const { receiver } = makeReceiver(format)
    expect(receiver.init(chunks[0]!)).toBe('more')
    expect(receiver.addChunk(chunks[0]!)).toBe('rejected')
    expect(receiver.rejection).toBe('repeated')
    const other = Uint8Array.from(chunks[1]!)
    other[format === 'classic' ? 0 : 8]! ^= 1
    expect(receiver.addChunk(other)).toBe('rejected')
    expect(receiver.rejection).toBe('disagrees')
    expect(receiver.addChunk(chunks.at(-1)!)).toBe('more')
    expect(receiver.addChunk(chunks.at(-1)!)).toBe('rejected')
    expect(receiver.rejection).toBe('repeated')
    expect(receiver.chunksReceived).toBe(2)
    expect(receiver.needed).toBe(receiver.chunkCount - 2)
  })

  test('redundant chunks stand in for lost ones, and it is said how many', () => {
    const { message, chunks, chunkCount } = sendMessage(seeded(3), {
      format,
      bytes: 50_000,
      redundantChunks: 12,
      maxDatagramBytes: 1472,
    })
    const { receiver } = makeReceiver(format)
    const arriving = without(chunks, 0, 2, chunkCount - 1)
    let i = 0
    receiver.init(arriving[i++]!)
    while (!receiver.ready) receiver.addChunk(arriving[i++]!)
    expect(receiver.chunksRepaired).toBe(3)
    expect(receiver.needed).toBe(0)
    expect(receiver.addChunk(arriving[i]!)).toBe('rejected')
    expect(receiver.rejection).toBe('surplus')
    expect(receiver.extract()).toBe(message.length)
    const short = failure(() => receiver.extract(new Uint8Array(10)), 'ERR_OUT_OF_RANGE')
    expect(short.message).toContain('50000')
    expectSame(receiver.take(), message)
  })

  test('its chunks are handed back to be received in again, each once, whatever came of them', () => {
    const { message, chunks } = sendMessage(seeded(6), { format, bytes: 40_000, redundantChunks: 6, maxDatagramBytes: 1472 })
    const { receiver, pool } = makeReceiver(format)
    expect(receiver.recycle()).toBeUndefined()
    // Two buffers serve for all datagrams, as in a loop that receives into what it was handed back.
    const free = [new Uint8Array(9000), new Uint8Array(9000)]
    const arriving = [new Uint8Array(3), ...without(chunks, 1).flatMap((chunk) => [chunk, chunk])]
    for (const datagram of arriving) {
      const buffer = free.pop()!
      buffer.set(datagram)
      const chunk = buffer.subarray(0, datagram.length)
      if (receiver.initialised) receiver.addChunk(chunk)
      else receiver.init(chunk)
      expect(receiver.recycle()).toBe(chunk)
      expect(receiver.recycle()).toBeUndefined()
      buffer.fill(0xee)
      free.push(buffer)
    }
    expect(receiver.ready).toBe(true)
    expectSame(receiver.take(), message)
    expect(pool.usedBytes).toBe(0)
  })

  test('is refused for want of memory, and then there is no leak', () => {
    const { chunks, chunkCount } = sendMessage(seeded(3), { format, bytes: 50_000, redundantChunks: 3 })
    const poor = makeReceiver(format, { pool: new MemoryPool(40_000) })
    expect(poor.receiver.init(chunks[0]!)).toBe('rejected')
    expect(poor.receiver.rejection).toBe('memory')
    expect(poor.receiver.initialised).toBe(false)
    expect(poor.pool.usedBytes).toBe(0)
    const noRows = makeReceiver(format, { pool: new MemoryPool(MemoryPool.roundedBytes(50_032)) })
    noRows.receiver.init(chunks[0]!)
    expect(noRows.receiver.addChunk(chunks[chunkCount]!)).toBe('rejected')
    expect(noRows.receiver.rejection).toBe('memory')
    noRows.receiver.deinit()
    expect(noRows.pool.usedBytes).toBe(0)
  })
})

describe('the sender', () => {
  test('keeps to its order of calls', () => {
    const sender = new MessageSender({ format: 'compact' })
    const parameters = { id: new Uint8Array(16), redundantChunks: 0, timestampMicroseconds: 0 }
    failure(() => sender.pump(new Uint8Array(2000)), 'ERR_INVALID_STATE')
    expect(sender.initialised).toBe(false)
    sender.init(new Uint8Array(5000), parameters)
    expect(sender.initialised).toBe(true)
    expect(sender.datagrams).toBe(4)
    failure(() => sender.init(new Uint8Array(1), parameters), 'ERR_INVALID_STATE')
    failure(() => sender.pump(new Uint8Array(100)), 'ERR_OUT_OF_RANGE')
    sender.deinit()
    sender.deinit()
    expect(sender.nextBytes).toBe(0)
    sender.init(new Uint8Array(1), parameters)
    expect(sender.pump(new Uint8Array(2000))).toBe('done')
    expect(sender.initialised).toBe(false)
  })

  test('refuses what the format has no room for', () => {
    const parameters = { id: new Uint8Array(16), redundantChunks: 0, timestampMicroseconds: 0 }
    for (const format of FORMATS) {
      const sender = new MessageSender({ format })
      failure(() => sender.init(new Uint8Array(0), parameters), 'ERR_OUT_OF_RANGE')
      failure(() => sender.init(new Uint8Array(1), { ...parameters, id: new Uint8Array(15) }), 'ERR_OUT_OF_RANGE')
      failure(() => sender.init(new Uint8Array(1), { ...parameters, redundantChunks: 5000 }), 'ERR_OUT_OF_RANGE')
      failure(() => sender.init('x' as never, parameters), 'ERR_INVALID_ARG_TYPE')
      expect(sender.initialised).toBe(false)
      failure(() => new MessageSender({ format, key: new Uint8Array(8) }), 'ERR_OUT_OF_RANGE')
    }
    const classic = new MessageSender({ format: 'classic' })
    failure(() => classic.init(new Uint8Array((4 << 20) + 1), parameters), 'ERR_OUT_OF_RANGE')
    failure(() => classic.init(new Uint8Array(9000), { ...parameters, redundantChunks: 2 }), 'ERR_INVALID_ARG_TYPE')
  })

  test('a message of one chunk is repeated, whatever comes first', () => {
    for (const format of FORMATS) {
      const { message, chunks } = sendMessage(seeded(4), { format, bytes: 60, redundantChunks: 2 })
      expect(chunks.length).toBe(3)
      expectSame(receiveMessage(makeReceiver(format).receiver, [chunks[2]!]), message)
    }
  })

  test('a damaged only chunk is made good by its repetition', () => {
    for (const format of FORMATS) {
      const { message, chunks } = sendMessage(seeded(4), { format, bytes: 60, redundantChunks: 2 })
      chunks[0]![chunks[0]!.length - 1]! ^= 4
      const { receiver } = makeReceiver(format)
      expect(receiver.init(chunks[0]!)).toBe('more')
      expect(receiver.addChunk(chunks[1]!)).toBe('ready')
      expect(receiver.chunksDamaged).toBe(1)
      expectSame(receiver.take(), message)
    }
  })
})

test('a redundant chunk that was cut gives the last chunk once all others that it covers are there, and not before', () => {
  const { chunks, message } = sendMessage(seeded(5), { format: 'classic', bytes: 20_000 })
  const lastBytes = 20_000 - 2 * 8192
  const cut = Uint8Array.from(chunks[2]!)
  cut[64] = 0b110
  for (let i = 0; i < lastBytes; i++) cut[128 + i] = message[8192 + i]! ^ message[2 * 8192 + i]!
  const { receiver } = makeReceiver('classic')
  receiver.init(chunks[0]!)
  expect(receiver.addChunk(cut)).toBe('rejected')
  expect(receiver.rejection).toBe('truncated')
  expect(receiver.addChunk(chunks[1]!)).toBe('more')
  expect(receiver.addChunk(cut.subarray(0, 128 + lastBytes))).toBe('ready')
  expect(receiver.chunksRepaired).toBe(1)
  expectSame(receiver.take(), message)
})

function rejectionOf(
  format: MessageFormat,
  change: (chunk: Uint8Array) => Uint8Array | undefined,
  wanted: Partial<Wanted> = {},
): string | undefined {
  const { chunks } = sendMessage(seeded(5), { format, bytes: 20_000, redundantChunks: 2, ...wanted })
  const chunk = Uint8Array.from(chunks[0]!)
  const { receiver, pool } = makeReceiver(format, { maxMessageBytes: 100_000 })
  receiver.init(change(chunk) ?? chunk)
  const { rejection } = receiver
  receiver.deinit()
  expect(pool.usedBytes).toBe(0)
  return rejection
}

type Change = (chunk: Uint8Array) => Uint8Array | undefined

function cutTo4000(chunk: Uint8Array): Uint8Array {
  chunk.set([0xa0, 0x0f], 62)
  return chunk.subarray(0, 128 + 4000)
}

describe('crafted headers are rejected by reason', () => {
  const put =
    (at: number, ...bytes: number[]) =>
    (chunk: Uint8Array): undefined => {
      chunk.set(bytes, at)
    }

  test.each([
    ['short', (chunk: Uint8Array) => chunk.subarray(0, 127)],
    ['length', put(56, 0, 0, 0, 0)],
    ['tooLong', put(56, 0, 0, 0x10, 0)],
    ['tooLong', put(56, 1, 0, 0x40, 0)],
    ['count', put(60, 2, 0)],
    ['count', put(60, 0, 0)],
    ['count', put(56, 0, 0x40, 0, 0)],
    ['length', put(62, 0xff, 0x1f)],
    ['length', put(62, 0x01, 0x20)],
    ['length', (chunk: Uint8Array) => chunk.subarray(0, 128)],
    ['length', (chunk: Uint8Array) => chunk.subarray(0, 4000)],
    ['mask', put(64, 0)],
    ['mask', put(64, 8)],
    ['mask', put(127, 0x80)],
    ['truncated', cutTo4000],
    ['unhashed', (chunk: Uint8Array) => put(24, ...new Array<number>(32).fill(0))(chunk)],
  ] as [string, Change][])('classic: %s', (reason: string, change: Change) => {
    expect(rejectionOf('classic', change)).toBe(reason)
  })

  test('classic: a last chunk that is longer than it may be, unless the rest is padding', () => {
    const { chunks, chunkCount, message } = sendMessage(seeded(5), { format: 'classic', bytes: 20_000 })
    const last = new Uint8Array(128 + 8192)
    last.set(chunks[chunkCount - 1]!)
    last.set([0, 0x20], 62)
    expectSame(receiveMessage(makeReceiver('classic').receiver, [last, ...chunks.slice(0, -1)]), message)
    last[128 + 8191] = 1
    const { receiver } = makeReceiver('classic')
    receiver.init(last)
    expect(receiver.rejection).toBe('length')
  })

  test.each([
    ['short', (chunk: Uint8Array) => chunk.subarray(0, 39)],
    ['version', put(0, 2)],
    ['version', put(1, 7)],
    ['version', put(3, 0x10)],
    ['hash', put(2, 0)],
    ['hash', put(2, 3)],
    ['hash', put(2, 4)],
    ['length', put(4, 0, 0, 0, 0)],
    ['tooLong', put(4, 0, 0, 0, 1)],
    ['tooLong', put(4, 0xff, 0xff, 0xff, 0xff)],
    ['length', put(32, 0, 0)],
    ['length', put(32, 63, 0)],
    ['count', put(34, 0xff, 0xff)],
    ['index', put(36, 0xff, 0xff, 0xff, 0xff)],
    ['length', (chunk: Uint8Array) => chunk.subarray(0, 41)],
    ['length', (chunk: Uint8Array) => chunk.subarray(0, 40)],
  ] as [string, Change][])('compact: %s', (reason: string, change: Change) => {
    expect(rejectionOf('compact', change)).toBe(reason)
  })

  test('compact: flags that may be ignored are', () => {
    expect(rejectionOf('compact', put(3, 0x0f))).toBeUndefined()
  })
})
