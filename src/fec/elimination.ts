import { wordsFor, type BitMatrix } from './bit-matrix.js'

/**
 * Gauss-Jordan elimination on masks alone, a row at a time: finds out when the missing blocks are determined, and which rows each of them
 * is the sum of. Payloads are not touched.
 *
 * A *vector* is kept for each row: its bits over the missing columns, and behind them, which rows it is the sum of. Vectors are always
 * fully reduced: a pivot column stands in one vector only. A vector without columns left is a *check*: the sum of its rows must be zero
 * beside what is known.
 */
export class Elimination {
  /** Vectors that have a pivot. */
  rank = 0
  /** The missing columns, ascending. */
  readonly #columns: Uint32Array
  /** By place in `#columns`: the vector whose pivot it is, or -1. */
  readonly #pivotVector: Int32Array
  /** By vector: the place of its pivot, {@link CHECK} or {@link UNUSED}. */
  readonly #pivotPlace: Int32Array
  readonly #vectors: Uint32Array
  /** By place, as bits: the rows whose masks cover the column. */
  readonly #rowsOf: Uint32Array
  readonly #columnWords: number
  readonly #rowWords: number
  readonly #stride: number
  #missing: number
  #used = 0

  /** @param memory Of {@link eliminationWords}; need not be zeroed. @param columns The missing columns, ascending. */
  constructor(memory: Uint32Array, columns: ArrayLike<number>, maxRows: number) {
    this.#missing = columns.length
    this.#columnWords = wordsFor(columns.length)
    this.#rowWords = wordsFor(maxRows)
    this.#stride = this.#columnWords + this.#rowWords
    const places = columns.length
    this.#columns = memory.subarray(0, places)
    this.#columns.set(columns)
    this.#pivotVector = signed(memory, places, places).fill(-1)
    this.#pivotPlace = signed(memory, 2 * places, maxRows).fill(UNUSED)
    const vectorsAt = 2 * places + maxRows
    const rowsOfAt = vectorsAt + maxRows * this.#stride
    this.#vectors = memory.subarray(vectorsAt, rowsOfAt).fill(0)
    this.#rowsOf = memory.subarray(rowsOfAt, rowsOfAt + places * this.#rowWords).fill(0)
  }

  /** Columns that are neither known nor determined. */
  get undetermined(): number {
    return this.#missing - this.rank
  }

  /** Places of {@link column}: the columns that were missing at the beginning. */
  get places(): number {
    return this.#columns.length
  }

  column(place: number): number {
    return this.#columns[place]!
  }

  /** The vector that determines the column at `place`, or -1: for one that has become known, or is not determined. */
  vectorOf(place: number): number {
    return this.#pivotVector[place]!
  }

  isCheck(vector: number): boolean {
    return this.#pivotPlace[vector] === CHECK
  }

  /** One of the rows whose sum `vector` is. It need not be the one that the vector began with. */
  firstSummed(vector: number): number {
    let first = -1
    this.forEachSummed(vector, (row) => {
      if (first < 0) first = row
    })
    return first
  }

  /** Calls `visit` with each row whose sum `vector` is, ascending. */
  forEachSummed(vector: number, visit: (row: number) => void): void {
    const start = vector * this.#stride + this.#columnWords
    for (let word = 0; word < this.#rowWords; word++) visitBits(this.#vectors[start + word]!, word, visit)
  }

  /** Calls `visit` with each row that some vector with a pivot needs, ascending. */
  forEachNeeded(visit: (row: number) => void): void {
    for (let word = 0; word < this.#rowWords; word++) {
      let bits = 0
      for (let vector = 0; vector < this.#used; vector++) {
        if (this.#pivotPlace[vector]! >= 0) bits |= this.#vectors[vector * this.#stride + this.#columnWords + word]!
      }
      visitBits(bits, word, visit)
    }
  }

  /** Calls `visit` with each row that covers the column at `place`, ascending. */
  forEachRowOf(place: number, visit: (row: number) => void): void {
    const start = place * this.#rowWords
    for (let word = 0; word < this.#rowWords; word++) visitBits(this.#rowsOf[start + word]!, word, visit)
  }

  /**
   * Adds a row, whose mask is row `maskRow` of `masks`; `known` has the bits of the columns that have become known. True when it determines
   * something new.
   */
  add(row: number, masks: BitMatrix, maskRow: number, known: Uint32Array): boolean {
    const vectors = this.#vectors
    const start = row * this.#stride
    const maskStart = maskRow * masks.wordsPerRow
    this.#used = Math.max(this.#used, row + 1)
    for (let place = 0; place < this.#columns.length; place++) {
      const column = this.#columns[place]!
      const word = column >>> 5
      const isOpen = ((masks.words[maskStart + word]! & ~known[word]!) >>> (column & 31)) & 1
      if (isOpen === 0) continue
      vectors[start + (place >>> 5)]! |= 1 << (place & 31)
      this.#rowsOf[place * this.#rowWords + (row >>> 5)]! |= 1 << (row & 31)
    }
    vectors[start + this.#columnWords + (row >>> 5)]! |= 1 << (row & 31)
    // Adding a pivot's vector changes no other pivot's bit, so one pass is enough.
    for (let word = 0; word < this.#columnWords; word++) {
      let bits = vectors[start + word]!
      while (bits !== 0) {
        const lowest = bits & -bits
        bits ^= lowest
        const pivot = this.#pivotVector[word * 32 + 31 - Math.clz32(lowest)]!
        if (pivot >= 0) this.#addVector(row, pivot)
      }
    }
    return this.#choosePivot(row)
  }

  /** A missing column has arrived after all. */
  markKnown(column: number): void {
    const place = this.#placeOf(column)
    if (place < 0) return
    this.#missing--
    const vector = this.#pivotVector[place]!
    const word = place >>> 5
    const mask = ~(1 << (place & 31))
    for (let i = 0; i < this.#used; i++) this.#vectors[i * this.#stride + word]! &= mask
    if (vector < 0) return
    this.#pivotVector[place] = -1
    this.rank--
    this.#choosePivot(vector)
  }

  #choosePivot(vector: number): boolean {
    const start = vector * this.#stride
    for (let word = 0; word < this.#columnWords; word++) {
      const bits = this.#vectors[start + word]!
      if (bits === 0) continue
      const lowest = bits & -bits
      const place = word * 32 + 31 - Math.clz32(lowest)
      this.#pivotVector[place] = vector
      this.#pivotPlace[vector] = place
      this.rank++
      for (let other = 0; other < this.#used; other++) {
        if (other !== vector && (this.#vectors[other * this.#stride + word]! & lowest) !== 0) this.#addVector(other, vector)
      }
      return true
    }
    this.#pivotPlace[vector] = CHECK
    return false
  }

  #addVector(into: number, from: number): void {
    const vectors = this.#vectors
    const intoAt = into * this.#stride
    const fromAt = from * this.#stride
    for (let i = 0; i < this.#stride; i++) vectors[intoAt + i]! ^= vectors[fromAt + i]!
  }

  #placeOf(column: number): number {
    let low = 0
    let high = this.#columns.length - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      const found = this.#columns[middle]!
      if (found === column) return middle
      if (found < column) low = middle + 1
      else high = middle - 1
    }
    return -1
  }
}

/** 32-bit words that {@link Elimination} needs for up to `maxRows` rows, and no more missing columns than rows. */
export function eliminationWords(maxRows: number): number {
  return 3 * maxRows + maxRows * 3 * wordsFor(maxRows)
}

function visitBits(word: number, at: number, visit: (bit: number) => void): void {
  for (let bits = word; bits !== 0; bits &= bits - 1) visit(at * 32 + 31 - Math.clz32(bits & -bits))
}

function signed(memory: Uint32Array, start: number, length: number): Int32Array {
  return new Int32Array(memory.buffer, memory.byteOffset + start * 4, length)
}

const CHECK = -1
const UNUSED = -2
