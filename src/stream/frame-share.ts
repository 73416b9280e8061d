import type { FramePool, FrameSlot } from './frame-pool.js'

/** Where frame slots come from: the pool of a node, or a peer's share of it. */
export interface FrameSource {
  /** The longest frames there are. */
  readonly slotBytes: number
  /** For a frame of so many bytes, by default the longest. Undefined at the bound, unless the caller could not go on without. */
  take(isIndispensable: boolean, bytes?: number): FrameSlot | undefined
  give(slot: FrameSlot): void
}

/**
 * A peer's share of a pool: at most as much as it leaves to all others. So one that sends what nobody reads has half of it, two have a
 * third each, and there is always something left for a peer that behaves (dynamic thresholds, Choudhury and Hahne 1998).
 */
export class FrameShare implements FrameSource {
  readonly slotBytes: number
  readonly #pool: FramePool
  #takenBytes = 0

  constructor(pool: FramePool) {
    this.slotBytes = pool.slotBytes
    this.#pool = pool
  }

  take(isIndispensable: boolean, bytes = this.slotBytes): FrameSlot | undefined {
    if (this.#takenBytes >= this.#pool.freeBytes && !isIndispensable) return undefined
    const slot = this.#pool.take(isIndispensable, bytes)
    if (slot !== undefined) this.#takenBytes += slot.memory.length
    return slot
  }

  give(slot: FrameSlot): void {
    this.#takenBytes -= slot.memory.length
    this.#pool.give(slot)
  }
}
