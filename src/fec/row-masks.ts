import { randomBelow, type Random } from '../core/index.js'
import type { BitMatrix } from './bit-matrix.js'

/**
 * Draws the masks of `rows` redundant rows as the classic format has them: row 0 covers every column; of the others, each column is put into
 * half (rounded up), chosen by `random`. A row that got no column covers them all.
 *
 * @param masks Zeroed, with room for the rows.
 */
export function drawBalancedRows(random: Random, masks: BitMatrix, rows: number): void {
  if (rows === 0) return
  masks.fillRow(0)
  const drawn = rows - 1
  for (let column = 0; column < masks.columns; column++) put(random, masks, column, drawn, Math.ceil(drawn / 2))
  fillEmptyRows(masks, rows)
}

/**
 * Draws the masks of `rows` redundant rows as the compact format has them: row 0 covers every column. Up to {@link MAX_DENSE_ROWS} others are
 * dense: each column is in any of them by the toss of a coin. Of more, each column is in {@link SPARSE_ROWS} or one more. (Were it always
 * as many, the sum of all rows would be known beforehand, and one of them of no use.) A row that got no column covers them all.
 *
 * Both sides derive the masks by this: docs/wire/strokkur.md, "The rows", fixes it step by step.
 *
 * @param masks Zeroed, with room for the rows.
 */
export function drawSparseRows(random: Random, masks: BitMatrix, rows: number): void {
  if (rows === 0) return
  masks.fillRow(0)
  const drawn = rows - 1
  for (let column = 0; column < masks.columns; column++) {
    const word = random.uint32()
    if (drawn > MAX_DENSE_ROWS) put(random, masks, column, drawn, SPARSE_ROWS + (word >>> 31))
    else for (let row = 1; row <= drawn; row++) if ((word << (row - 1)) >>> 31 === 1) masks.set(row, column)
  }
  fillEmptyRows(masks, rows)
}

/** Puts `column` into `count` of rows 1 to `drawn`. */
function put(random: Random, masks: BitMatrix, column: number, drawn: number, count: number): void {
  for (let chosen = 0; chosen < count;) {
    const row = 1 + randomBelow(random, drawn)
    if (masks.has(row, column)) continue
    masks.set(row, column)
    chosen++
  }
}

function fillEmptyRows(masks: BitMatrix, rows: number): void {
  for (let row = 1; row < rows; row++) if (masks.isEmptyRow(row)) masks.fillRow(row)
}

/**
 * The random rows that a column stands in, or one more, where there are many. Half of them all would cost more than the digest for long
 * messages; six are as good to within one row (docs/strokkur.md, "Why sparse rows").
 */
export const SPARSE_ROWS = 6
/** Up to here, half of the rows are no more than those. */
export const MAX_DENSE_ROWS = 12
