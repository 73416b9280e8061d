import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { loadAddon } from '../../../src/binding/index.js'
import { XorRun, xorBlocksPortable } from '../../../src/fec/index.js'
import { checkProperty } from '../support/check-property.js'
import { failure } from '../support/errors.js'

const native = loadAddon().xorBlocks!

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
    const run = new XorRun((into, from, blockBytes, pairs, count) => {
      calls++
      xorBlocksPortable(into, from, blockBytes, pairs, count)
    })
    const into = new Uint8Array(1)
    run.begin(into, Uint8Array.of(1), 1)
    for (let i = 0; i < 10_001; i++) run.add(0, 0)
    run.finish()
    expect(into[0]).toBe(1)
    expect(calls).toBe(3)
  })
})
