import { describe, test } from 'vitest'
import { SimulatedNetwork, linkSuite, type LinkPair, type PathOptions, type SimulatedHost } from '../../../src/testing/index.js'
import type { SimulatedLinkOptions } from '../../../src/testing/index.js'

interface SimulatedPair extends LinkPair {
  readonly hostOfA: SimulatedHost
  readonly network: SimulatedNetwork
}

function pairOn(path: PathOptions, options: SimulatedLinkOptions = {}): SimulatedPair {
  const network = new SimulatedNetwork(1, { path })
  const [hostOfA, hostOfB] = [network.addHost(), network.addHost()]
  const room = { receiveBufferBytes: 64 << 20, ...options }
  const [a, b] = [hostOfA.openLink(room), hostOfB.openLink(room)]
  const turn = (): Promise<void> => network.clock.advanceAsync(1)
  return { a, b, toA: a.address(), toB: b.address(), hostOfA, network, turn }
}

const hold = ({ hostOfA }: SimulatedPair): (() => void) => {
  hostOfA.pause()
  return () => hostOfA.resume()
}

/** A payload that the path was found to be too narrow for. */
const fail = async ({ a, hostOfA, network }: SimulatedPair): Promise<void> => {
  const other = network.addHost()
  network.setPath(hostOfA, other, { mtuBytes: 600, tooBig: 'error' })
  const narrow = other.openLink().address()
  a.send(Buffer.alloc(1000), narrow)
  await network.clock.advanceAsync(5)
  a.send(Buffer.alloc(1000), narrow)
  a.send(Buffer.alloc(1000), narrow)
}

linkSuite({ name: 'simulated links', make: () => pairOn({}), hold, fail }, { describe, test })

linkSuite({ name: 'simulated links over IPv6', make: () => pairOn({}, { family: 'IPv6' }), hold }, { describe, test })

linkSuite(
  {
    name: 'simulated links over a bad path',
    make: () => pairOn({ lossProbability: 0.2, duplicateProbability: 0.1, reorderProbability: 0.2, jitterMs: 2 }),
    traits: { ordered: false, lossless: false, maxTestBytes: 10_000 },
    hold,
  },
  { describe, test },
)

linkSuite(
  {
    name: 'simulated links with one peer',
    make: () => {
      const network = new SimulatedNetwork(1)
      const [one, other] = [network.addHost(), network.addHost()]
      const a = one.openLink({ port: 5000, peer: { address: other.addressOf(), port: 6000 } })
      const b = other.openLink({ port: 6000, peer: a.address() })
      return { a, b, turn: () => network.clock.advanceAsync(1) }
    },
    traits: { singlePeer: true },
  },
  { describe, test },
)
