import type { Assembly } from './assembly.js'
import type { MessageMemory } from './assembly-budget.js'
import { readUint16, readUint32 } from './bytes.js'
import type { FrameSlot } from './frame-pool.js'
import { DONE, GONE, type ReceiveWindow } from './receive-window.js'
import { CHUNK_BYTES, CHUNK_FLAG, DATA, FIRST_CHUNK_BYTES, WHOLE_CHUNK } from './wire.js'

/** What is known of the packets in the ring, as its marks. A message in several packets has a first, middles, and a last. */
const MARK = {
  /** Nothing but a piece of the middle of a message. */
  middle: 0x01,
  /** Begins with the last piece of a message. */
  last: 0x02,
  /** Ends with the first piece of a message. */
  first: 0x04,
  /** The piece at the beginning is delivered, or on its way through the assembly. */
  headDone: 0x08,
  /** So is the piece at the end. */
  tailDone: 0x10,
  /** It was looked through: these marks are there for it, and its cursor counts whole messages alone. */
  indexed: 0x20,
} as const

/** Takes a message; the view lives until it returns. False: stop. */
type Deliver = (message: Buffer, handler: number) => boolean

/**
 * Finds messages that are complete behind packets that are missing: section "Delivery". Each is delivered once, here or when its packets'
 * turn comes.
 *
 * Of a packet in the ring, the slot's cursor says which whole messages are delivered: those before it. Neighbouring middles know the run
 * they are in: the ring's time of the first says the last, that of the last the first; so an arrival costs the same however long the
 * message is.
 */
export class EarlyMessages {
  readonly #window: ReceiveWindow
  readonly #budget: MessageMemory
  readonly #maxMessageBytes: number

  constructor(window: ReceiveWindow, maxMessageBytes: number, budget: MessageMemory) {
    this.#window = window
    this.#maxMessageBytes = maxMessageBytes
    this.#budget = budget
  }

  /** A packet has come to lie in the ring. */
  add(packet: number): void {
    const { slots, marks, timesMs, mask } = this.#window.ring
    const at = packet & mask
    const mark = classify(slots[at]!)
    marks[at] = mark
    if ((mark & MARK.middle) === 0) return
    const first = this.#isMiddle(packet - 1) ? timesMs[(packet - 1) & mask]! : packet
    const last = this.#isMiddle(packet + 1) ? timesMs[(packet + 1) & mask]! : packet
    timesMs[first & mask] = last
    timesMs[last & mask] = first
  }

  /**
   * Delivers what the packet has, or has completed, although others before it are missing. False: stopped.
   *
   * @param isNew Was it added just now?
   */
  deliver(packet: number, isNew: boolean, deliver: Deliver): boolean {
    const { slots, marks, timesMs, mask } = this.#window.ring
    const slot = slots[packet & mask]
    const mark = marks[packet & mask]!
    if (slot === undefined || slot === GONE || slot === DONE || (mark & MARK.indexed) === 0) return true
    if ((mark & (MARK.last | MARK.headDone)) === MARK.last) {
      const first = this.#isMiddle(packet - 1) ? timesMs[(packet - 1) & mask]! - 1 : packet - 1
      if (!this.#deliverSpanning(first, packet, deliver)) return false
    }
    if ((mark & MARK.middle) !== 0) {
      const run = this.#runOf(packet, isNew)
      if (run !== undefined && !this.#deliverSpanning(run[0] - 1, run[1] + 1, deliver)) return false
    }
    if (slots[packet & mask] === DONE) return true
    if (!deliverWhole(slot, deliver)) return false
    if ((mark & (MARK.first | MARK.tailDone)) === MARK.first) {
      const last = this.#isMiddle(packet + 1) ? timesMs[(packet + 1) & mask]! + 1 : packet + 1
      if (!this.#deliverSpanning(packet, last, deliver)) return false
    }
    this.#releaseIfDone(packet)
    return true
  }

  /** Walks through the chunks of the packet whose turn has come, but those that are delivered. Gives what the assembly's `read` does. */
  readRest(slot: FrameSlot, packet: number, assembly: Assembly): boolean | undefined {
    const { marks, mask } = this.#window.ring
    const { memory, length } = slot
    for (let at = this.#pendingChunk(slot, packet); at < length; at = this.#pendingChunk(slot, packet)) {
      const end = Math.min(chunkEnd(memory, at), length)
      const mark = marks[packet & mask]!
      const { cursor } = slot
      if ((marks[packet & mask]! & MARK.indexed) === 0 || memory[at] === WHOLE_CHUNK) slot.cursor = end
      else marks[packet & mask]! |= (memory[at]! & CHUNK_FLAG.first) !== 0 ? MARK.tailDone : MARK.headDone
      const result = assembly.read(memory, at, end)
      if (assembly.isStarved) {
        // It comes again.
        marks[packet & mask] = mark
        slot.cursor = cursor
      }
      if (result !== true) return result
    }
    return true
  }

  /** Is there more for the user, or for the assembly, in the packet whose turn it is? */
  hasRest(slot: FrameSlot, packet: number): boolean {
    return this.#pendingChunk(slot, packet) < slot.length
  }

  /** Where the first chunk begins that is not delivered; the length of the packet: there is none. */
  #pendingChunk({ memory, length, cursor }: FrameSlot, packet: number): number {
    const { marks, mask } = this.#window.ring
    const mark = marks[packet & mask]!
    for (let at: number = DATA.chunks; at + CHUNK_BYTES <= length && memory[at] !== 0; at = chunkEnd(memory, at)) {
      // Of one that was not added, the cursor has passed everything that was read.
      if ((mark & MARK.indexed) === 0 || memory[at] === WHOLE_CHUNK) {
        if (at >= cursor) return at
      } else if ((mark & ((memory[at]! & CHUNK_FLAG.first) !== 0 ? MARK.tailDone : MARK.headDone)) === 0) {
        return at
      }
    }
    return length
  }

  /** First and last of the run of middles. Known to those at its ends, and to the one that has just joined two runs. */
  #runOf(packet: number, isNew: boolean): [number, number] | undefined {
    const { timesMs, mask } = this.#window.ring
    const other = timesMs[packet & mask]!
    if (!this.#isMiddle(packet - 1)) return [packet, other]
    if (!this.#isMiddle(packet + 1)) return [other, packet]
    return isNew ? [timesMs[(packet - 1) & mask]!, timesMs[(packet + 1) & mask]!] : undefined
  }

  #isHere(packet: number): boolean {
    const { next, highest, ring } = this.#window
    if (packet <= next || packet >= highest) return false
    const slot = ring.slots[packet & ring.mask]
    return slot !== undefined && slot !== GONE && slot !== DONE
  }

  #isMiddle(packet: number): boolean {
    return this.#isHere(packet) && (this.#window.ring.marks[packet & this.#window.ring.mask]! & MARK.middle) !== 0
  }

  /** Delivers the message from packet `first` to packet `last`, if that is one. */
  #deliverSpanning(first: number, last: number, deliver: Deliver): boolean {
    const { slots, marks, mask } = this.#window.ring
    if (!this.#isHere(first) || !this.#isHere(last)) return true
    if ((marks[first & mask]! & (MARK.first | MARK.tailDone)) !== MARK.first) return true
    if ((marks[last & mask]! & (MARK.last | MARK.headDone)) !== MARK.last) return true
    const { memory, length } = slots[first & mask]!
    const begin = lastChunk(memory, length)
    const bytes = readUint32(memory, begin + 4)
    // What is too long, or contradicts itself, fails when its turn comes; what finds no memory waits for that.
    if (bytes > this.#maxMessageBytes || this.#piecesBytes(first, last) !== bytes) return true
    if (this.#budget.takeMessage(bytes) !== 'taken') return true
    const message = Buffer.allocUnsafeSlow(bytes)
    let filled = memory.copy(message, 0, begin + FIRST_CHUNK_BYTES, chunkEnd(memory, begin))
    for (let packet = first + 1; packet <= last; packet++) {
      const source = slots[packet & mask]!.memory
      filled += source.copy(message, filled, DATA.chunks + CHUNK_BYTES, chunkEnd(source, DATA.chunks))
    }
    marks[first & mask]! |= MARK.tailDone
    for (let packet = first + 1; packet <= last; packet++) marks[packet & mask]! |= MARK.headDone
    const handler = memory[begin + 1]!
    for (let packet = first; packet <= last; packet++) this.#releaseIfDone(packet)
    const goesOn = deliver(message, handler)
    this.#budget.giveMessage(bytes)
    return goesOn
  }

  #piecesBytes(first: number, last: number): number {
    const { slots, mask } = this.#window.ring
    const { memory, length } = slots[first & mask]!
    let bytes = readUint16(memory, lastChunk(memory, length) + 2)
    for (let packet = first + 1; packet <= last; packet++) bytes += readUint16(slots[packet & mask]!.memory, DATA.chunks + 2)
    return bytes
  }

  /** All that is in the packet is delivered: its memory is not needed while it waits for its turn. */
  #releaseIfDone(packet: number): void {
    const { slots, marks, mask } = this.#window.ring
    const slot = slots[packet & mask]!
    const mark = marks[packet & mask]!
    if (slot === DONE || slot.cursor < slot.length) return
    if ((mark & (MARK.last | MARK.middle)) !== 0 && (mark & MARK.headDone) === 0) return
    if ((mark & MARK.first) !== 0 && (mark & MARK.tailDone) === 0) return
    this.#window.release(packet)
  }
}

/** The marks of a packet. What is not as it should be has none, and nothing of it is delivered early. */
function classify(slot: FrameSlot): number {
  const { memory, length } = slot
  let mark: number = MARK.indexed
  let end: number
  for (let at: number = DATA.chunks; at + CHUNK_BYTES <= length && memory[at] !== 0; at = end) {
    const flags = memory[at]!
    end = chunkEnd(memory, at)
    const isPiece = (flags & ~WHOLE_CHUNK) === 0 && (flags & CHUNK_FLAG.present) !== 0
    if (!isPiece || end > length || (mark & (MARK.first | MARK.middle)) !== 0) return 0
    if (flags === WHOLE_CHUNK) continue
    if ((flags & CHUNK_FLAG.first) !== 0) mark |= MARK.first
    else if (at !== DATA.chunks) return 0
    else mark |= (flags & CHUNK_FLAG.last) !== 0 ? MARK.last : MARK.middle
  }
  return mark
}

/** The whole messages of a packet, from its cursor on. False: stopped. */
function deliverWhole(slot: FrameSlot, deliver: Deliver): boolean {
  const { memory, length } = slot
  while (slot.cursor + CHUNK_BYTES <= length && memory[slot.cursor] !== 0) {
    const at = slot.cursor
    slot.cursor = chunkEnd(memory, at)
    if (memory[at] !== WHOLE_CHUNK) continue
    if (!deliver(memory.subarray(at + CHUNK_BYTES, slot.cursor), memory[at + 1]!)) return false
  }
  slot.cursor = length
  return true
}

function chunkEnd(memory: Buffer, at: number): number {
  const isFirstOfSeveral = (memory[at]! & (CHUNK_FLAG.first | CHUNK_FLAG.last)) === CHUNK_FLAG.first
  return at + (isFirstOfSeveral ? FIRST_CHUNK_BYTES : CHUNK_BYTES) + readUint16(memory, at + 2)
}

/** Where the last chunk begins of a packet that was found to be in order. */
function lastChunk(memory: Buffer, length: number): number {
  let at: number = DATA.chunks
  for (let end = chunkEnd(memory, at); end + CHUNK_BYTES <= length && memory[end] !== 0; end = chunkEnd(memory, end)) at = end
  return at
}
