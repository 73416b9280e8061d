import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { randomBelow } from '../../../src/core/index.js'
import { checkProperty } from '../support/check-property.js'
import { PORTABLE_XOR, XorRun, type Xor } from '../../../src/fec/index.js'
import { Code, Receiving, shuffled } from './code.js'
import { isDetermined } from './slow-rank.js'

const codes = fc
  .record({
    seed: fc.nat(2 ** 32 - 1),
    bytes: fc.integer({ min: 1, max: 3000 }),
    blockBytes: fc.integer({ min: 1, max: 200 }),
    rows: fc.nat(20),
    isSparse: fc.boolean(),
    loss: fc.nat(60),
  })
  .map(({ seed, bytes, blockBytes, rows, isSparse, loss }) => ({
    code: new Code(seed, bytes, Math.max(blockBytes, Math.ceil(bytes / 300)), rows, isSparse),
    loss,
  }))

describe('the decoder', () => {
  test('finds what is missing as soon as that is possible, in any order, and the readable twin agrees', async () => {
    await checkProperty(
      fc.property(codes, ({ code, loss }) => {
        const receiving = new Receiving(code)
        const { decoder } = receiving
        const missing = new Set(Array.from({ length: code.blocks }, (_, i) => i))
        const rows: Set<number>[] = []
        for (const item of shuffled(code.random, code.blocks + code.rows.length)) {
          if (randomBelow(code.random, 100) < loss) continue
          expect(decoder.needed()).toBeGreaterThan(0)
          receiving.take(item)
          if (item < code.blocks) missing.delete(item)
          else rows.push(code.columnsOf(item - code.blocks))
          const determined = isDetermined(rows, [...missing])
          expect(decoder.needed() === 0).toBe(determined)
          if (!determined) continue
          decoder.solve()
          expect(receiving.received).toEqual(code.source)
          return
        }
      }),
      400,
    )
  })

  test('says how many more it needs at least', () => {
    const code = new Code(1, 1000, 100, 6, true)
    const receiving = new Receiving(code)
    for (let i = 0; i < 6; i++) receiving.take(i)
    expect(receiving.decoder.needed()).toBe(4)
    receiving.take(10)
    expect(receiving.decoder.needed()).toBe(3)
  })

  test('a row that says nothing new brings it no further', () => {
    const code = new Code(1, 1000, 100, 2, true)
    const receiving = new Receiving(code, 4)
    for (let i = 2; i < 10; i++) receiving.take(i)
    receiving.take(10)
    receiving.take(10)
    expect(receiving.decoder.needed()).toBe(1)
    receiving.take(11)
    receiving.take(0)
    expect(receiving.decoder.needed()).toBe(0)
    receiving.decoder.solve()
    expect(receiving.received).toEqual(code.source)
  })

  test('adds up few blocks where rows are sparse, many as they are', () => {
    const code = new Code(3, 3000 * 16, 16, 240, true)
    let added = 0
    const counting: Xor = {
      masked: PORTABLE_XOR.masked,
      blocks(into, from, blockBytes, pairs, count) {
        added += count
        PORTABLE_XOR.blocks(into, from, blockBytes, pairs, count)
      },
    }
    const receiving = new Receiving(code, 240, new XorRun(counting))
    for (let item = 0; receiving.decoder.needed() > 0; item++) if (item >= code.blocks || item % 20 !== 7) receiving.take(item)
    receiving.decoder.solve()
    expect(receiving.received).toEqual(code.source)
    // By the sums of rows alone it would be half of 150².
    expect(added).toBeLessThan(5000)
  })

  test('has room for as many rows as it was given memory for', () => {
    const code = new Code(1, 1000, 100, 3, true)
    const receiving = new Receiving(code, 2)
    expect(receiving.decoder.hasRoomForRow).toBe(true)
    receiving.take(10)
    receiving.take(11)
    expect(receiving.decoder.hasRoomForRow).toBe(false)
  })
})

describe('one damaged block or row', () => {
  /** What is in `arriving` comes, in that order; one thing was damaged. */
  function receive(code: Code, arriving: readonly number[], damaged: number): Receiving {
    const receiving = new Receiving(code)
    const { decoder } = receiving
    let solved = false
    for (const item of arriving) {
      // As a receiver does: what was computed is not written again.
      if (solved && item < code.blocks) continue
      const payload = Uint8Array.from(receiving.payload(item))
      if (item === damaged) payload[randomBelow(code.random, payload.length)]! ^= 1 + randomBelow(code.random, 255)
      receiving.take(item, payload)
      if (solved || decoder.needed() > 0) continue
      decoder.solve()
      solved = true
    }
    expect(solved).toBe(true)
    return receiving
  }

  function inOrder(code: Code, lost = -1): number[] {
    return Array.from({ length: code.blocks + code.rows.length }, (_, item) => item).filter((item) => item !== lost)
  }

  test('is found and taken back, whatever it was, where enough rows are left over', async () => {
    await checkProperty(
      fc.property(
        fc.nat(2 ** 32 - 1),
        fc.integer({ min: 1, max: 60 }),
        fc.nat(4),
        fc.nat(4),
        fc.nat(),
        (seed, blocks, lostCount, lateCount, damagedAt) => {
          const code = new Code(seed, blocks * 64 - 5, 64, lostCount + lateCount + 24, true)
          const sources = shuffled(code.random, blocks).slice(Math.min(lostCount, blocks - 1))
          // Some come only when there may be rows enough without them.
          const late = sources.splice(1, lateCount)
          const rows = shuffled(code.random, code.rows.length).map((row) => blocks + row)
          const arriving = [...sources, ...rows.splice(0, lostCount + lateCount), ...late, ...rows]
          const damaged = arriving[damagedAt % arriving.length]!
          const receiving = receive(code, arriving, damaged)
          const isWhole = (): boolean => Buffer.compare(receiving.received, code.source) === 0
          if (isWhole()) return // a row that was not needed
          expect(receiving.decoder.repair(isWhole, 8)).toBeLessThan(0)
          expect(receiving.received).toEqual(code.source)
        },
      ),
      200,
    )
  })

  test('is not taken for another: what does not help is undone', () => {
    const code = new Code(7, 640, 64, 20, true)
    const receiving = receive(code, inOrder(code, 3), 5)
    const before = Uint8Array.from(receiving.received)
    expect(receiving.decoder.repair(() => false, 8)).toBe(1)
    expect(receiving.received).toEqual(before)
  })

  test('cannot be told from others by too few rows, and nothing is tried', () => {
    const code = new Code(7, 6400, 64, 1, true)
    const receiving = receive(code, inOrder(code), 5)
    expect(receiving.decoder.repair(() => true, 8)).toBe(0)
  })

  test('two of them contradict every explanation by one', () => {
    const code = new Code(9, 6400, 64, 30, true)
    const receiving = new Receiving(code)
    for (let item = 0; item < code.blocks + code.rows.length; item++) {
      const payload = Uint8Array.from(receiving.payload(item))
      if (item === 5 || item === 17) payload[item]! ^= item
      receiving.take(item, payload)
      if (item === code.blocks - 1) receiving.decoder.solve()
    }
    expect(receiving.decoder.repair(() => true, 8)).toBe(0)
  })
})
