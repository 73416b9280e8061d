import { checkInteger, invalidState } from '../core/index.js'

/**
 * Memory for messages on their way, with a bound that the caller sets. What is given back is kept for the next one that needs as much.
 *
 * Sizes are rounded up, by an eighth at most, so that there are few different ones; the rounded size is what counts.
 */
export class MemoryPool {
  readonly limitBytes: number
  #usedBytes = 0
  #spareBytes = 0
  readonly #spares = new Map<number, Uint8Array[]>()
  readonly #taken = new Set<Uint8Array>()

  /** @param limitBytes What may be taken at one time, in all. @throws `ERR_OUT_OF_RANGE` */
  constructor(limitBytes: number) {
    this.limitBytes = checkInteger('limitBytes', limitBytes, 0, Number.MAX_SAFE_INTEGER)
  }

  /** Bytes that are taken now: 0 when everything was given back or let go. */
  get usedBytes(): number {
    return this.#usedBytes
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
    if (this.#usedBytes + rounded > this.limitBytes) return undefined
    const spare = this.#spares.get(rounded)?.pop()
    if (spare !== undefined) this.#spareBytes -= rounded
    const memory = spare ?? new Uint8Array(new ArrayBuffer(rounded))
    this.#taken.add(memory)
    this.#usedBytes += rounded
    this.#trim()
    return memory
  }

  /** Gives back what was taken. @throws `ERR_INVALID_STATE` for what was not, or is given back already. */
  give(memory: Uint8Array): void {
    this.letGo(memory)
    const spares = this.#spares.get(memory.length)
    if (spares === undefined) this.#spares.set(memory.length, [memory])
    else spares.push(memory)
    this.#spareBytes += memory.length
    this.#trim()
  }

  /** Counts memory as no longer taken, although somebody keeps it: it never comes back. */
  letGo(memory: Uint8Array): void {
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
