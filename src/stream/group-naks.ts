import type { Random } from '../core/index.js'
import type { PacketRange } from './control-frame.js'
import { GraceTime } from './grace-time.js'
import { drawBackOffMs } from './nak-back-off.js'
import { NakRanges } from './nak-ranges.js'
import type { ReceiveWindow } from './receive-window.js'
import type { NakSchedule } from './receiving.js'
import type { RoundTrip } from './round-trip.js'
import { EMPTY_MASK, countBits, hasBit, intersection, isEmpty, withBit, type SpanMask } from './span-mask.js'
import { SPAN_PACKETS } from './wire.js'

/** What a group's receiver has been told of its group, as it stands. */
export interface KnownTerms {
  receivers: number
  backOffMs: number
}

/**
 * Asks for missing packets as one of many: after a time that is drawn at random, and not for what others have asked for; sections "NAK"
 * and "To many". The ring of the window holds, of missing packets, when to ask for it, and how often that was done or left to others.
 */
export class GroupNaks implements NakSchedule {
  deadlineMs = Infinity
  /** Packets that were missing so far; of those that only came late, most are not counted. */
  missed = 0
  readonly #window: ReceiveWindow
  readonly #roundTrip: RoundTrip
  readonly #random: Random
  readonly #terms: KnownTerms
  readonly #isImplied: (packet: number) => boolean
  readonly #grace: GraceTime
  /** What was found to be missing lately, from which packet on, and when it is to be asked for. */
  #foundMs = -Infinity
  #foundFirst = 0
  #foundAskMs = 0

  /** @param isImplied Will the packet follow from others that are asked for? */
  constructor(
    window: ReceiveWindow,
    roundTrip: RoundTrip,
    random: Random,
    terms: KnownTerms,
    isImplied: (packet: number) => boolean,
  ) {
    this.#window = window
    this.#roundTrip = roundTrip
    this.#grace = new GraceTime(roundTrip)
    this.#random = random
    this.#terms = terms
    this.#isImplied = isImplied
  }

  onMissing(first: number, end: number, nowMs: number): void {
    const { timesMs, mask } = this.#window.ring
    const graceMs = this.#grace.ms
    // A burst is one loss.
    if (nowMs - this.#foundMs > graceMs) {
      this.#foundMs = nowMs
      this.#foundFirst = first
      this.#foundAskMs = nowMs + this.#drawMs()
    }
    const askMs = Math.max(this.#foundAskMs, nowMs) + graceMs
    for (let packet = first; packet < end; packet++) timesMs[packet & mask] = askMs
    if (askMs < this.deadlineMs) this.deadlineMs = askMs
  }

  onFound(packet: number, transmission: number): void {
    const { counts, mask } = this.#window.ring
    const asked = counts[packet & mask]!
    if (transmission === 0 && asked > 0) this.#grace.extend()
    if (transmission > 0 && asked === 0) this.missed++
  }

  onComplete(): void {
    this.deadlineMs = Infinity
  }

  /** Others have asked for the packets of `mask` from `base` on: who misses at most `most` of them need not. */
  onEcho(base: number, mask: SpanMask, most: number, nowMs: number): void {
    const served = intersection(this.#neededOf(base), mask)
    if (isEmpty(served) || countBits(served) > most) return
    this.#putOff(base, served, nowMs + this.#answerMs() + this.#drawMs())
  }

  /** A repair for packets from `base` on has come, and more may follow at once. */
  onRepair(base: number, mask: SpanMask, nowMs: number): void {
    const { hasSample, smoothedMs } = this.#roundTrip
    const pauseMs = hasSample ? smoothedMs * REPAIR_PAUSE_SHARE : 0
    this.#putOff(base, mask, nowMs + Math.max(pauseMs, MIN_REPAIR_PAUSE_MS) + this.#drawMs())
  }

  take(nowMs: number): PacketRange[] {
    if (this.deadlineMs > nowMs) return NO_RANGES
    const { ring, next, highest } = this.#window
    const { slots, timesMs, counts, mask } = ring
    const ranges = new NakRanges()
    let deadlineMs = Infinity
    const backOffMs = this.#drawMs()
    // Who asks asks for everything that nobody has asked for, but for what may only be late.
    const youngFrom = nowMs - this.#foundMs < this.#grace.ms ? this.#foundFirst : highest
    for (let packet = next; packet < highest; packet++) {
      const at = packet & mask
      if (slots[at] !== undefined) continue
      const isDue = timesMs[at]! <= nowMs || (counts[at] === 0 && packet < youngFrom)
      // What it follows from may not come, or find no memory before this one is here.
      const isLeft = counts[at]! < LEFT_TO_OTHERS && this.#isImplied(packet)
      if (isDue && !isLeft && !ranges.add(packet, this.#window.toWire(packet))) {
        deadlineMs = nowMs
        break
      }
      // What is implied by others waits for these.
      if (isDue) timesMs[at] = nowMs + this.#answerMs() * BACKOFF_FACTOR ** this.#count(at, counts) + backOffMs
      if (timesMs[at]! < deadlineMs) deadlineMs = timesMs[at]!
    }
    this.deadlineMs = deadlineMs
    return ranges.list
  }

  /** Counts that a missing packet was asked for; how often it was before. */
  #count(at: number, counts: Uint8Array): number {
    const before = counts[at]!
    if (before === 0) this.missed++
    counts[at] = Math.min(before + 1, 255)
    return Math.min(before, MAX_BACKOFF)
  }

  /** What would have to be asked for, of the packets from `base` on. */
  #neededOf(base: number): SpanMask {
    const { ring, next, highest } = this.#window
    let needed = EMPTY_MASK
    const end = Math.min(base + SPAN_PACKETS, highest)
    for (let packet = Math.max(base, next); packet < end; packet++) {
      if (ring.slots[packet & ring.mask] === undefined && !this.#isImplied(packet)) needed = withBit(needed, packet - base)
    }
    return needed
  }

  #putOff(base: number, mask: SpanMask, untilMs: number): void {
    const { ring, next, highest } = this.#window
    const { slots, timesMs, counts } = ring
    const end = Math.min(base + SPAN_PACKETS, highest)
    for (let packet = Math.max(base, next); packet < end; packet++) {
      const at = packet & ring.mask
      if (slots[at] !== undefined || !hasBit(mask, packet - base)) continue
      if (counts[at] === 0) {
        counts[at] = 1
        this.missed++
      }
      timesMs[at] = Math.max(timesMs[at]!, untilMs)
    }
  }

  #drawMs(): number {
    return drawBackOffMs(this.#random, this.#terms.backOffMs, this.#terms.receivers)
  }

  /** How long the answer may take: there and back, and what the sender waits for others. */
  #answerMs(): number {
    const { hasSample, smoothedMs, variationMs } = this.#roundTrip
    const usualMs = hasSample ? ANSWER_ROUND_TRIPS * smoothedMs + ANSWER_VARIATIONS * variationMs : ASK_AGAIN_MS
    return Math.min(Math.max(usualMs, MIN_ASK_AGAIN_MS), MAX_ASK_AGAIN_MS)
  }
}

const NO_RANGES: PacketRange[] = []
/** Before the round trip is known. */
const ASK_AGAIN_MS = 100
const MIN_ASK_AGAIN_MS = 3
const MAX_ASK_AGAIN_MS = 1000
/** A quarter more than a stream to one waits: so long the sender gathers. */
const ANSWER_ROUND_TRIPS = 1.75
const ANSWER_VARIATIONS = 4
/** Each time that a packet was asked for, the next one is so much later; so many times. */
const BACKOFF_FACTOR = 1.5
const MAX_BACKOFF = 5
/** So often a packet that follows from others is not asked for. */
const LEFT_TO_OTHERS = 4
/** Repairs of a span leave one after the other. */
const REPAIR_PAUSE_SHARE = 0.5
const MIN_REPAIR_PAUSE_MS = 1
