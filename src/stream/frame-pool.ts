import { DATA, DATA_HEADER_BYTES } from './wire.js'

/** Memory for one frame, with a view of its first bytes that is kept while the length stays. */
export class FrameSlot {
  readonly memory: Buffer
  /** The header of a data frame, as the words of a little-endian machine: there are only such. */
  readonly header: Int32Array
  length = 0
  /** Where the walk through its chunks goes on. */
  cursor = 0
  #view: Buffer

  constructor(memory: Buffer) {
    this.memory = memory
    this.header = new Int32Array(memory.buffer, memory.byteOffset, Math.min(memory.length, DATA_HEADER_BYTES) >> 2)
    this.#view = memory
  }

  /** Takes a copy of a data frame whose chunks end at `end`. */
  fill(frame: Buffer, end: number): void {
    this.memory.set(frame.length === end ? frame : frame.subarray(0, end))
    this.length = end
    this.cursor = DATA.chunks
  }

  /** The first `length` bytes. */
  view(length: number): Buffer {
    if (this.#view.length !== length) this.#view = this.memory.subarray(0, length)
    return this.#view
  }
}

/** The frame slots of a node: bounded, used again, and many in one piece of memory, which the processor's caches like. */
export class FramePool {
  readonly slotBytes: number
  readonly #maxSlots: number
  readonly #free: FrameSlot[] = []
  #taken = 0
  /** Slots to make the next time that there is none. */
  #nextSlots = MIN_SLOTS

  constructor(slotBytes: number, maxBytes: number) {
    this.slotBytes = slotBytes
    this.#maxSlots = Math.max(1, Math.floor(maxBytes / slotBytes))
  }

  get takenBytes(): number {
    return this.#taken * this.slotBytes
  }

  /** How many may still be taken; less than 0 when some were indispensable. */
  get freeSlots(): number {
    return this.#maxSlots - this.#taken
  }

  /** Undefined at the bound, unless the caller could not go on without. */
  take(isIndispensable: boolean): FrameSlot | undefined {
    if (this.#taken >= this.#maxSlots && !isIndispensable) return undefined
    this.#taken++
    if (this.#free.length === 0) this.#make()
    return this.#free.pop()
  }

  give(slot: FrameSlot): void {
    this.#taken--
    if (this.#free.length < MAX_FREE_SLOTS) this.#free.push(slot)
  }

  #make(): void {
    const strideBytes = Math.ceil(this.slotBytes / CACHE_LINE_BYTES) * CACHE_LINE_BYTES
    const slots = Math.max(1, Math.min(this.#nextSlots, Math.floor(MAX_PIECE_BYTES / strideBytes)))
    const memory = Buffer.allocUnsafeSlow(slots * strideBytes)
    for (let at = 0; at < memory.length; at += strideBytes) {
      this.#free.push(new FrameSlot(memory.subarray(at, at + this.slotBytes)))
    }
    this.#nextSlots = 2 * slots
  }
}

/** Some 12 MB of Ethernet's frames that a node keeps for the next burst. */
const MAX_FREE_SLOTS = 8192
/** A node that sends little keeps little. */
const MIN_SLOTS = 4
const MAX_PIECE_BYTES = 65_536
const CACHE_LINE_BYTES = 64
