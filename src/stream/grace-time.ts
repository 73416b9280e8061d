import type { RoundTrip } from './round-trip.js'

/** How long a packet may be late before it is asked for: longer on a path that reorders. */
export class GraceTime {
  readonly #roundTrip: RoundTrip
  #longerMs = 0

  constructor(roundTrip: RoundTrip) {
    this.#roundTrip = roundTrip
  }

  get ms(): number {
    const { hasSample, smoothedMs } = this.#roundTrip
    return Math.max(this.#longerMs, MIN_GRACE_MS, hasSample ? smoothedMs / GRACES_PER_ROUND_TRIP : 0)
  }

  /** A packet that was asked for had been under way all the time. */
  extend(): void {
    this.#longerMs = Math.min(MAX_GRACE_MS, 2 * this.ms)
  }
}

const GRACES_PER_ROUND_TRIP = 8
/** What timers can tell apart. */
const MIN_GRACE_MS = 1
const MAX_GRACE_MS = 100
