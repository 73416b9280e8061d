import type { RingMemory } from './assembly-budget.js'
import { FrameSlot } from './frame-pool.js'
import type { FrameSource } from './frame-share.js'
import { INITIAL_CAPACITY, NO_RING, RING_ENTRY_BYTES, fromWire, grownCapacity, toWire, type PacketRing } from './packet-ring.js'

/**
 * Which packets are here, and those that wait for others or for the user.
 *
 * `consumed` (handed to the user) <= `next` (the first that is missing) <= `highest` (the first that nobody has heard of). What lies
 * between `consumed` and `highest` and is here waits in the ring.
 */
export class ReceiveWindow {
  ring: PacketRing = NO_RING
  consumed = 0
  next = 0
  highest = 0
  /** Packets here behind the first that is missing. */
  beyond = 0
  readonly #initialPacket: number
  readonly #pool: FrameSource
  readonly #budget: RingMemory
  /** What the ring takes of the budget. */
  #ringBytes = 0

  constructor(initialPacket: number, pool: FrameSource, budget: RingMemory) {
    this.#initialPacket = initialPacket
    this.#pool = pool
    this.#budget = budget
  }

  toWire(packet: number): number {
    return toWire(packet, this.#initialPacket)
  }

  fromWire(wire: number): number {
    return fromWire(wire, this.#initialPacket, this.next)
  }

  /** Is the packet here, or was it? */
  has(packet: number): boolean {
    return packet < this.next || (packet < this.highest && this.ring.slots[packet & this.ring.mask] !== undefined)
  }

  /** Packets up to `end` exist. False: there is no memory to note that in. */
  raiseHighest(end: number): boolean {
    while (end - this.consumed > this.ring.capacity) if (!this.#grow()) return false
    const { slots, counts, marks, mask } = this.ring
    for (let packet = this.highest; packet < end; packet++) {
      slots[packet & mask] = undefined
      counts[packet & mask] = 0
      marks[packet & mask] = 0
    }
    this.highest = end
    return true
  }

  /** A packet that was missing is here. */
  put(packet: number, slot: FrameSlot): void {
    this.ring.slots[packet & this.ring.mask] = slot
    this.beyond++
    if (packet === this.next) this.advance()
  }

  /** Keeps what is left of the packet that is being consumed, although its number is known to be here. */
  putBack(slot: FrameSlot): void {
    if (this.ring === NO_RING) this.#grow()
    this.ring.slots[this.consumed & this.ring.mask] = slot
    this.ring.marks[this.consumed & this.ring.mask] = 0
  }

  /** The packet that comes next was here and is consumed: it never lay in the ring. */
  pass(): void {
    this.next++
    this.highest++
  }

  /** Moves `next` past what is here. */
  advance(): void {
    const { slots, mask } = this.ring
    while (this.next < this.highest && slots[this.next & mask] !== undefined) {
      this.next++
      this.beyond--
    }
  }

  /** The oldest that waits is consumed; its memory is given back. */
  consume(): void {
    const { slots, mask } = this.ring
    const at = this.consumed & mask
    const slot = slots[at]
    slots[at] = undefined
    if (slot !== undefined && !isMarker(slot)) this.#pool.give(slot)
    this.consumed++
  }

  /** Everything in the packet was handed to the user before its turn: its memory is given back. */
  release(packet: number): void {
    const { slots, mask } = this.ring
    this.#pool.give(slots[packet & mask]!)
    slots[packet & mask] = DONE
  }

  /** Packets before `floor`, which exist, will not come any more. */
  giveUpBefore(floor: number): void {
    const { slots, mask } = this.ring
    for (let packet = this.next; packet < floor; packet++) {
      if (slots[packet & mask] !== undefined) continue
      slots[packet & mask] = GONE
      this.beyond++
    }
    this.advance()
  }

  /** Everything before `floor` is over, and nothing else exists. */
  jumpTo(floor: number): void {
    this.consumed = this.next = this.highest = floor
  }

  /** Gives all memory back. */
  dispose(): void {
    for (const slot of this.ring.slots) if (slot !== undefined && !isMarker(slot)) this.#pool.give(slot)
    this.#drop()
  }

  /** Gives the ring back if it is empty. */
  trim(): void {
    if (this.consumed === this.highest && this.ring !== NO_RING) this.#drop()
  }

  #grow(): boolean {
    const capacity = grownCapacity(this.ring)
    if (capacity > INITIAL_CAPACITY) {
      const moreBytes = capacity * RING_ENTRY_BYTES - this.#ringBytes
      if (!this.#budget.take(moreBytes)) return false
      this.#ringBytes += moreBytes
    }
    this.ring = this.ring.grown(this.consumed, this.highest)
    return true
  }

  #drop(): void {
    this.ring = NO_RING
    this.#budget.give(this.#ringBytes)
    this.#ringBytes = 0
  }
}

/** Stands in the ring for a packet that its sender has forgotten. */
export const GONE = new FrameSlot(Buffer.alloc(0))
/** Stands in the ring for a packet that was consumed before its turn. */
export const DONE = new FrameSlot(Buffer.alloc(0))

function isMarker(slot: FrameSlot): boolean {
  return slot === GONE || slot === DONE
}
