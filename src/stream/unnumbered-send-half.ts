import type { FramePool, FrameSlot } from './frame-pool.js'
import type { FrameWriter } from './frame-writer.js'
import type { Path } from './path.js'
import { Sent, emptySendCounters, type SendHalfOwner } from './send-half.js'
import type { Sending } from './sending.js'

/**
 * The sending direction of a fire-and-forget stream: frames without numbers, which leave and are forgotten. A message lies in one
 * frame. Only the end is repeated until it is acknowledged.
 */
export class UnnumberedSendHalf implements Sending {
  readonly counters = emptySendCounters()
  readonly #owner: SendHalfOwner
  readonly #path: Path
  readonly #pool: FramePool
  readonly #writer: FrameWriter
  readonly #windowPackets: number
  readonly #queue: FrameSlot[] = []
  #refused = false
  #isEnded = false
  #isEndAcknowledged = false
  #probeMs = Infinity
  #probes = 0

  constructor(windowPackets: number, path: Path, pool: FramePool, writer: FrameWriter, owner: SendHalfOwner) {
    this.#windowPackets = windowPackets
    this.#path = path
    this.#pool = pool
    this.#writer = writer
    this.#owner = owner
  }

  get deadlineMs(): number {
    return this.#probeMs
  }

  get hasWork(): boolean {
    return this.#queue.length > 0
  }

  get isSettled(): boolean {
    return this.#queue.length === 0 && (!this.#isEnded || this.#isEndAcknowledged)
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

  get isWindowFull(): boolean {
    return this.#refused
  }

  push(message: Uint8Array, handler: number): boolean {
    let slot = this.#queue.at(-1)
    if (slot === undefined || !this.#writer.hasRoom(slot, message.length)) {
      if (slot !== undefined) this.#writer.pad(slot)
      slot = this.#queue.length < this.#windowPackets ? this.#pool.take(this.#queue.length === 0) : undefined
      if (slot === undefined) {
        this.#refused = true
        this.counters.messagesRefused++
        return false
      }
      this.#writer.begin(slot)
      this.#queue.push(slot)
    }
    this.#writer.writeWhole(slot, message, handler)
    this.counters.messagesSent++
    this.counters.bytesSent += message.length
    return true
  }

  end(nowMs: number): void {
    this.#isEnded = true
    this.#probeMs = nowMs
  }

  sendNext(nowMs: number): Sent {
    const slot = this.#queue[0]
    if (slot === undefined) return Sent.nothing
    if (!this.#owner.transmit(slot, UNNUMBERED, 0)) return Sent.linkFull
    this.#queue.shift()
    this.#pool.give(slot)
    this.counters.packetsSent++
    if (this.#isEnded && this.#probeMs === Infinity) this.#probeMs = nowMs
    if (this.#refused) {
      this.#refused = false
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

  takeHeartbeat(nowMs: number): { floor: number; next: number; isFinal: boolean } | undefined {
    if (this.#probeMs > nowMs || this.#queue.length > 0) return undefined
    const delay = this.#path.roundTrip.probeTimeoutMs(0) * 2 ** Math.min(this.#probes++, MAX_BACKOFF)
    this.#probeMs = nowMs + Math.min(delay, MAX_PROBE_DELAY_MS)
    this.counters.heartbeatsSent++
    return { floor: 0, next: 0, isFinal: true }
  }

  dispose(): void {
    for (const slot of this.#queue) this.#pool.give(slot)
    this.#queue.length = 0
    this.#probeMs = Infinity
  }

  trim(): void {
    // There is no ring.
  }
}

export const UNNUMBERED = -1
const MAX_BACKOFF = 6
const MAX_PROBE_DELAY_MS = 500
