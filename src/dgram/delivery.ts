import type { Addon, NativeSocket } from '../binding/index.js'
import type { ReceiveBatch } from '../core/index.js'
import { Receiver, type ReceiverOwner } from '../socket/receiver.js'
import type { Counters } from '../socket/statistics.js'
import { copyMessage } from './message-memory.js'
import { runTicks } from './node-internals.js'
import { zonedText } from './zone.js'

/** Who takes messages. */
export interface Recipient {
  readonly closed: boolean
  readonly isReceiving: boolean
  /** Hands a message to lib/dgram.js. */
  message(payload: Buffer, from: { address: string; family: string; port: number; size: number }): void
  /** A batch begins or ends to be delivered, or its delivery was interrupted or resumed. */
  onDelivering(): void
  /** Calls `call` in the async context in which the program made the socket. */
  inContext(call: () => void): void
}

/** The receiving half of a socket of the drop-in. Made by the first batch: an idle socket needs none. */
export class Delivery implements ReceiverOwner {
  readonly #addon: Addon
  readonly #recipient: Recipient
  readonly #receiver: Receiver
  #isDelivering = false
  /** A batch whose delivery an exception interrupted. */
  #interrupted: { batch: ReceiveBatch; next: number } | undefined

  constructor(addon: Addon, native: NativeSocket, counters: Counters, recipient: Recipient) {
    this.#addon = addon
    this.#recipient = recipient
    this.#receiver = new Receiver(addon, native, counters, this, ignore)
  }

  get isDelivering(): boolean {
    return this.#isDelivering
  }

  /** Does a batch wait for an uncaught exception to be dealt with? */
  get isInterrupted(): boolean {
    return this.#interrupted !== undefined
  }

  handleBatch(): void {
    this.#receiver.handleBatch()
  }

  /** Takes new memory where the user transferred the old one away. True if that is why receiving failed. */
  replaceLostMemory(): boolean {
    return this.#receiver.replaceLostMemory()
  }

  // What the receiver asks and tells.

  get closed(): boolean {
    return this.#recipient.closed
  }

  emitBatch(batch: ReceiveBatch): void {
    this.#recipient.inContext(() => this.#deliver(batch, 0))
  }

  hasDatagramListener(): boolean {
    return false
  }

  emitDatagram(): void {
    // Messages are delivered by emitBatch.
  }

  /** Each message as Node delivers it: by itself, with what its listener scheduled run before the next one. */
  #deliver(batch: ReceiveBatch, first: number): void {
    const recipient = this.#recipient
    let next = first
    this.#isDelivering = true
    try {
      while (next < batch.count && !recipient.closed && recipient.isReceiving) {
        const endpoint = batch.endpoint(next)
        const message = copyMessage(batch.payload(next))
        const address = endpoint.scopeId === 0 ? endpoint.address : zonedText(this.#addon, endpoint)
        next++
        recipient.message(message, { address, family: endpoint.family, port: endpoint.port, size: 0 })
        runTicks()
      }
      next = batch.count
    } finally {
      this.#isDelivering = false
      // An exception goes up to be an uncaught one; the messages behind it wait until that is dealt with.
      if (next < batch.count && !recipient.closed) this.#interrupt(batch, next)
      recipient.onDelivering()
    }
  }

  #interrupt(batch: ReceiveBatch, next: number): void {
    if (!batch.isRetained) batch.retain()
    this.#interrupted = { batch, next }
    setImmediate(() => this.#resume())
  }

  #resume(): void {
    const { batch, next } = this.#interrupted!
    this.#interrupted = undefined
    try {
      this.#recipient.inContext(() => this.#deliver(batch, next))
    } finally {
      if (!this.isInterrupted) batch.release()
    }
  }
}

function ignore(): void {
  // Nobody iterates.
}
