import type { RoundTrip } from './round-trip.js'

/** When to say something again that nobody has answered: after a probe timeout, then twice as long each time, up to a bound. */
export class Repetition {
  /** At once, the first time. */
  deadlineMs = 0
  #tries = 0

  /** Is it time? Then the next time is later. */
  take(nowMs: number, roundTrip: RoundTrip): boolean {
    if (nowMs < this.deadlineMs) return false
    this.deadlineMs = nowMs + roundTrip.probeDelayMs(0, this.#tries++)
    return true
  }
}
