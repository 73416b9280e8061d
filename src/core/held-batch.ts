import type { IterableBatch } from './batch-consumers.js'
import { invalidState } from './errors.js'

/** Who has a batch: its running handlers, who retained it, and the steps of iterations. It ends when nobody has it any more. */
export abstract class HeldBatch implements IterableBatch {
  #isLent = false
  #isRetained = false
  /** Steps of iterations that have it. */
  #steps = 0

  /** Nobody has it any more: its views must not be used. */
  protected abstract end(): void

  /** Somebody keeps it beyond its handlers. */
  protected taken?(): void

  /**
   * Keeps this batch, and every view of it, beyond the handler or the step of an iteration, until {@link release}: the memory behind it
   * serves nobody else meanwhile. A batch that is retained and dropped without `release` is collected as garbage like any buffer.
   *
   * @throws `ERR_INVALID_STATE` when neither a handler nor an iteration has it any more, or the second time.
   */
  retain(): this {
    if (this.#isRetained || (!this.#isLent && this.#steps === 0)) {
      throw invalidState('only the batch of a running handler or step can be retained, and once')
    }
    this.#isRetained = true
    this.taken?.()
    return this
  }

  /** Gives a retained batch back. Its views must not be used afterwards. Harmless to repeat. */
  release(): void {
    if (!this.#isRetained) return
    this.#isRetained = false
    this.#isLent = false
    this.#endIfFree()
  }

  /** Is the handler that the batch was lent to still running? @internal */
  get isLent(): boolean {
    return this.#isLent
  }

  /** Does somebody keep it beyond the handler? */
  get isRetained(): boolean {
    return this.#isRetained || this.#steps > 0
  }

  /** Keeps the batch for a step of an iteration, until {@link endStep}. @internal */
  beginStep(): void {
    this.#steps++
    this.taken?.()
  }

  /** @internal */
  endStep(): void {
    this.#steps--
    this.#endIfFree()
  }

  /** Its handlers begin. */
  protected lend(): void {
    this.#isLent = true
  }

  /** Closes a batch whose handlers have returned, unless it was retained. @internal */
  finish(): void {
    this.#isLent = false
    this.#endIfFree()
  }

  #endIfFree(): void {
    if (!this.#isLent && !this.isRetained) this.end()
  }
}
