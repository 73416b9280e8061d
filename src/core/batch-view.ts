import type { IterableBatch } from './batch-consumers.js'
import type { Endpoint } from './endpoint.js'
import type { DatagramBatch } from './link.js'

/** What every link's batches can do, whether or not their users see it. */
export type OwnedBatch = DatagramBatch & IterableBatch

/** A batch that looks into another one, all of it or some: it lives and is kept as the batch it looks into. */
export abstract class BatchView<Source extends OwnedBatch = OwnedBatch> implements DatagramBatch, IterableBatch {
  protected readonly source: Source

  protected constructor(source: Source) {
    this.source = source
  }

  abstract get count(): number
  abstract get bytes(): number

  /** Which datagram of the source is datagram `i` here? @throws `ERR_OUT_OF_RANGE`. */
  protected abstract at(i: number): number

  payload(i: number): Buffer {
    return this.source.payload(this.at(i))
  }

  copy(i: number): Buffer {
    return Buffer.from(this.payload(i))
  }

  truncated(i: number): boolean {
    return this.source.truncated(this.at(i))
  }

  endpoint(i: number): Endpoint {
    return this.source.endpoint(this.at(i))
  }

  retain(): this {
    this.source.retain()
    return this
  }

  release(): void {
    this.source.release()
  }

  /** @internal */
  get isLent(): boolean {
    return this.source.isLent
  }

  get isRetained(): boolean {
    return this.source.isRetained
  }

  /** @internal */
  beginStep(): void {
    this.source.beginStep()
  }

  /** @internal */
  endStep(): void {
    this.source.endStep()
  }
}
