import type { CongestionControl } from './congestion-control.js'
import { RoundTrip } from './round-trip.js'

/** What keeps a sender from sending more. */
export type SendLimit = 'nothing' | 'window' | 'congestion' | 'pace'

/** The way to a peer: how long it is, how much may be on it, and how fast that may leave. Shared by the peer's streams. */
export class Path {
  readonly roundTrip = new RoundTrip()
  readonly congestion: CongestionControl
  frameBytes: number
  /** Have longer frames than pass everywhere left without a number? If they vanish, nobody says so. */
  hasUnconfirmed = false
  /** Packets sent, neither arrived nor known to be lost. */
  inFlightPackets = 0
  #tokensBytes = 0
  #tokensMs = -1
  /** When something that waits for the pace should leave. */
  #dueMs = Infinity
  /** What could have left if timers were on time, and a burst may not be: made up for little by little. */
  #lateBytes = 0
  /** Was the window, not the user, what held back the last packet? */
  isWindowLimited = false
  isPaceLimited = false
  /** Packets that may leave although the window is full. */
  #probePackets = 0
  #probeAgainMs = -Infinity

  constructor(congestion: CongestionControl, frameBytes: number) {
    this.congestion = congestion
    this.frameBytes = frameBytes
  }

  /** How many bytes may leave now: by the window and by the pace. Beginning of a burst; {@link spend} follows. */
  refill(nowMs: number): void {
    const rate = this.#rate()
    if (rate === Infinity) return
    const cap = Math.max(rate * BURST_MS, MIN_BURST_FRAMES * this.frameBytes)
    if (this.#tokensMs < 0) {
      this.#tokensBytes = cap
    } else {
      const earned = (nowMs - this.#tokensMs) * rate
      const madeUp = Math.min(this.#lateBytes, earned * CATCH_UP_SHARE)
      const tokens = this.#tokensBytes + earned + madeUp
      this.#tokensBytes = Math.min(cap, tokens)
      this.#lateBytes -= madeUp
      if (nowMs > this.#dueMs) this.#lateBytes = Math.min(this.#lateBytes + tokens - this.#tokensBytes, rate * MAX_LATE_MS)
    }
    this.#tokensMs = nowMs
    this.#dueMs = Infinity
  }

  /** May a packet leave? After {@link refill}. */
  maySend(): boolean {
    this.isWindowLimited = this.inFlightPackets >= this.congestion.windowPackets
    if (this.isWindowLimited && this.#probePackets === 0) return false
    this.isPaceLimited = this.#tokensBytes <= 0 && this.#rate() !== Infinity
    return !this.isPaceLimited
  }

  /**
   * Nothing was heard for a probe timeout: what fills the window may be lost without anybody knowing, and nothing else would ever show it.
   * However many streams say so, two packets each time (RFC 9002, sections 6.2.4 and 7.5).
   */
  allowProbes(nowMs: number): void {
    if (nowMs < this.#probeAgainMs) return
    this.#probeAgainMs = nowMs + this.roundTrip.probeTimeoutMs(0)
    this.#probePackets = PROBE_PACKETS
  }

  /** For packets that have left the path as lost, one may enter it, however small the window has become (section 7.3.2). */
  allowRepeat(): void {
    this.#probePackets = Math.max(this.#probePackets, 1)
  }

  /** Does one more packet fill the window of the congestion control? */
  get isFullAfterNext(): boolean {
    return this.inFlightPackets + 1 >= this.congestion.windowPackets
  }

  /** May a packet leave again? After {@link refill}; what is lost is not on its way, so the window does not count. */
  mayRepeat(): boolean {
    this.isPaceLimited = this.#tokensBytes <= 0 && this.#rate() !== Infinity
    return !this.isPaceLimited
  }

  /** What keeps more from leaving: `isWaiting`: something would leave; `isFull`: more was not taken. */
  limit(isWaiting: boolean, isFull: boolean): SendLimit {
    if (isWaiting && this.isWindowLimited) return 'congestion'
    if (isWaiting && this.isPaceLimited) return 'pace'
    return isFull ? 'window' : 'nothing'
  }

  spend(bytes: number): void {
    this.#tokensBytes -= bytes
    if (this.isWindowLimited && this.#probePackets > 0) this.#probePackets--
  }

  /** Something waits for the pace: when it may leave. */
  nextSendMs(): number {
    this.#dueMs = this.#tokensMs + Math.max(PACE_STEP_MS, -this.#tokensBytes / this.#rate())
    return this.#dueMs
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
/** A late timer is made up for at so much more than the pace, and what was missed in so long at most. */
const CATCH_UP_SHARE = 0.25
const MAX_LATE_MS = 100
const PROBE_PACKETS = 2
/** RFC 9002, section 7.7: an initial window may leave at once. */
const MIN_BURST_FRAMES = 10
