import type { ReceiveBatch } from '../core/index.js'

type Step = IteratorResult<ReceiveBatch, undefined>

/** Who waits for batches by async iteration: the first in line gets the next one. */
export class BatchConsumers {
  readonly #onChange: () => void
  readonly #waiting: ((step: Step) => void)[] = []
  #ended = false

  /** @param onChange Called when somebody starts or stops to wait. */
  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  get isWaiting(): boolean {
    return this.#waiting.length > 0
  }

  /** Gives a batch to whoever waits, who keeps it until the next step. */
  offer(batch: ReceiveBatch): void {
    const resolve = this.#waiting.shift()
    if (resolve === undefined) return
    resolve({ done: false, value: batch.isRetained ? batch : batch.retain() })
    this.#onChange()
  }

  /** No more batches: everybody's iteration is done. */
  end(): void {
    this.#ended = true
    for (const resolve of this.#waiting.splice(0)) resolve(DONE)
  }

  iterate(): AsyncIterableIterator<ReceiveBatch> {
    let held: ReceiveBatch | undefined
    let done = false
    const release = (): void => {
      held?.release()
      held = undefined
    }
    const iterator: AsyncIterableIterator<ReceiveBatch> = {
      next: async () => {
        release()
        if (done || this.#ended) return DONE
        const step = await new Promise<Step>((resolve) => {
          this.#waiting.push(resolve)
          this.#onChange()
        })
        if (!step.done) held = step.value
        return step
      },
      return: () => {
        release()
        done = true
        return Promise.resolve(DONE)
      },
      [Symbol.asyncIterator]: () => iterator,
    }
    return iterator
  }
}

const DONE: Step = { done: true, value: undefined }
