import { BitMatrix, wordsFor } from './bit-matrix.js'
import { Elimination, eliminationWords } from './elimination.js'
import { Solution, solutionWords } from './solution.js'
import { XorRun } from './xor.js'

/**
 * Finds missing blocks from redundant rows, in memory that its owner gives it: the blocks one behind the other, where the owner writes
 * each as it arrives (the last one may be short), and room for rows once there are some.
 *
 * Masks are eliminated as rows arrive, from the moment when there may be enough of them; payloads are added up once, in {@link solve}.
 * Source blocks that arrive late, between rows or after them, are used as well as early ones.
 */
export class Decoder {
  readonly blocks: number
  readonly blockBytes: number
  /** Source blocks that have not arrived; 0 after {@link solve}. */
  missing: number
  /** Rows taken so far. */
  rowCount = 0
  readonly #run: XorRun
  readonly #source: Uint8Array
  readonly #received: Uint32Array
  readonly #drawMasks: (masks: BitMatrix) => void
  #masks = new BitMatrix(NO_WORDS, 0)
  /** By row: the row of `#masks` that is its mask. */
  #maskRows: Uint32Array = NO_WORDS
  #rows: Uint8Array = NOTHING
  #workspace: Uint32Array = NO_WORDS
  #maxRows = 0
  #folded: Uint8Array = NOTHING
  #elimination: Elimination | undefined

  /**
   * @param drawMasks Writes the masks when they are first needed, which is not before there may be enough rows: until then a row costs
   *   no more than its copy. Left out where the owner writes each mask with its row.
   */
  constructor(
    blocks: number,
    blockBytes: number,
    source: Uint8Array,
    run: XorRun,
    drawMasks: (masks: BitMatrix) => void = () => undefined,
  ) {
    this.blocks = blocks
    this.blockBytes = blockBytes
    this.missing = blocks
    this.#run = run
    this.#source = source
    this.#drawMasks = drawMasks
    this.#received = new Uint32Array(wordsFor(blocks))
  }

  /** Has source block `i` arrived? Blocks found by {@link solve} have not. */
  has(i: number): boolean {
    return ((this.#received[i >>> 5]! >>> (i & 31)) & 1) === 1
  }

  /** Source block `i` has arrived, and been written. */
  markSource(i: number): void {
    this.#received[i >>> 5]! |= 1 << (i & 31)
    this.missing--
    this.#elimination?.markKnown(i)
  }

  /** Bytes of memory for up to `maxRows` rows, whose masks are among `maskRows`. */
  rowMemoryBytes(maxRows: number, maskRows: number): number {
    return this.#rowMemoryWords(maxRows, maskRows) * 4 + maxRows + (maxRows + 1) * this.blockBytes
  }

  get hasRowMemory(): boolean {
    return this.#maxRows > 0
  }

  get hasRoomForRow(): boolean {
    return this.rowCount < this.#maxRows
  }

  /** Gives room for up to `maxRows` rows: `memory` of {@link rowMemoryBytes}, aligned to 4. */
  setRowMemory(memory: Uint8Array, maxRows: number, maskRows: number): void {
    const maskWords = maskRows * wordsFor(this.blocks)
    const words = new Uint32Array(memory.buffer, memory.byteOffset, this.#rowMemoryWords(maxRows, maskRows))
    this.#masks = new BitMatrix(words.subarray(0, maskWords).fill(0), this.blocks)
    this.#maskRows = words.subarray(maskWords, maskWords + maxRows)
    this.#workspace = words.subarray(maskWords + maxRows)
    const foldedAt = words.length * 4
    this.#folded = memory.subarray(foldedAt, foldedAt + maxRows).fill(0)
    // One more than rows: a place to work in.
    this.#rows = memory.subarray(foldedAt + maxRows, foldedAt + maxRows + (maxRows + 1) * this.blockBytes)
    this.#maxRows = maxRows
  }

  /** The masks, by mask row, once there is row memory. */
  get masks(): BitMatrix {
    return this.#masks
  }

  /** Has a row come whose mask is row `maskRow`? */
  hasRow(maskRow: number): boolean {
    return this.#maskRows.subarray(0, this.rowCount).includes(maskRow)
  }

  /** Takes a row, whose mask is row `maskRow` of {@link masks}. There must be room. */
  addRow(maskRow: number, payload: Uint8Array): void {
    const row = this.rowCount++
    this.#maskRows[row] = maskRow
    this.#rows.set(payload, row * this.blockBytes)
    this.#elimination?.add(row, this.#masks, maskRow, this.#received)
  }

  /** At least so many more blocks or rows are needed; 0: {@link solve} can find everything. */
  needed(): number {
    if (this.missing === 0) return 0
    if (this.rowCount < this.missing) return this.missing - this.rowCount
    return (this.#elimination ?? this.#beginElimination()).undetermined
  }

  /** Finds the missing blocks. Only when {@link needed} is 0. */
  solve(): void {
    if (this.missing === 0) return
    const elimination = this.#elimination!
    let needed = 0
    elimination.forEachNeeded((row) => {
      needed++
      this.#markForFolding(row)
    })
    this.#fold()
    const memory = this.#workspace.subarray(eliminationWords(this.#maxRows))
    const isUnique = needed === elimination.rank
    const solution = new Solution(memory, elimination, this.#maxRows, (row) => isUnique && this.#isSameEitherWay(row))
    const run = this.#run
    run.begin(this.#source, this.#rows, this.blockBytes)
    for (let place = 0; place < elimination.places; place++) {
      const vector = elimination.vectorOf(place)
      if (vector < 0) continue
      const column = elimination.column(place)
      const start = column * this.blockBytes
      this.#source.fill(0, start, Math.min(start + this.blockBytes, this.#source.length))
      const row = solution.rowOf(place)
      if (row >= 0) run.add(column, row)
      else elimination.forEachSummed(vector, (summed) => run.add(column, summed))
    }
    run.finish()
    run.begin(this.#source, this.#source, this.blockBytes)
    solution.forEachOther((place, other) => run.add(elimination.column(place), elimination.column(other)))
    run.finish()
    this.missing = 0
  }

  /**
   * For blocks that are all there, but of which one block or row was damaged: finds the damage by the rows that were not needed, takes it
   * back, and asks `isWhole`. At most `maxTrials` times; each that was in vain is undone.
   *
   * Rows that differ by more than one damaged block or row are of no help, and so are too few of them to tell which it was.
   *
   * @returns How often `isWhole` was asked; negated when it said yes.
   */
  repair(isWhole: () => boolean, maxTrials: number): number {
    if (this.rowCount === 0) return 0
    const elimination = this.#elimination ?? this.#beginElimination()
    const suspects = this.#suspects(elimination)
    if (suspects === undefined || suspects.length > maxTrials) return 0
    for (const [i, suspect] of suspects.entries()) {
      this.#addDamage(elimination, suspect)
      if (isWhole()) return -(i + 1)
      this.#addDamage(elimination, suspect)
    }
    return suspects.length
  }

  #rowMemoryWords(maxRows: number, maskRows: number): number {
    return maskRows * wordsFor(this.blocks) + maxRows + eliminationWords(maxRows) + solutionWords(maxRows)
  }

  #beginElimination(): Elimination {
    if (this.#maxRows > 0) this.#drawMasks(this.#masks)
    const columns: number[] = []
    for (let i = 0; i < this.blocks && columns.length < this.missing; i++) if (!this.has(i)) columns.push(i)
    const elimination = new Elimination(this.#workspace, columns, this.#maxRows)
    for (let row = 0; row < this.rowCount; row++) elimination.add(row, this.#masks, this.#maskRows[row]!, this.#received)
    this.#elimination = elimination
    return elimination
  }

  /**
   * Does the row give what the vectors' sums would give, even when something is damaged? The damage is looked for on that assumption. It
   * holds where there are as many rows as blocks (more are needed when source blocks came late) and no damage is cut off by a short block.
   */
  #isSameEitherWay(row: number): boolean {
    const last = this.blocks - 1
    const isCut = this.#source.length % this.blockBytes !== 0 && !this.has(last) && this.#masks.has(this.#maskRows[row]!, last)
    return this.#folded[row] === FOLDED && !isCut
  }

  #markForFolding(row: number): void {
    if (this.#folded[row] === NOT_FOLDED) this.#folded[row] = TO_FOLD
  }

  /** Adds what is known to the marked rows, so that only what was missing is left in them. */
  #fold(): void {
    const run = this.#run
    run.beginMasked(this.#rows, this.#source, this.blockBytes, this.#masks, this.#received)
    for (let row = 0; row < this.rowCount; row++) {
      if (this.#folded[row] !== TO_FOLD) continue
      this.#folded[row] = FOLDED
      run.add(row, this.#maskRows[row]!)
    }
    run.finish()
  }

  /**
   * Whose damage alone explains what the checks say: a source block that arrived, or (from {@link blocks} on) a row. The damage itself is
   * then in the working place. Undefined when no single one does.
   */
  #suspects(elimination: Elimination): number[] | undefined {
    const checks: number[] = []
    for (let vector = 0; vector < this.rowCount; vector++) {
      if (!elimination.isCheck(vector)) continue
      checks.push(vector)
      elimination.forEachSummed(vector, (row) => this.#markForFolding(row))
    }
    this.#fold()
    const damage = this.#block(this.#maxRows)
    let found = false
    let candidates: Uint32Array | undefined
    for (const check of checks) {
      const home = elimination.firstSummed(check)
      const rest = this.#block(home)
      this.#addOthers(elimination, check, home)
      const isZero = rest.every((byte) => byte === 0)
      if (!isZero && !found) damage.set(rest)
      const explained = isZero || !found || rest.every((byte, i) => byte === damage[i])
      found ||= !isZero
      this.#addOthers(elimination, check, home)
      if (!explained) return undefined
      const members = this.#members(elimination, check)
      candidates ??= new Uint32Array(members.length).fill(0xffff_ffff)
      for (let i = 0; i < members.length; i++) candidates[i]! &= isZero ? ~members[i]! : members[i]!
    }
    if (!found) return undefined
    const suspects: number[] = []
    new BitMatrix(candidates!, this.blocks + this.rowCount).forEach(0, (item) => {
      if (item >= this.blocks || this.has(item)) suspects.push(item)
    })
    return suspects
  }

  /** The sum of a check's rows, in the place of `home`, which is one of them; done twice, everything is as before. */
  #addOthers(elimination: Elimination, check: number, home: number): void {
    const run = this.#run
    run.begin(this.#rows, this.#rows, this.blockBytes)
    elimination.forEachSummed(check, (row) => {
      if (row !== home) run.add(home, row)
    })
    run.finish()
  }

  /** Bits of the source blocks and, behind them, the rows whose damage `vector` shows. */
  #members(elimination: Elimination, vector: number): Uint32Array {
    const members = new BitMatrix(new Uint32Array(wordsFor(this.blocks + this.rowCount)), this.blocks + this.rowCount)
    const masks = this.#masks
    elimination.forEachSummed(vector, (row) => {
      const start = this.#maskRows[row]! * masks.wordsPerRow
      for (let i = 0; i < masks.wordsPerRow; i++) members.words[i]! ^= masks.words[start + i]!
    })
    elimination.forEachSummed(vector, (row) => members.set(0, this.blocks + row))
    return members.words
  }

  /** Adds the damage to the suspect, and to everything that was computed from it. */
  #addDamage(elimination: Elimination, suspect: number): void {
    const run = this.#run
    run.begin(this.#source, this.#rows, this.blockBytes)
    if (suspect < this.blocks) run.add(suspect, this.#maxRows)
    for (let place = 0; place < elimination.places; place++) {
      const vector = elimination.vectorOf(place)
      if (vector < 0) continue
      const members = new BitMatrix(this.#members(elimination, vector), this.blocks + this.rowCount)
      if (members.has(0, suspect)) run.add(elimination.column(place), this.#maxRows)
    }
    run.finish()
  }

  #block(i: number): Uint8Array {
    return this.#rows.subarray(i * this.blockBytes, (i + 1) * this.blockBytes)
  }
}

const NOTHING = new Uint8Array(0)
const NO_WORDS = new Uint32Array(0)
const NOT_FOLDED = 0
const TO_FOLD = 1
const FOLDED = 2
