import type { Addon } from '../binding/index.js'
import { formatIpv4, type Endpoint } from '../core/index.js'

/**
 * Where segmentation offload was refused, a destination at a time.
 *
 * Whether `UDP_SEGMENT` works depends on the device that a route leads to: it fails with EIO where the device cannot checksum,
 * with EINVAL or EMSGSIZE where a segment is larger than the path MTU (and IP would have had to fragment), and it may start to
 * fail while a program runs, when a route changes. What worked on loopback says nothing about another interface.
 */
export class OffloadRoutes {
  /** Shared by the sockets of this thread: they share the routing table as well. */
  static of(addon: Addon): OffloadRoutes {
    let routes = shared.get(addon)
    if (routes === undefined) {
      routes = new OffloadRoutes()
      shared.set(addon, routes)
    }
    return routes
  }

  readonly #routes = new Map<string, Route>()

  /** The longest segment that is worth trying to `endpoint`. */
  maxSegmentBytes(endpoint: Endpoint | undefined): number {
    if (this.#routes.size === 0 || endpoint === undefined) return Infinity
    return this.#routes.get(keyOf(endpoint))?.maxSegmentBytes ?? Infinity
  }

  /** Segments of `segmentBytes` were refused although the same datagrams passed one by one. */
  refuse(endpoint: Endpoint, segmentBytes: number, byDevice: boolean): void {
    const key = keyOf(endpoint)
    const before = this.#routes.get(key) ?? { maxSegmentBytes: Infinity, refusals: 0 }
    const refusals = before.refusals + 1
    const limit = byDevice || refusals >= MAX_REFUSALS ? 0 : segmentBytes - 1
    if (this.#routes.size >= MAX_ROUTES && !this.#routes.has(key)) this.#forgetOldest()
    this.#routes.set(key, { maxSegmentBytes: Math.min(limit, before.maxSegmentBytes), refusals })
  }

  /** For `capabilities()`: destination addresses, and the longest segment that is still tried there. */
  list(): { address: string; maxSegmentBytes: number }[] {
    return [...this.#routes].map(([address, { maxSegmentBytes }]) => ({ address, maxSegmentBytes }))
  }

  #forgetOldest(): void {
    const oldest = this.#routes.keys().next()
    if (!oldest.done) this.#routes.delete(oldest.value)
  }
}

interface Route {
  readonly maxSegmentBytes: number
  readonly refusals: number
}

/** One route has one key: an IPv6 socket reaches an IPv4 address by its mapped form. */
function keyOf(endpoint: Endpoint): string {
  return endpoint.isIpv4 ? formatIpv4(endpoint.words[3]) : endpoint.address
}

const shared = new WeakMap<Addon, OffloadRoutes>()
/** Destinations remembered; the oldest is forgotten, and at worst tried again. */
const MAX_ROUTES = 1024
/**
 * Refusals of ever shorter segments until a route counts as one that refuses all. Datagrams of random lengths find the path MTU within
 * about ten: each refusal halves, on the average, what lies above it.
 */
const MAX_REFUSALS = 32
