import type { FrameSlot } from './frame-pool.js'
import type { FrameSource } from './frame-share.js'

/** The packets that came last, so that they can be taken out of repairs. Bounded; what finds no memory is not kept. */
export class PacketHistory {
  readonly #pool: FrameSource
  readonly #slots: (FrameSlot | undefined)[]
  readonly #packets: Float64Array

  /** @param capacity Packets, a power of two. */
  constructor(pool: FrameSource, capacity: number) {
    this.#pool = pool
    this.#slots = new Array<FrameSlot | undefined>(capacity).fill(undefined)
    this.#packets = new Float64Array(capacity)
  }

  /** Keeps a copy of a data frame that ends at `end`, in place of an older one. */
  keep(packet: number, frame: Uint8Array, end: number): void {
    const at = packet & (this.#slots.length - 1)
    let slot = this.#slots[at]
    if (slot !== undefined && this.#packets[at]! >= packet) return
    if (slot === undefined) {
      slot = this.#pool.take(false)
      if (slot === undefined) return
      this.#slots[at] = slot
    }
    slot.memory.set(frame.length === end ? frame : frame.subarray(0, end))
    slot.length = end
    this.#packets[at] = packet
  }

  /** The frame of a packet; undefined when it is not, or no longer, here. */
  get(packet: number): FrameSlot | undefined {
    const at = packet & (this.#slots.length - 1)
    return this.#packets[at] === packet ? this.#slots[at] : undefined
  }

  /** Gives everything back. */
  clear(): void {
    for (const [at, slot] of this.#slots.entries()) {
      if (slot === undefined) continue
      this.#pool.give(slot)
      this.#slots[at] = undefined
    }
  }
}
