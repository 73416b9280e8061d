import type { Random } from '../core/index.js'
import { chooseRows } from './repair-rows.js'
import { EMPTY_MASK, countBits, forEachBit, isWithin, rangeMask, union, type SpanMask } from './span-mask.js'
import { SPAN_PACKETS } from './wire.js'

/** A packet to be sent again to all, or a repair over some of the 64 from `base` on. Packets are counted as the sender does. */
export type RepairJob =
  { readonly packet: number; readonly mask?: undefined } | { readonly packet: number; readonly mask: SpanMask }

/** What a sender repeats of that which it was asked for. */
export interface Echo {
  readonly base: number
  readonly mask: SpanMask
  readonly most: number
}

/** What is asked for of 64 packets, and what was done about it. */
interface Span {
  readonly base: number
  /** Who asks for what. */
  readonly asks: Map<unknown, SpanMask>
  asked: SpanMask
  most: number
  echoed: Echo | undefined
  servedMs: number
  servedMask: SpanMask
  /** 0: the packets themselves. */
  servedRows: number
  /** Repairs over this span were sent so often. */
  rounds: number
}

/**
 * What a sender to many does about the packets that its receivers miss: it gathers what is asked for, repeats it so that others need not
 * ask, and sends either the packets again or repairs that serve different losses at once. Pure.
 */
export class RepairPlanner {
  readonly #random: Random
  readonly #spans = new Map<number, Span>()
  /** With something asked for. */
  readonly #open = new Set<Span>()
  /** With something to be echoed. */
  readonly #changed = new Set<Span>()
  #gatherMs = Infinity

  constructor(random: Random) {
    this.#random = random
  }

  /** When {@link takeJobs} is due. */
  get deadlineMs(): number {
    return this.#gatherMs
  }

  /**
   * A receiver misses packets `from` to `end` - 1, of which all were sent and are kept.
   *
   * @param next The first packet that was never sent.
   * @param lossDelayMs What this receiver asks for earlier than this after it was sent again, it asked for before.
   */
  onAsked(asker: unknown, from: number, end: number, next: number, nowMs: number, lossDelayMs: number): void {
    for (let base = spanOf(from); base < end; base += SPAN_PACKETS) {
      const mask = rangeMask(Math.max(from - base, 0), end - base)
      this.#onAskedOf(this.#spanAt(base), asker, mask, next, nowMs, lossDelayMs)
    }
    if (this.#open.size > 0 && this.#gatherMs === Infinity) {
      this.#gatherMs = nowMs + Math.max(MIN_GATHER_MS, lossDelayMs * GATHER_SHARE)
    }
  }

  /** What is to be repeated at once. */
  takeEchoes(): Echo[] {
    const echoes: Echo[] = []
    for (const span of this.#changed) {
      span.echoed = { base: span.base, mask: span.asked, most: span.most }
      echoes.push(span.echoed)
    }
    this.#changed.clear()
    return echoes
  }

  /** What is to be sent now, and what is to be said before; nothing while asks are being gathered. */
  takeJobs(nowMs: number): { echoes: readonly Echo[]; jobs: readonly RepairJob[] } {
    if (nowMs < this.#gatherMs) return NOTHING
    this.#gatherMs = Infinity
    const jobs: RepairJob[] = []
    const echoes: Echo[] = []
    for (const span of this.#open) {
      if (span.echoed?.most !== span.most || !isWithin(span.asked, span.echoed.mask)) {
        echoes.push({ base: span.base, mask: span.asked, most: span.most })
      }
      this.#serve(span, jobs, nowMs)
    }
    this.#open.clear()
    this.#changed.clear()
    return { echoes, jobs }
  }

  /** Packets before this one are asked for no more. */
  forgetBefore(packet: number): void {
    for (const [base, span] of this.#spans) {
      if (base + SPAN_PACKETS > packet) continue
      this.#spans.delete(base)
      this.#open.delete(span)
      this.#changed.delete(span)
    }
  }

  #onAskedOf(span: Span, asker: unknown, mask: SpanMask, next: number, nowMs: number, lossDelayMs: number): void {
    // What was sent since it asked answers it.
    if (nowMs - span.servedMs < lossDelayMs && isAnswered(mask, span)) return
    const whole = union(span.asks.get(asker) ?? EMPTY_MASK, mask)
    span.asks.set(asker, whole)
    span.asked = union(span.asked, mask)
    span.most = Math.max(span.most, countBits(whole))
    // Different losses: repairs over all that was sent serve those as well who have not asked yet.
    if (countBits(span.asked) > span.most && span.rounds < MAX_ROUNDS) span.asked = rangeMask(0, next - span.base)
    this.#open.add(span)
    if (span.echoed === undefined) this.#changed.add(span)
  }

  #serve(span: Span, jobs: RepairJob[], nowMs: number): void {
    const { base, asked, most } = span
    if (countBits(asked) <= most || span.rounds >= MAX_ROUNDS) {
      forEachBit(asked, (index) => jobs.push({ packet: base + index }))
      span.servedRows = 0
    } else {
      const rows = chooseRows(this.#random, asked, most, [...span.asks.values()].slice(0, MAX_ASKERS), span.rounds === 0)
      for (const mask of rows) jobs.push({ packet: base, mask })
      span.servedRows = rows.length
      span.rounds++
    }
    span.servedMs = nowMs
    span.servedMask = asked
    span.asked = EMPTY_MASK
    span.most = 0
    span.asks.clear()
    span.echoed = undefined
  }

  #spanAt(base: number): Span {
    const known = this.#spans.get(base)
    if (known !== undefined) return known
    const span: Span = {
      base,
      asks: new Map(),
      asked: EMPTY_MASK,
      most: 0,
      echoed: undefined,
      servedMs: -Infinity,
      servedMask: EMPTY_MASK,
      servedRows: 0,
      rounds: 0,
    }
    this.#spans.set(base, span)
    return span
  }
}

function isAnswered(mask: SpanMask, { servedMask, servedRows }: Span): boolean {
  return isWithin(mask, servedMask) && (servedRows === 0 || countBits(mask) <= servedRows)
}

function spanOf(packet: number): number {
  return packet - (packet % SPAN_PACKETS)
}

const NOTHING = { echoes: [], jobs: [] } as const
const MIN_GATHER_MS = 1
/** About a quarter of a round trip. */
const GATHER_SHARE = 0.25
/** After so many rounds of repairs, what is asked for is sent as it is. */
const MAX_ROUNDS = 2
/** Receivers that repairs are fitted to, of a span. */
const MAX_ASKERS = 32
