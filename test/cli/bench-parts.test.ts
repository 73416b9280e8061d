import { describe, expect, test } from 'vitest'
import { CreditWindow, RESYNC_MS, readReport, writeReport, REPORT_BYTES } from '../../src/cli/bench/credit.js'
import { DatagramTemplate, HEADER_BYTES, isIntact, numberOf, runIdOf, viewOf } from '../../src/cli/bench/datagram.js'
import { trainLength, trainsInFlight, type BenchPlan } from '../../src/cli/bench/plan.js'
import { Sequence } from '../../src/cli/bench/sequence.js'

const RUN_ID = 0x7654_3210

describe('a datagram of the bench', () => {
  test.each([HEADER_BYTES, 21, 22, 23, 24, 39, 64, 1200, 1201])(
    'of %i bytes is intact, and any changed byte is seen',
    (length) => {
      const bytes = Buffer.alloc(length)
      const view = viewOf(bytes)
      new DatagramTemplate(RUN_ID, 3, length).write(bytes, view, 0, 0xff_1234_5678, true)
      expect(isIntact(view, 0, length)).toBe(true)
      expect([runIdOf(view, 0), numberOf(view, 0)]).toEqual([RUN_ID, 0xff_1234_5678])
      for (let i = 0; i < length; i++) {
        for (const bit of [1, 0x80]) {
          bytes[i]! ^= bit
          expect(isIntact(view, 0, length)).toBe(false)
          bytes[i]! ^= bit
        }
      }
    },
  )

  test('is not intact when words changed places, or when the body is another one', () => {
    const bytes = Buffer.alloc(1200)
    const view = viewOf(bytes)
    const [one, two] = [new DatagramTemplate(RUN_ID, 0, 1200), new DatagramTemplate(RUN_ID, 1, 1200)]
    one.write(bytes, view, 0, 7, true)
    const [a, b] = [bytes.readUInt32LE(400), bytes.readUInt32LE(404)]
    expect(a).not.toBe(b)
    bytes.writeUInt32LE(b, 400)
    bytes.writeUInt32LE(a, 404)
    expect(isIntact(view, 0, 1200)).toBe(false)
    one.write(bytes, view, 0, 7, true)
    two.write(bytes, view, 0, 7, false)
    expect(isIntact(view, 0, 1200)).toBe(false)
  })

  test('agrees with a slow sum, at any offset and for any number', () => {
    for (const [offset, length, number] of [
      [0, 1200, 0],
      [3, 77, 1],
      [64, 65, 2 ** 32 - 1],
      [1, 1203, 2 ** 32],
      [7, 20, 2 ** 45 + 3],
    ] as const) {
      // prettier-ignore
      const slab = Buffer.alloc(offset + length)
      const target = slab.subarray(offset)
      new DatagramTemplate(-5, 9, length).write(target, viewOf(slab), offset, number, true)
      expect(isIntact(viewOf(slab), offset, length)).toBe(true)
      expect([target.readUInt32LE(12), target.readUInt32LE(16)]).toEqual(slowSums(target))
    }
  })
})

/** The sums as their description has them. */
function slowSums(datagram: Buffer): [number, number] {
  const body = Buffer.concat([datagram.subarray(0, 12), datagram.subarray(HEADER_BYTES), Buffer.alloc(3)])
  let [sum, sums] = [0n, 0n]
  for (let at = 0; at + 4 <= body.length; at += 4) {
    if (at >= datagram.length - 8) break
    sum += BigInt(body.readUInt32LE(at))
    sums += sum
  }
  return [Number(BigInt.asUintN(32, sum)), Number(BigInt.asUintN(32, sums))]
}

describe('a sequence', () => {
  test('knows what is missing, late and duplicated', () => {
    const sequence = new Sequence()
    for (const number of [0, 1, 2, 5, 6, 9, 4, 4, 6, 0, 3, 12]) sequence.accept(number)
    expect(sequence).toMatchObject({ received: 9, late: 2, duplicated: 3, next: 13 })
    expect(sequence.missing(13)).toBe(4)
    expect(sequence.missing(15)).toBe(6)
  })

  test('agrees with a set, for any order', () => {
    const seed = 20_261_120
    let state = seed
    const random = (below: number): number => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 1) % below
    for (let round = 0; round < 200; round++) {
      const [sequence, seen] = [new Sequence(), new Set<number>()]
      let duplicated = 0
      for (let i = 0; i < 100; i++) {
        const number = random(60)
        if (seen.has(number)) duplicated++
        seen.add(number)
        sequence.accept(number)
      }
      expect(sequence, `round ${round}`).toMatchObject({ received: seen.size, duplicated, next: Math.max(...seen) + 1 })
      expect(sequence.missing(60)).toBe(60 - seen.size)
    }
  })
})

describe('a credit window', () => {
  test('opens with reports, and only with news', () => {
    const window = new CreditWindow(4)
    window.sent = 4
    expect(window.credit).toBe(0)
    window.report(3, 0)
    window.report(1, 0)
    expect(window.credit).toBe(3)
  })

  test('allows one train at a time when nothing comes back', () => {
    const window = new CreditWindow(2)
    expect(window.mustResync(1e6)).toBe(false)
    window.sent = 2
    window.report(0, 0)
    expect(window.mustResync(RESYNC_MS - 1)).toBe(false)
    expect(window.mustResync(RESYNC_MS)).toBe(true)
    expect(window.mustResync(RESYNC_MS + 1)).toBe(false)
    window.sent++
    expect(window.mustResync(2 * RESYNC_MS)).toBe(true)
    window.report(3, 2 * RESYNC_MS)
    expect(window).toMatchObject({ credit: 2, resyncs: 2 })
  })

  test('a report survives the wire, and others are not taken for one', () => {
    const report = Buffer.alloc(REPORT_BYTES)
    writeReport(report, RUN_ID, 2 ** 40 + 5)
    expect(readReport(report, RUN_ID)).toBe(2 ** 40 + 5)
    expect(readReport(report, RUN_ID + 1)).toBeUndefined()
    expect(readReport(report.subarray(1), RUN_ID)).toBeUndefined()
  })
})

describe('a plan', () => {
  const plan: BenchPlan = {
    transport: 'geysir', seconds: 1, bytes: 1200, offload: true, verify: true, overrun: false, runId: 1, trainDatagrams: 54,
  } // prettier-ignore

  test('has trains as long as one coalesced message can be', () => {
    expect([20, 1022, 1023, 1200, 32_730, 32_731, 65_507].map(trainLength)).toEqual([64, 64, 63, 54, 2, 1, 1])
  })

  test('keeps what is under way within the receive buffer, with room for what the kernel adds', () => {
    for (const bytes of [20, 64, 1200, 8192, 65_507]) {
      for (const coalesced of [true, false]) {
        const trainDatagrams = trainLength(bytes)
        const trains = trainsInFlight({ ...plan, bytes, trainDatagrams }, 8 << 20, coalesced)
        expect(trains).toBeGreaterThanOrEqual(1)
        expect(trains * trainDatagrams * bytes).toBeLessThan((8 << 20) / 2)
      }
    }
    expect(trainsInFlight(plan, 2304, true)).toBe(1)
  })
})
