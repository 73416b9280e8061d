import { createHmac, timingSafeEqual } from 'node:crypto'
import { randomFill, type Endpoint, type Random } from '../core/index.js'
import type { NodeId } from './node-id.js'
import { COOKIE_BYTES } from './wire.js'

/**
 * Cookies: a node that can repeat one has received it, so its address is its own. Nothing is stored for it before.
 *
 * A cookie is a keyed hash of the address, the node's id and the time, and holds for at most two slots.
 */
export class Cookies {
  readonly #key = Buffer.alloc(KEY_BYTES)

  constructor(random: Random) {
    randomFill(random, this.#key)
  }

  issue(endpoint: Endpoint, id: NodeId, nowMs: number): Buffer {
    return this.#compute(endpoint, id, slotOf(nowMs))
  }

  check(cookie: Uint8Array, endpoint: Endpoint, id: NodeId, nowMs: number): boolean {
    if (cookie.length !== COOKIE_BYTES) return false
    const slot = slotOf(nowMs)
    return [slot, slot - 1].some((candidate) => timingSafeEqual(this.#compute(endpoint, id, candidate), cookie))
  }

  #compute(endpoint: Endpoint, id: NodeId, slot: number): Buffer {
    const text = `${endpoint.toString()}|${id.place}|${id.life}|${slot}`
    return createHmac('sha256', this.#key).update(text).digest().subarray(0, COOKIE_BYTES)
  }
}

function slotOf(nowMs: number): number {
  return Math.floor(nowMs / SLOT_MS)
}

const KEY_BYTES = 32
/** A joining node has a round trip for it; half a minute is many. */
const SLOT_MS = 30_000
