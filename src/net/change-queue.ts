import type { InterfaceChange } from './interface-change.js'
import { compareStates, serialsOf, type InterfaceState } from './interface-difference.js'

type Changes = readonly InterfaceChange[]
type Step = IteratorResult<Changes, undefined>

/**
 * What one async iteration has not taken yet. Bounded: who is slow gets what waits as one difference, so that nothing is missed of how
 * things are, only of how they came to be.
 */
export class ChangeQueue implements AsyncIterableIterator<Changes> {
  readonly #onEnd: (queue: ChangeQueue) => void
  readonly #onCollapse: () => void
  readonly #waiting: ((step: Step) => void)[] = []
  /** Each with how things were before it. */
  #bursts: { readonly changes: Changes; readonly before: InterfaceState }[] = []
  #ended = false

  constructor(onEnd: (queue: ChangeQueue) => void, onCollapse: () => void) {
    this.#onEnd = onEnd
    this.#onCollapse = onCollapse
  }

  push(changes: Changes, before: InterfaceState, after: InterfaceState): void {
    const waiter = this.#waiting.shift()
    if (waiter !== undefined) {
      waiter({ done: false, value: changes })
      return
    }
    this.#bursts.push({ changes, before })
    if (this.#bursts.length <= MAX_WAITING_BURSTS) return
    this.#onCollapse()
    const first = this.#bursts[0]!.before
    const collapsed = Object.freeze(compareStates(first, after, serialsOf(first, after)))
    this.#bursts = collapsed.length === 0 ? [] : [{ changes: collapsed, before: first }]
  }

  /** No more changes; what waits can still be taken. */
  end(): void {
    this.#ended = true
    for (const waiter of this.#waiting.splice(0)) waiter(DONE)
  }

  next(): Promise<Step> {
    const burst = this.#bursts.shift()
    if (burst !== undefined) return Promise.resolve({ done: false, value: burst.changes })
    if (this.#ended) return Promise.resolve(DONE)
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  return(): Promise<Step> {
    this.#bursts = []
    this.end()
    this.#onEnd(this)
    return Promise.resolve(DONE)
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}

const DONE: Step = { done: true, value: undefined }
/** Bursts that wait for one iteration. */
export const MAX_WAITING_BURSTS = 64
