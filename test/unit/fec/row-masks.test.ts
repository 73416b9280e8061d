import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SeededRandom } from '../../../src/core/index.js'
import { BitMatrix, drawRowMasks } from '../../../src/fec/index.js'
import { checkProperty } from '../support/check-property.js'

test('the first row covers all; of the others, each column stands in half of them, rounded up, or in as many as allowed', async () => {
  await checkProperty(
    fc.property(
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 40 }),
      fc.nat(2 ** 32 - 1),
      fc.integer({ min: 1, max: 32 }),
      (columns, rows, seed, most) => {
        const masks = BitMatrix.ofSize(rows, columns)
        drawRowMasks(new SeededRandom(seed), masks, rows, most)
        const covers = (row: number): number[] => {
          const found: number[] = []
          masks.forEach(row, (column) => found.push(column))
          return found
        }
        expect(covers(0).length).toBe(columns)
        const drawn = rows - 1
        const filled = Array.from({ length: drawn }, (_, i) => covers(i + 1)).filter((row) => row.length === columns).length
        for (let column = 0; column < columns; column++) {
          let count = 0
          for (let row = 1; row < rows; row++) if (masks.has(row, column)) count++
          const expected = Math.min(Math.ceil(drawn / 2), most)
          expect(count).toBeGreaterThanOrEqual(expected)
          expect(count).toBeLessThanOrEqual(expected + filled)
        }
        for (let row = 0; row < rows; row++) expect(masks.isEmptyRow(row)).toBe(false)
      },
    ),
    200,
  )
})

test('both sides draw the same masks from a seed: the numbers of the wire document', () => {
  const masks = BitMatrix.ofSize(5, 8)
  drawRowMasks(new SeededRandom(1), masks, 5, 8)
  expect([...masks.words]).toMatchInlineSnapshot(`
    [
      255,
      169,
      150,
      77,
      114,
    ]
  `)
})

test('bits are visited in order, within a range', () => {
  const matrix = BitMatrix.ofSize(2, 100)
  for (const column of [0, 31, 32, 63, 64, 99]) matrix.set(1, column)
  const visited = (first?: number, end?: number): number[] => {
    const columns: number[] = []
    matrix.forEach(1, (column) => columns.push(column), first, end)
    return columns
  }
  expect(visited()).toEqual([0, 31, 32, 63, 64, 99])
  expect(visited(32, 99)).toEqual([32, 63, 64])
  expect(matrix.isEmptyRow(0)).toBe(true)
})
