import type { EndpointLike } from '../../../src/core/index.js'
import type { PathOptions, SimulatedHost, SimulatedLink, SimulatedNetwork } from '../../../src/testing/index.js'

/**
 * Two routers with one path between them, which everybody shares: hosts at the left talk to hosts at the right through it. A router is a
 * program that forwards, from a link of its own for each pair.
 */
export class Dumbbell {
  readonly #network: SimulatedNetwork
  readonly #left: SimulatedHost
  readonly #right: SimulatedHost

  /** @param bottleneck The path from left to right. Back, there is only its latency. */
  constructor(network: SimulatedNetwork, bottleneck: PathOptions) {
    this.#network = network
    this.#left = network.addHost({ name: 'left router' })
    this.#right = network.addHost({ name: 'right router' })
    network.setPath(this.#left, this.#right, bottleneck)
    network.setPath(this.#right, this.#left, { latencyMs: bottleneck.latencyMs ?? 1 })
  }

  /**
   * Lets a host reach one at the other side.
   *
   * @returns What the host at the left sends to, in place of `target`.
   */
  connect(from: SimulatedHost, to: SimulatedHost, target: EndpointLike, accessLatencyMs = 0): EndpointLike {
    this.#network.setPaths(from, this.#left, {
      latencyMs: accessLatencyMs,
      jitterMs: JITTER_MS,
      bytesPerSecond: ACCESS_BYTES_PER_SECOND,
      queueBytes: 16 << 20,
    })
    this.#network.setPaths(this.#right, to, { latencyMs: 0 })
    const left = this.#left.openLink({ receiveBufferBytes: ROUTER_BUFFER_BYTES })
    const right = this.#right.openLink({ receiveBufferBytes: ROUTER_BUFFER_BYTES })
    const rightEnd = { address: this.#right.addressOf(), port: right.address().port }
    const leftEnd = { address: this.#left.addressOf(), port: left.address().port }
    let source: EndpointLike | undefined
    forward(left, (sender) => {
      if (sender.address === rightEnd.address) return source
      source = sender
      return rightEnd
    })
    forward(right, (sender) => (sender.address === leftEnd.address ? target : leftEnd))
    return leftEnd
  }
}

function forward(link: SimulatedLink, next: (sender: EndpointLike) => EndpointLike | undefined): void {
  link.on('batch', (batch) => {
    for (let i = 0; i < batch.count; i++) {
      const to = next(batch.endpoint(i))
      if (to !== undefined) link.send(batch.payload(i), to)
    }
  })
}

/** Jain's index: 1 when all have the same, 1/n when one has everything. */
export function jain(values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0)
  const squares = values.reduce((total, value) => total + value * value, 0)
  return sum === 0 ? 0 : (sum * sum) / (values.length * squares)
}

/** Routers queue on the path, not before it. */
const ROUTER_BUFFER_BYTES = 16 << 20
const ACCESS_BYTES_PER_SECOND = 125e6
const JITTER_MS = 0.5
