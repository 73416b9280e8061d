import { checkInteger, invalidState } from '../core/index.js'

/**
 * Memory for messages on their way, with a bound that the caller sets. What is given back is kept for the next one that needs as much.
 *
 * Sizes are rounded up, by an eighth at most, so that there are few different ones; the rounded size is what counts.
 *
 * A pool may have a parent: then it is a share of that, with a limit of its own.
 */
export class MemoryPool {
  readonly limitBytes: number
  #usedBytes = 0
  #spareBytes = 0
  readonly #spares = new Map<number, Uint8Array[]>()
  readonly #taken = new Set<Uint8Array>()
  readonly #parent: MemoryPool | undefined
  #refusedByParent = false

  /** @param limitBytes What may be taken at one time, in all. @throws `ERR_OUT_OF_RANGE` */
  constructor(limitBytes: number, parent?: MemoryPool) {
    this.limitBytes = checkInteger('limitBytes', limitBytes, 0, Number.MAX_SAFE_INTEGER)
    this.#parent = parent
  }

  /** Bytes that are taken now: 0 when everything was given back or let go. */
  get usedBytes(): number {
    return this.#usedBytes
  }

  /** Was it the parent's limit, not its own, for which the last {@link take} gave nothing? */
  get refusedByParent(): boolean {
    return this.#refusedByParent
  }

  /** What {@link take} counts for so many bytes. */
  static roundedBytes(bytes: number): number {
    if (bytes <= LEAST_BYTES) return LEAST_BYTES
    const step = 2 ** (28 - Math.clz32(bytes - 1))
    return Math.ceil(bytes / step) * step
  }

  /** At least `bytes` bytes with anything in them, aligned to 8; undefined when that would pass the limit. */
  take(bytes: number): Uint8Array | undefined {
    const rounded = MemoryPool.roundedBytes(bytes)
    this.#refusedByParent = false
    if (this.#usedBytes + rounded > this.limitBytes) return undefined
    const memory = this.#parent === undefined ? this.#takeSpare(rounded) : this.#parent.take(bytes)
    if (memory === undefined) {
      this.#refusedByParent = true
      return undefined
    }
    this.#taken.add(memory)
    this.#usedBytes += rounded
    this.#trim()
    return memory
  }

  /** Gives back what was taken. @throws `ERR_INVALID_STATE` for what was not, or is given back already. */
  give(memory: Uint8Array): void {
    this.#forget(memory)
    if (this.#parent !== undefined) {
      this.#parent.give(memory)
      return
    }
    this.adopt(memory)
  }

  /** Counts memory as no longer taken, although somebody keeps it: it never comes back. */
  letGo(memory: Uint8Array): void {
    this.#forget(memory)
    this.#parent?.letGo(memory)
  }

  /** Takes back memory that was {@link letGo}, by whom nobody uses it any more: as a spare, if there is room for one. */
  adopt(memory: Uint8Array): void {
    if (this.#parent !== undefined) {
      this.#parent.adopt(memory)
      return
    }
    const spares = this.#spares.get(memory.length)
    if (spares === undefined) this.#spares.set(memory.length, [memory])
    else spares.push(memory)
    this.#spareBytes += memory.length
    this.#trim()
  }

  #takeSpare(rounded: number): Uint8Array {
    const spare = this.#spares.get(rounded)?.pop()
    // Not zeroed: who takes memory writes it before it is read.
    if (spare === undefined) return new Uint8Array(Buffer.allocUnsafeSlow(rounded).buffer)
    this.#spareBytes -= rounded
    return spare
  }

  #forget(memory: Uint8Array): void {
    if (!this.#taken.delete(memory)) throw invalidState('this memory is not taken from the pool')
    this.#usedBytes -= memory.length
  }

  /** Taken and spare memory together stay within the limit. */
  #trim(): void {
    for (const [size, spares] of this.#spares) {
      while (spares.length > 0 && this.#usedBytes + this.#spareBytes > this.limitBytes) {
        spares.pop()
        this.#spareBytes -= size
      }
      if (spares.length === 0) this.#spares.delete(size)
    }
  }
}

const LEAST_BYTES = 256
