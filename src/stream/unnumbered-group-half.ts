import { emptyGroupSendCounters, type GroupSendCounters, type GroupSending, type GroupSendingOwner } from './group-sending.js'
import type { Heartbeat, Sent, SendingContext } from './sending.js'
import { UnnumberedSendHalf } from './unnumbered-send-half.js'

/** A fire-and-forget stream to many: as to one, and nobody asks for anything. */
export class UnnumberedGroupHalf implements GroupSending {
  readonly counters: GroupSendCounters
  answerDelayMs = 0
  readonly hasRepairs = false
  readonly base = 0
  readonly next = 0
  readonly filled = 0
  readonly #half: UnnumberedSendHalf

  constructor(options: { readonly windowPackets: number }, context: SendingContext, owner: GroupSendingOwner) {
    this.#half = new UnnumberedSendHalf(options, context, {
      transmit: (slot, packet, transmission) => owner.transmit(slot, packet, transmission, undefined),
      onDrain: () => owner.onDrain(),
      onStubborn: () => undefined,
    })
    this.counters = emptyGroupSendCounters(this.#half.counters)
  }

  get deadlineMs(): number {
    return this.#half.deadlineMs
  }

  get hasWork(): boolean {
    return this.#half.hasWork
  }

  get isEnded(): boolean {
    return this.#half.isEnded
  }

  get queuedPackets(): number {
    return this.#half.queuedPackets
  }

  get isWindowFull(): boolean {
    return this.#half.isWindowFull
  }

  fromWire(): number {
    return 0
  }

  toWire(): number {
    return 0
  }

  push(message: Uint8Array, handler: number): boolean {
    return this.#half.push(message, handler)
  }

  end(nowMs: number): void {
    this.#half.end(nowMs)
  }

  sendNext(nowMs: number): Sent {
    return this.#half.sendNext(nowMs)
  }

  onProgress(): void {
    // Nothing is kept that could be acknowledged.
  }

  onNak(): void {
    this.counters.naksReceived++
  }

  onTime(): void {
    // Nothing is gathered.
  }

  takeHeartbeat(nowMs: number): Heartbeat | undefined {
    return this.#half.takeHeartbeat(nowMs)
  }

  dispose(): void {
    this.#half.dispose()
  }

  trim(): void {
    this.#half.trim()
  }
}
