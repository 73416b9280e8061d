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
  const words = signedWords(masks)
  for (let column = 0; column < masks.columns; column++)
    put(random, words, masks.wordsPerRow, column, drawn, Math.ceil(drawn / 2))
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
  const words = signedWords(masks)
  for (let column = 0; column < masks.columns; column++) {
    const word = random.uint32()
    if (drawn > MAX_DENSE_ROWS) put(random, words, masks.wordsPerRow, column, drawn, SPARSE_ROWS + (word >>> 31))
    else for (let row = 1; row <= drawn; row++) if ((word << (row - 1)) >>> 31 === 1) masks.set(row, column)
  }
  fillEmptyRows(masks, rows)
}

/** Puts `column` into `count` of rows 1 to `drawn`. */
function put(random: Random, words: Int32Array, wordsPerRow: number, column: number, drawn: number, count: number): void {
  const bit = 1 << (column & 31)
  const inRow = column >>> 5
  for (let left = count; left > 0;) {
    const at = (1 + randomBelow(random, drawn)) * wordsPerRow + inRow
    const word = words[at]!
    if ((word & bit) !== 0) continue
    words[at] = word | bit
    left--
  }
}

/** Signed words are integers to the engine, which unsigned ones are only up to 2^31: drawing takes half the time. */
function signedWords({ words }: BitMatrix): Int32Array {
  return new Int32Array(words.buffer, words.byteOffset, words.length)
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
