import type { Endpoint } from '../core/index.js'

/** One datagram as it came in. */
export interface Arrival {
  readonly group: string
  readonly source: Endpoint
  readonly payload: Buffer
  /** Longer than the payload where that was cut. */
  readonly wireLength: number
  readonly interfaceIndex: number
}

/**
 * Tells the copies that a datagram makes of itself when several interfaces are on one LAN.
 *
 * The rule: a copy has the source endpoint, the group and every byte of a datagram that was delivered at most `windowMs` ago, came by
 * *another* interface, and is the first there that can be this datagram's copy: each delivered datagram is matched once by each interface.
 * So a sender that repeats itself loses nothing: of n equal datagrams by one interface and m by another, max(n, m) are delivered,
 * whatever their order. What arrives by one interface twice is never a copy.
 *
 * Pure: time is passed in. Bounded in datagrams; payloads are kept for comparison, so it never errs by a hash.
 */
export class CopyWindow {
  /** Forgotten early, or not remembered at all. */
  unwatched = 0
  readonly #windowMs: number
  readonly #maxDatagrams: number
  readonly #seed: number
  readonly #byHash = new Map<number, Original[]>()
  /** In the order of delivery; each original as often as it was delivered. */
  #order: Original[] = []
  #first = 0

  constructor(windowMs: number, maxDatagrams: number, seed: number) {
    this.#windowMs = windowMs
    this.#maxDatagrams = maxDatagrams
    this.#seed = seed
  }

  /** Is this a copy? If not, it counts as delivered now. */
  isCopy(arrival: Arrival, nowMs: number): boolean {
    this.#expire(nowMs)
    const hash = this.#hashOf(arrival)
    const alike = this.#byHash.get(hash)
    let original = alike?.find((candidate) => candidate.matches(arrival))
    if (original?.takeCopy(arrival.interfaceIndex)) return true
    if (original === undefined) {
      if (alike !== undefined && alike.length >= MAX_ALIKE) {
        this.unwatched++
        return false
      }
      original = new Original(arrival, hash)
      if (alike === undefined) this.#byHash.set(hash, [original])
      else alike.push(original)
    }
    original.deliver(arrival.interfaceIndex, nowMs)
    this.#order.push(original)
    return false
  }

  /** Datagrams that are remembered. */
  get size(): number {
    return this.#order.length - this.#first
  }

  #expire(nowMs: number): void {
    while (this.size > 0) {
      const oldest = this.#order[this.#first]!
      const isFull = this.size >= this.#maxDatagrams
      if (!isFull && nowMs - oldest.oldestMs < this.#windowMs) break
      if (nowMs - oldest.oldestMs < this.#windowMs) this.unwatched++
      this.#first++
      if (oldest.forgetOldest() === 0) this.#remove(oldest)
    }
    if (this.#first > this.#maxDatagrams) {
      this.#order = this.#order.slice(this.#first)
      this.#first = 0
    }
  }

  #remove(original: Original): void {
    const alike = this.#byHash.get(original.hash)!.filter((other) => other !== original)
    if (alike.length === 0) this.#byHash.delete(original.hash)
    else this.#byHash.set(original.hash, alike)
  }

  /** FNV-1a from a secret start: what is hashed comes from the network. */
  #hashOf({ payload, source, wireLength }: Arrival): number {
    let hash = this.#seed ^ source.port ^ (wireLength << 16) ^ source.words[3]
    for (let i = 0; i < payload.length; i++) hash = Math.imul(hash ^ payload[i]!, FNV_PRIME)
    return hash
  }
}

/** A datagram, delivered once or several times within the window. */
class Original {
  readonly hash: number
  readonly #group: string
  readonly #source: Endpoint
  readonly #payload: Buffer
  readonly #wireLength: number
  #deliveries: { readonly interfaceIndex: number; readonly atMs: number }[] = []
  /** How many deliveries are forgotten: positions below count from the first ever. */
  #forgotten = 0
  /** By interface: the position behind the last delivery that it has matched. */
  readonly #matched = new Map<number, number>()

  constructor({ group, source, payload, wireLength }: Arrival, hash: number) {
    this.hash = hash
    this.#group = group
    this.#source = source
    this.#payload = Buffer.from(payload)
    this.#wireLength = wireLength
  }

  get oldestMs(): number {
    return this.#deliveries[0]!.atMs
  }

  matches({ group, source, payload, wireLength }: Arrival): boolean {
    return (
      this.#wireLength === wireLength && this.#group === group && this.#source.equals(source) && this.#payload.equals(payload)
    )
  }

  /** Matches the oldest delivery by another interface that this one has not matched yet, if there is one. */
  takeCopy(interfaceIndex: number): boolean {
    let at = Math.max(this.#matched.get(interfaceIndex) ?? 0, this.#forgotten) - this.#forgotten
    while (this.#deliveries[at]?.interfaceIndex === interfaceIndex) at++
    const found = at < this.#deliveries.length
    this.#matched.set(interfaceIndex, this.#forgotten + at + (found ? 1 : 0))
    return found
  }

  deliver(interfaceIndex: number, atMs: number): void {
    this.#deliveries.push({ interfaceIndex, atMs })
  }

  /** @returns How many are left. */
  forgetOldest(): number {
    this.#deliveries.shift()
    this.#forgotten++
    return this.#deliveries.length
  }
}

/** Different datagrams with one hash: by chance there are none, and a forger must not make us search. */
const MAX_ALIKE = 8
const FNV_PRIME = 0x0100_0193
