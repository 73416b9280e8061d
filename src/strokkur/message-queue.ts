/** What came and waits for async iteration, with a bound in bytes. Without an iteration nothing waits. */
export class MessageQueue<T> {
  readonly #limitBytes: number
  readonly #onIterate: () => void
  readonly #items: { readonly item: T; readonly bytes: number }[] = []
  readonly #waiting: ((item: T | undefined) => void)[] = []
  #bytes = 0
  #iterations = 0
  #ended = false

  /** @param onIterate Called when an iteration begins. */
  constructor(limitBytes: number, onIterate: () => void) {
    this.#limitBytes = limitBytes
    this.#onIterate = onIterate
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
    let waiter: ((item: T | undefined) => void) | undefined
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
          waiter = (item) => resolve(item === undefined ? DONE : { done: false, value: item })
          this.#waiting.push(waiter)
        })
      },
      return: () => {
        if (!done) this.#iterations--
        done = true
        const place = waiter === undefined ? -1 : this.#waiting.indexOf(waiter)
        if (place >= 0) this.#waiting.splice(place, 1)[0]!(undefined)
        if (this.#iterations === 0) {
          this.#items.length = 0
          this.#bytes = 0
        }
        return Promise.resolve(DONE)
      },
      [Symbol.asyncIterator]: () => iterator,
    }
    return iterator
  }
}

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined }
