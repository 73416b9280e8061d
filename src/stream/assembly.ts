import type { MemoryWaiter, MessageMemory } from './assembly-budget.js'
import { readUint16, readUint32 } from './bytes.js'
import { CHUNK_BYTES, CHUNK_FLAG, DATA_HEADER_BYTES, FIRST_CHUNK_BYTES, RESET_REASON, WHOLE_CHUNK } from './wire.js'

/** What happens to messages as frames are read. */
export interface AssemblyOwner {
  /** A message is complete. The view lives until this returns. True: go on; false: stop behind this message. @internal */
  onMessage(message: Buffer, handler: number): boolean
  /** There is memory for the message that waited for it. @internal */
  onMemory(): void
}

/**
 * Reads the chunks of frames that come in order, and puts messages together; section "Chunks". A message that lies in one frame is
 * handed over where it lies.
 */
export class Assembly implements MemoryWaiter {
  readonly #owner: AssemblyOwner
  readonly #budget: MessageMemory
  readonly #maxMessageBytes: number
  /** Holds the message that is being put together, and is used again for the next one. */
  #memory: Buffer | undefined
  #expected = 0
  #filled = 0
  #handler = 0
  #isAssembling = false
  /** After a gap: what is not the beginning of a message belongs to one that is lost. */
  #isLost = false
  /** The length of a message that waits for memory; 0: none does. */
  wantedBytes = 0
  /** Where {@link read} stopped. */
  at = 0
  /** Why {@link read} failed, as a reset says it. */
  failure: number = RESET_REASON.malformed

  constructor(maxMessageBytes: number, budget: MessageMemory, owner: AssemblyOwner) {
    this.#maxMessageBytes = maxMessageBytes
    this.#budget = budget
    this.#owner = owner
  }

  /**
   * Reads chunks from `at` on.
   *
   * @returns True: to the end. False: the owner said stop, or `isStarved`; `this.at` is where to go on. Undefined: `this.failure`.
   */
  read(frame: Buffer, from: number, end: number): boolean | undefined {
    let at = from
    while (at + CHUNK_BYTES <= end && frame[at] !== 0) {
      const flags = frame[at]!
      const handler = frame[at + 1]!
      const bytes = readUint16(frame, at + 2)
      if (flags !== WHOLE_CHUNK) {
        const next = this.#readPiece(frame, at, end, flags, handler, bytes)
        if (next === STOPPED) return false
        if (next === FAILED) return undefined
        at = next
        continue
      }
      const start = at + CHUNK_BYTES
      at = start + bytes
      if (at > end || this.#isAssembling) return this.#fail(RESET_REASON.malformed)
      this.at = at
      if (!this.#owner.onMessage(frame.subarray(start, at), handler)) return false
    }
    this.at = end
    return true
  }

  /** Packets are missing for good: a message that was begun is lost, and so is one whose beginning was missed. */
  skip(): boolean {
    const wasAssembling = this.#isAssembling
    this.#isAssembling = false
    this.#isLost = true
    return wasAssembling
  }

  /** Is the next piece to be the first of a message? */
  get isIdle(): boolean {
    return !this.#isAssembling && !this.#isLost
  }

  /** Does a message wait for memory? Until the owner is told, nothing is to be read. */
  get isStarved(): boolean {
    return this.wantedBytes > 0
  }

  /** The message will not be read. */
  stopWaiting(): void {
    if (this.isStarved) this.#budget.cancel(this)
    this.wantedBytes = 0
  }

  onMemory(): void {
    this.#memory = Buffer.allocUnsafeSlow(this.wantedBytes)
    this.wantedBytes = 0
    this.#owner.onMemory()
  }

  /** Gives the memory back, if no message is in it. */
  trim(): void {
    if (!this.#isAssembling) this.#release()
  }

  dispose(): void {
    this.stopWaiting()
    this.#release()
    this.#isAssembling = false
  }

  /** A chunk that is not a whole message; where the next one begins. */
  #readPiece(frame: Buffer, at: number, end: number, flags: number, handler: number, bytes: number): number {
    if ((flags & ~WHOLE_CHUNK) !== 0 || (flags & CHUNK_FLAG.present) === 0) return this.#failed(RESET_REASON.malformed)
    const isFirst = (flags & CHUNK_FLAG.first) !== 0
    const start = at + (isFirst ? FIRST_CHUNK_BYTES : CHUNK_BYTES)
    const next = start + bytes
    if (next > end || bytes === 0) return this.#failed(RESET_REASON.malformed)
    if (isFirst) {
      if (this.#isAssembling) return this.#failed(RESET_REASON.malformed)
      const failure = this.#begin(readUint32(frame, at + 4), handler)
      if (failure !== undefined) return this.#failed(failure)
      if (this.isStarved) {
        this.at = at
        return STOPPED
      }
    } else if (this.#isLost && !this.#isAssembling) {
      return next
    }
    if (!this.#isAssembling || this.#filled + bytes > this.#expected) return this.#failed(RESET_REASON.malformed)
    copyPiece(frame, start, next, this.#memory!, this.#filled)
    this.#filled += bytes
    const isLast = (flags & CHUNK_FLAG.last) !== 0
    if (isLast !== (this.#filled === this.#expected)) return this.#failed(RESET_REASON.malformed)
    if (!isLast) return next
    this.#isAssembling = false
    this.at = next
    const goesOn = this.#owner.onMessage(this.#memory!.subarray(0, this.#expected), this.#handler)
    if (this.#budget.isWanted) this.#release()
    return goesOn ? next : STOPPED
  }

  #begin(messageBytes: number, handler: number): number | undefined {
    if (messageBytes > this.#maxMessageBytes) return RESET_REASON.messageTooLong
    if (this.#memory === undefined || this.#memory.length < messageBytes) {
      this.#release()
      const answer = this.#budget.takeMessage(messageBytes, this)
      if (answer === 'never') return RESET_REASON.noMemory
      if (answer === 'later') {
        this.wantedBytes = messageBytes
        return undefined
      }
      this.#memory = Buffer.allocUnsafeSlow(messageBytes)
    }
    this.#expected = messageBytes
    this.#filled = 0
    this.#handler = handler
    this.#isAssembling = true
    this.#isLost = false
    return undefined
  }

  #release(): void {
    if (this.#memory === undefined) return
    this.#budget.giveMessage(this.#memory.length)
    this.#memory = undefined
  }

  #failed(reason: number): number {
    this.failure = reason
    return FAILED
  }

  #fail(reason: number): undefined {
    this.failure = reason
    return undefined
  }
}

/**
 * Copies `source`, from `start` to `end`, to `at` in `target`. A view of the piece would cost more than copying it: what stands before the
 * piece is copied along, over what lies before `at`, and that is put back.
 */
function copyPiece(source: Buffer, start: number, end: number, target: Buffer, at: number): void {
  if (start > saved.length || at < start || end !== source.length) {
    source.copy(target, at, start, end)
    return
  }
  const from = at - start
  for (let i = 0; i < start; i++) saved[i] = target[from + i]!
  target.set(source, from)
  for (let i = 0; i < start; i++) target[from + i] = saved[i]!
}

const saved = new Uint8Array(DATA_HEADER_BYTES + FIRST_CHUNK_BYTES)
const STOPPED = -1
const FAILED = -2
