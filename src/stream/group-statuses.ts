import { randomFraction, type Random } from '../core/index.js'
import type { KnownTerms } from './group-naks.js'
import { statusIntervalMs } from './group-terms.js'
import type { StatusSchedule } from './receiving.js'

/**
 * The statuses of one of many: the more receivers there are, the rarer, and at random moments, so that all together they are a bounded
 * load; section "To many".
 */
export class GroupStatuses implements StatusSchedule {
  deadlineMs = Infinity
  readonly #windowPackets: number
  readonly #random: Random
  readonly #terms: KnownTerms
  #unsaid = 0
  #isForced = false
  /** A forced one is under way to its moment. */
  #isSpread = false
  #consumedSaid: number

  constructor(windowPackets: number, random: Random, terms: KnownTerms) {
    this.#windowPackets = windowPackets
    this.#random = random
    this.#terms = terms
    // Not all at the same packet: who reads as fast as the others has said something a while ago.
    this.#consumedSaid = -Math.floor((randomFraction(random) * windowPackets) / CONSUMED_FRACTION)
  }

  onPacket(): void {
    this.#unsaid++
  }

  force(): void {
    this.#isForced = true
  }

  isDue(consumed: number, nowMs: number): boolean {
    const intervalMs = statusIntervalMs(this.#terms.receivers)
    const isWorthIt = consumed - this.#consumedSaid >= this.#windowPackets / CONSUMED_FRACTION
    if ((this.#isForced || isWorthIt) && !this.#isSpread) {
      this.#isSpread = true
      this.deadlineMs = Math.min(this.deadlineMs, nowMs + this.#soon(intervalMs))
    }
    if (this.deadlineMs > nowMs) {
      if (this.#unsaid > 0 && this.deadlineMs === Infinity) {
        this.deadlineMs = nowMs + Math.max(STATUS_DELAY_MS, intervalMs) * (MIN_SPREAD + randomFraction(this.#random))
      }
      return false
    }
    this.deadlineMs = Infinity
    return this.#isForced || this.#unsaid > 0 || consumed !== this.#consumedSaid
  }

  onSaid(consumed: number): void {
    this.#isForced = this.#isSpread = false
    this.#unsaid = 0
    this.deadlineMs = Infinity
    this.#consumedSaid = consumed
  }

  /** Small groups need no spreading. */
  #soon(intervalMs: number): number {
    return intervalMs < MIN_INTERVAL_MS ? 0 : randomFraction(this.#random) * intervalMs
  }
}

const STATUS_DELAY_MS = 2
/** Unforced ones come after half to one and a half of their time. */
const MIN_SPREAD = 0.5
/** What timers can tell apart. */
const MIN_INTERVAL_MS = 1
/** Who has read a quarter of the window says so soon. */
const CONSUMED_FRACTION = 4
