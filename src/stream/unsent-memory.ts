/** The memory of a node for what there was no room for in frames: the rest of long messages that were taken. */
export class UnsentBudget {
  takenBytes = 0
  readonly #maxBytes: number
  /** Who was refused, in this order. */
  readonly #waiting = new Set<() => void>()
  #isTellingSoon = false

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get freeBytes(): number {
    return this.#maxBytes - this.takenBytes
  }

  wait(onRoom: () => void): void {
    this.#waiting.add(onRoom)
  }

  cancel(onRoom: () => void): void {
    this.#waiting.delete(onRoom)
  }

  /** Some has become free: not within whoever gave it. */
  tellSoon(): void {
    if (this.#isTellingSoon || this.#waiting.size === 0) return
    this.#isTellingSoon = true
    queueMicrotask(() => {
      this.#isTellingSoon = false
      const waiting = [...this.#waiting]
      this.#waiting.clear()
      for (const onRoom of waiting) onRoom()
    })
  }
}

/** A peer's share of it, or a publication's: one message always, more as long as it leaves as much to all others. */
export class UnsentShare {
  readonly #budget: UnsentBudget
  #heldBytes = 0

  constructor(budget: UnsentBudget) {
    this.#budget = budget
  }

  /** False: not now; `onRoom` is called when it may be worth another try. */
  take(bytes: number, onRoom: () => void): boolean {
    if (this.#heldBytes > 0 && this.#heldBytes + bytes > this.#budget.freeBytes - bytes) {
      this.#budget.wait(onRoom)
      return false
    }
    this.#heldBytes += bytes
    this.#budget.takenBytes += bytes
    return true
  }

  give(bytes: number): void {
    if (bytes === 0) return
    this.#heldBytes -= bytes
    this.#budget.takenBytes -= bytes
    this.#budget.tellSoon()
  }

  cancel(onRoom: () => void): void {
    this.#budget.cancel(onRoom)
  }
}
