import type { BitMatrix } from './bit-matrix.js'
import { XorRun } from './xor.js'

/** Makes redundant rows: the XOR of the blocks that a row's mask covers. */
export class RowEncoder {
  readonly #run: XorRun

  constructor(run: XorRun = new XorRun()) {
    this.#run = run
  }

  /**
   * Writes the XOR of what `row` of `masks` covers into the first `blockBytes` bytes of `into`. Block i begins at byte `i * blockBytes` of
   * `source`; from block `tailBlock` on, `tail` is read instead, whose first block that is. What is missing of the last block is zero.
   */
  encode(
    into: Uint8Array,
    masks: BitMatrix,
    row: number,
    source: Uint8Array,
    blockBytes: number,
    tail: Uint8Array = NOTHING,
    tailBlock = masks.columns,
  ): void {
    const run = this.#run
    const target = into.length === blockBytes ? into : into.subarray(0, blockBytes)
    target.fill(0)
    run.begin(target, source, blockBytes)
    run.addMasked(0, masks, row, undefined, 0, tailBlock)
    run.finish()
    if (tailBlock >= masks.columns) return
    run.begin(target, tail, blockBytes)
    run.addMasked(0, masks, row, undefined, tailBlock)
    run.finish()
  }
}

const NOTHING = new Uint8Array(0)
