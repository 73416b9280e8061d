import { describe, expect, test } from 'vitest'
import { SeededRandom, randomBelow, randomFill } from '../../../src/core/index.js'

describe('seeded randomness', () => {
  test('is the same for the same seed, and another for another', () => {
    const draw = (seed: number) =>
      Array.from(
        { length: 8 },
        (
          (random) => () =>
            random.uint32()
        )(new SeededRandom(seed)),
      )
    expect(draw(7)).toEqual(draw(7))
    expect(draw(7)).not.toEqual(draw(8))
  })

  test('is xoshiro128**: its step, from a known state, in plain arithmetic', () => {
    const random = new SeededRandom(1)
    const twin = slowTwin(1)
    for (let i = 0; i < 1000; i++) expect(random.uint32()).toBe(twin())
  })

  test('spreads over all values below a bound', () => {
    const random = new SeededRandom(3)
    const seen = new Array<number>(10).fill(0)
    for (let i = 0; i < 100_000; i++) seen[randomBelow(random, 10)]!++
    for (const count of seen) expect(Math.abs(count - 10_000)).toBeLessThan(500)
  })

  test('fills every byte, also of a length that is no multiple of four', () => {
    const random = new SeededRandom(4)
    const sums = new Uint32Array(7)
    for (let i = 0; i < 100; i++) {
      const bytes = new Uint8Array(7)
      randomFill(random, bytes)
      bytes.forEach((byte, at) => (sums[at]! += byte))
    }
    for (const sum of sums) expect(Math.abs(sum - 12_750)).toBeLessThan(3000)
  })
})

/** The published algorithm over bigints. */
function slowTwin(seed: number): () => number {
  const word = (value: bigint) => value & 0xffff_ffffn
  const rotate = (value: bigint, by: bigint) => word((value << by) | (value >> (32n - by)))
  const state: bigint[] = []
  let mixed = BigInt(seed)
  for (let i = 0; i < 4; i++) {
    mixed = word(mixed + 0x9e3779b9n)
    let value = mixed
    value = word((value ^ (value >> 16n)) * 0x21f0aaadn)
    value = word((value ^ (value >> 15n)) * 0x735a2d97n)
    state.push(value ^ (value >> 15n))
  }
  return () => {
    const result = word(rotate(word(state[1]! * 5n), 7n) * 9n)
    const shifted = word(state[1]! << 9n)
    state[2]! ^= state[0]!
    state[3]! ^= state[1]!
    state[1]! ^= state[2]!
    state[0]! ^= state[3]!
    state[2]! ^= shifted
    state[3] = rotate(state[3]!, 11n)
    return Number(result)
  }
}
