import type { FrameSlot } from './frame-pool.js'
import type { Refusal } from './path.js'
import {
  Sent,
  UNNUMBERED,
  emptySendCounters,
  type Heartbeat,
  type SendCounters,
  type Sending,
  type SendingContext,
  type SendingOwner,
} from './sending.js'

/**
 * The sending direction of a fire-and-forget stream: frames without numbers, which leave and are forgotten. A message lies in one
 * frame. Only the end is repeated until it is acknowledged.
 */
export class UnnumberedSendHalf implements Sending {
  readonly counters: SendCounters
  /** There are no numbers. */
  readonly position = 0
  readonly #owner: SendingOwner
  readonly #context: SendingContext
  readonly #windowPackets: number
  readonly #queue: FrameSlot[] = []
  #refusedBy: Refusal | undefined
  #isEnded = false
  #isEndAcknowledged = false
  #probeMs = Infinity
  #probes = 0

  constructor(
    { windowPackets }: { readonly windowPackets: number },
    context: SendingContext,
    owner: SendingOwner,
    _position?: number,
    counters = emptySendCounters(),
  ) {
    this.counters = counters
    this.#windowPackets = windowPackets
    this.#context = context
    this.#owner = owner
  }

  get deadlineMs(): number {
    return this.#probeMs
  }

  get hasWork(): boolean {
    return this.#queue.length > 0
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  get isEndAcknowledged(): boolean {
    return this.#isEndAcknowledged
  }

  get queuedPackets(): number {
    return this.#queue.length
  }

  get isIdle(): boolean {
    return this.#queue.length === 0 && !this.#isEnded && this.#refusedBy === undefined
  }

  get refusedBy(): Refusal | undefined {
    return this.#refusedBy
  }

  push(message: Uint8Array, handler: number): boolean {
    const { pool, writer, path } = this.#context
    let slot = this.#queue.at(-1)
    if (slot === undefined || !writer.hasRoom(slot, message.length)) {
      if (slot !== undefined) writer.pad(slot)
      const isFull = this.#queue.length >= this.#windowPackets
      slot = isFull ? undefined : pool.take(this.#queue.length === 0, path.frameBytes)
      if (slot === undefined) {
        this.#refusedBy = isFull ? 'window' : 'memory'
        this.counters.messagesRefused++
        return false
      }
      writer.begin(slot)
      this.#queue.push(slot)
    }
    writer.writeWhole(slot, message, handler)
    this.counters.messagesSent++
    this.counters.bytesSent += message.length
    return true
  }

  end(nowMs: number): void {
    this.#isEnded = true
    // What waits leaves first.
    if (this.#queue.length === 0) this.#probeMs = nowMs
  }

  takeBurst(): number {
    // They leave at the end of the tick.
    return 0
  }

  sendNext(nowMs: number): Sent {
    const slot = this.#queue[0]
    if (slot === undefined) return Sent.nothing
    if (!this.#owner.transmit(slot, UNNUMBERED, 0)) return Sent.linkFull
    this.#queue.shift()
    this.#context.pool.give(slot)
    this.counters.packetsSent++
    if (this.#isEnded && this.#queue.length === 0) this.#probeMs = nowMs
    if (this.#refusedBy !== undefined) {
      this.#refusedBy = undefined
      this.#owner.onDrain()
    }
    return Sent.packet
  }

  onStatus(_nextWire: number, _consumedWire: number, _beyond: number, isEnd: boolean, _nowMs: number): void {
    if (!isEnd || !this.#isEnded) return
    this.#isEndAcknowledged = true
    this.#probeMs = Infinity
  }

  onNak(): void {
    // There is nothing to send again, and nobody who keeps to the protocol asks.
  }

  takeHeartbeat(nowMs: number): Heartbeat | undefined {
    if (this.#probeMs > nowMs || this.#queue.length > 0) return undefined
    this.#probeMs = nowMs + this.#context.path.roundTrip.probeDelayMs(0, this.#probes++)
    this.counters.heartbeatsSent++
    return { floor: 0, next: 0, isFinal: true }
  }

  dispose(): void {
    for (const slot of this.#queue) this.#context.pool.give(slot)
    this.#queue.length = 0
    this.#probeMs = Infinity
  }

  trim(): void {
    // There is no ring.
  }
}
