import { BatchView, outOfRange, type OwnedBatch } from '../core/index.js'

/**
 * Some of the datagrams of a batch, without the first bytes of each: what a link hands on after it has taken out its header and what
 * was not for its user. It lives and is kept as the batch it looks into.
 */
export class SelectedBatch extends BatchView {
  readonly #indexes: readonly number[]
  readonly #skipBytes: number
  readonly #bytes: number

  /** Datagrams `indexes` of `source`, each without its first `skipBytes` bytes. */
  constructor(source: OwnedBatch, indexes: readonly number[], skipBytes: number) {
    super(source)
    this.#indexes = indexes
    this.#skipBytes = skipBytes
    let bytes = 0
    for (const i of indexes) bytes += source.payload(i).length - skipBytes
    this.#bytes = bytes
  }

  get count(): number {
    return this.#isOver ? 0 : this.#indexes.length
  }

  get bytes(): number {
    return this.#isOver ? 0 : this.#bytes
  }

  override payload(i: number): Buffer {
    return super.payload(i).subarray(this.#skipBytes)
  }

  get #isOver(): boolean {
    return this.source.count === 0
  }

  protected override at(i: number): number {
    const index = this.#isOver || !Number.isInteger(i) ? undefined : this.#indexes[i]
    if (index === undefined) throw outOfRange('i', `>= 0 && < ${this.count} (the batch's count)`, i)
    return index
  }
}
