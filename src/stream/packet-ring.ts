import type { FrameSlot } from './frame-pool.js'

/**
 * The packets of one direction of a stream that are kept, by number: packet `n` is entry `n & mask`. At most as many as its capacity lie
 * between the oldest and the newest; who keeps it sees to that.
 *
 * Packets are counted from 0 by who keeps a ring, and modulo 2^32 from the initial packet number on the wire: {@link toWire},
 * {@link fromWire}.
 */
export class PacketRing {
  /** Capacity less one; -1 of {@link NO_RING}. */
  readonly mask: number
  readonly slots: (FrameSlot | undefined)[]
  /** Of each packet a moment, a count and a mark; what they say is up to who keeps the ring. */
  readonly timesMs: Float64Array
  readonly counts: Uint8Array
  readonly marks: Uint8Array

  constructor(capacity: number) {
    this.mask = capacity - 1
    this.slots = new Array<FrameSlot | undefined>(capacity).fill(undefined)
    this.timesMs = new Float64Array(capacity)
    this.counts = new Uint8Array(capacity)
    this.marks = new Uint8Array(capacity)
  }

  get capacity(): number {
    return this.mask + 1
  }

  /** A ring of twice the capacity with the packets from `first` to before `end`. */
  grown(first: number, end: number): PacketRing {
    const ring = new PacketRing(grownCapacity(this))
    for (let packet = first; packet < end; packet++) {
      const from = packet & this.mask
      const to = packet & ring.mask
      ring.slots[to] = this.slots[from]
      ring.timesMs[to] = this.timesMs[from]!
      ring.counts[to] = this.counts[from]!
      ring.marks[to] = this.marks[from]!
    }
    return ring
  }
}

/** What {@link PacketRing.grown} will have. */
export function grownCapacity(ring: PacketRing): number {
  return Math.max(INITIAL_CAPACITY, 2 * ring.capacity)
}

/** The number of a packet on the wire. */
export function toWire(packet: number, initialPacket: number): number {
  return (initialPacket + packet) >>> 0
}

/** The packet with this number on the wire that is the nearest to `near`. */
export function fromWire(wire: number, initialPacket: number, near: number): number {
  return near + ((wire - initialPacket - near) | 0)
}

export const INITIAL_CAPACITY = 16
/** A pointer, a time, a count and a mark. */
export const RING_ENTRY_BYTES = 18
/** Of who keeps nothing: never written to. */
export const NO_RING = new PacketRing(0)
