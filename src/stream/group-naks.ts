import type { Random } from '../core/index.js'
import type { PacketRange } from './control-frame.js'
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
  /** Times that others had asked already, or that a repair was under way. */
  suppressed = 0
  readonly #window: ReceiveWindow
  readonly #roundTrip: RoundTrip
  readonly #random: Random
  readonly #terms: KnownTerms
  readonly #isImplied: (packet: number) => boolean
  #graceMs = 0
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
    this.#random = random
    this.#terms = terms
    this.#isImplied = isImplied
  }

  onMissing(first: number, end: number, nowMs: number): void {
    const { timesMs, mask } = this.#window.ring
    const graceMs = this.#grace()
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
    // It had been under way all the time: this path reorders. More patience from now on.
    if (transmission === 0 && asked > 0) this.#graceMs = Math.min(MAX_GRACE_MS, 2 * this.#grace())
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
    const pauseMs = hasSample ? smoothedMs / 2 : MIN_GRACE_MS
    this.#putOff(base, mask, nowMs + Math.max(pauseMs, MIN_GRACE_MS) + this.#drawMs())
  }

  take(nowMs: number): PacketRange[] {
    if (this.deadlineMs > nowMs) return NO_RANGES
    const { ring, next, highest } = this.#window
    const { slots, timesMs, counts, mask } = ring
    const ranges = new NakRanges()
    let deadlineMs = Infinity
    const backOffMs = this.#drawMs()
    // Who asks asks for everything that nobody has asked for, but for what may only be late.
    const youngFrom = nowMs - this.#foundMs < this.#grace() ? this.#foundFirst : highest
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
      if (isDue) timesMs[at] = nowMs + this.#answerMs() * 1.5 ** this.#count(at, counts) + backOffMs
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
      this.suppressed++
    }
  }

  #drawMs(): number {
    return drawBackOffMs(this.#random, this.#terms.backOffMs, this.#terms.receivers)
  }

  /** How long a packet may be late before it is asked for. */
  #grace(): number {
    return Math.max(this.#graceMs, MIN_GRACE_MS, this.#roundTrip.hasSample ? this.#roundTrip.smoothedMs / 8 : 0)
  }

  /** How long the answer may take: there and back, and what the sender waits for others. */
  #answerMs(): number {
    const { hasSample, smoothedMs, variationMs } = this.#roundTrip
    const first = hasSample ? 1.75 * smoothedMs + 4 * variationMs : ASK_AGAIN_MS
    return Math.min(Math.max(first, MIN_ASK_AGAIN_MS), MAX_ASK_AGAIN_MS)
  }
}

const NO_RANGES: PacketRange[] = []
const MIN_GRACE_MS = 1
const MAX_GRACE_MS = 100
/** Before the round trip is known. */
const ASK_AGAIN_MS = 100
const MIN_ASK_AGAIN_MS = 3
const MAX_ASK_AGAIN_MS = 1000
const MAX_BACKOFF = 5
/** So often a packet that follows from others is not asked for. */
const LEFT_TO_OTHERS = 4
