/** Memory for one frame, with a view of its first bytes that is kept while the length stays. */
export class FrameSlot {
  readonly memory: Buffer
  length = 0
  /** Where the walk through its chunks goes on. */
  cursor = 0
  #view: Buffer

  constructor(bytes: number) {
    this.memory = Buffer.allocUnsafeSlow(bytes)
    this.#view = this.memory
  }

  /** The first `length` bytes. */
  view(length: number): Buffer {
    if (this.#view.length !== length) this.#view = this.memory.subarray(0, length)
    return this.#view
  }
}

/** The frame slots of a node: bounded, and used again. */
export class FramePool {
  readonly slotBytes: number
  readonly #maxSlots: number
  readonly #free: FrameSlot[] = []
  #taken = 0

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
    return this.#free.pop() ?? new FrameSlot(this.slotBytes)
  }

  give(slot: FrameSlot): void {
    this.#taken--
    if (this.#free.length < MAX_FREE_SLOTS) this.#free.push(slot)
  }
}

/** Some 12 MB of Ethernet's frames that a node keeps for the next burst. */
const MAX_FREE_SLOTS = 8192
