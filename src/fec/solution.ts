import type { Elimination } from './elimination.js'

/**
 * In which way each missing block is computed, so that few blocks have to be added up. A *vector* gives a block alone, but is the sum of half
 * of all rows. A row whose other missing blocks are known gives a block, too, and where rows are sparse, those are few. So vectors are used
 * for as many blocks as it takes until rows give the others, one after the other.
 */
export class Solution {
  /** By place in the elimination: the row that gives the block; or {@link BY_VECTOR}; or {@link UNKNOWN}, also where there is nothing to find. */
  readonly #rowOf: Int32Array
  /** By row: the place that it gives, or -1. */
  readonly #placeOf: Int32Array
  /** By row: how many unknown places it covers, and the XOR of their numbers, which is the number of the last one. */
  readonly #degrees: Int32Array
  readonly #numbers: Int32Array
  /** Rows that cover one unknown place, or none any more. */
  readonly #ready: Int32Array
  #readyCount = 0
  /** The places that rows give, in order. */
  readonly #order: Int32Array
  #orderCount = 0
  readonly #elimination: Elimination

  /** @param memory Of {@link solutionWords}; need not be zeroed. @param isUsable May this row be used? */
  constructor(memory: Uint32Array, elimination: Elimination, maxRows: number, isUsable: (row: number) => boolean) {
    this.#elimination = elimination
    const words = new Int32Array(memory.buffer, memory.byteOffset, solutionWords(maxRows))
    const part = (i: number): Int32Array => words.subarray(i * maxRows, (i + 1) * maxRows)
    this.#rowOf = part(0).fill(UNKNOWN)
    this.#placeOf = part(1).fill(-1)
    this.#degrees = part(2).fill(0)
    this.#numbers = part(3).fill(0)
    this.#ready = part(4)
    this.#order = part(5)
    this.#countDegrees(isUsable)
    for (let place = 0; place < elimination.places; place++) {
      if (elimination.vectorOf(place) < 0 || this.#rowOf[place] !== UNKNOWN) continue
      this.#rowOf[place] = BY_VECTOR
      this.#markFound(place)
      this.#followRows()
    }
  }

  /** The row that gives the block at `place`, together with {@link forEachOther}; or -1: the vector gives it. */
  rowOf(place: number): number {
    return this.#rowOf[place]!
  }

  /**
   * Calls `visit` with each pair of places of which the block at the second one is to be added to what the row of the first one gives. The
   * second one is complete then.
   */
  forEachOther(visit: (place: number, other: number) => void): void {
    const { places } = this.#elimination
    for (let other = 0; other < places; other++) if (this.#rowOf[other] === BY_VECTOR) this.#visitRowsOf(other, visit)
    for (let i = 0; i < this.#orderCount; i++) this.#visitRowsOf(this.#order[i]!, visit)
  }

  #visitRowsOf(other: number, visit: (place: number, other: number) => void): void {
    this.#elimination.forEachRowOf(other, (row) => {
      const place = this.#placeOf[row]!
      if (place >= 0 && place !== other) visit(place, other)
    })
  }

  #countDegrees(isUsable: (row: number) => boolean): void {
    const elimination = this.#elimination
    for (let place = 0; place < elimination.places; place++) {
      if (elimination.vectorOf(place) < 0) continue
      elimination.forEachRowOf(place, (row) => {
        if (!isUsable(row)) return
        this.#degrees[row]!++
        this.#numbers[row]! ^= place
      })
    }
    for (let row = 0; row < this.#degrees.length; row++) if (this.#degrees[row] === 1) this.#ready[this.#readyCount++] = row
    this.#followRows()
  }

  #followRows(): void {
    while (this.#readyCount > 0) {
      const row = this.#ready[--this.#readyCount]!
      if (this.#degrees[row] !== 1) continue
      const place = this.#numbers[row]!
      this.#rowOf[place] = row
      this.#placeOf[row] = place
      this.#order[this.#orderCount++] = place
      this.#markFound(place)
    }
  }

  #markFound(place: number): void {
    this.#elimination.forEachRowOf(place, (row) => {
      this.#numbers[row]! ^= place
      if (--this.#degrees[row]! === 1) this.#ready[this.#readyCount++] = row
    })
  }
}

/** 32-bit words that {@link Solution} needs for up to `maxRows` rows, and no more missing blocks than rows. */
export function solutionWords(maxRows: number): number {
  return 6 * maxRows
}

const BY_VECTOR = -1
const UNKNOWN = -2
