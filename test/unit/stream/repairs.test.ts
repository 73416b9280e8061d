import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SeededRandom, randomBelow } from '../../../src/core/index.js'
import { FramePool, type FrameSlot } from '../../../src/stream/frame-pool.js'
import { drawBackOffMs } from '../../../src/stream/nak-back-off.js'
import { encodeRepair } from '../../../src/stream/repair-code.js'
import { RepairDecoder } from '../../../src/stream/repair-decoder.js'
import { RepairPlanner } from '../../../src/stream/repair-planner.js'
import { chooseRows } from '../../../src/stream/repair-rows.js'
import { SentAgain } from '../../../src/stream/sent-again.js'
import {
  EMPTY_MASK,
  countBits,
  firstBit,
  forEachBit,
  hasBit,
  lastBit,
  rangeMask,
  symmetricDifference,
  union,
  withBit,
  withoutBit,
} from '../../../src/stream/span-mask.js'
import { DATA_HEADER_BYTES } from '../../../src/stream/wire.js'
import { checkProperty } from '../support/check-property.js'

const WHOLE_SPAN = rangeMask(0, 64)

/** Packets of random length and content, and a receiver that misses some of them. */
class Receiver {
  readonly pool = new FramePool(300, 1 << 20)
  readonly frames: FrameSlot[] = []
  readonly here = new Map<number, FrameSlot>()
  readonly found: number[] = []
  readonly decoder = new RepairDecoder(this.pool, {
    frameOf: (packet) => this.here.get(packet),
    isMissing: (packet) => !this.here.has(packet),
    onPacket: (packet, frame, end) => {
      const sent = this.frames[packet]!
      expect(frame.subarray(DATA_HEADER_BYTES, end)).toEqual(sent.memory.subarray(DATA_HEADER_BYTES, sent.length))
      this.here.set(packet, sent)
      this.found.push(packet)
    },
  })

  constructor(random: SeededRandom, packets: number, missing: readonly number[]) {
    for (let i = 0; i < packets; i++) {
      const slot = this.pool.take(true)!
      slot.length = DATA_HEADER_BYTES + randomBelow(random, 250)
      for (let at = DATA_HEADER_BYTES; at < slot.length; at++) slot.memory[at] = random.uint32()
      this.frames.push(slot)
      if (!missing.includes(i)) this.here.set(i, slot)
    }
  }

  encode(base: number, mask: { low: number; high: number }): { frame: Buffer; end: number } {
    const frame = Buffer.alloc(300, 0xee)
    return { frame, end: encodeRepair(frame, mask, (index) => this.frames[base + index]!) }
  }
}

const missingOf = (max: number): fc.Arbitrary<number[]> => fc.uniqueArray(fc.nat(63), { minLength: 1, maxLength: max })

test('masks are sets of 64', async () => {
  await checkProperty(
    fc.property(fc.uniqueArray(fc.nat(63)), fc.nat(64), fc.nat(64), (bits, from, to) => {
      const mask = bits.reduce(withBit, EMPTY_MASK)
      const seen: number[] = []
      forEachBit(mask, (index) => seen.push(index))
      expect(seen).toEqual([...bits].sort((a, b) => a - b))
      expect(countBits(mask)).toBe(bits.length)
      if (bits.length > 0) expect(firstBit(mask)).toBe(seen[0])
      expect(lastBit(mask)).toBe(seen.at(-1) ?? -1)
      for (const bit of bits) expect(hasBit(withoutBit(mask, bit), bit)).toBe(false)
      const range = rangeMask(from, to)
      for (let i = 0; i < 64; i++) expect(hasBit(range, i)).toBe(i >= from && i < to)
      expect(countBits(union(mask, WHOLE_SPAN))).toBe(64)
      expect(countBits(symmetricDifference(mask, WHOLE_SPAN))).toBe(64 - bits.length)
    }),
  )
})

test('as many repairs as packets are missing, or a few more, give all of them, whatever their lengths', async () => {
  await checkProperty(
    fc.property(fc.nat(), missingOf(10), (seed, missing) => {
      const random = new SeededRandom(seed)
      const receiver = new Receiver(random, 64, missing)
      const asked = missing.reduce(withBit, EMPTY_MASK)
      const rows = chooseRows(random, WHOLE_SPAN, missing.length + 2, [asked], true)
      for (const row of rows) {
        const { frame, end } = receiver.encode(0, row)
        expect(receiver.decoder.add(0, frame, end)).not.toBe(null)
      }
      // Fitted to this receiver, at most two rows are wasted.
      expect([...receiver.found].sort((a, b) => a - b)).toEqual([...missing].sort((a, b) => a - b))
      expect(receiver.decoder.keptRows).toBe(0)
      expect(receiver.pool.takenBytes).toBe(64 * 300)
    }),
  )
})

test('repairs wait for packets that come in another way, and say which of the missing need not be asked for', () => {
  const receiver = new Receiver(new SeededRandom(1), 64, [3, 17, 40])
  for (const mask of [WHOLE_SPAN, rangeMask(0, 20)]) {
    const { frame, end } = receiver.encode(0, mask)
    receiver.decoder.add(0, frame, end)
  }
  expect(receiver.found).toEqual([])
  expect([3, 17, 40].filter((packet) => receiver.decoder.isImplied(packet))).toHaveLength(2)
  const open = [3, 17, 40].find((packet) => !receiver.decoder.isImplied(packet))!
  receiver.here.set(open, receiver.frames[open]!)
  receiver.decoder.onArrived(open, receiver.frames[open])
  expect(receiver.here.size).toBe(64)
  expect(receiver.decoder.keptRows).toBe(0)
})

test('what would follow from a packet that came unnoticed, in pieces, or was given up, is asked for', () => {
  const receiver = new Receiver(new SeededRandom(7), 64, [3, 17])
  const { frame, end } = receiver.encode(0, WHOLE_SPAN)
  receiver.decoder.add(0, frame, end)
  const implied = [3, 17].find((packet) => receiver.decoder.isImplied(packet))!
  const other = 3 + 17 - implied
  receiver.here.set(other, receiver.frames[other]!)
  expect(receiver.decoder.isImplied(implied)).toBe(false)
})

test('a repair over a packet that is not kept any more is of no use, and costs nothing', () => {
  const receiver = new Receiver(new SeededRandom(2), 64, [5])
  const { frame, end } = receiver.encode(0, WHOLE_SPAN)
  const decoder = new RepairDecoder(receiver.pool, {
    frameOf: () => undefined,
    isMissing: (packet) => packet === 5,
    onPacket: () => expect.unreachable(),
  })
  decoder.add(0, frame, end)
  expect(decoder.keptRows).toBe(0)
  expect(decoder.add(0, frame, 41)).toBe(null)
})

test('repairs that wait are bounded, and given back', () => {
  const receiver = new Receiver(new SeededRandom(3), 64, [1, 2])
  const before = receiver.pool.takenBytes
  for (let i = 0; i < 500; i++) {
    const { frame, end } = receiver.encode(0, withBit(withBit(EMPTY_MASK, 1), 2))
    receiver.decoder.add(i * 64 + 1000, frame, end)
  }
  expect(receiver.decoder.keptRows).toBeLessThanOrEqual(128)
  receiver.decoder.dispose()
  expect(receiver.pool.takenBytes).toBe(before)
})

test('a back-off is as its distribution says: late for most of a large group, and never later than it may be', () => {
  const random = new SeededRandom(4)
  for (const receivers of [1, 10, 1000]) {
    const drawn = Array.from({ length: 4000 }, () => drawBackOffMs(random, 100, receivers)).sort((a, b) => a - b)
    expect(drawn[0]).toBeGreaterThanOrEqual(0)
    expect(drawn.at(-1)).toBeLessThanOrEqual(100)
    // P(t < x) = (e^(lambda x / T) - 1) / (e^lambda - 1)
    const lambda = Math.log(receivers) + 1
    const expected = Math.log(1 + 0.5 * (Math.exp(lambda) - 1)) * (100 / lambda)
    expect(Math.abs(drawn[2000]! - expected)).toBeLessThan(5)
  }
  expect(drawBackOffMs(random, 0, 1000)).toBe(0)
})

test('what one receiver alone asks for is sent again no sooner than it can have seen it, and forgotten with the packets', () => {
  const again = new SentAgain()
  expect(again.ask(5, 0, -4)).toBe(1)
  expect(again.ask(5, 0, 100)).toBe(0)
  again.onSent(5, 10)
  expect(again.ask(5, 0, 9)).toBe(0)
  expect(again.ask(5, 0, 10)).toBe(2)
  // One that is lost again and again, in a window of 100 packets, of which all are lost.
  for (let packet = 6; packet < 50_000; packet++) again.ask(packet, Math.max(0, packet - 100), packet)
  expect(again.size).toBe(101)
  expect(again.ask(5, 49_900, 100_000)).toBe(1)
})

test('a loss that everybody saw is echoed once and sent once', () => {
  const planner = new RepairPlanner(new SeededRandom(5))
  for (let asker = 0; asker < 100; asker++) planner.onAsked(asker, 70, 72, 100, 0, 4)
  expect(planner.takeEchoes()).toEqual([{ base: 64, mask: rangeMask(6, 8), most: 2 }])
  expect(planner.takeEchoes()).toEqual([])
  expect(planner.takeJobs(0.5)).toEqual({ echoes: [], jobs: [] })
  expect(planner.takeJobs(1)).toEqual({ echoes: [], jobs: [{ packet: 70 }, { packet: 71 }] })
  // Who had asked before it came is not answered again; who asks later is.
  planner.onAsked(7, 70, 71, 100, 2, 4)
  expect(planner.deadlineMs).toBe(Infinity)
  planner.onAsked(7, 70, 71, 100, 6, 4)
  expect(planner.takeJobs(7).jobs).toEqual([{ packet: 70 }])
})

test('different losses are served by as many repairs as the worst receiver misses, and at last by the packets themselves', () => {
  const planner = new RepairPlanner(new SeededRandom(6))
  const ask = (nowMs: number): void => {
    for (let asker = 0; asker < 20; asker++) planner.onAsked(asker, asker, asker + 1 + (asker % 2), 64, nowMs, 4)
  }
  ask(0)
  expect(planner.takeEchoes()).toEqual([{ base: 0, mask: WHOLE_SPAN, most: 2 }])
  const { echoes, jobs } = planner.takeJobs(1)
  expect(echoes).toEqual([])
  expect(jobs.length).toBeGreaterThanOrEqual(2)
  expect(jobs.length).toBeLessThanOrEqual(4)
  expect(jobs[0]).toEqual({ packet: 0, mask: WHOLE_SPAN })
  ask(10)
  expect(planner.takeJobs(11).jobs.every(({ mask }) => mask !== undefined)).toBe(true)
  ask(20)
  expect(planner.takeJobs(21).jobs).toHaveLength(21)
  planner.forgetBefore(64)
  expect(planner.takeJobs(100).jobs).toEqual([])
})
