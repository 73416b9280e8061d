import type { FramePool, FrameSlot } from './frame-pool.js'

/** Where frame slots come from: the pool of a node, or a peer's share of it. */
export interface FrameSource {
  readonly slotBytes: number
  /** Undefined at the bound, unless the caller could not go on without. */
  take(isIndispensable: boolean): FrameSlot | undefined
  give(slot: FrameSlot): void
}

/**
 * A peer's share of a pool: at most as much as it leaves to all others. So one that sends what nobody reads has half of it, two have a
 * third each, and there is always something left for a peer that behaves (dynamic thresholds, Choudhury and Hahne 1998).
 */
export class FrameShare implements FrameSource {
  readonly slotBytes: number
  readonly #pool: FramePool
  #taken = 0

  constructor(pool: FramePool) {
    this.slotBytes = pool.slotBytes
    this.#pool = pool
  }

  take(isIndispensable: boolean): FrameSlot | undefined {
    if (this.#taken >= this.#pool.freeSlots && !isIndispensable) return undefined
    const slot = this.#pool.take(isIndispensable)
    if (slot !== undefined) this.#taken++
    return slot
  }

  give(slot: FrameSlot): void {
    this.#taken--
    this.#pool.give(slot)
  }
}
