/** A batch as the iteration needs it. */
export interface IterableBatch {
  /** @internal */
  readonly isLent: boolean
  readonly isRetained: boolean
  /** @internal */
  beginStep(): void
  /** @internal */
  endStep(): void
}

/** Takes a batch; undefined: there will be none. */
type Waiter<Batch> = (batch: Batch | undefined) => void
type Step<Batch> = IteratorResult<Batch, undefined>

/** Who waits for batches by async iteration: the first in line gets the next one. */
export class BatchConsumers<Batch extends IterableBatch> {
  readonly #onChange: () => void
  readonly #waiting: Waiter<Batch>[] = []
  #ended = false

  /** @param onChange Called when somebody starts or stops to wait. */
  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  get isWaiting(): boolean {
    return this.#waiting.length > 0
  }

  /** Gives a batch to whoever waits, who keeps it until the next step. One that a listener has given back already is over. */
  offer(batch: Batch): void {
    if (!batch.isLent && !batch.isRetained) return
    const waiter = this.#waiting.shift()
    if (waiter === undefined) return
    batch.beginStep()
    waiter(batch)
    this.#onChange()
  }

  /** No more batches: everybody's iteration is done. */
  end(): void {
    this.#ended = true
    for (const waiter of this.#waiting.splice(0)) waiter(undefined)
  }

  iterate(): AsyncIterableIterator<Batch> {
    const held: Batch[] = []
    let done = false
    const mine = new Set<Waiter<Batch>>()
    const release = (): void => {
      for (const batch of held.splice(0)) batch.endStep()
    }
    const iterator: AsyncIterableIterator<Batch> = {
      next: () => {
        release()
        if (done || this.#ended) return Promise.resolve(DONE)
        return new Promise<Step<Batch>>((resolve) => {
          const waiter: Waiter<Batch> = (batch) => {
            mine.delete(waiter)
            if (batch !== undefined) held.push(batch)
            resolve(batch === undefined ? DONE : { done: false, value: batch })
          }
          mine.add(waiter)
          this.#waiting.push(waiter)
          this.#onChange()
        })
      },
      return: () => {
        release()
        done = true
        for (const waiter of [...mine]) {
          this.#waiting.splice(this.#waiting.indexOf(waiter), 1)
          waiter(undefined)
        }
        this.#onChange()
        return Promise.resolve(DONE)
      },
      [Symbol.asyncIterator]: () => iterator,
    }
    return iterator
  }
}

const DONE: Step<never> = { done: true, value: undefined }
