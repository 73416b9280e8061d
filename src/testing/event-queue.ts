/** Something that happens at a moment of virtual time. */
export interface ScheduledEvent {
  /** Is there something to wait for? Timers that were given up with `unref` are not. */
  readonly keepsBusy: boolean
  readonly isCancelled: boolean
  fire(): void
}

/**
 * Events by time, and those of one time in the order in which they were added.
 *
 * A heap of four children a node over typed arrays: half the levels of a binary one, and children share a cache line. The events
 * themselves stay where they are; only numbers move.
 */
export class EventQueue {
  #times = new Float64Array(INITIAL_CAPACITY)
  #orders = new Float64Array(INITIAL_CAPACITY)
  #slots = new Int32Array(INITIAL_CAPACITY)
  #events: (ScheduledEvent | undefined)[] = []
  #freeSlots: number[] = []
  #size = 0
  #nextOrder = 0

  get size(): number {
    return this.#size
  }

  /** When the first event is due; `Infinity` when there is none. */
  get firstTimeMs(): number {
    return this.#size === 0 ? Infinity : this.#times[0]!
  }

  get first(): ScheduledEvent | undefined {
    return this.#size === 0 ? undefined : this.#events[this.#slots[0]!]
  }

  push(timeMs: number, event: ScheduledEvent): void {
    if (this.#size === this.#times.length) this.#grow()
    const slot = this.#freeSlots.pop() ?? this.#events.length
    this.#events[slot] = event
    this.#siftUp(this.#size++, timeMs, this.#nextOrder++, slot)
  }

  /** Takes out the first event. There must be one. */
  pop(): ScheduledEvent {
    const slot = this.#slots[0]!
    const event = this.#events[slot]!
    this.#events[slot] = undefined
    this.#freeSlots.push(slot)
    const last = --this.#size
    if (last > 0) this.#siftDown(0, this.#times[last]!, this.#orders[last]!, this.#slots[last]!)
    return event
  }

  /** Forgets cancelled events: those far in the future would pile up. */
  dropCancelled(): void {
    let kept = 0
    for (let i = 0; i < this.#size; i++) {
      const slot = this.#slots[i]!
      if (this.#events[slot]!.isCancelled) {
        this.#events[slot] = undefined
        this.#freeSlots.push(slot)
      } else {
        this.#place(kept++, this.#times[i]!, this.#orders[i]!, slot)
      }
    }
    this.#size = kept
    for (let i = (kept - 2) >> 2; i >= 0; i--) this.#siftDown(i, this.#times[i]!, this.#orders[i]!, this.#slots[i]!)
  }

  #siftUp(from: number, timeMs: number, order: number, slot: number): void {
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 2
      const parentTime = this.#times[parent]!
      // What is new has the highest order, so it stays behind its equals.
      if (parentTime <= timeMs) break
      this.#place(at, parentTime, this.#orders[parent]!, this.#slots[parent]!)
      at = parent
    }
    this.#place(at, timeMs, order, slot)
  }

  #siftDown(from: number, timeMs: number, order: number, slot: number): void {
    const times = this.#times
    const orders = this.#orders
    const size = this.#size
    let at = from
    for (;;) {
      const firstChild = 4 * at + 1
      if (firstChild >= size) break
      let least = firstChild
      const end = Math.min(firstChild + 4, size)
      for (let child = firstChild + 1; child < end; child++) {
        const time = times[child]!
        const leastTime = times[least]!
        if (time < leastTime || (time === leastTime && orders[child]! < orders[least]!)) least = child
      }
      const leastTime = times[least]!
      if (leastTime > timeMs || (leastTime === timeMs && orders[least]! > order)) break
      this.#place(at, leastTime, orders[least]!, this.#slots[least]!)
      at = least
    }
    this.#place(at, timeMs, order, slot)
  }

  #place(at: number, timeMs: number, order: number, slot: number): void {
    this.#times[at] = timeMs
    this.#orders[at] = order
    this.#slots[at] = slot
  }

  #grow(): void {
    const capacity = 2 * this.#times.length
    this.#times = copied(new Float64Array(capacity), this.#times)
    this.#orders = copied(new Float64Array(capacity), this.#orders)
    this.#slots = copied(new Int32Array(capacity), this.#slots)
  }
}

function copied<T extends Float64Array | Int32Array>(to: T, from: T): T {
  to.set(from)
  return to
}

const INITIAL_CAPACITY = 64
