/** Estimates the round trip as RFC 9002, section 5, does. All in milliseconds. */
export class RoundTrip {
  latestMs = 0
  /** Until there is a sample: what RFC 9002, section 6.2.2, begins with. */
  smoothedMs = INITIAL_ROUND_TRIP_MS
  variationMs = INITIAL_ROUND_TRIP_MS / 2
  minMs = Infinity
  hasSample = false

  /** Is it so short that throughput is a matter of processors, not of the path? */
  get isShort(): boolean {
    return this.minMs < SHORT_MS && this.smoothedMs < STILL_SHORT_MS
  }

  update(sampleMs: number): void {
    if (!(sampleMs >= 0)) return
    const sample = Math.max(sampleMs, MIN_SAMPLE_MS)
    this.latestMs = sample
    this.minMs = Math.min(this.minMs, sample)
    if (!this.hasSample) {
      this.hasSample = true
      this.smoothedMs = sample
      this.variationMs = sample / 2
      return
    }
    this.variationMs = 0.75 * this.variationMs + 0.25 * Math.abs(this.smoothedMs - sample)
    this.smoothedMs = 0.875 * this.smoothedMs + 0.125 * sample
  }

  /**
   * A frame left at `timestamp` (microseconds, modulo 2^32; 0: none), and its answer, which waited `delayMicroseconds`, comes now. False: that
   * is nonsense.
   */
  sample(timestamp: number, delayMicroseconds: number, now: number): boolean {
    const elapsed = (now - timestamp) >>> 0
    if (timestamp === 0 || elapsed > MAX_SAMPLE_MICROSECONDS || delayMicroseconds > elapsed) return false
    this.update((elapsed - delayMicroseconds) / 1000)
    return true
  }

  /** How long an answer may take before one asks again: RFC 9002, section 6.2.1. */
  probeTimeoutMs(answerDelayMs: number): number {
    return this.smoothedMs + Math.max(4 * this.variationMs, GRANULARITY_MS) + answerDelayMs
  }

  /** How old a packet is that can be known to be lost: RFC 9002, section 6.1.2. */
  lossDelayMs(): number {
    return LOSS_ROUND_TRIPS * Math.max(this.smoothedMs, this.latestMs)
  }

  /** The probe timeout after so many tries in vain: twice as long each time, up to a bound. */
  probeDelayMs(answerDelayMs: number, tries: number): number {
    return Math.min(this.probeTimeoutMs(answerDelayMs) * 2 ** Math.min(tries, MAX_BACKOFF), MAX_PROBE_DELAY_MS)
  }
}

const INITIAL_ROUND_TRIP_MS = 333
/** No path is shorter, and nothing is divided by 0. */
const MIN_SAMPLE_MS = 0.001
/** RFC 9002, section 6.1.2: what a timer can tell apart. */
const GRANULARITY_MS = 1
/** The same section: kTimeThreshold. */
const LOSS_ROUND_TRIPS = 9 / 8
/** Within it, a megabyte is more than 8 Gbit/s. */
const SHORT_MS = 1
/** Longer than that are processes that wait for a processor: then more is to be on the way. */
const STILL_SHORT_MS = 3
/** Older than a minute, or from the future. */
const MAX_SAMPLE_MICROSECONDS = 60e6
const MAX_BACKOFF = 6
const MAX_PROBE_DELAY_MS = 500
