import type { DatagramBatch, Endpoint } from '../core/index.js'
import { NAME_AT, NOT_PULICAST, hasPrefix, nameBytesOf } from './channel-datagram.js'
import { sdbmStep } from './channel-name.js'

/** Who takes the datagrams of one name. */
export interface ChannelReceiver {
  /** @internal As `datagramPrefix` makes it. */
  readonly prefix: Uint8Array
  /** @internal A datagram whose header is whole, with a name of `nameBytes` bytes: ours. */
  receive(datagram: Buffer, nameBytes: number, source: Endpoint, nowMs: number): void
}

/** Why a datagram was not understood. */
export type MalformedReason = 'notPulicast' | 'tooShort' | 'truncated'

/** What arrived and was for no channel. */
export interface InboxCounters {
  /** It does not begin with `PULI`. */
  notPulicast: number
  /** It ends within its header. */
  tooShort: number
  /** It was longer than the socket takes. */
  truncated: number
  /** A channel that nobody here subscribes to: its name has the group of one that somebody does. */
  otherChannels: number
  /** A handler closed the node while they waited for their turn. */
  undelivered: number
}

/**
 * Finds the channel of each datagram by its name. The group says nothing: names can share one.
 *
 * No allocation a datagram, and nothing is kept of it.
 */
export class ChannelInbox {
  readonly counters: InboxCounters = { notPulicast: 0, tooShort: 0, truncated: 0, otherChannels: 0, undelivered: 0 }
  readonly #onMalformed: (reason: MalformedReason, source: Endpoint, lengthBytes: number) => void
  /** By the hash of the name. */
  readonly #receivers = new Map<number, ChannelReceiver[]>()
  /** Neighbours mostly have one name. */
  #last: ChannelReceiver | undefined
  #closed = false

  constructor(onMalformed: (reason: MalformedReason, source: Endpoint, lengthBytes: number) => void) {
    this.#onMalformed = onMalformed
  }

  add(receiver: ChannelReceiver): void {
    const hash = hashOf(receiver.prefix)
    const others = this.#receivers.get(hash)
    if (others === undefined) this.#receivers.set(hash, [receiver])
    else others.push(receiver)
  }

  remove(receiver: ChannelReceiver): void {
    const hash = hashOf(receiver.prefix)
    const others = this.#receivers.get(hash)!.filter((other) => other !== receiver)
    if (others.length === 0) this.#receivers.delete(hash)
    else this.#receivers.set(hash, others)
    this.#last = undefined
  }

  /** What comes from now on, and the rest of the batch of now, is for nobody. */
  close(): void {
    this.#closed = true
  }

  take(batch: DatagramBatch, nowMs: number): void {
    const { count } = batch
    for (let i = 0; i < count; i++) {
      if (this.#closed) {
        this.counters.undelivered += count - i
        return
      }
      this.#takeOne(batch, i, nowMs)
    }
  }

  #takeOne(batch: DatagramBatch, i: number, nowMs: number): void {
    const datagram = batch.payload(i)
    const nameBytes = nameBytesOf(datagram)
    if (nameBytes < 0) {
      this.#refuse(nameBytes === NOT_PULICAST ? 'notPulicast' : 'tooShort', batch, i)
      return
    }
    if (batch.truncated(i)) {
      this.#refuse('truncated', batch, i)
      return
    }
    const last = this.#last
    const receiver = last !== undefined && hasPrefix(datagram, last.prefix) ? last : this.#find(datagram)
    if (receiver === undefined) {
      this.counters.otherChannels++
      return
    }
    this.#last = receiver
    receiver.receive(datagram, nameBytes, batch.endpoint(i), nowMs)
  }

  #find(datagram: Uint8Array): ChannelReceiver | undefined {
    return this.#receivers.get(hashOf(datagram))?.find(({ prefix }) => hasPrefix(datagram, prefix))
  }

  #refuse(reason: MalformedReason, batch: DatagramBatch, i: number): void {
    this.counters[reason]++
    this.#onMalformed(reason, batch.endpoint(i), batch.payload(i).length)
  }
}

/** Of the name in a datagram whose header is whole, or in a prefix. */
function hashOf(datagram: Uint8Array): number {
  const end = NAME_AT + datagram[4]!
  let hash = 0
  for (let i = NAME_AT; i < end; i++) hash = sdbmStep(hash, datagram[i]!)
  return hash
}
