/** Takes an item; undefined: there will be none. */
type Waiter<T> = (item: T | undefined) => void

/** What came and waits for async iteration, with a bound in bytes. Without an iteration nothing waits. */
export class MessageQueue<T> {
  readonly #limitBytes: number
  readonly #onIterate: () => void
  readonly #onForgotten: (item: T) => void
  readonly #items: { readonly item: T; readonly bytes: number }[] = []
  readonly #waiting: Waiter<T>[] = []
  #bytes = 0
  #iterations = 0
  #ended = false

  /** @param onIterate Called when an iteration begins. @param onForgotten Called with each item that waits when the last one is left. */
  constructor(limitBytes: number, onIterate: () => void, onForgotten: (item: T) => void) {
    this.#limitBytes = limitBytes
    this.#onIterate = onIterate
    this.#onForgotten = onForgotten
  }

  /** False when it would have had to wait, and there was no room. */
  offer(item: T, bytes: number): boolean {
    const waiter = this.#waiting.shift()
    if (waiter !== undefined) {
      waiter(item)
      return true
    }
    if (this.#iterations === 0) return true
    if (this.#bytes + bytes > this.#limitBytes) return false
    this.#items.push({ item, bytes })
    this.#bytes += bytes
    return true
  }

  /** What waits can still be read; then every iteration is done. */
  end(): void {
    this.#ended = true
    for (const waiter of this.#waiting.splice(0)) waiter(undefined)
  }

  iterate(): AsyncIterableIterator<T> {
    this.#iterations++
    this.#onIterate()
    let done = false
    const mine = new Set<Waiter<T>>()
    const iterator: AsyncIterableIterator<T> = {
      next: () => {
        if (done) return Promise.resolve(DONE)
        const first = this.#items.shift()
        if (first !== undefined) {
          this.#bytes -= first.bytes
          return Promise.resolve({ done: false, value: first.item })
        }
        if (this.#ended) return Promise.resolve(DONE)
        return new Promise((resolve) => {
          const waiter: Waiter<T> = (item) => {
            mine.delete(waiter)
            resolve(item === undefined ? DONE : { done: false, value: item })
          }
          mine.add(waiter)
          this.#waiting.push(waiter)
        })
      },
      return: () => {
        if (!done) this.#leave(mine)
        done = true
        return Promise.resolve(DONE)
      },
      [Symbol.asyncIterator]: () => iterator,
    }
    return iterator
  }

  #leave(waiters: ReadonlySet<Waiter<T>>): void {
    for (const waiter of [...waiters]) {
      this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
      waiter(undefined)
    }
    if (--this.#iterations > 0) return
    this.#bytes = 0
    for (const { item } of this.#items.splice(0)) this.#onForgotten(item)
  }
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined }
