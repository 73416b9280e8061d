import type { FrameSlot } from './frame-pool.js'
import { longMessage, withoutWritten, type LongMessage } from './frame-writer.js'
import { NO_RING, type PacketRing } from './packet-ring.js'
import type { Refusal } from './path.js'
import type { SendCounters, SendingContext } from './sending.js'

export interface SendBufferOptions {
  /** Of numbered packets: a fire-and-forget stream keeps none. */
  readonly kind: 'reliable' | 'bestEffort' | 'fireAndForget'
  readonly windowPackets: number
  /** The same in bytes: counts when frames have become longer. */
  readonly windowBytes: number
}

/**
 * From messages to packets, and what is kept of these until it has arrived.
 *
 * `base` (the oldest that is kept) <= `next` (the first that never left) <= `filled` (the first that does not exist). In the ring: when
 * a packet left, how often, and whether it is to be sent again.
 */
export class SendBuffer {
  ring: PacketRing = NO_RING
  base = 0
  next = 0
  filled = 0
  /** Handed to the user at the other end, as far as known. */
  consumed = 0
  /** Packets that are marked: to be sent again. */
  marked = 0
  readonly #options: SendBufferOptions
  readonly #context: SendingContext
  readonly #counters: SendCounters
  /** Is the last frame open for more? */
  #isFilling = false
  #isRefusing = false
  /** What there was none of when a frame was wanted last. */
  #lack: Refusal = 'window'
  /** The rest of a message that had no room: a copy, of so many bytes. */
  #rest: LongMessage | undefined
  #restBytes = 0
  readonly #onRoom: () => void

  /** @param onRoom There is memory again: {@link makeRoom} may find that messages can be taken. */
  constructor(options: SendBufferOptions, context: SendingContext, counters: SendCounters, onRoom: () => void) {
    this.#onRoom = onRoom
    this.#options = options
    this.#context = context
    this.#counters = counters
  }

  /** Packets that may be between the oldest that is not acknowledged and the newest. */
  get windowPackets(): number {
    const { windowPackets, windowBytes } = this.#options
    return Math.min(windowPackets, Math.max(MIN_WINDOW_PACKETS, Math.floor(windowBytes / this.#context.path.frameBytes)))
  }

  /** Why a message was refused since there was room. */
  get refusedBy(): Refusal | undefined {
    return this.#isRefusing ? this.#lack : undefined
  }

  /** Is there more of a message than has found room? */
  get hasRest(): boolean {
    return this.#rest !== undefined
  }

  /** Takes a message. False: there is no room, it was not taken. */
  push(message: Uint8Array, handler: number): boolean {
    const { writer } = this.#context
    if (this.#rest !== undefined) return this.#refuse()
    if (message.length <= writer.maxWholeBytes) {
      let slot = this.#isFilling ? this.#last() : undefined
      if (slot === undefined || !writer.hasRoom(slot, message.length)) {
        slot = this.#begin()
        if (slot === undefined) return this.#refuse()
      }
      writer.writeWhole(slot, message, handler)
    } else if (!this.#pushLong(message, handler)) {
      return this.#refuse()
    }
    this.#counters.messagesSent++
    this.#counters.bytesSent += message.length
    return true
  }

  /** Cuts on what waits for room. True: there is room again after a refusal. */
  makeRoom(): boolean {
    if (this.#rest !== undefined) {
      this.#writePieces(this.#rest)
      if (this.#rest.offset < this.#rest.length) return false
      this.#giveRest()
    }
    if (!this.#isRefusing || !this.#hasRoomAgain()) return false
    this.#isRefusing = false
    return true
  }

  /** The packet `next` leaves. */
  onSent(nowMs: number): void {
    const packet = this.next
    const at = packet & this.ring.mask
    if (packet === this.filled - 1) this.#isFilling = false
    this.next = packet + 1
    this.ring.timesMs[at] = nowMs
    this.ring.counts[at] = 1
    this.ring.marks[at] = 0
  }

  mark(packet: number): void {
    this.ring.marks[packet & this.ring.mask] = 1
    this.marked++
  }

  unmark(packet: number): void {
    this.ring.marks[packet & this.ring.mask] = 0
    this.marked--
  }

  isMarked(packet: number): boolean {
    return packet >= this.base && this.ring.marks[packet & this.ring.mask] !== 0
  }

  /** Packets before `end` are not needed any more. */
  releaseBefore(end: number): void {
    for (; this.base < end; this.base++) this.#free(this.base)
  }

  /** Gives all memory back. */
  dispose(): void {
    this.releaseBefore(this.filled)
    this.next = this.filled
    this.#giveRest()
    this.#context.unsent.cancel(this.#onRoom)
    this.#isFilling = false
  }

  /** Gives the ring back if it is empty. */
  trim(): void {
    if (this.base !== this.filled) return
    this.ring = NO_RING
  }

  #refuse(): false {
    this.#isRefusing = true
    this.#counters.messagesRefused++
    return false
  }

  #last(): FrameSlot {
    return this.ring.slots[(this.filled - 1) & this.ring.mask]!
  }

  /** A message of several frames: as much as there is room for; a copy of the rest waits. */
  #pushLong(message: Uint8Array, handler: number): boolean {
    const { unsent } = this.#context
    this.#lack = 'memory'
    if (!unsent.take(message.length, this.#onRoom)) return false
    const long = longMessage(message, handler)
    this.#writePieces(long)
    this.#restBytes = long.offset === 0 ? 0 : long.length - long.offset
    unsent.give(message.length - this.#restBytes)
    if (long.offset === 0) return false
    if (long.offset < long.length) this.#rest = withoutWritten(long)
    return true
  }

  #giveRest(): void {
    this.#rest = undefined
    this.#context.unsent.give(this.#restBytes)
    this.#restBytes = 0
  }

  #writePieces(long: LongMessage): void {
    const { writer } = this.#context
    let slot = this.#isFilling ? this.#last() : undefined
    while (long.offset < long.length) {
      if (slot === undefined || !writer.isWorthAPiece(slot)) slot = this.#begin()
      if (slot === undefined) return
      writer.writePiece(slot, long)
    }
  }

  #hasRoom(): boolean {
    return this.#options.kind === 'bestEffort'
      ? this.filled - this.base < this.windowPackets || this.base < this.next
      : this.filled - this.consumed < this.windowPackets
  }

  /** So much that it is worth telling: a reliable stream's user is not to be called for every frame. */
  #hasRoomAgain(): boolean {
    if (this.#options.kind === 'bestEffort') return this.#hasRoom()
    return this.filled - this.consumed <= this.windowPackets * (1 - ROOM_FRACTION)
  }

  /** A new frame at the end; undefined when the window, or the memory, is full. */
  #begin(): FrameSlot | undefined {
    const { pool, writer, path } = this.#context
    this.#lack = 'window'
    if (!this.#hasRoom()) return undefined
    if (this.#options.kind === 'bestEffort' && this.filled - this.base >= this.windowPackets) this.#forgetOldest()
    // Who has nothing waiting has nothing to wait for: one frame is always to be had.
    const slot = pool.take(this.filled === this.base, path.frameBytes)
    this.#lack = 'memory'
    if (slot === undefined) return undefined
    if (this.#isFilling) writer.pad(this.#last())
    if (this.filled - this.base > this.ring.mask) this.ring = this.ring.grown(this.base, this.filled)
    writer.begin(slot)
    this.ring.slots[this.filled & this.ring.mask] = slot
    this.filled++
    this.#isFilling = true
    return slot
  }

  #forgetOldest(): void {
    this.#counters.packetsForgotten++
    this.releaseBefore(this.base + 1)
    this.consumed = Math.max(this.consumed, this.base)
  }

  #free(packet: number): void {
    const { slots, marks, mask } = this.ring
    const at = packet & mask
    const slot = slots[at]!
    slots[at] = undefined
    if (marks[at] !== 0) this.unmark(packet)
    this.#context.pool.give(slot)
  }
}

/** 'drain' comes when so much of the window is free. */
const ROOM_FRACTION = 0.25
/** Fewer would stop at every packet that is late. */
export const MIN_WINDOW_PACKETS = 16
