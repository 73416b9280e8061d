import { outOfRange, type DatagramBatch, type Endpoint, type IterableBatch } from '../core/index.js'

/** What every link's batches can do, whether or not their users see it. */
export type OwnedBatch = DatagramBatch & IterableBatch

/**
 * Some of the datagrams of a batch, without the first bytes of each: what a link hands on after it has taken out its header and what
 * was not for its user. It lives and is kept as the batch it looks into.
 */
export class SelectedBatch implements DatagramBatch, IterableBatch {
  readonly #source: OwnedBatch
  readonly #indexes: readonly number[]
  readonly #skipBytes: number
  readonly #bytes: number

  /** Datagrams `indexes` of `source`, each without its first `skipBytes` bytes. */
  constructor(source: OwnedBatch, indexes: readonly number[], skipBytes: number) {
    this.#source = source
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

  payload(i: number): Buffer {
    return this.#source.payload(this.#at(i)).subarray(this.#skipBytes)
  }

  copy(i: number): Buffer {
    return Buffer.from(this.payload(i))
  }

  truncated(i: number): boolean {
    return this.#source.truncated(this.#at(i))
  }

  endpoint(i: number): Endpoint {
    return this.#source.endpoint(this.#at(i))
  }

  retain(): this {
    this.#source.retain()
    return this
  }

  release(): void {
    this.#source.release()
  }

  get isLent(): boolean {
    return this.#source.isLent
  }

  get isRetained(): boolean {
    return this.#source.isRetained
  }

  beginStep(): void {
    this.#source.beginStep()
  }

  endStep(): void {
    this.#source.endStep()
  }

  get #isOver(): boolean {
    return this.#source.count === 0
  }

  #at(i: number): number {
    const index = this.#isOver || !Number.isInteger(i) ? undefined : this.#indexes[i]
    if (index === undefined) throw outOfRange('i', `>= 0 && < ${this.count} (the batch's count)`, i)
    return index
  }
}
