import type { GroupTerms as Terms } from './group-frame.js'
import type { RoundTrip } from './round-trip.js'
import { MAX_BACK_OFF_MICROSECONDS } from './wire.js'

/** What a sender tells its group about the group: how many there are, and how long who misses something may wait for others to ask. */
export class GroupTerms {
  readonly #group: number
  readonly #isMulticast: boolean
  readonly #roundTrip: RoundTrip
  #said: Terms | undefined

  constructor(group: number, isMulticast: boolean, roundTrip: RoundTrip) {
    this.#group = group
    this.#isMulticast = isMulticast
    this.#roundTrip = roundTrip
  }

  current(receivers: number): Terms {
    return { group: this.#group, receivers: Math.max(1, receivers), backOff: Math.round(this.#backOffMs(receivers) * 1000) }
  }

  /** Is what receivers were told quite wrong by now? */
  haveChanged(receivers: number): boolean {
    if (!this.#isMulticast || receivers === 0) return false
    const now = this.current(receivers)
    this.#said ??= now
    return isFar(this.#said.receivers, now.receivers) || isFar(this.#said.backOff, now.backOff)
  }

  onSaid(terms: Terms): void {
    this.#said = terms
  }

  /**
   * A round trip, and one more for each time that there are 2.7 times as many: with the distribution of RFC 5401 about e of those who
   * miss the same ask before the sender's echo reaches the others, however many they are.
   */
  #backOffMs(receivers: number): number {
    if (!this.#isMulticast || receivers < 2) return 0
    const { hasSample, smoothedMs } = this.#roundTrip
    if (!hasSample) return MIN_BACK_OFF_MS
    return Math.min(Math.max((1 + Math.log(receivers)) * smoothedMs, MIN_BACK_OFF_MS), MAX_BACK_OFF_MICROSECONDS / 1000)
  }
}

/** How far apart the unforced statuses of a receiver are, so that all together they are a bounded load. */
export function statusIntervalMs(receivers: number): number {
  return receivers * STATUS_INTERVAL_MS
}

function isFar(one: number, other: number): boolean {
  return one >= 2 * other + 1 || other >= 2 * one + 1
}

/** Timers are exact to a millisecond. */
const MIN_BACK_OFF_MS = 4
/** Ten thousand statuses a second. */
const STATUS_INTERVAL_MS = 0.1
