import type { CongestionControl } from './congestion-control.js'
import { RoundTrip } from './round-trip.js'

/** The way to a peer: how long it is, how much may be on it, and how fast that may leave. Shared by the peer's streams. */
export class Path {
  readonly roundTrip = new RoundTrip()
  readonly congestion: CongestionControl
  frameBytes: number
  /** Packets sent, neither arrived nor known to be lost. */
  inFlightPackets = 0
  #tokensBytes = 0
  #tokensMs = -1
  /** Was the window, not the user, what held back the last packet? */
  isWindowLimited = false
  isPaceLimited = false

  constructor(congestion: CongestionControl, frameBytes: number) {
    this.congestion = congestion
    this.frameBytes = frameBytes
  }

  /** How many bytes may leave now: by the window and by the pace. Beginning of a burst; {@link spend} follows. */
  refill(nowMs: number): void {
    const rate = this.#rate()
    if (rate === Infinity) return
    const cap = Math.max(rate * BURST_MS, MIN_BURST_FRAMES * this.frameBytes)
    if (this.#tokensMs < 0) this.#tokensBytes = cap
    else this.#tokensBytes = Math.min(cap, this.#tokensBytes + (nowMs - this.#tokensMs) * rate)
    this.#tokensMs = nowMs
  }

  /** May a packet leave? After {@link refill}. */
  maySend(): boolean {
    this.isWindowLimited = this.inFlightPackets >= this.congestion.windowPackets
    if (this.isWindowLimited) return false
    this.isPaceLimited = this.#tokensBytes <= 0 && this.#rate() !== Infinity
    return !this.isPaceLimited
  }

  /** May a packet leave again? After {@link refill}; what is lost is not on its way, so the window does not count. */
  mayRepeat(): boolean {
    this.isPaceLimited = this.#tokensBytes <= 0 && this.#rate() !== Infinity
    return !this.isPaceLimited
  }

  spend(bytes: number): void {
    this.#tokensBytes -= bytes
  }

  /** When the pace allows the next packet. */
  nextSendMs(): number {
    const rate = this.#rate()
    return this.#tokensMs + Math.max(PACE_STEP_MS, -this.#tokensBytes / rate)
  }

  onAcknowledged(packets: number, nowMs: number): void {
    // Limited in slow start is who used half of the window: acknowledgements come in bursts.
    const isLimited = (this.inFlightPackets + packets) * 2 >= this.congestion.windowPackets
    this.congestion.onAcknowledged(packets, nowMs, this.roundTrip, isLimited)
  }

  #rate(): number {
    return this.congestion.paceBytesPerMs(this.frameBytes, this.roundTrip.smoothedMs)
  }
}

/** No timer is so exact, and time is to go on. */
const PACE_STEP_MS = 0.25
/** What may be saved up while timers are late: they come to a millisecond. */
const BURST_MS = 2
/** RFC 9002, section 7.7: an initial window may leave at once. */
const MIN_BURST_FRAMES = 10
