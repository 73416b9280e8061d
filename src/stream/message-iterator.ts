import type { StreamError } from './stream-error.js'

type Step = IteratorResult<Buffer, undefined>

/** Hands messages to an async iteration, as it asks for them. */
export class MessageIterator implements AsyncIterableIterator<Buffer> {
  readonly #onChange: () => void
  #waiting: { resolve: (step: Step) => void; reject: (error: Error) => void }[] = []
  #error: StreamError | undefined
  #ended: boolean

  /** @param onChange Called when somebody waits for a message, and when nobody does any more. */
  constructor(onChange: () => void, error: StreamError | undefined, ended: boolean) {
    this.#onChange = onChange
    this.#error = error
    this.#ended = ended
  }

  get isWaiting(): boolean {
    return this.#waiting.length > 0
  }

  offer(message: Buffer): void {
    this.#waiting.shift()!.resolve({ done: false, value: message })
  }

  end(error: StreamError | undefined): void {
    if (this.#ended) return
    this.#ended = true
    this.#error = error
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      if (this.#error === undefined) resolve(DONE)
      else reject(this.#takeError())
    }
  }

  next(): Promise<Step> {
    if (this.#error !== undefined) return Promise.reject(this.#takeError())
    if (this.#ended) return Promise.resolve(DONE)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#onChange()
    })
  }

  return(): Promise<Step> {
    for (const { resolve } of this.#waiting.splice(0)) resolve(DONE)
    this.#onChange()
    return Promise.resolve(DONE)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** An error is told once; after it the iteration is over. */
  #takeError(): Error {
    const error = this.#error!
    this.#error = undefined
    return error
  }
}

const DONE: Step = { done: true, value: undefined }
