import type { Endpoint } from '../core/index.js'
import { nodeKey } from './node-id.js'
import type { Peer } from './peer.js'

/** The peers of a node, by id and by endpoint. */
export class PeerTable {
  readonly #byId = new Map<number, Peer>()
  readonly #byEndpoint = new Map<string, Peer>()
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
    this.#byId.set(nodeKey(peer.id.place, peer.id.life), peer)
    this.#byEndpoint.set(peer.endpoint.toString(), peer)
  }

  delete(peer: Peer): void {
    this.#byId.delete(nodeKey(peer.id.place, peer.id.life))
    this.#byEndpoint.delete(peer.endpoint.toString())
    if (this.#latest === peer) this.#latest = undefined
  }
}
