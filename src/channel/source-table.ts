import type { Endpoint } from '../core/index.js'
import { SourceSequence } from './source-sequence.js'

/** One sender of a channel, as it stood when it was asked for. */
export interface ChannelSource {
  readonly endpoint: Endpoint
  readonly datagrams: number
  /** Of payloads. */
  readonly bytes: number
  /** Times that numbers were missing, and how many in all; those that came late after all are not taken off. */
  readonly gaps: number
  readonly missing: number
  readonly late: number
  readonly duplicates: number
  readonly restarts: number
  /** The highest sequence number. */
  readonly sequence: number
  /** When it was heard last, in the time of the node's clock. */
  readonly heardMs: number
}

/** The state of one sender of a channel. */
export class Source {
  datagrams = 0
  bytes = 0
  gaps = 0
  missing = 0
  late = 0
  duplicates = 0
  restarts = 0
  /** Heard since the table looked for somebody to forget? */
  isFresh = true

  constructor(
    readonly endpoint: Endpoint,
    readonly numbers: SourceSequence,
    public heardMs: number,
  ) {}

  snapshot(): ChannelSource {
    const { endpoint, datagrams, bytes, gaps, missing, late, duplicates, restarts, numbers, heardMs } = this
    return { endpoint, datagrams, bytes, gaps, missing, late, duplicates, restarts, sequence: numbers.highest, heardMs }
  }
}

/** The senders of a channel: so many at most, and each only until it has been silent for a while. */
export class SourceTable {
  /** Forgotten for their silence, and to make room for others. */
  expired = 0
  evicted = 0
  readonly #maxSources: number
  readonly #restartAfterMs: number
  readonly #sources = new Map<number, Source>()
  #last: Source | undefined

  constructor(maxSources: number, restartAfterMs: number) {
    this.#maxSources = maxSources
    this.#restartAfterMs = restartAfterMs
  }

  get size(): number {
    return this.#sources.size
  }

  /** The source of an IPv4 endpoint; a new one if it is not known, whose first number is `sequence`. */
  of(endpoint: Endpoint, sequence: number, nowMs: number): Source {
    const last = this.#last
    if (last !== undefined && last.endpoint === endpoint) return last
    const key = endpoint.words[3] * PORTS + endpoint.port
    let source = this.#sources.get(key)
    if (source === undefined) {
      if (this.#sources.size >= this.#maxSources) this.#evict()
      source = new Source(endpoint, new SourceSequence(sequence, nowMs, this.#restartAfterMs), nowMs)
      this.#sources.set(key, source)
    }
    this.#last = source
    return source
  }

  /** Forgets who has been silent since `sinceMs`. */
  expire(sinceMs: number): void {
    for (const [key, source] of this.#sources) {
      if (source.heardMs > sinceMs) continue
      this.#sources.delete(key)
      this.expired++
    }
    this.#last = undefined
  }

  clear(): void {
    this.#sources.clear()
    this.#last = undefined
  }

  snapshots(): ChannelSource[] {
    return [...this.#sources.values()].map((source) => source.snapshot())
  }

  /** Second chance: the oldest that was not heard since the last time that it was looked at. Each look but one is paid by a datagram. */
  #evict(): void {
    for (const [key, source] of this.#sources) {
      this.#sources.delete(key)
      if (!source.isFresh) break
      source.isFresh = false
      this.#sources.set(key, source)
    }
    this.evicted++
    this.#last = undefined
  }
}

const PORTS = 65_536
