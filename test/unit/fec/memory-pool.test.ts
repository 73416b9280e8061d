import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MemoryPool } from '../../../src/fec/index.js'
import { checkProperty } from '../support/check-property.js'
import { failure } from '../support/errors.js'

test('a pool gives no more than its limit, to the byte', () => {
  const pool = new MemoryPool(1024)
  const first = pool.take(512)!
  const second = pool.take(512)!
  expect(pool.usedBytes).toBe(1024)
  expect(pool.take(1)).toBeUndefined()
  pool.give(first)
  expect(pool.usedBytes).toBe(512)
  expect(pool.take(400)).toBeDefined()
  pool.give(second)
})

test('what is given back serves again; what is let go does not', () => {
  const pool = new MemoryPool(4096)
  const memory = pool.take(1000)!
  pool.give(memory)
  expect(pool.take(1000)).toBe(memory)
  pool.letGo(memory)
  expect(pool.usedBytes).toBe(0)
  expect(pool.take(1000)).not.toBe(memory)
})

test('memory of somebody else, or given back already, is refused', () => {
  const pool = new MemoryPool(4096)
  failure(() => pool.give(new Uint8Array(256)), 'ERR_INVALID_STATE')
  const memory = pool.take(1)!
  pool.give(memory)
  failure(() => pool.give(memory), 'ERR_INVALID_STATE')
  failure(() => new MemoryPool(-1), 'ERR_OUT_OF_RANGE')
})

test('rounding adds at most an eighth, and never takes away', async () => {
  await checkProperty(
    fc.property(fc.integer({ min: 257, max: 2 ** 31 }), (bytes) => {
      const rounded = MemoryPool.roundedBytes(bytes)
      expect(rounded).toBeGreaterThanOrEqual(bytes)
      expect(rounded).toBeLessThanOrEqual(bytes * 1.125 + 1)
      expect(MemoryPool.roundedBytes(rounded)).toBe(rounded)
    }),
  )
})

test('whatever is taken and given back, the count is right and the limit holds', async () => {
  const step = fc.oneof(fc.record({ take: fc.integer({ min: 1, max: 5000 }) }), fc.record({ give: fc.nat() }))
  await checkProperty(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const pool = new MemoryPool(16_384)
      const held: Uint8Array[] = []
      for (const each of steps) {
        if ('take' in each) {
          const memory = pool.take(each.take)
          if (memory !== undefined) {
            expect(memory.length).toBeGreaterThanOrEqual(each.take)
            expect(held).not.toContain(memory)
            held.push(memory)
          }
        } else if (held.length > 0) pool.give(held.splice(each.give % held.length, 1)[0]!)
        expect(pool.usedBytes).toBe(held.reduce((sum, { length }) => sum + length, 0))
        expect(pool.usedBytes).toBeLessThanOrEqual(pool.limitBytes)
      }
    }),
  )
})
