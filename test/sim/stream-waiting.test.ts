import { expect, test } from 'vitest'
import type { CongestionControlFactory, NodeOptions, Peer, Stream } from '../../src/stream/index.js'
import { SimulatedNetwork } from '../../src/testing/index.js'
import { nodeOn } from './support/stream-nodes.js'

const LATENCY_MS = 0.05

/** A window that stays what it is. */
function fixedWindow(windowPackets: number): CongestionControlFactory {
  return () => ({
    windowPackets,
    paceBytesPerMs: () => Infinity,
    onAcknowledged: () => undefined,
    onLost: () => undefined,
    onTimeout: () => undefined,
  })
}

interface Pair {
  readonly network: SimulatedNetwork
  readonly peer: Peer
  readonly accepted: Promise<Stream>
}

async function pairOn(options: Partial<NodeOptions> = {}): Promise<Pair> {
  const network = new SimulatedNetwork(1, { path: { latencyMs: LATENCY_MS } })
  const [client, server] = [nodeOn(network.addHost(), options), nodeOn(network.addHost(), options)]
  const accepted = new Promise<Stream>((resolve) => server.node.on('stream', resolve))
  const joining = client.node.connect(server.endpoint)
  await network.clock.advanceAsync(1)
  return { network, peer: await joining, accepted }
}

test('a sender whose window is full does not wait for a timer of its receiver', async () => {
  const { network, peer, accepted } = await pairOn({ congestionControl: fixedWindow(10) })
  const stream = peer.openStream()
  let received = 0
  void accepted.then((far) => far.on('message', () => received++))
  const message = Buffer.alloc(1300)
  let sent = 0
  const send = (): void => {
    while (sent < 1000 && stream.send(message)) sent++
  }
  stream.on('drain', send)
  const startMs = network.clock.nowMs()
  send()
  while (received < 1000 && network.clock.nowMs() - startMs < 1000) await network.clock.advanceAsync(0.1)
  expect(received).toBe(1000)
  // A hundred round trips. With the timer's 2 ms in each it would be 200 ms.
  expect(network.clock.nowMs() - startMs).toBeLessThan(20)
})

test('a peer that only receives knows the round trip', async () => {
  const { network, peer, accepted } = await pairOn()
  peer.openStream().send('a')
  await network.clock.advanceAsync(10)
  const far = await accepted
  far.on('message', () => undefined)
  await network.clock.advanceAsync(10)
  const farPeer = far.peer as Peer
  expect(farPeer.stats().roundTripMs).toBeCloseTo(2 * LATENCY_MS, 2)
})
