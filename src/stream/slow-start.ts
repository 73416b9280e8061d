import type { RoundTripTimes } from './congestion-control.js'

/**
 * The first slow start of a path, as HyStart++ (RFC 9406) has it: it ends when the round trip grows because a queue does, before the
 * queue runs over. Pure.
 *
 * A round is a round trip of packets. When the shortest time of a round is longer than that of the round before, growth becomes a quarter
 * (the conservative phase): it was a queue if that lasts for five rounds, otherwise chance, and all goes on as before.
 */
export class SlowStart {
  isOver = false
  #roundStartMs = -Infinity
  #shortestMs = Infinity
  #shortestBeforeMs = Infinity
  #samples = 0
  /** The shortest time of the round in which the conservative phase began; Infinity: it has not. */
  #baselineMs = Infinity
  #conservativeRounds = 0

  get isConservative(): boolean {
    return this.#baselineMs < Infinity
  }

  /** `packets` have arrived: by how many the window grows. */
  grow(packets: number, nowMs: number, roundTrip: RoundTripTimes): number {
    const { latestMs } = roundTrip
    // What arrived was sent after the round began.
    if (nowMs - latestMs >= this.#roundStartMs) this.#beginRound(nowMs)
    this.#shortestMs = Math.min(this.#shortestMs, latestMs)
    this.#samples++
    if (this.#samples >= MIN_SAMPLES) this.#judge()
    return this.isConservative ? packets / CONSERVATIVE_DIVISOR : packets
  }

  #beginRound(nowMs: number): void {
    this.#roundStartMs = nowMs
    this.#shortestBeforeMs = this.#shortestMs
    this.#shortestMs = Infinity
    this.#samples = 0
    if (this.isConservative && ++this.#conservativeRounds > CONSERVATIVE_ROUNDS) this.isOver = true
  }

  #judge(): void {
    if (this.isConservative) {
      if (this.#shortestMs >= this.#baselineMs) return
      this.#baselineMs = Infinity
      this.#conservativeRounds = 0
      return
    }
    const thresholdMs = Math.min(Math.max(this.#shortestBeforeMs / THRESHOLD_DIVISOR, MIN_THRESHOLD_MS), MAX_THRESHOLD_MS)
    if (this.#shortestMs >= this.#shortestBeforeMs + thresholdMs) this.#baselineMs = this.#shortestMs
  }
}

/** RFC 9406, section 4.3, but for the samples of a round: eight there, where every second packet is acknowledged. */
const MIN_SAMPLES = 2
const MIN_THRESHOLD_MS = 4
const MAX_THRESHOLD_MS = 16
const THRESHOLD_DIVISOR = 8
const CONSERVATIVE_DIVISOR = 4
const CONSERVATIVE_ROUNDS = 5
