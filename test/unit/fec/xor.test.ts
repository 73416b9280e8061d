import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { loadAddon } from '../../../src/binding/index.js'
import { SeededRandom, randomFill } from '../../../src/core/index.js'
import { BitMatrix, PORTABLE_XOR, XorRun, xorBlocksPortable, xorMaskedPortable } from '../../../src/fec/index.js'
import { checkProperty } from '../support/check-property.js'
import { failure } from '../support/errors.js'

const native = loadAddon().xorBlocks!
const nativeMasked = loadAddon().xorMasked!

describe('XOR of blocks', () => {
  for (const [name, xor] of [
    ['the addon', native],
    ['the portable one', xorBlocksPortable],
  ] as const) {
    test(`${name} adds block to block`, () => {
      const into = Uint8Array.of(1, 2, 3, 4, 5, 6)
      const from = Uint8Array.of(0x10, 0x20, 0x40, 0x80)
      xor(into, from, 2, Uint32Array.of(1, 0, 2, 1, 2, 0), 3)
      expect([...into]).toEqual([1, 2, 3 ^ 0x10, 4 ^ 0x20, 5 ^ 0x40 ^ 0x10, 6 ^ 0x80 ^ 0x20])
    })

    test(`${name} takes a short last block as filled with zeros`, () => {
      const into = new Uint8Array(7)
      xor(into, Uint8Array.of(1, 2, 3, 4, 5), 4, Uint32Array.of(0, 1, 1, 0), 2)
      expect([...into]).toEqual([5, 0, 0, 0, 1, 2, 3])
    })

    test(`${name} refuses a pair that reaches outside, before it writes`, () => {
      const into = new Uint8Array(8)
      const from = new Uint8Array(8).fill(9)
      for (const pairs of [
        [0, 0, 2, 0],
        [0, 0, 0, 2],
        [0, 0],
        [0, 0, 0xffff_ffff, 0],
        // Where a word is 32 bits long, this times 4 is 0.
        [0, 0, 0x4000_0000, 0],
        [0, 0, 0, 0x4000_0000],
      ]) {
        failure(() => xor(into, from, 4, Uint32Array.from(pairs), 2), undefined, /outside/)
      }
      failure(() => xor(into, from, 0, Uint32Array.of(0, 0), 1), undefined, /outside/)
      expect(into.every((byte) => byte === 0)).toBe(true)
    })
  }

  test('the addon refuses arguments of the wrong kind', () => {
    failure(() => native([] as never, new Uint8Array(1), 1, new Uint32Array(2), 1), undefined, /xorBlocks/)
    failure(() => native(new Uint8Array(1), new Uint8Array(1), '1' as never, new Uint32Array(2), 1), undefined, /xorBlocks/)
  })

  test('memory that is gone has no blocks', () => {
    const into = new Uint8Array(64)
    structuredClone(into, { transfer: [into.buffer] })
    failure(() => native(into, new Uint8Array(64), 64, Uint32Array.of(0, 0), 1), undefined, /outside/)
  })

  test('the addon and the portable one agree', async () => {
    const property = fc.property(
      fc.integer({ min: 1, max: 700 }),
      fc.nat(2000),
      fc.nat(2000),
      fc.nat(9),
      fc.nat(9),
      fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 40 }),
      fc.boolean(),
      (blockBytes, intoBytes, fromBytes, intoAt, fromAt, drawn, same) => {
        const memory = Uint8Array.from({ length: intoBytes + 10 }, (_, i) => (i * 167 + 13) & 0xff)
        const other = Uint8Array.from({ length: fromBytes + 10 }, (_, i) => (i * 89 + 5) & 0xff)
        const results = [native, xorBlocksPortable].map((xor) => {
          const into = memory.slice().subarray(intoAt, intoAt + intoBytes + 1)
          const from = same ? into : other.subarray(fromAt, fromAt + fromBytes + 1)
          const blocks = (bytes: Uint8Array): number => Math.ceil(bytes.length / blockBytes)
          // Few targets, so that neighbours have the same one.
          const pairs = drawn.flatMap(([i, j]) => [(i % 3) % blocks(into), j % blocks(from)])
          xor(into, from, blockBytes, Uint32Array.from(pairs), drawn.length)
          return into
        })
        expect(results[0]).toEqual(results[1])
      },
    )
    await checkProperty(property, 500)
  })

  test('a run of more pairs than fit in a call is done in several', () => {
    let calls = 0
    const run = new XorRun({
      ...PORTABLE_XOR,
      blocks: (...given) => {
        calls++
        xorBlocksPortable(...given)
      },
    })
    const into = new Uint8Array(1)
    run.begin(into, Uint8Array.of(1), 1)
    for (let i = 0; i < 10_001; i++) run.add(0, 0)
    run.finish()
    expect(into[0]).toBe(1)
    expect(calls).toBe(3)
  })
})

describe('XOR of the blocks that masks cover', () => {
  for (const [name, xor] of [
    ['the addon', nativeMasked],
    ['the portable one', xorMaskedPortable],
  ] as const) {
    test(`${name} adds up what is in the mask`, () => {
      const into = Uint8Array.of(1, 2, 3, 4)
      xor(
        into,
        Uint8Array.of(0x10, 0x20, 0x40, 0x80, 0x08),
        2,
        Uint32Array.of(0b101, 0b110),
        1,
        Uint32Array.of(1, 0, 0, 1),
        2,
        0,
        undefined,
      )
      expect([...into]).toEqual([1 ^ 0x40 ^ 0x08, 2 ^ 0x80, 3 ^ 0x10 ^ 0x08, 4 ^ 0x20])
    })

    test(`${name} leaves out what is not among those wanted, and what has no block`, () => {
      const into = new Uint8Array(1)
      const masks = Uint32Array.of(0xffff_ffff, 0xffff_ffff, 0xffff_ffff)
      const from = Uint8Array.of(1, 2, 4, 8)
      xor(into, from, 1, masks, 3, Uint32Array.of(0, 0), 1, 62, Uint32Array.of(0, 0x8000_0000, 5))
      expect([...into]).toEqual([2 ^ 4])
      xor(into, from, 1, masks, 3, Uint32Array.of(0, 0), 1, 94, undefined)
      expect([...into]).toEqual([2 ^ 4 ^ 1 ^ 2])
      xor(into, from, 1, masks, 3, Uint32Array.of(0, 0), 1, 96, undefined)
      expect([...into]).toEqual([2 ^ 4 ^ 1 ^ 2])
    })

    test(`${name} refuses a block or a row that is outside, before it writes`, () => {
      const into = new Uint8Array(8)
      const from = new Uint8Array(8).fill(9)
      const masks = Uint32Array.of(3, 3)
      for (const pairs of [
        [0, 0, 2, 0],
        [0, 0, 0, 2],
        [0, 0],
        [0, 0, 0, 0xffff_ffff],
        [0, 0, 0x4000_0000, 0],
      ]) {
        failure(() => xor(into, from, 4, masks, 1, Uint32Array.from(pairs), 2, 0, undefined), undefined, /outside/)
      }
      failure(() => xor(into, from, 0, masks, 1, Uint32Array.of(0, 0), 1, 0, undefined), undefined, /outside/)
      failure(() => xor(into, from, 4, masks, 0, Uint32Array.of(0, 0), 1, 0, undefined), undefined, /outside/)
      failure(() => xor(into, from, 4, masks, 2, Uint32Array.of(0, 0), 1, 0, Uint32Array.of(1)), undefined, /outside/)
      expect(into.every((byte) => byte === 0)).toBe(true)
    })
  }

  test('the addon refuses arguments of the wrong kind', () => {
    const bytes = new Uint8Array(1)
    const words = new Uint32Array(2)
    failure(() => nativeMasked([] as never, bytes, 1, words, 1, words, 1, 0, undefined), undefined, /xorMasked/)
    failure(() => nativeMasked(bytes, bytes, 1, words, 1, words, 1, 0, 7 as never), undefined, /xorMasked/)
  })

  test('the addon and the portable one agree', async () => {
    const property = fc.property(
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 1, max: 200 }),
      fc.nat(300),
      fc.nat(9),
      fc.nat(200),
      fc.boolean(),
      fc.nat(2 ** 32 - 1),
      (blockBytes, columns, shortBy, at, first, isPart, seed) => {
        const random = new SeededRandom(seed)
        const from = new Uint8Array(at + Math.max(1, blockBytes * columns - shortBy)).subarray(at)
        randomFill(random, from)
        const masks = BitMatrix.ofSize(4, columns + first)
        for (let i = 0; i < masks.words.length; i++) masks.words[i] = random.uint32()
        const among = isPart ? Uint32Array.from({ length: masks.wordsPerRow }, () => random.uint32()) : undefined
        const pairs = Uint32Array.of(0, 3, 2, 0, 1, 1, 2, 2)
        const results = [nativeMasked, xorMaskedPortable].map((xor) => {
          const into = new Uint8Array(at + 3 * blockBytes - Math.min(at, blockBytes - 1)).subarray(at).fill(0x5a)
          if (into.length <= 2 * blockBytes) return undefined
          xor(into, from, blockBytes, masks.words, masks.wordsPerRow, pairs, 4, first, among)
          return into
        })
        expect(results[0]).toEqual(results[1])
      },
    )
    await checkProperty(property, 500)
  })
})
