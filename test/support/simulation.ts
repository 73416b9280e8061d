import {
  SimulatedNetwork,
  type HostOptions,
  type PathOptions,
  type SimulatedHost,
  type SimulatedLink,
} from '../../src/testing/index.js'

/** Two hosts and a link on each. */
export interface TwoHosts {
  readonly network: SimulatedNetwork
  readonly hostA: SimulatedHost
  readonly hostB: SimulatedHost
  readonly a: SimulatedLink
  readonly b: SimulatedLink
}

/** `a` sends to `b`, which has room for everything; the hosts are `a` and `b`. */
export function twoHosts(path: PathOptions = {}, seed = 1, host: HostOptions = {}): TwoHosts {
  const network = new SimulatedNetwork(seed, { path })
  const [hostA, hostB] = [network.addHost({ name: 'a', ...host }), network.addHost({ name: 'b' })]
  const b = hostB.openLink({ port: 7, receiveBufferBytes: 1 << 30 })
  const a = hostA.openLink({ port: 7, peer: b.address(), receiveBufferBytes: 1 << 30 })
  return { network, hostA, hostB, a, b }
}

/** What came to a link: when, and what. */
export interface Arrival {
  readonly timeMs: number
  readonly payload: Buffer
  readonly from: string
}

/** Notes what comes to a link from now on. */
export function arrivals(network: SimulatedNetwork, link: SimulatedLink): Arrival[] {
  const seen: Arrival[] = []
  link.on('batch', (batch) => {
    for (let i = 0; i < batch.count; i++) {
      seen.push({ timeMs: network.clock.nowMs(), payload: batch.copy(i), from: batch.endpoint(i).toString() })
    }
  })
  return seen
}

export function textsOf(seen: readonly Arrival[]): string[] {
  return seen.map(({ payload }) => payload.toString())
}

/** The number `i` in four bytes, and zeros behind it. */
export function numbered(i: number, lengthBytes = 4): Buffer {
  const payload = Buffer.alloc(lengthBytes)
  payload.writeUInt32BE(i)
  return payload
}

/** Sends `count` numbered datagrams, one every `everyMs`, and lets them all arrive. */
export function sendEvery({ network, a }: TwoHosts, count: number, everyMs: number, lengthBytes = 4): void {
  for (let i = 0; i < count; i++) {
    a.send(numbered(i, lengthBytes))
    network.clock.advance(everyMs)
  }
  network.clock.runUntilIdle()
}

/** `sent + copied + duplicated = delivered + dropped + in flight`: the two sides. */
export function sides(network: SimulatedNetwork): [number, number] {
  const { sent, copied, duplicated, delivered, dropped, inFlight } = network.stats()
  return [sent + copied + duplicated, delivered + Object.values(dropped).reduce((sum, n) => sum + n, 0) + inFlight]
}
