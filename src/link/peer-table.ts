import type { Endpoint } from '../core/index.js'

/**
 * Peers in the order in which they were last heard of, bounded: a hash table over flat memory, so that ten thousand of them cost little
 * more than their endpoints, and neither finding, refreshing nor forgetting one depends on how many there are.
 */
export class PeerTable {
  readonly #maxPeers: number
  readonly #seed: number
  #count = 0
  #newest = NONE
  #oldest = NONE
  #free = NONE
  #used = 0
  #endpoints: (Endpoint | undefined)[] = []
  #lastHeardMs = new Float64Array(INITIAL_PEERS)
  #tags = new Uint16Array(INITIAL_PEERS)
  /** Towards the newest, and towards the oldest. */
  #newer = new Int32Array(INITIAL_PEERS)
  #older = new Int32Array(INITIAL_PEERS)
  /** The next one of the same bucket, or of the free ones. */
  #chain = new Int32Array(INITIAL_PEERS)
  #buckets = new Int32Array(INITIAL_PEERS).fill(NONE)

  /**
   * @param maxPeers When one more is heard of, the one silent for longest is forgotten.
   * @param seed A random number that nobody outside knows: forged sources must not be able to meet in one bucket.
   */
  constructor(maxPeers: number, seed: number) {
    this.#maxPeers = maxPeers
    this.#seed = seed
  }

  get count(): number {
    return this.#count
  }

  get newest(): Endpoint | undefined {
    return this.#newest === NONE ? undefined : this.#endpoints[this.#newest]
  }

  /** When the peer that was silent for longest was heard of; undefined without any. */
  get oldestHeardMs(): number | undefined {
    return this.#oldest === NONE ? undefined : this.#lastHeardMs[this.#oldest]
  }

  /** What {@link tag} noted of a peer; 0 otherwise. */
  tagOf(endpoint: Endpoint): number {
    const slot = this.#find(endpoint)
    return slot === NONE ? 0 : this.#tags[slot]!
  }

  /** Notes a number with the peer that was heard of last. */
  tag(tag: number): void {
    this.#tags[this.#newest] = tag
  }

  has(endpoint: Endpoint): boolean {
    return this.#find(endpoint) !== NONE
  }

  /** The known object of an equal endpoint. */
  intern(endpoint: Endpoint): Endpoint | undefined {
    const slot = this.#find(endpoint)
    return slot === NONE ? undefined : this.#endpoints[slot]
  }

  /**
   * A peer was heard of.
   *
   * @param onForgotten Called with the one that had to make room.
   * @returns True if it is a new one.
   */
  heard(endpoint: Endpoint, nowMs: number, onForgotten?: (endpoint: Endpoint) => void): boolean {
    const known = this.#find(endpoint)
    if (known !== NONE) {
      this.#lastHeardMs[known] = nowMs
      if (known !== this.#newest) {
        this.#unlink(known)
        this.#linkNewest(known)
      }
      return false
    }
    if (this.#count >= this.#maxPeers) {
      const forgotten = this.#endpoints[this.#oldest]!
      this.#remove(this.#oldest)
      onForgotten?.(forgotten)
    }
    this.#add(endpoint, nowMs)
    return true
  }

  /** True if it was there. */
  forget(endpoint: Endpoint): boolean {
    const slot = this.#find(endpoint)
    if (slot === NONE) return false
    this.#remove(slot)
    return true
  }

  /** Forgets everybody who was not heard of since `sinceMs`, the longest silent first. */
  expire(sinceMs: number, onForgotten: (endpoint: Endpoint) => void): void {
    while (this.#oldest !== NONE && this.#lastHeardMs[this.#oldest]! < sinceMs) {
      const endpoint = this.#endpoints[this.#oldest]!
      this.#remove(this.#oldest)
      onForgotten(endpoint)
    }
  }

  /** Everybody, the one heard of last first. */
  endpoints(): Endpoint[] {
    const all: Endpoint[] = []
    for (let slot = this.#newest; slot !== NONE; slot = this.#older[slot]!) all.push(this.#endpoints[slot]!)
    return all
  }

  #find(endpoint: Endpoint): number {
    let slot = this.#buckets[this.#bucketOf(endpoint)]!
    while (slot !== NONE && !this.#endpoints[slot]!.equals(endpoint)) slot = this.#chain[slot]!
    return slot
  }

  #add(endpoint: Endpoint, nowMs: number): void {
    let slot = this.#free
    if (slot !== NONE) this.#free = this.#chain[slot]!
    else {
      slot = this.#used++
      if (slot >= this.#chain.length) this.#grow()
    }
    this.#endpoints[slot] = endpoint
    this.#lastHeardMs[slot] = nowMs
    this.#tags[slot] = 0
    const bucket = this.#bucketOf(endpoint)
    this.#chain[slot] = this.#buckets[bucket]!
    this.#buckets[bucket] = slot
    this.#linkNewest(slot)
    this.#count++
  }

  #remove(slot: number): void {
    const bucket = this.#bucketOf(this.#endpoints[slot]!)
    if (this.#buckets[bucket] === slot) this.#buckets[bucket] = this.#chain[slot]!
    else {
      let before = this.#buckets[bucket]!
      while (this.#chain[before] !== slot) before = this.#chain[before]!
      this.#chain[before] = this.#chain[slot]!
    }
    this.#unlink(slot)
    this.#endpoints[slot] = undefined
    this.#chain[slot] = this.#free
    this.#free = slot
    this.#count--
  }

  #linkNewest(slot: number): void {
    this.#older[slot] = this.#newest
    this.#newer[slot] = NONE
    if (this.#newest !== NONE) this.#newer[this.#newest] = slot
    this.#newest = slot
    if (this.#oldest === NONE) this.#oldest = slot
  }

  #unlink(slot: number): void {
    const [newer, older] = [this.#newer[slot]!, this.#older[slot]!]
    if (newer === NONE) this.#newest = older
    else this.#older[newer] = older
    if (older === NONE) this.#oldest = newer
    else this.#newer[older] = newer
  }

  #grow(): void {
    const length = this.#chain.length * 2
    this.#lastHeardMs = copied(this.#lastHeardMs, new Float64Array(length))
    this.#tags = copied(this.#tags, new Uint16Array(length))
    this.#newer = copied(this.#newer, new Int32Array(length))
    this.#older = copied(this.#older, new Int32Array(length))
    this.#chain = new Int32Array(length)
    this.#buckets = new Int32Array(length).fill(NONE)
    // Nothing is free when the table grows, so every slot below the new one is in use.
    for (let slot = 0; slot < this.#used - 1; slot++) {
      const bucket = this.#bucketOf(this.#endpoints[slot]!)
      this.#chain[slot] = this.#buckets[bucket]!
      this.#buckets[bucket] = slot
    }
  }

  /** The length of the table is a power of two. */
  #bucketOf({ words, port, scopeId }: Endpoint): number {
    let hash = Math.imul(this.#seed ^ port ^ (scopeId << 16), 0x9e37_79b1)
    for (let i = 0; i < 4; i++) hash = Math.imul(hash ^ words[i]!, 0x85eb_ca6b) ^ (hash >>> 13)
    return (hash ^ (hash >>> 16)) & (this.#buckets.length - 1)
  }
}

function copied<Array extends Float64Array | Int32Array | Uint16Array>(from: Array, to: Array): Array {
  to.set(from)
  return to
}

const NONE = -1
const INITIAL_PEERS = 64
