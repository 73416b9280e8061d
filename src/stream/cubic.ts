import type { CongestionControl, RoundTripTimes } from './congestion-control.js'
import { SlowStart } from './slow-start.js'

/**
 * CUBIC (RFC 9438), with HyStart++ (RFC 9406) and the round-trip-long recovery periods of RFC 9002, section 7.3.2: however many packets
 * of one round trip are lost, the window shrinks once.
 */
export class Cubic implements CongestionControl {
  windowPackets = INITIAL_WINDOW
  readonly #slowStart = new SlowStart()
  #slowStartThreshold = Infinity
  #recoveryStartMs = -Infinity
  /** W_max, cwnd_prior and K of RFC 9438, section 4.1, and when the epoch began; -1: with the next acknowledgement. */
  #windowMax = 0
  #windowBefore = Infinity
  #timeToMaxSeconds = 0
  #epochStartMs = -1
  #windowEstimate = 0
  #grewMs = -Infinity

  paceBytesPerMs(frameBytes: number, smoothedRoundTripMs: number): number {
    const isDoubling = this.#isInSlowStart && !this.#slowStart.isConservative
    const gain = isDoubling ? SLOW_START_PACING_GAIN : PACING_GAIN
    return (gain * this.windowPackets * frameBytes) / smoothedRoundTripMs
  }

  onAcknowledged(packets: number, nowMs: number, roundTrip: RoundTripTimes, isLimited: boolean): void {
    // A window that is not used proves nothing (RFC 9002, section 7.8).
    if (!isLimited) return
    // What was sent before the window shrank says nothing about it: section 7.3.2.
    if (nowMs - roundTrip.latestMs <= this.#recoveryStartMs) return
    if (this.#isInSlowStart) this.#growFast(packets, nowMs, roundTrip)
    else this.#growSlowly(packets, nowMs, roundTrip.smoothedMs)
    this.windowPackets = Math.min(this.windowPackets, MAX_WINDOW)
    this.#grewMs = nowMs
  }

  onLost(sentMs: number, nowMs: number): void {
    if (sentMs <= this.#recoveryStartMs) return
    this.#recoveryStartMs = nowMs
    this.#epochStartMs = -1
    this.#windowBefore = this.windowPackets
    // Fast convergence: section 4.7.
    this.#windowMax = this.windowPackets < this.#windowMax ? (this.windowPackets * (1 + DECREASE)) / 2 : this.windowPackets
    this.windowPackets = Math.max(MIN_WINDOW, this.windowPackets * DECREASE)
    this.#slowStartThreshold = this.windowPackets
  }

  onTimeout(nowMs: number): void {
    this.onLost(nowMs, nowMs)
    this.windowPackets = MIN_WINDOW
  }

  get #isInSlowStart(): boolean {
    return this.windowPackets < this.#slowStartThreshold
  }

  #growFast(packets: number, nowMs: number, roundTrip: RoundTripTimes): void {
    if (this.#slowStartThreshold < Infinity) {
      this.windowPackets += packets
      return
    }
    this.windowPackets += this.#slowStart.grow(packets, nowMs, roundTrip)
    if (this.#slowStart.isOver) this.#slowStartThreshold = this.windowPackets
  }

  #growSlowly(packets: number, nowMs: number, roundTripMs: number): void {
    if (this.#epochStartMs < 0) this.#beginEpoch(nowMs)
    // Time in which the window was not used does not count: section 5.8.
    else if (nowMs - this.#grewMs > IDLE_ROUND_TRIPS * roundTripMs) this.#epochStartMs += nowMs - this.#grewMs
    const seconds = (nowMs - this.#epochStartMs + roundTripMs) / 1000
    const target = this.#clampTarget(SCALE * (seconds - this.#timeToMaxSeconds) ** 3 + this.#windowMax)
    this.#windowEstimate += (this.#renoGain() * packets) / this.windowPackets
    const cubic = this.windowPackets + ((target - this.windowPackets) / this.windowPackets) * packets
    this.windowPackets = Math.max(cubic, this.#windowEstimate)
  }

  #beginEpoch(nowMs: number): void {
    this.#epochStartMs = nowMs
    this.#windowMax = Math.max(this.#windowMax, this.windowPackets)
    this.#timeToMaxSeconds = Math.cbrt((this.#windowMax - this.windowPackets) / SCALE)
    this.#windowEstimate = this.windowPackets
  }

  /** Section 4.2: at most half as much again in a round trip, and never less than there is. */
  #clampTarget(target: number): number {
    return Math.min(Math.max(target, this.windowPackets), 1.5 * this.windowPackets)
  }

  /** Section 4.3: as fast as Reno where that is faster. */
  #renoGain(): number {
    return this.#windowEstimate >= this.#windowBefore ? 1 : (3 * (1 - DECREASE)) / (1 + DECREASE)
  }
}

/** RFC 9438: beta_cubic and C. */
const DECREASE = 0.7
const SCALE = 0.4
/** RFC 6928. */
const INITIAL_WINDOW = 10
const MIN_WINDOW = 2
/** A bound for arithmetic; the windows of streams are far smaller. */
const MAX_WINDOW = 2 ** 24
/** Without an acknowledgement that counts for longer than this, the window was not used. */
const IDLE_ROUND_TRIPS = 3
/** RFC 9002, section 7.7: a little faster than the window alone would have it, so that pacing is not what limits. */
const PACING_GAIN = 1.25
const SLOW_START_PACING_GAIN = 2
