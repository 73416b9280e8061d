import { addonProblem, loadAddon, type XorBlocks } from '../binding/index.js'
import type { BitMatrix } from './bit-matrix.js'

/** XOR of blocks: of the addon, or {@link xorBlocksPortable} where there is none. */
export function findXorBlocks(): XorBlocks {
  found ??= addonProblem() === undefined ? (loadAddon().xorBlocks ?? xorBlocksPortable) : xorBlocksPortable
  return found
}

let found: XorBlocks | undefined

/** The addon's `xorBlocks` in TypeScript. */
export const xorBlocksPortable: XorBlocks = (into, from, blockBytes, pairs, count) => {
  if (!fits(into, from, blockBytes, pairs, count)) throw new RangeError('xorBlocks: a pair reaches outside its memory')
  for (let pair = 0; pair < count; pair++) {
    const intoAt = pairs[2 * pair]! * blockBytes
    const fromAt = pairs[2 * pair + 1]! * blockBytes
    xorBytes(into, intoAt, from, fromAt, Math.min(blockBytes, into.length - intoAt, from.length - fromAt))
  }
}

function fits(into: Uint8Array, from: Uint8Array, blockBytes: number, pairs: Uint32Array, count: number): boolean {
  if (blockBytes < 1 || pairs.length < 2 * count) return false
  for (let pair = 0; pair < count; pair++) {
    if (pairs[2 * pair]! * blockBytes >= into.length || pairs[2 * pair + 1]! * blockBytes >= from.length) return false
  }
  return true
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
 * Collects pairs for {@link XorBlocks} and runs them, so many at a time that a crossing of the border weighs nothing and so few that the
 * list stays small.
 */
export class XorRun {
  readonly #xor: XorBlocks
  readonly #pairs = new Uint32Array(2 * PAIRS_PER_CALL)
  #count = 0
  #into: Uint8Array = NOTHING
  #from: Uint8Array = NOTHING
  #blockBytes = 0

  constructor(xor: XorBlocks = findXorBlocks()) {
    this.#xor = xor
  }

  /** What the following {@link add} are about, until {@link finish}. */
  begin(into: Uint8Array, from: Uint8Array, blockBytes: number): void {
    this.#into = into
    this.#from = from
    this.#blockBytes = blockBytes
  }

  /** Block `i` of `into` becomes itself XOR block `j` of `from`. */
  add(i: number, j: number): void {
    const at = 2 * this.#count++
    this.#pairs[at] = i
    this.#pairs[at + 1] = j
    if (this.#count === PAIRS_PER_CALL) this.#run()
  }

  /**
   * Block `i` of `into` becomes itself XOR those blocks of `from` whose bits are set in `row` of `masks`, and in `among` if that is given,
   * from column `first` up to but without `end`, counted from `first`.
   */
  addMasked(i: number, masks: BitMatrix, row: number, among: Uint32Array | undefined, first = 0, end = masks.columns): void {
    const { words, wordsPerRow } = masks
    const start = row * wordsPerRow
    const lastWord = (end + 31) >>> 5
    for (let word = first >>> 5; word < lastWord; word++) {
      let bits = words[start + word]!
      if (among !== undefined) bits &= among[word]!
      const base = word * 32 + 31
      while (bits !== 0) {
        const lowest = bits & -bits
        bits ^= lowest
        const column = base - Math.clz32(lowest)
        if (column >= first && column < end) this.add(i, column - first)
      }
    }
  }

  finish(): void {
    this.#run()
    this.#into = this.#from = NOTHING
  }

  #run(): void {
    if (this.#count > 0) this.#xor(this.#into, this.#from, this.#blockBytes, this.#pairs, this.#count)
    this.#count = 0
  }
}

const NOTHING = new Uint8Array(0)
/** 32 KiB of pairs. */
const PAIRS_PER_CALL = 4096
