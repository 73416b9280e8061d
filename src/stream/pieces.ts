import { readUint16 } from './bytes.js'
import type { FrameSlot } from './frame-pool.js'
import type { FrameSource } from './frame-share.js'
import type { ReceiveCounters } from './receiving.js'
import { DATA_HEADER_BYTES, PIECE } from './wire.js'

/** A packet of which some pieces are here. */
interface Partial {
  readonly slot: FrameSlot
  readonly totalBytes: number
  /** What is here, as ascending [from, to) pairs that do not touch. */
  ranges: [number, number][]
}

/** Puts packets together that came in pieces, because the path has become too narrow for them; section "Pieces". */
export class Pieces {
  readonly #pool: FrameSource
  readonly #counters: Pick<ReceiveCounters, 'noMemory'>
  readonly #partials = new Map<number, Partial>()

  constructor(pool: FrameSource, counters: Pick<ReceiveCounters, 'noMemory'>) {
    this.#pool = pool
    this.#counters = counters
  }

  /**
   * Adds a piece. The whole packet as a frame, to be given back to {@link release}, when it is complete; null for nonsense.
   * `isIndispensable`: nothing goes on without this packet, so there is a place for it whatever else there is.
   */
  add(packet: number, frame: Buffer, end: number, isIndispensable: boolean): FrameSlot | undefined | null {
    if (end <= PIECE.bytes) return null
    const offset = readUint16(frame, PIECE.offset)
    const totalBytes = readUint16(frame, PIECE.total)
    const bytes = end - PIECE.bytes
    if (offset + bytes > totalBytes || DATA_HEADER_BYTES + totalBytes > this.#pool.slotBytes) return null
    const partial = this.#partialOf(packet, totalBytes, isIndispensable)
    if (partial === undefined) {
      this.#counters.noMemory++
      return undefined
    }
    if (partial === null) return null
    const ranges = joined(partial.ranges, offset, offset + bytes)
    // In bits so small that nobody sends them: it is asked for again, as a whole.
    if (ranges.length > MAX_RANGES) return undefined
    frame.copy(partial.slot.memory, DATA_HEADER_BYTES + offset, PIECE.bytes, end)
    partial.ranges = ranges
    const [first] = partial.ranges
    if (first![0] !== 0 || first![1] !== totalBytes) return undefined
    this.#partials.delete(packet)
    partial.slot.length = DATA_HEADER_BYTES + totalBytes
    return partial.slot
  }

  release(slot: FrameSlot): void {
    this.#pool.give(slot)
  }

  get isEmpty(): boolean {
    return this.#partials.size === 0
  }

  /** Packets before this one came in another way. */
  forgetBefore(packet: number): void {
    if (this.#partials.size === 0) return
    for (const [known, { slot }] of this.#partials) {
      if (known >= packet) continue
      this.#partials.delete(known)
      this.#pool.give(slot)
    }
  }

  dispose(): void {
    this.forgetBefore(Infinity)
  }

  #partialOf(packet: number, totalBytes: number, isIndispensable: boolean): Partial | undefined | null {
    const known = this.#partials.get(packet)
    if (known !== undefined) return known.totalBytes === totalBytes ? known : null
    // What finds no place is asked for again, when others are done.
    const mayTake = isIndispensable || this.#partials.size < MAX_PARTIALS
    const slot = mayTake ? this.#pool.take(isIndispensable, DATA_HEADER_BYTES + totalBytes) : undefined
    if (slot === undefined) return undefined
    const partial = { slot, totalBytes, ranges: [] }
    this.#partials.set(packet, partial)
    return partial
  }
}

/** The ranges with one more. */
function joined(ranges: readonly [number, number][], from: number, to: number): [number, number][] {
  const apart = ranges.filter(([start, end]) => end < from || start > to)
  const touching = ranges.filter(([start, end]) => end >= from && start <= to)
  const all: [number, number] = [
    Math.min(from, ...touching.map(([start]) => start)),
    Math.max(to, ...touching.map(([, end]) => end)),
  ]
  return [...apart, all].sort(([one], [other]) => one - other)
}

/** Packets of a stream that are being put together: as many as were under way when the path changed, about. */
const MAX_PARTIALS = 256
/** The longest packet in the smallest frames has 57 pieces. */
const MAX_RANGES = 64
