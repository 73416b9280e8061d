import type { StatusSchedule } from './receiving.js'
import type { RoundTrip } from './round-trip.js'

/** The statuses of a stream to one: section "Status". Each costs both sides a system call. */
export class PromptStatuses implements StatusSchedule {
  deadlineMs = Infinity
  readonly #windowPackets: number
  readonly #roundTrip: RoundTrip
  #unsaid = 0
  #isForced = false
  #consumedSaid = 0
  #saidMs = -Infinity

  constructor(windowPackets: number, roundTrip: RoundTrip) {
    this.#windowPackets = windowPackets
    this.#roundTrip = roundTrip
  }

  onPacket(): void {
    this.#unsaid++
  }

  force(): void {
    this.#isForced = true
  }

  isDue(consumed: number, nowMs: number): boolean {
    if (this.#isForced || this.#isWorthIt(consumed, nowMs)) return true
    if (this.deadlineMs > nowMs) {
      if (this.#unsaid > 0 && this.deadlineMs === Infinity) this.deadlineMs = nowMs + STATUS_DELAY_MS
      return false
    }
    this.deadlineMs = Infinity
    return this.#unsaid > 0 || consumed !== this.#consumedSaid
  }

  hasMore(consumed: number): boolean {
    return this.#isForced || this.#unsaid > 0 || consumed !== this.#consumedSaid
  }

  onSaid(consumed: number, nowMs: number): void {
    this.#isForced = false
    this.#unsaid = 0
    this.deadlineMs = Infinity
    this.#consumedSaid = consumed
    this.#saidMs = nowMs
  }

  #isWorthIt(consumed: number, nowMs: number): boolean {
    if (consumed - this.#consumedSaid >= this.#windowPackets / CONSUMED_FRACTION) return true
    if (this.#unsaid >= this.#windowPackets / UNSAID_FRACTION) return true
    return this.#unsaid >= PACKETS_PER_STATUS && nowMs - this.#saidMs >= this.#roundTrip.smoothedMs / STATUSES_PER_ROUND_TRIP
  }
}

/** At the end of a batch, the sender is told of at least so many packets, so often a round trip; otherwise after the delay. */
const PACKETS_PER_STATUS = 16
const STATUSES_PER_ROUND_TRIP = 4
/** Or of so much of the window. */
const UNSAID_FRACTION = 8
const STATUS_DELAY_MS = 2
/** A reader that has caught up by a quarter of the window says so: the sender may be waiting for it. */
const CONSUMED_FRACTION = 4
