import { outOfRange, type DatagramBatch, type Endpoint, type IterableBatch, type ReceiveBatch } from '../core/index.js'

/** What a `Membership` hands out: a batch that also tells which group a datagram was sent to, and by which interface it came. */
export interface GroupBatch extends DatagramBatch, IterableBatch {
  /** The group that datagram `i` was sent to. */
  destination(i: number): string | undefined
  /** Index of the interface that datagram `i` came in by. */
  interfaceIndex(i: number): number
  /** As in `ReceiveBatch`. */
  wireLength(i: number): number
  ttl(i: number): number
  tos(i: number): number
  ecn(i: number): number
  receiveTimeNs(i: number): bigint | undefined
  receiveSeconds(i: number): number
  receiveNanoseconds(i: number): number
}

/** A batch of a socket without the datagrams that are not for the user. It lives as long as the batch below it. */
export class SiftedBatch implements GroupBatch {
  readonly #batch: ReceiveBatch
  #kept: readonly number[]
  #bytes = 0

  constructor(batch: ReceiveBatch, kept: readonly number[]) {
    this.#batch = batch
    this.#kept = kept
    for (const i of kept) this.#bytes += batch.length(i)
  }

  get count(): number {
    return this.#kept.length
  }

  get bytes(): number {
    return this.#bytes
  }

  payload(i: number): Buffer {
    return this.#batch.payload(this.#at(i))
  }

  copy(i: number): Buffer {
    return this.#batch.copy(this.#at(i))
  }

  truncated(i: number): boolean {
    return this.#batch.truncated(this.#at(i))
  }

  endpoint(i: number): Endpoint {
    return this.#batch.endpoint(this.#at(i))
  }

  destination(i: number): string | undefined {
    return this.#batch.destination(this.#at(i))
  }

  interfaceIndex(i: number): number {
    return this.#batch.interfaceIndex(this.#at(i))
  }

  wireLength(i: number): number {
    return this.#batch.wireLength(this.#at(i))
  }

  ttl(i: number): number {
    return this.#batch.ttl(this.#at(i))
  }

  tos(i: number): number {
    return this.#batch.tos(this.#at(i))
  }

  ecn(i: number): number {
    return this.#batch.ecn(this.#at(i))
  }

  receiveTimeNs(i: number): bigint | undefined {
    return this.#batch.receiveTimeNs(this.#at(i))
  }

  receiveSeconds(i: number): number {
    return this.#batch.receiveSeconds(this.#at(i))
  }

  receiveNanoseconds(i: number): number {
    return this.#batch.receiveNanoseconds(this.#at(i))
  }

  retain(): this {
    this.#batch.retain()
    return this
  }

  release(): void {
    this.#batch.release()
    this.endIfFree()
  }

  get isLent(): boolean {
    return this.#batch.isLent
  }

  get isRetained(): boolean {
    return this.#batch.isRetained
  }

  beginStep(): void {
    this.#batch.beginStep()
  }

  endStep(): void {
    this.#batch.endStep()
    this.endIfFree()
  }

  /** The batch below serves again, so this one must not see into it any more. */
  endIfFree(handlersAreDone = false): void {
    if (this.#batch.isRetained || (this.#batch.isLent && !handlersAreDone)) return
    this.#kept = []
    this.#bytes = 0
  }

  #at(i: number): number {
    const at = this.#kept[i]
    if (at === undefined) throw outOfRange('i', `>= 0 && < ${this.count} (the batch's count)`, i)
    return at
  }
}
