import { addonProblem, loadAddon, type XorBlocks, type XorMasked } from '../binding/index.js'
import type { BitMatrix } from './bit-matrix.js'

/** XOR of blocks: the addon's, or its twin in TypeScript. */
export interface Xor {
  readonly blocks: XorBlocks
  readonly masked: XorMasked
}

/** The addon's, as far as there is one. */
export function findXor(): Xor {
  if (found !== undefined) return found
  const { xorBlocks, xorMasked } = addonProblem() === undefined ? loadAddon() : NO_ADDON
  found = xorBlocks === undefined || xorMasked === undefined ? PORTABLE_XOR : { blocks: xorBlocks, masked: xorMasked }
  return found
}

let found: Xor | undefined

/** The addon's `xorBlocks` in TypeScript. */
export const xorBlocksPortable: XorBlocks = (into, from, blockBytes, pairs, count) => {
  if (!hasBlocks(into, blockBytes, pairs, 0, count) || !hasBlocks(from, blockBytes, pairs, 1, count)) throw outside('xorBlocks')
  for (let pair = 0; pair < count; pair++) {
    const intoAt = pairs[2 * pair]! * blockBytes
    const fromAt = pairs[2 * pair + 1]! * blockBytes
    xorBytes(into, intoAt, from, fromAt, Math.min(blockBytes, into.length - intoAt, from.length - fromAt))
  }
}

/** The addon's `xorMasked` in TypeScript. */
export const xorMaskedPortable: XorMasked = (into, from, blockBytes, masks, wordsPerRow, pairs, count, first, among) => {
  let areRows = wordsPerRow >= 1 && (among === undefined || among.length >= wordsPerRow)
  for (let i = 0; i < count; i++) areRows &&= (pairs[2 * i + 1]! + 1) * wordsPerRow <= masks.length
  if (!areRows || !hasBlocks(into, blockBytes, pairs, 0, count)) throw outside('xorMasked')
  const end = Math.min(first + Math.ceil(from.length / blockBytes), wordsPerRow * 32)
  for (let i = 0; i < count; i++) {
    const intoAt = pairs[2 * i]! * blockBytes
    const row = pairs[2 * i + 1]! * wordsPerRow
    for (let column = first; column < end; column++) {
      const word = column >>> 5
      if (((masks[row + word]! & (among?.[word] ?? -1)) >>> (column & 31)) % 2 === 0) continue
      const fromAt = (column - first) * blockBytes
      xorBytes(into, intoAt, from, fromAt, Math.min(blockBytes, into.length - intoAt, from.length - fromAt))
    }
  }
}

/** Both in TypeScript. */
export const PORTABLE_XOR: Xor = { blocks: xorBlocksPortable, masked: xorMaskedPortable }

/** Does each pair's number at `at` name a block of `memory`? */
function hasBlocks(memory: Uint8Array, blockBytes: number, pairs: Uint32Array, at: 0 | 1, count: number): boolean {
  if (blockBytes < 1 || pairs.length < 2 * count) return false
  for (let i = 0; i < count; i++) if (pairs[2 * i + at]! * blockBytes >= memory.length) return false
  return true
}

function outside(name: string): RangeError {
  return new RangeError(`${name}: a pair reaches outside its memory`)
}

function xorBytes(into: Uint8Array, intoAt: number, from: Uint8Array, fromAt: number, bytes: number): void {
  const intoStart = into.byteOffset + intoAt
  const fromStart = from.byteOffset + fromAt
  let done = 0
  if (((intoStart | fromStart) & 3) === 0) {
    const words = bytes >>> 2
    const intoWords = new Int32Array(into.buffer, intoStart, words)
    const fromWords = new Int32Array(from.buffer, fromStart, words)
    for (let i = 0; i < words; i++) intoWords[i]! ^= fromWords[i]!
    done = words * 4
  }
  for (; done < bytes; done++) into[intoAt + done]! ^= from[fromAt + done]!
}

/**
 * Collects pairs for {@link Xor} and runs them, so many at a time that a crossing of the border weighs nothing and so few that the list stays
 * small.
 */
export class XorRun {
  readonly #xor: Xor
  readonly #pairs = new Uint32Array(2 * PAIRS_PER_CALL)
  #count = 0
  #into: Uint8Array = NOTHING
  #from: Uint8Array = NOTHING
  #blockBytes = 0
  #masks: BitMatrix | undefined
  #among: Uint32Array | undefined
  #first = 0

  constructor(xor: Xor = findXor()) {
    this.#xor = xor
  }

  /** What the following {@link add} are about, until {@link finish}: block `i` of `into` becomes itself XOR block `j` of `from`. */
  begin(into: Uint8Array, from: Uint8Array, blockBytes: number): void {
    this.#into = into
    this.#from = from
    this.#blockBytes = blockBytes
  }

  /**
   * The following {@link add} are sums: block `i` of `into` becomes itself XOR those blocks of `from` whose bits are set in row `j` of `masks`,
   * and in `among` if that is given. The first block of `from` is that of column `first`; columns without a block there are left out.
   */
  beginMasked(into: Uint8Array, from: Uint8Array, blockBytes: number, masks: BitMatrix, among?: Uint32Array, first = 0): void {
    this.begin(into, from, blockBytes)
    this.#masks = masks
    this.#among = among
    this.#first = first
  }

  add(i: number, j: number): void {
    const at = 2 * this.#count++
    this.#pairs[at] = i
    this.#pairs[at + 1] = j
    if (this.#count === PAIRS_PER_CALL) this.#run()
  }

  finish(): void {
    this.#run()
    this.#into = this.#from = NOTHING
    this.#masks = this.#among = undefined
  }

  #run(): void {
    const count = this.#count
    if (count === 0) return
    this.#count = 0
    const { blocks, masked } = this.#xor
    const masks = this.#masks
    if (masks === undefined) blocks(this.#into, this.#from, this.#blockBytes, this.#pairs, count)
    else {
      const { words, wordsPerRow } = masks
      masked(this.#into, this.#from, this.#blockBytes, words, wordsPerRow, this.#pairs, count, this.#first, this.#among)
    }
  }
}

const NOTHING = new Uint8Array(0)
const NO_ADDON: { xorBlocks?: XorBlocks; xorMasked?: XorMasked } = {}
/** 32 KiB of pairs. */
const PAIRS_PER_CALL = 4096
