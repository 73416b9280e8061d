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
  /** Ids below the highest that have not come, and may yet: `count` of them from `first` on. The latest gaps. */
  readonly #skipped: { readonly first: number; readonly count: number }[] = []
  /** Why streams that are over are over, the latest of them, by key. */
  readonly #finished = new Map<number, number>()

  get size(): number {
    return this.#streams.size
  }

  /** All of them; a copy. */
  all(): S[] {
    return [...this.#streams.values()]
  }

  /**
   * May the peer open one with this id? Ids grow, modulo 2^32, by as much as it opens with others meanwhile; those that were overtaken may
   * still come.
   */
  takeRemoteId(id: number): boolean {
    if (id === 0) return false
    const { remoteHighest } = this
    if (remoteHighest === undefined) {
      this.#skip(id - HALF, HALF)
    } else {
      const ahead = (id - remoteHighest) | 0
      if (ahead <= 0) return this.#takeSkipped(id)
      if (ahead > 1) this.#skip(remoteHighest + 1, ahead - 1)
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

  #skip(first: number, count: number): void {
    if (count === 0) return
    this.#skipped.push({ first: first >>> 0, count })
    if (this.#skipped.length > MAX_SKIPPED) this.#skipped.shift()
  }

  #takeSkipped(id: number): boolean {
    const index = this.#skipped.findIndex(({ first, count }) => (id - first) >>> 0 < count)
    if (index < 0) return false
    const { first, count } = this.#skipped[index]!
    const before = (id - first) >>> 0
    this.#skipped.splice(index, 1)
    this.#skip(first, before)
    this.#skip(id + 1, count - before - 1)
    return true
  }
}

/** One number for a stream. */
export function keyOf(id: number, isOpener: boolean): number {
  return id * 2 + (isOpener ? 1 : 0)
}

/** Streams that are over and whose reason is remembered. */
const MAX_FINISHED = 256
/** Gaps between ids that came; a stream whose *open* is overtaken by so many others is refused. */
const MAX_SKIPPED = 256
/** Of all ids: those before the first that comes. */
const HALF = 2 ** 31 - 1
