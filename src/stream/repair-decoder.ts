import { BitMatrix, Elimination, eliminationWords } from '../fec/index.js'
import type { FrameSlot } from './frame-pool.js'
import type { FrameSource } from './frame-share.js'
import { addRow, extractPacket, repairMask, subtractPacket, type RepairRow } from './repair-code.js'
import {
  EMPTY_MASK,
  countBits,
  forEachBit,
  hasBit,
  isEmpty,
  isWithin,
  lastBit,
  union,
  withBit,
  type SpanMask,
} from './span-mask.js'
import { SPAN_PACKETS } from './wire.js'

/** What a {@link RepairDecoder} reads from, and tells. */
export interface RepairOwner {
  /** The frame of a packet that came; undefined when it is missing, or not kept. */
  frameOf(packet: number): FrameSlot | undefined
  /** Is it still missing? */
  isMissing(packet: number): boolean
  /** A packet was found: its chunks are in `frame`, and end at `end`. The memory is the decoder's. */
  onPacket(packet: number, frame: Buffer, end: number): void
}

/** Packets of a span that follow from others which are missing as well. */
interface Implication {
  readonly implied: SpanMask
  readonly open: SpanMask
}

/**
 * Finds missing packets by the repairs that a sender has sent for many receivers at once. Keeps repairs until they are of use, or their
 * packets have come in another way; their number is bounded.
 */
export class RepairDecoder {
  readonly #pool: FrameSource
  readonly #owner: RepairOwner
  #rows: RepairRow[] = []
  /** By the base of a span. */
  readonly #implications = new Map<number, Implication>()

  constructor(pool: FrameSource, owner: RepairOwner) {
    this.#pool = pool
    this.#owner = owner
  }

  get keptRows(): number {
    return this.#rows.length
  }

  /**
   * Adds a repair whose frame ends at `end`; `base` is the packet of its first bit. Null: it contradicts itself. Otherwise those of its
   * packets that are missing, as they were before.
   */
  add(base: number, frame: Buffer, end: number): SpanMask | null {
    const mask = repairMask(frame, end)
    if (mask === undefined || end > this.#pool.slotBytes) return null
    const missing = this.#missingOf(base, mask)
    if (isEmpty(missing)) return missing
    const slot = this.#pool.take(false)
    if (slot === undefined) return missing
    slot.memory.set(frame.subarray(0, end))
    slot.length = end
    const row: RepairRow = { slot, base, unknown: mask }
    const isUseful = this.#subtractKnown(row)
    if (isUseful !== true) {
      this.#pool.give(slot)
      return isUseful === null ? null : missing
    }
    this.#rows.push(row)
    if (this.#rows.length > MAX_ROWS) {
      const oldest = this.#rows.shift()!
      this.#implications.delete(oldest.base)
      this.#pool.give(oldest.slot)
    }
    this.#solve(base)
    return missing
  }

  /** Would this packet follow from the others that are missing? Then it need not be asked for. */
  isImplied(packet: number): boolean {
    for (const [base, { implied, open }] of this.#implications) {
      if (packet < base || packet >= base + SPAN_PACKETS || !hasBit(implied, packet - base)) continue
      // One of the others may have been given up, or have come in pieces, of which nothing is kept.
      return isWithin(open, this.#missingOf(base, open))
    }
    return false
  }

  /** A packet has come in another way. `frame`: undefined when there was no memory to keep it. */
  onArrived(packet: number, frame: FrameSlot | undefined): void {
    let base = -1
    for (const row of this.#rows) {
      const index = packet - row.base
      if (index < 0 || index >= SPAN_PACKETS || !hasBit(row.unknown, index)) continue
      if (frame === undefined || !subtractPacket(row, index, frame)) row.unknown = EMPTY_MASK
      base = row.base
    }
    if (base >= 0) this.#solve(base)
  }

  /** Packets before this one are no longer missing. */
  forgetBefore(packet: number): void {
    if (this.#rows.length === 0) return
    this.#keepRows((row) => row.base + SPAN_PACKETS > packet)
    for (const base of this.#implications.keys()) if (base + SPAN_PACKETS <= packet) this.#implications.delete(base)
  }

  dispose(): void {
    this.#keepRows(() => false)
    this.#implications.clear()
  }

  #missingOf(base: number, mask: SpanMask): SpanMask {
    let missing = EMPTY_MASK
    forEachBit(mask, (index) => {
      if (this.#owner.isMissing(base + index)) missing = withBit(missing, index)
    })
    return missing
  }

  /** Undefined: a packet is not kept that came. Null: a packet is longer than the repair. */
  #subtractKnown(row: RepairRow): true | undefined | null {
    let result: true | undefined | null = true
    forEachBit(row.unknown, (index) => {
      const packet = row.base + index
      if (result !== true || this.#owner.isMissing(packet)) return
      const frame = this.#owner.frameOf(packet)
      if (frame === undefined) result = undefined
      else if (!subtractPacket(row, index, frame)) result = null
    })
    return result
  }

  /** Finds what the repairs of the span at `base` determine. */
  #solve(base: number): void {
    for (;;) {
      this.#keepRows((row) => !isEmpty(row.unknown))
      this.#implications.delete(base)
      const rows = this.#rows.filter((row) => row.base === base)
      if (rows.length === 0) return
      const single = rows.find((row) => countBits(row.unknown) === 1) ?? this.#eliminate(base, rows)
      if (single === undefined) return
      this.#take(single)
    }
  }

  /** Turns one of the rows into a single packet, if they determine all that are unknown. */
  #eliminate(base: number, rows: readonly RepairRow[]): RepairRow | undefined {
    const columns: number[] = []
    forEachBit(
      rows.reduce((all, row) => union(all, row.unknown), EMPTY_MASK),
      (index) => columns.push(index),
    )
    const most = Math.max(columns.length, rows.length)
    const elimination = new Elimination(new Uint32Array(eliminationWords(most)), columns, most)
    const masks = BitMatrix.ofSize(rows.length, SPAN_PACKETS)
    for (const [i, row] of rows.entries()) {
      masks.words[2 * i] = row.unknown.low
      masks.words[2 * i + 1] = row.unknown.high
      elimination.add(i, masks, i, NOTHING_KNOWN)
    }
    if (elimination.undetermined > 0) {
      const implied = columns.filter((_, place) => elimination.vectorOf(place) >= 0).reduce(withBit, EMPTY_MASK)
      const open = columns.filter((_, place) => elimination.vectorOf(place) < 0).reduce(withBit, EMPTY_MASK)
      this.#implications.set(base, { implied, open })
      return undefined
    }
    const summed: RepairRow[] = []
    elimination.forEachSummed(elimination.vectorOf(0), (i) => summed.push(rows[i]!))
    const [first, ...others] = summed as [RepairRow, ...RepairRow[]]
    for (const row of others) addRow(first, row)
    return first
  }

  /** Hands over the packet that a row has become. */
  #take(row: RepairRow): void {
    this.#rows.splice(this.#rows.indexOf(row), 1)
    const packet = row.base + lastBit(row.unknown)
    const found = this.#pool.take(true)!
    const end = extractPacket(row, found.memory)
    this.#pool.give(row.slot)
    // What contradicts itself was damaged; the packet is asked for again.
    if (end !== undefined) {
      found.length = end
      for (const other of this.#rows) {
        const at = packet - other.base
        if (at < 0 || at >= SPAN_PACKETS) continue
        if (!subtractPacket(other, at, found)) other.unknown = EMPTY_MASK
      }
      this.#owner.onPacket(packet, found.memory, end)
    }
    this.#pool.give(found)
  }

  #keepRows(isKept: (row: RepairRow) => boolean): void {
    if (this.#rows.every(isKept)) return
    const rows = this.#rows
    this.#rows = []
    for (const row of rows) {
      if (isKept(row)) this.#rows.push(row)
      else this.#pool.give(row.slot)
    }
  }
}

/** Repairs that wait for more: some spans that each miss a few. */
const MAX_ROWS = 128
const NOTHING_KNOWN = new Uint32Array(2)
