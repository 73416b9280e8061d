import { DATA, DATA_HEADER_BYTES } from './wire.js'

/** Memory for one frame, with a view of its first bytes that is kept while the length stays. */
export class FrameSlot {
  readonly memory: Buffer
  /** The header of a data frame, as the words of a little-endian machine: there are only such. */
  readonly header: Int32Array
  length = 0
  /** Where chunks may end. */
  limit = 0
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

/** The frame slots of a node: bounded, and used again. A slot is as long as its frame, or a little longer. */
export class FramePool {
  /** The longest frames there are. */
  readonly slotBytes: number
  readonly #maxBytes: number
  /** By length, ascending. */
  readonly #shelves: readonly Shelf[]
  #takenBytes = 0

  constructor(slotBytes: number, maxBytes: number) {
    this.slotBytes = slotBytes
    this.#maxBytes = Math.max(slotBytes, maxBytes)
    this.#shelves = [...USUAL_SLOT_BYTES.filter((bytes) => bytes < slotBytes), slotBytes].map((bytes) => new Shelf(bytes))
  }

  get takenBytes(): number {
    return this.#takenBytes
  }

  /** How many bytes may still be taken; less than 0 when some were indispensable. */
  get freeBytes(): number {
    return this.#maxBytes - this.#takenBytes
  }

  /** For a frame of so many bytes. Undefined at the bound, unless the caller could not go on without. */
  take(isIndispensable: boolean, bytes = this.slotBytes): FrameSlot | undefined {
    const shelf = this.#shelfFor(bytes)
    if (this.#takenBytes + shelf.slotBytes > this.#maxBytes && !isIndispensable) return undefined
    this.#takenBytes += shelf.slotBytes
    return shelf.take()
  }

  give(slot: FrameSlot): void {
    this.#takenBytes -= slot.memory.length
    this.#shelfFor(slot.memory.length).give(slot)
  }

  #shelfFor(bytes: number): Shelf {
    const shelves = this.#shelves
    let at = 0
    while (at < shelves.length - 1 && shelves[at]!.slotBytes < bytes) at++
    return shelves[at]!
  }
}

/** Slots of one length that nobody has taken: many are in one piece of memory, which the processor's caches like. */
class Shelf {
  readonly slotBytes: number
  readonly #free: FrameSlot[] = []
  readonly #maxSlots: number
  /** Slots to make the next time that there is none. */
  #nextSlots = MIN_SLOTS

  constructor(slotBytes: number) {
    this.slotBytes = slotBytes
    this.#maxSlots = Math.ceil(MAX_FREE_BYTES / slotBytes)
  }

  take(): FrameSlot {
    if (this.#free.length === 0) this.#make()
    return this.#free.pop()!
  }

  give(slot: FrameSlot): void {
    if (this.#free.length < this.#maxSlots) this.#free.push(slot)
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

/** Frames that path MTUs lead to: Ethernet, 4 and 9 KB, and longer ones. */
const USUAL_SLOT_BYTES = [1472, 4052, 8152, 8952, 16_384, 32_768]
/** What a node keeps of each length for the next burst. */
const MAX_FREE_BYTES = 12 << 20
/** A node that sends little keeps little. */
const MIN_SLOTS = 4
const MAX_PIECE_BYTES = 65_536
const CACHE_LINE_BYTES = 64
