import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../../src/core/index.js'
import { BitMatrix, drawBalancedRows, drawSparseRows } from '../../../src/fec/index.js'
import { checkProperty } from '../support/check-property.js'

const sizes = fc.tuple(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 40 }), fc.nat(2 ** 32 - 1))

function columnsOf(masks: BitMatrix, row: number): number[] {
  const found: number[] = []
  masks.forEach(row, (column) => found.push(column))
  return found
}

/** The random rows that each column is in, without those that were filled because they were empty. */
function rowsOfColumns(masks: BitMatrix, rows: number): number[] {
  const drawn = Array.from({ length: rows - 1 }, (_, i) => i + 1).filter((row) => columnsOf(masks, row).length < masks.columns)
  return Array.from({ length: masks.columns }, (_, column) => drawn.filter((row) => masks.has(row, column)).length)
}

describe('the first row covers everything, no row covers nothing, and of the others', () => {
  test('balanced: each column stands in half, rounded up', async () => {
    await checkProperty(
      fc.property(sizes, ([columns, rows, seed]) => {
        const masks = BitMatrix.ofSize(rows, columns)
        drawBalancedRows(new SeededRandom(seed), masks, rows)
        expect(columnsOf(masks, 0).length).toBe(columns)
        for (let row = 0; row < rows; row++) expect(masks.isEmptyRow(row)).toBe(false)
        const full = Array.from({ length: rows - 1 }, (_, i) => i + 1).filter(
          (row) => columnsOf(masks, row).length === columns,
        ).length
        for (const count of rowsOfColumns(masks, rows)) {
          expect(count).toBeLessThanOrEqual(Math.ceil((rows - 1) / 2))
          expect(count).toBeGreaterThanOrEqual(Math.ceil((rows - 1) / 2) - full)
        }
      }),
      100,
    )
  })

  test('sparse: each column stands in six or seven, where there are more than twelve', async () => {
    await checkProperty(
      fc.property(sizes, ([columns, rows, seed]) => {
        const masks = BitMatrix.ofSize(rows, columns)
        drawSparseRows(new SeededRandom(seed), masks, rows)
        expect(columnsOf(masks, 0).length).toBe(columns)
        for (let row = 0; row < rows; row++) expect(masks.isEmptyRow(row)).toBe(false)
        if (rows <= 13 || columns < 30) return
        for (const count of rowsOfColumns(masks, rows)) expect([6, 7]).toContain(count)
      }),
      100,
    )
  })

  test('sparse: two rows are two, not one twice, and three are three', () => {
    for (let seed = 0; seed < 50; seed++) {
      const masks = BitMatrix.ofSize(3, 30)
      drawSparseRows(new SeededRandom(seed), masks, 3)
      const [a, b, c] = masks.words as unknown as [number, number, number]
      expect(new Set([a, b, c, (a ^ b) >>> 0, (a ^ c) >>> 0, (b ^ c) >>> 0, (a ^ b ^ c) >>> 0, 0]).size).toBe(8)
    }
  })
})

test('both sides draw the same masks from a seed: the numbers of the wire document', () => {
  const few = BitMatrix.ofSize(5, 8)
  drawSparseRows(new SeededRandom(1), few, 5)
  expect([...few.words].map((word) => word.toString(2).padStart(8, '0'))).toMatchInlineSnapshot(`
    [
      "11111111",
      "11100110",
      "00011100",
      "11011100",
      "01001001",
    ]
  `)
  const many = BitMatrix.ofSize(15, 8)
  drawSparseRows(new SeededRandom(1), many, 15)
  expect([...many.words].map((word) => word.toString(2).padStart(8, '0'))).toMatchInlineSnapshot(`
    [
      "11111111",
      "01111010",
      "01011011",
      "00111110",
      "01100100",
      "00010100",
      "10000000",
      "01111111",
      "10100001",
      "10001100",
      "10010111",
      "01001001",
      "10101000",
      "11010011",
      "01100010",
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
