import { randomBelow, type Random } from '../core/index.js'
import type { BitMatrix } from './bit-matrix.js'

/**
 * Draws the masks of `rows` redundant rows: row 0 covers every column; of the others, each column is put into half (rounded up) or
 * into `maxRowsPerColumn` of them, whichever is less, chosen by `random`. A row that got no column covers them all.
 *
 * Both sides of the compact format derive the masks by this: see docs/wire/strokkur.md, "The rows", which fixes it step by step.
 *
 * @param masks Zeroed, with room for the rows.
 */
export function drawRowMasks(random: Random, masks: BitMatrix, rows: number, maxRowsPerColumn: number): void {
  if (rows === 0) return
  masks.fillRow(0)
  const drawn = rows - 1
  if (drawn === 0) return
  const rowsPerColumn = Math.min(Math.ceil(drawn / 2), maxRowsPerColumn)
  for (let column = 0; column < masks.columns; column++) {
    for (let chosen = 0; chosen < rowsPerColumn;) {
      const row = 1 + randomBelow(random, drawn)
      if (masks.has(row, column)) continue
      masks.set(row, column)
      chosen++
    }
  }
  for (let row = 1; row < rows; row++) if (masks.isEmptyRow(row)) masks.fillRow(row)
}
