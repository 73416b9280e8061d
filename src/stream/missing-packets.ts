import type { PacketRange } from './control-frame.js'
import { GraceTime } from './grace-time.js'
import { NakRanges } from './nak-ranges.js'
import type { ReceiveWindow } from './receive-window.js'
import type { NakSchedule } from './receiving.js'
import { RoundTrip } from './round-trip.js'

/**
 * Asks for each missing packet after a grace time, and again with growing patience: section "NAK". The ring of the window holds, of
 * missing packets, how often it was asked for, and when; or when to ask for it first.
 */
export class MissingPackets implements NakSchedule {
  deadlineMs = Infinity
  readonly #window: ReceiveWindow
  readonly #roundTrip: RoundTrip
  readonly #grace: GraceTime
  /** How long what is asked for takes to come. Who only receives knows little of the round trip. */
  #answers: RoundTrip | undefined

  constructor(window: ReceiveWindow, roundTrip: RoundTrip) {
    this.#window = window
    this.#roundTrip = roundTrip
    this.#grace = new GraceTime(roundTrip)
  }

  onMissing(first: number, end: number, nowMs: number): void {
    const { timesMs, mask } = this.#window.ring
    const askMs = nowMs + this.#grace.ms
    for (let packet = first; packet < end; packet++) timesMs[packet & mask] = askMs
    if (askMs < this.deadlineMs) this.deadlineMs = askMs
  }

  onFound(packet: number, transmission: number, nowMs: number): void {
    const { counts, timesMs, mask } = this.#window.ring
    const asked = counts[packet & mask]!
    if (asked === 0) return
    if (transmission === 0) this.#grace.extend()
    else this.#onAnswer(asked, nowMs - timesMs[packet & mask]!)
  }

  onComplete(): void {
    this.deadlineMs = Infinity
  }

  take(nowMs: number): PacketRange[] {
    if (this.deadlineMs > nowMs) return NO_RANGES
    const { ring, next, highest } = this.#window
    const { slots, timesMs, counts, mask } = ring
    const ranges = new NakRanges()
    let deadlineMs = Infinity
    for (let packet = next; packet < highest; packet++) {
      const at = packet & mask
      if (slots[at] !== undefined) continue
      const asked = counts[at]!
      const dueMs = asked === 0 ? timesMs[at]! : timesMs[at]! + this.#askAgainMs(asked)
      if (dueMs > nowMs) {
        if (dueMs < deadlineMs) deadlineMs = dueMs
        continue
      }
      if (!ranges.add(packet, this.#window.toWire(packet))) {
        deadlineMs = nowMs
        break
      }
      timesMs[at] = nowMs
      counts[at] = Math.min(asked + 1, 255)
      deadlineMs = Math.min(deadlineMs, nowMs + this.#askAgainMs(asked + 1))
    }
    this.deadlineMs = deadlineMs
    return ranges.list
  }

  /** It was asked for so long ago, or longer if more than once: which of them was answered is not known. */
  #onAnswer(asked: number, ms: number): void {
    if (asked === 1) (this.#answers ??= new RoundTrip()).update(ms)
    else if (this.#answers !== undefined && ms > this.#answers.smoothedMs) this.#answers.update(ms)
  }

  /** By the shorter of two estimates: one may be a single sample of a bad moment, the other contains what packets wait for a window. */
  #askAgainMs(asked: number): number {
    const first = Math.min(patienceOf(this.#roundTrip), this.#answers === undefined ? Infinity : patienceOf(this.#answers))
    const backoff = Math.min(Math.max(0, asked - STEADY_ASKS), MAX_BACKOFF)
    return Math.min(Math.max(first, MIN_ASK_AGAIN_MS) * 1.5 ** backoff, MAX_ASK_AGAIN_MS)
  }
}

function patienceOf({ hasSample, smoothedMs, variationMs }: RoundTrip): number {
  return hasSample ? 1.5 * smoothedMs + 4 * variationMs : ASK_AGAIN_MS
}

const NO_RANGES: PacketRange[] = []
/** Before the round trip is known. */
const ASK_AGAIN_MS = 100
const MIN_ASK_AGAIN_MS = 2
const MAX_ASK_AGAIN_MS = 1000
/** On a path that loses a third, half of all questions are in vain; only then is it a matter of patience. */
const STEADY_ASKS = 3
/** More would let a path that loses a third stop a stream for seconds. */
const MAX_BACKOFF = 3
