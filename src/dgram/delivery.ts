import type { Addon, NativeSocket } from '../binding/index.js'
import type { Endpoint, ReceiveBatch } from '../core/index.js'
import { Receiver, type ReceiverOwner } from '../socket/receiver.js'
import type { Counters } from '../socket/statistics.js'
import { copyMessage } from './message-memory.js'
import { runTicks } from './node-internals.js'
import { zonedText } from './zone.js'

/** The `rinfo` of a message; lib/dgram.js fills in the size. */
export interface Origin {
  address: string
  family: string
  port: number
  size: number
}

interface Waiting {
  message: Buffer
  from: Origin
}

/** Who takes messages. */
export interface Recipient {
  readonly closed: boolean
  readonly isReceiving: boolean
  /** Hands a message to lib/dgram.js, in the async context in which the program made the socket. */
  message(payload: Buffer, from: Origin): void
  /** A batch has been delivered, as far as it goes. */
  onDelivered(): void
  /** Messages wait for an uncaught exception to be dealt with, or no longer. */
  onInterrupted(): void
}

/** The receiving half of a socket of the drop-in. Made by the first batch: an idle socket needs none. */
export class Delivery implements ReceiverOwner {
  readonly #addon: Addon
  readonly #recipient: Recipient
  readonly #receiver: Receiver
  #isDelivering = false
  /** Messages for a later turn. What comes meanwhile comes after them. */
  #waiting: Waiting[] | undefined
  /** A batch whose delivery an exception interrupted. */
  #interrupted: { batch: ReceiveBatch; next: number } | undefined

  constructor(addon: Addon, native: NativeSocket, counters: Counters, recipient: Recipient) {
    this.#addon = addon
    this.#recipient = recipient
    this.#receiver = new Receiver(addon, native, counters, this)
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

  /**
   * Takes what waits in the kernel and delivers it in a turn of the loop of its own: of a socket that others are about to read from, who
   * could not tell a coalesced message from a datagram. Not while a batch is delivered: it is in the same memory.
   */
  takeWaiting(native: NativeSocket): void {
    if (this.#isDelivering) return
    const isFirst = this.#waiting === undefined
    this.#waiting ??= []
    while (native.receive(0) > 0) this.#receiver.handleBatch()
    if (isFirst) setImmediate(() => this.#deliverWaiting())
  }

  // What the receiver asks and tells.

  get closed(): boolean {
    return this.#recipient.closed
  }

  emitBatch(batch: ReceiveBatch): void {
    if (this.#waiting !== undefined) {
      for (let i = 0; i < batch.count; i++) {
        this.#waiting.push({ message: copyMessage(batch.payload(i)), from: this.#originOf(batch.endpoint(i)) })
      }
      return
    }
    this.#deliver(batch, 0)
  }

  hasDatagramListener(): boolean {
    return false
  }

  emitDatagram(): void {
    // Messages are delivered by emitBatch.
  }

  onConsumersChange(): void {
    // Nobody iterates here.
  }

  /** Each message as Node delivers it: by itself, with what its listener scheduled run before the next one. */
  #deliver(batch: ReceiveBatch, first: number): void {
    const recipient = this.#recipient
    let next = first
    this.#isDelivering = true
    try {
      while (next < batch.count && !recipient.closed && recipient.isReceiving) {
        const message = copyMessage(batch.payload(next))
        const from = this.#originOf(batch.endpoint(next))
        next++
        recipient.message(message, from)
        runTicks()
      }
      next = batch.count
    } finally {
      this.#isDelivering = false
      // An exception goes up to be an uncaught one; the messages behind it wait until that is dealt with.
      if (next < batch.count && !recipient.closed) this.#interrupt(batch, next)
      recipient.onDelivered()
    }
  }

  #originOf(endpoint: Endpoint): Origin {
    const address = endpoint.scopeId === 0 ? endpoint.address : zonedText(this.#addon, endpoint)
    return { address, family: endpoint.family, port: endpoint.port, size: 0 }
  }

  /** All of them, or up to an exception of a listener: what is behind it comes in the next turn. */
  #deliverWaiting(): void {
    const waiting = this.#waiting!
    this.#isDelivering = true
    try {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        if (this.#recipient.closed || !this.#recipient.isReceiving) continue
        this.#recipient.message(next.message, next.from)
        runTicks()
      }
    } finally {
      this.#isDelivering = false
      if (waiting.length > 0) setImmediate(() => this.#deliverWaiting())
      else this.#waiting = undefined
      this.#recipient.onDelivered()
    }
  }

  #interrupt(batch: ReceiveBatch, next: number): void {
    if (!batch.isRetained) batch.retain()
    this.#interrupted = { batch, next }
    this.#recipient.onInterrupted()
    setImmediate(() => this.#resume())
  }

  #resume(): void {
    const { batch, next } = this.#interrupted!
    this.#interrupted = undefined
    try {
      this.#deliver(batch, next)
    } finally {
      if (!this.isInterrupted) {
        batch.release()
        this.#recipient.onInterrupted()
      }
    }
  }
}
