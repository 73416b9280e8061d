import { findXor } from '../fec/index.js'
import { readUint16, writeUint16 } from './bytes.js'
import type { FrameSlot } from './frame-pool.js'
import { readMask, writeMask } from './group-frame.js'
import { forEachBit, hasBit, symmetricDifference, withoutBit, type SpanMask } from './span-mask.js'
import { DATA, DATA_HEADER_BYTES, REPAIR, REPAIR_OVERHEAD_BYTES } from './wire.js'

/**
 * Fills `frame` with the repair over the packets of `mask`, behind the place of its header; section "Repairs".
 *
 * @param slotOf The frame of the i-th packet of the span.
 * @returns Where the repair ends.
 */
export function encodeRepair(frame: Buffer, mask: SpanMask, slotOf: (index: number) => FrameSlot): number {
  let longest = 0
  forEachBit(mask, (index) => (longest = Math.max(longest, slotOf(index).length - DATA_HEADER_BYTES)))
  const end = REPAIR.bytes + longest
  frame.fill(0, REPAIR.lengths, end)
  writeMask(frame, REPAIR.mask, mask)
  forEachBit(mask, (index) => addPacket(frame, slotOf(index)))
  return end
}

/** A repair that was received, and which of its packets are not known yet. */
export interface RepairRow {
  /** The frame, of `slot.length` bytes, less what was known. */
  readonly slot: FrameSlot
  readonly base: number
  unknown: SpanMask
}

/** The mask of a repair that ends at `end`; undefined for one that is too short. */
export function repairMask(frame: Uint8Array, end: number): SpanMask | undefined {
  return end < REPAIR.bytes ? undefined : readMask(frame, REPAIR.mask)
}

/** Takes a packet that is known out of a repair. False: the packet is longer than the repair, so one of them is not right. */
export function subtractPacket(row: RepairRow, index: number, packet: FrameSlot): boolean {
  if (!hasBit(row.unknown, index)) return true
  if (packet.length + REPAIR_OVERHEAD_BYTES > row.slot.length) return false
  addPacket(row.slot.memory, packet)
  row.unknown = withoutBit(row.unknown, index)
  return true
}

/** Adds one repair to another of the same span. */
export function addRow(into: RepairRow, from: RepairRow): void {
  const { memory } = into.slot
  if (into.slot.length < from.slot.length) memory.fill(0, into.slot.length, from.slot.length)
  into.slot.length = Math.max(into.slot.length, from.slot.length)
  xorBytes(memory, REPAIR.lengths, from.slot.memory, REPAIR.lengths, from.slot.length - REPAIR.lengths)
  into.unknown = symmetricDifference(into.unknown, from.unknown)
}

/**
 * The packet that is left in a repair when one alone is unknown: a data frame without its header.
 *
 * @returns Where it ends in `out`; undefined when the lengths contradict each other.
 */
export function extractPacket(row: RepairRow, out: Buffer): number | undefined {
  const bytes = readUint16(row.slot.memory, REPAIR.lengths)
  if (REPAIR.bytes + bytes > row.slot.length) return undefined
  row.slot.memory.copy(out, DATA.chunks, REPAIR.bytes, REPAIR.bytes + bytes)
  return DATA.chunks + bytes
}

function addPacket(repair: Buffer, packet: FrameSlot): void {
  const bytes = packet.length - DATA_HEADER_BYTES
  writeUint16(repair, REPAIR.lengths, readUint16(repair, REPAIR.lengths) ^ bytes)
  xorBytes(repair, REPAIR.bytes, packet.memory, DATA_HEADER_BYTES, bytes)
}

function xorBytes(into: Buffer, intoAt: number, from: Buffer, fromAt: number, bytes: number): void {
  if (bytes > 0) {
    findXor().blocks(into.subarray(intoAt, intoAt + bytes), from.subarray(fromAt, fromAt + bytes), bytes, FIRST_PAIR, 1)
  }
}

const FIRST_PAIR = new Uint32Array(2)
