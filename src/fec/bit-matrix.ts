/** Bits in rows, over memory of the caller's: bit `column` of a row is bit `column % 32` of its word `column / 32`. */
export class BitMatrix {
  readonly words: Uint32Array
  readonly columns: number
  readonly wordsPerRow: number
  readonly rows: number

  /** @param words Room for the rows, {@link wordsFor} a row. What is in it stays. */
  constructor(words: Uint32Array, columns: number) {
    this.words = words
    this.columns = columns
    this.wordsPerRow = wordsFor(columns)
    this.rows = this.wordsPerRow === 0 ? 0 : Math.floor(words.length / this.wordsPerRow)
  }

  static ofSize(rows: number, columns: number): BitMatrix {
    return new BitMatrix(new Uint32Array(rows * wordsFor(columns)), columns)
  }

  has(row: number, column: number): boolean {
    return ((this.words[row * this.wordsPerRow + (column >>> 5)]! >>> (column & 31)) & 1) === 1
  }

  set(row: number, column: number): void {
    this.words[row * this.wordsPerRow + (column >>> 5)]! |= 1 << (column & 31)
  }

  /** Sets every bit of a row. */
  fillRow(row: number): void {
    const start = row * this.wordsPerRow
    this.words.fill(0xffff_ffff, start, start + this.wordsPerRow)
    const rest = this.columns & 31
    if (rest !== 0) this.words[start + this.wordsPerRow - 1] = 2 ** rest - 1
  }

  isEmptyRow(row: number): boolean {
    const start = row * this.wordsPerRow
    for (let i = start; i < start + this.wordsPerRow; i++) if (this.words[i] !== 0) return false
    return true
  }

  /** Calls `visit` with each column whose bit is set in `row`, ascending, from `first` up to but without `end`. */
  forEach(row: number, visit: (column: number) => void, first = 0, end = this.columns): void {
    const start = row * this.wordsPerRow
    for (let word = first >>> 5; word < this.wordsPerRow; word++) {
      let bits = this.words[start + word]!
      while (bits !== 0) {
        const lowest = bits & -bits
        const column = word * 32 + 31 - Math.clz32(lowest)
        if (column >= end) return
        if (column >= first) visit(column)
        bits ^= lowest
      }
    }
  }
}

export function wordsFor(bits: number): number {
  return (bits + 31) >>> 5
}
