import { readSockaddr } from '../../../src/binding/index.js'
import { ADDRESS_WORDS, type Endpoint } from '../../../src/core/index.js'

/** The slow twin of `EndpointTable`: two generations of a Map by text. */
export class SlowEndpointTable {
  #young = new Map<string, Endpoint>()
  #old = new Map<string, Endpoint>()
  #last: { key: string; endpoint: Endpoint } | undefined

  constructor(readonly limit: number) {}

  endpointAt(words: Uint32Array, offset: number): Endpoint {
    const key = words.subarray(offset, offset + ADDRESS_WORDS).join()
    if (this.#last?.key === key) return this.#last.endpoint
    const endpoint = this.#young.get(key) ?? this.#carryOver(key, words, offset)
    this.#last = { key, endpoint }
    return endpoint
  }

  #carryOver(key: string, words: Uint32Array, offset: number): Endpoint {
    const endpoint = this.#old.get(key) ?? readSockaddr(words, offset)!
    if (this.#young.size >= this.limit / 2) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, endpoint)
    return endpoint
  }
}
