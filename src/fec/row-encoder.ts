import type { BitMatrix } from './bit-matrix.js'
import { XorRun } from './xor.js'

/** Makes redundant rows, several at once so that a crossing of the native border weighs nothing. */
export class RowEncoder {
  readonly #run: XorRun

  constructor(run: XorRun = new XorRun()) {
    this.#run = run
  }

  /**
   * Writes `count` rows, one behind the other, to the front of `into`: the XOR of the blocks that rows `first` to `first + count - 1` of
   * `masks` cover. Block i begins at byte `i * blockBytes` of `source`; from block `tailBlock` on, `tail` is read instead, whose first block
   * that is. What is missing of the last block is zero.
   */
  encode(
    into: Uint8Array,
    masks: BitMatrix,
    first: number,
    count: number,
    source: Uint8Array,
    blockBytes: number,
    tail: Uint8Array = NOTHING,
    tailBlock = masks.columns,
  ): void {
    const run = this.#run
    const target = into.subarray(0, count * blockBytes).fill(0)
    run.beginMasked(target, source.subarray(0, tailBlock * blockBytes), blockBytes, masks)
    for (let i = 0; i < count; i++) run.add(i, first + i)
    run.finish()
    if (tailBlock >= masks.columns) return
    run.beginMasked(target, tail, blockBytes, masks, undefined, tailBlock)
    for (let i = 0; i < count; i++) run.add(i, first + i)
    run.finish()
  }
}

const NOTHING = new Uint8Array(0)
