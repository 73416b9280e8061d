import { writeUint16, writeUint32 } from './bytes.js'
import type { FrameSlot } from './frame-pool.js'
import { CHUNK_BYTES, CHUNK_FLAG, DATA_HEADER_BYTES, FIRST_CHUNK_BYTES, WHOLE_CHUNK } from './wire.js'

/** A message that is cut, and how far that is. */
export interface LongMessage {
  /** Where its bytes from `sourceAt` on lie. */
  memory: ArrayBufferLike
  memoryAt: number
  sourceAt: number
  /** The first byte that is not written yet, in the whole message. */
  offset: number
  readonly length: number
  readonly handler: number
}

export function longMessage(message: Uint8Array, handler: number): LongMessage {
  return { memory: message.buffer, memoryAt: message.byteOffset, sourceAt: 0, offset: 0, length: message.length, handler }
}

/** The same with a copy of what is not written yet. */
export function withoutWritten(long: LongMessage): LongMessage {
  const bytes = long.length - long.offset
  const copy = Buffer.allocUnsafeSlow(bytes)
  copy.set(new Uint8Array(long.memory, long.memoryAt + long.offset - long.sourceAt, bytes))
  return { ...long, memory: copy.buffer, memoryAt: copy.byteOffset, sourceAt: long.offset }
}

/**
 * Writes chunks into frames; section "Chunks". A message that fits a frame lies in one frame, whole. A longer one is cut, and may begin
 * behind others and end before others, so that frames of a long message are full.
 */
export class FrameWriter {
  /** Where chunks may end: the frame without its trailer. */
  limit = 0
  /** The longest message that is not cut. */
  maxWholeBytes = 0
  readonly #trailerBytes: number
  #previousLength = 0

  constructor(frameBytes: number, trailerBytes: number) {
    this.#trailerBytes = trailerBytes
    this.setFrameBytes(frameBytes)
  }

  /** Frames that are begun may be longer than this when the path has become narrower. */
  setFrameBytes(frameBytes: number): void {
    this.limit = frameBytes - this.#trailerBytes
    this.maxWholeBytes = this.limit - DATA_HEADER_BYTES - CHUNK_BYTES
    this.#previousLength = 0
  }

  /** It is filled as far as frames went when it was begun, and not beyond its memory. */
  begin(slot: FrameSlot): void {
    slot.length = DATA_HEADER_BYTES
    slot.limit = Math.min(this.limit, slot.memory.length - this.#trailerBytes)
  }

  /** Is there room for all of a message that is not cut? */
  hasRoom(slot: FrameSlot, messageBytes: number): boolean {
    return slot.length + CHUNK_BYTES + messageBytes <= slot.limit
  }

  /** After {@link hasRoom}. */
  writeWhole(slot: FrameSlot, message: Uint8Array, handler: number): void {
    const { memory, length } = slot
    const messageBytes = message.length
    memory[length] = WHOLE_CHUNK
    memory[length + 1] = handler
    writeUint16(memory, length + 2, messageBytes)
    const at = length + CHUNK_BYTES
    if (messageBytes < SHORT_BYTES) for (let i = 0; i < messageBytes; i++) memory[at + i] = message[i]!
    else memory.set(message, at)
    slot.length = at + messageBytes
  }

  /** May a piece of a message that is cut go here, or is what is left not worth it? */
  isWorthAPiece(slot: FrameSlot): boolean {
    return slot.limit - slot.length >= MIN_PIECE_BYTES
  }

  /** Writes as much of the message as there is room for, and moves its `offset`. */
  writePiece(slot: FrameSlot, long: LongMessage): void {
    const { memory } = slot
    const { offset, length } = long
    const isFirst = offset === 0
    const at = slot.length + (isFirst ? FIRST_CHUNK_BYTES : CHUNK_BYTES)
    const pieceBytes = Math.min(slot.limit - at, length - offset)
    const isLast = offset + pieceBytes === length
    memory[slot.length] = CHUNK_FLAG.present | (isFirst ? CHUNK_FLAG.first : 0) | (isLast ? CHUNK_FLAG.last : 0)
    memory[slot.length + 1] = long.handler
    writeUint16(memory, slot.length + 2, pieceBytes)
    if (isFirst) writeUint32(memory, slot.length + 4, length)
    memory.set(new Uint8Array(long.memory, long.memoryAt + offset - long.sourceAt, pieceBytes), at)
    slot.length = at + pieceBytes
    long.offset += pieceBytes
  }

  /** More follows: makes the frame as long as the one before if it is only a little shorter, so that both leave together (offload). */
  pad(slot: FrameSlot): void {
    const missing = this.#previousLength - slot.length
    if (missing > 0 && missing <= MAX_PADDING_BYTES && this.#previousLength <= slot.limit) {
      slot.memory.fill(0, slot.length, this.#previousLength)
      slot.length = this.#previousLength
    }
    this.#previousLength = slot.length
  }
}

/** Shorter ones are copied byte by byte faster than by a call. */
const SHORT_BYTES = 24
/** Less than this at the end of a frame is not worth a chunk of its own. */
const MIN_PIECE_BYTES = 128
const MAX_PADDING_BYTES = 64
