import type { Endpoint } from '../core/index.js'
import { nodeKey } from './node-id.js'
import type { Peer } from './peer.js'

/** The peers of a node, by id and by endpoint. */
export class PeerTable {
  readonly #byId = new Map<number, Peer>()
  readonly #byEndpoint = new Map<string, Peer>()
  /** The highest stream ids of peers that are gone, by id: in the same life they give only higher ones. The latest of them. */
  readonly #departed = new Map<number, number>()
  /** Of the latest frame: the next one is probably from the same. */
  #latest: Peer | undefined

  get size(): number {
    return this.#byId.size
  }

  /** All of them; a copy. */
  all(): Peer[] {
    return [...this.#byId.values()]
  }

  find(place: number, life: number): Peer | undefined {
    const latest = this.#latest
    if (latest !== undefined && life === latest.id.life && place === latest.id.place) return latest
    const peer = this.#byId.get(nodeKey(place, life))
    if (peer !== undefined) this.#latest = peer
    return peer
  }

  at(endpoint: Endpoint): Peer | undefined {
    return this.#byEndpoint.get(endpoint.toString())
  }

  add(peer: Peer): void {
    const key = nodeKey(peer.id.place, peer.id.life)
    peer.highestId = this.#departed.get(key)
    this.#byId.set(key, peer)
    this.#byEndpoint.set(peer.endpoint.toString(), peer)
  }

  delete(peer: Peer): void {
    const key = nodeKey(peer.id.place, peer.id.life)
    if (this.#byId.get(key) === peer) this.#byId.delete(key)
    this.#remember(key, peer.highestId)
    const endpoint = peer.endpoint.toString()
    if (this.#byEndpoint.get(endpoint) === peer) this.#byEndpoint.delete(endpoint)
    if (this.#latest === peer) this.#latest = undefined
  }

  #remember(key: number, highestId: number | undefined): void {
    if (highestId === undefined) return
    this.#departed.delete(key)
    this.#departed.set(key, highestId)
    if (this.#departed.size > MAX_DEPARTED) this.#departed.delete(this.#departed.keys().next().value!)
  }
}

/** Some hundred bytes each. Who was gone for longer is known by nothing that was recorded of it but a cookie, which holds for a minute. */
const MAX_DEPARTED = 4096
