import type { Clock, ReceiveBatch } from '../core/index.js'
import { SiftedBatch, type GroupBatch } from './membership-batch.js'
import type { CopyWindow } from './membership-copies.js'
import type { Shard } from './membership-shard.js'

/** Sifts what the sockets of a membership receive, and counts it. */
export class Inbox {
  foreign = 0
  copies = 0
  readonly #clock: Clock
  readonly #window: CopyWindow | undefined
  readonly #mayHaveCopies: (group: string, interfaceIndex: number) => boolean

  /**
   * @param window Undefined: copies are delivered.
   * @param mayHaveCopies Is the group joined by another interface as well, so that the same datagram may come twice?
   */
  constructor(clock: Clock, window: CopyWindow | undefined, mayHaveCopies: (group: string, interfaceIndex: number) => boolean) {
    this.#clock = clock
    this.#window = window
    this.#mayHaveCopies = mayHaveCopies
  }

  /** What of a batch is for the user: mostly all of it, and then the batch itself; undefined for nothing. */
  sift(batch: ReceiveBatch, shard: Shard): GroupBatch | undefined {
    const dropped = this.#dropped(batch, shard)
    if (dropped === undefined) return batch
    if (dropped.size === batch.count) return undefined
    const kept: number[] = []
    for (let i = 0; i < batch.count; i++) if (!dropped.has(i)) kept.push(i)
    return new SiftedBatch(batch, kept)
  }

  /** Datagrams of one message share a destination and an interface, so only the first of each is looked at. */
  #dropped(batch: ReceiveBatch, shard: Shard): Set<number> | undefined {
    const nowMs = this.#window === undefined ? 0 : this.#clock.nowMs()
    let dropped: Set<number> | undefined
    let message = -1
    let accepted = false
    let watched = false
    for (let i = 0; i < batch.count; i++) {
      const record = batch.recordOf(i)
      if (record !== message) {
        message = record
        const group = batch.destination(i)
        const index = batch.interfaceIndex(i)
        accepted = group !== undefined && shard.accepts(group, index)
        watched = accepted && this.#window !== undefined && this.#mayHaveCopies(group!, index)
      }
      if (accepted && !(watched && this.#isCopy(batch, i, nowMs))) continue
      if (accepted) this.copies++
      else this.foreign++
      dropped ??= new Set()
      dropped.add(i)
    }
    return dropped
  }

  #isCopy(batch: ReceiveBatch, i: number, nowMs: number): boolean {
    return this.#window!.isCopy(
      {
        group: batch.destination(i)!,
        source: batch.endpoint(i),
        payload: batch.payload(i),
        wireLength: batch.wireLength(i),
        interfaceIndex: batch.interfaceIndex(i),
      },
      nowMs,
    )
  }
}
