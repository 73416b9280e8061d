/** What a {@link StreamTable} has to know of a stream. */
export interface Numbered {
  readonly id: number
  /** Did this side open it? Both sides count their own, so a stream is its id and who gave it. */
  readonly isOpener: boolean
}

/** The streams with a peer, which ids are still to be used, and how those ended that are over. */
export class StreamTable<S extends Numbered> {
  /** The highest id that the peer gave a stream; undefined: it gave none in this life. */
  remoteHighest: number | undefined
  readonly #streams = new Map<number, S>()
  /** Ids below the highest that have not come. */
  readonly #skipped = new Set<number>()
  /** Why streams that are over are over, the latest of them, by key. */
  readonly #finished = new Map<number, number>()

  get size(): number {
    return this.#streams.size
  }

  /** All of them; a copy. */
  all(): S[] {
    return [...this.#streams.values()]
  }

  /** May the peer open one with this id? Ids grow, modulo 2^32; those that were overtaken may still come. */
  takeRemoteId(id: number): boolean {
    if (id === 0) return false
    const ahead = this.remoteHighest === undefined ? Infinity : (id - this.remoteHighest) | 0
    if (ahead <= 0) return this.#skipped.delete(id)
    for (let back = Math.min(ahead - 1, MAX_SKIPPED); back > 0; back--) this.#skipped.add((id - back) >>> 0)
    for (const oldest of this.#skipped) {
      if (this.#skipped.size <= MAX_SKIPPED) break
      this.#skipped.delete(oldest)
    }
    this.remoteHighest = id
    return true
  }

  find(id: number, isOpener: boolean): S | undefined {
    return this.#streams.get(keyOf(id, isOpener))
  }

  add(stream: S): void {
    this.#streams.set(keyOf(stream.id, stream.isOpener), stream)
  }

  /** It has ended: who asks for it is told `reason`. */
  remove(stream: S, reason: number): void {
    const key = keyOf(stream.id, stream.isOpener)
    this.#streams.delete(key)
    this.#finished.set(key, reason)
    if (this.#finished.size > MAX_FINISHED) this.#finished.delete(this.#finished.keys().next().value!)
  }

  /** Why a stream is over; undefined when that is not remembered. */
  reasonOf(id: number, isOpener: boolean): number | undefined {
    return this.#finished.get(keyOf(id, isOpener))
  }
}

function keyOf(id: number, isOpener: boolean): number {
  return id * 2 + (isOpener ? 1 : 0)
}

/** Streams that are over and whose reason is remembered, and ids that were overtaken. */
const MAX_FINISHED = 256
const MAX_SKIPPED = 256
