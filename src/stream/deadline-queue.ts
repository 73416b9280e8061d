/** Something with a deadline. {@link DeadlineQueue} keeps its place in the object itself. */
export interface Scheduled {
  /** @internal Milliseconds of the clock. */
  deadlineMs: number
  /** @internal Where in the queue; -1: not in it. */
  queueIndex: number
  /** @internal The deadline has passed, and the item is out of the queue. */
  onDeadline(nowMs: number): void
}

/** A binary heap by deadline, whose items can move and leave: what is due, of ten thousands that wait. */
export class DeadlineQueue<T extends Scheduled> {
  readonly #heap: T[] = []

  get nextMs(): number {
    return this.#heap[0]?.deadlineMs ?? Infinity
  }

  get size(): number {
    return this.#heap.length
  }

  /** Puts `item` where `deadlineMs` belongs; Infinity takes it out. */
  schedule(item: T, deadlineMs: number): void {
    if (deadlineMs === Infinity) return this.remove(item)
    const before = item.deadlineMs
    item.deadlineMs = deadlineMs
    if (item.queueIndex < 0) {
      item.queueIndex = this.#heap.length
      this.#heap.push(item)
      this.#rise(item)
    } else if (deadlineMs < before) {
      this.#rise(item)
    } else {
      this.#sink(item)
    }
  }

  remove(item: T): void {
    const index = item.queueIndex
    if (index < 0) return
    item.queueIndex = -1
    item.deadlineMs = Infinity
    const last = this.#heap.pop()!
    if (last === item) return
    last.queueIndex = index
    this.#heap[index] = last
    this.#rise(last)
    this.#sink(last)
  }

  /** Takes out the first item that is due; undefined when none is. */
  takeDue(nowMs: number): T | undefined {
    const first = this.#heap[0]
    if (first === undefined || first.deadlineMs > nowMs) return undefined
    this.remove(first)
    return first
  }

  #rise(item: T): void {
    const heap = this.#heap
    while (item.queueIndex > 0) {
      const parentIndex = (item.queueIndex - 1) >> 1
      const parent = heap[parentIndex]!
      if (parent.deadlineMs <= item.deadlineMs) return
      this.#swap(parent, item)
    }
  }

  #sink(item: T): void {
    const heap = this.#heap
    for (;;) {
      const left = 2 * item.queueIndex + 1
      const right = left + 1
      let child = heap[left]
      if (child === undefined) return
      const other = heap[right]
      if (other !== undefined && other.deadlineMs < child.deadlineMs) child = other
      if (child.deadlineMs >= item.deadlineMs) return
      this.#swap(item, child)
    }
  }

  /** `upper` is the parent of `lower`. */
  #swap(upper: T, lower: T): void {
    const index = upper.queueIndex
    upper.queueIndex = lower.queueIndex
    lower.queueIndex = index
    this.#heap[upper.queueIndex] = upper
    this.#heap[lower.queueIndex] = lower
  }
}
