import { BatchView, outOfRange, type DatagramBatch, type IterableBatch, type ReceiveBatch } from '../core/index.js'

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
export class SiftedBatch extends BatchView<ReceiveBatch> implements GroupBatch {
  #kept: readonly number[]
  #bytes = 0

  constructor(batch: ReceiveBatch, kept: readonly number[]) {
    super(batch)
    this.#kept = kept
    for (const i of kept) this.#bytes += batch.length(i)
  }

  get count(): number {
    return this.#kept.length
  }

  get bytes(): number {
    return this.#bytes
  }

  destination(i: number): string | undefined {
    return this.source.destination(this.at(i))
  }

  interfaceIndex(i: number): number {
    return this.source.interfaceIndex(this.at(i))
  }

  wireLength(i: number): number {
    return this.source.wireLength(this.at(i))
  }

  ttl(i: number): number {
    return this.source.ttl(this.at(i))
  }

  tos(i: number): number {
    return this.source.tos(this.at(i))
  }

  ecn(i: number): number {
    return this.source.ecn(this.at(i))
  }

  receiveTimeNs(i: number): bigint | undefined {
    return this.source.receiveTimeNs(this.at(i))
  }

  receiveSeconds(i: number): number {
    return this.source.receiveSeconds(this.at(i))
  }

  receiveNanoseconds(i: number): number {
    return this.source.receiveNanoseconds(this.at(i))
  }

  override release(): void {
    super.release()
    this.endIfFree()
  }

  override endStep(): void {
    super.endStep()
    this.endIfFree()
  }

  /** The batch below serves again, so this one must not see into it any more. */
  endIfFree(handlersAreDone = false): void {
    if (this.source.isRetained || (this.source.isLent && !handlersAreDone)) return
    this.#kept = []
    this.#bytes = 0
  }

  protected override at(i: number): number {
    const at = this.#kept[i]
    if (at === undefined) throw outOfRange('i', `>= 0 && < ${this.count} (the batch's count)`, i)
    return at
  }
}
