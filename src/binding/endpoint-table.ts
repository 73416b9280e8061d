import { randomInt } from 'node:crypto'
import { ADDRESS_WORDS, Endpoint, FLAG, RECEIVED_MESSAGE, type EndpointInterner } from '../core/index.js'
import { AF_INET, AF_INET6, readAddress, readSockaddr } from './sockaddr.js'

/**
 * Endpoints by their raw sockaddr words, so that a datagram from a known peer costs a hash lookup and no allocation.
 *
 * Bounded: when a generation is full it becomes the older one and the one before is forgotten; a peer that is heard from again is
 * carried over. So whoever is active keeps its object, and a flood of forged sources costs a fixed amount of memory.
 */
export class EndpointTable implements EndpointInterner {
  readonly #limit: number
  #young: Generation
  #old: Generation | undefined
  #lastWords = new Uint32Array(ADDRESS_WORDS)
  #last: Endpoint | undefined
  readonly #localAddresses = new Map<number, Endpoint>()

  constructor(limit: number = MAX_INTERNED_ENDPOINTS) {
    this.#limit = limit
    this.#young = new Generation()
  }

  endpointAt(words: Uint32Array, offset: number): Endpoint {
    // Most batches come from one peer.
    if (this.#last !== undefined && sameWords(words, offset, this.#lastWords, 0)) return this.#last
    const endpoint = this.#lookup(words, offset)
    for (let i = 0; i < ADDRESS_WORDS; i++) this.#lastWords[i] = words[offset + i]!
    this.#last = endpoint
    return endpoint
  }

  localAddressAt(words: Uint32Array, record: number): Endpoint | undefined {
    const flags = words[record + RECEIVED_MESSAGE.flags]!
    const at = record + RECEIVED_MESSAGE.localAddress
    if ((flags & FLAG.localIpv6) !== 0) return this.#localIpv6(words, at)
    if ((flags & FLAG.localIpv4) === 0) return undefined
    const word = words[at]!
    const known = this.#localAddresses.get(word)
    if (known !== undefined) return known
    if (this.#localAddresses.size >= MAX_LOCAL_ADDRESSES) this.#localAddresses.clear()
    const address = readAddress(words, at, AF_INET)
    this.#localAddresses.set(word, address)
    return address
  }

  /** IPv6 local addresses share the table of peers, as endpoints of port 0. */
  #localIpv6(words: Uint32Array, at: number): Endpoint {
    const key = this.#scratch
    key[0] = AF_INET6
    for (let i = 0; i < 4; i++) key[i + 2] = words[at + i]!
    return this.#lookup(key, 0, () => readAddress(words, at, AF_INET6))
  }

  readonly #scratch = new Uint32Array(ADDRESS_WORDS)

  #lookup(words: Uint32Array, offset: number, make?: () => Endpoint): Endpoint {
    const young = this.#young.get(words, offset)
    if (young !== undefined) return young
    const endpoint = this.#old?.get(words, offset) ?? make?.() ?? readSockaddr(words, offset) ?? NO_ENDPOINT
    if (this.#young.size >= this.#limit / 2) {
      this.#old = this.#young
      this.#young = new Generation()
    }
    this.#young.add(words, offset, endpoint)
    return endpoint
  }
}

/** An open-addressing hash table over flat keys. */
class Generation {
  size = 0
  #capacity = INITIAL_CAPACITY
  #keys = new Uint32Array(INITIAL_CAPACITY * ADDRESS_WORDS)
  #endpoints: (Endpoint | undefined)[] = new Array<Endpoint | undefined>(INITIAL_CAPACITY).fill(undefined)

  get(words: Uint32Array, offset: number): Endpoint | undefined {
    return this.#endpoints[this.#slotOf(words, offset)]
  }

  add(words: Uint32Array, offset: number, endpoint: Endpoint): void {
    if (this.size >= this.#capacity / 2) this.#grow()
    this.#put(words, offset, endpoint)
    this.size++
  }

  /** The slot that holds the key, or the empty one where it would go. */
  #slotOf(words: Uint32Array, offset: number): number {
    const mask = this.#capacity - 1
    let slot = hash(words, offset) & mask
    while (this.#endpoints[slot] !== undefined && !sameWords(words, offset, this.#keys, slot * ADDRESS_WORDS)) {
      slot = (slot + 1) & mask
    }
    return slot
  }

  #put(words: Uint32Array, offset: number, endpoint: Endpoint): void {
    const slot = this.#slotOf(words, offset)
    for (let i = 0; i < ADDRESS_WORDS; i++) this.#keys[slot * ADDRESS_WORDS + i] = words[offset + i]!
    this.#endpoints[slot] = endpoint
  }

  #grow(): void {
    const keys = this.#keys
    const endpoints = this.#endpoints
    this.#capacity *= 2
    this.#keys = new Uint32Array(this.#capacity * ADDRESS_WORDS)
    this.#endpoints = new Array<Endpoint | undefined>(this.#capacity).fill(undefined)
    for (const [slot, endpoint] of endpoints.entries()) {
      if (endpoint !== undefined) this.#put(keys, slot * ADDRESS_WORDS, endpoint)
    }
  }
}

function sameWords(a: Uint32Array, aOffset: number, b: Uint32Array, bOffset: number): boolean {
  for (let i = 0; i < ADDRESS_WORDS; i++) {
    if (a[aOffset + i] !== b[bOffset + i]) return false
  }
  return true
}

function hash(words: Uint32Array, offset: number): number {
  let h = HASH_SEED
  for (let i = 0; i < ADDRESS_WORDS; i++) h = Math.imul(h ^ words[offset + i]!, HASH_MULTIPLIER) ^ (h >>> 15)
  return (h ^ (h >>> 16)) >>> 0
}

/** Drawn anew in every process, so that nobody outside can choose sources that collide. */
const HASH_SEED = randomInt(2 ** 32)
const HASH_MULTIPLIER = 0x9e37_79b1 // 2^32 over the golden ratio
const INITIAL_CAPACITY = 16
/** Peers that keep their object, for one socket. */
export const MAX_INTERNED_ENDPOINTS = 65_536
const MAX_LOCAL_ADDRESSES = 1024
/** A datagram without a source, as a netlink or unnamed Unix socket would bring. */
const NO_ENDPOINT = new Endpoint('IPv4', [0, 0, 0, 0], 0)
