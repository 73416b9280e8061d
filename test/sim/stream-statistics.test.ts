import { expect, onTestFinished, test } from 'vitest'
import { fixedRate, type NodeOptions, type Peer, type Stream } from '../../src/stream/index.js'
import { SimulatedNetwork, type HostOptions, type PathOptions, type SimulatedLinkOptions } from '../../src/testing/index.js'
import { nodeOn } from './support/stream-nodes.js'

interface Opened {
  readonly network: SimulatedNetwork
  readonly stream: Stream
  /** What the other side counted. */
  readonly far: () => Stream
}

/** A stream over a path, which is as described from here to there alone. */
async function open(
  path: PathOptions,
  options: Partial<NodeOptions> = {},
  linkOptions: SimulatedLinkOptions = {},
  host: HostOptions = {},
): Promise<Opened> {
  const network = new SimulatedNetwork(1, { path: { latencyMs: 5 } })
  const [here, there] = [network.addHost(host), network.addHost()]
  const [client, server] = [nodeOn(here, options, linkOptions), nodeOn(there)]
  let far: Stream | undefined
  server.node.on('stream', (stream) => (far = stream.on('message', () => undefined)))
  const joined = client.node.connect(server.endpoint)
  await network.clock.advanceAsync(100)
  network.setPath(here, there, { latencyMs: 5, ...path })
  onTestFinished(() => {
    client.node.destroy()
    server.node.destroy()
  })
  return { network, stream: (await joined).openStream(), far: () => far! }
}

function pour(stream: Stream): void {
  const message = Buffer.alloc(1400)
  const more = (): void => {
    while (!stream.closed && stream.send(message));
  }
  stream.on('drain', more)
  more()
}

test('what was lost is counted, and the peer knows the rate', async () => {
  const { network, stream, far } = await open({ lossProbability: 0.05 }, { congestionControl: fixedRate(2e6) })
  pour(stream)
  await network.clock.advanceAsync(5000)
  const { packetsSent, packetsFoundLost, packetsRetransmitted, naksReceived, statusesSent } = stream.stats()
  expect(packetsFoundLost / packetsSent).toBeCloseTo(0.05, 1)
  expect(packetsFoundLost - packetsRetransmitted).toBeLessThan(20)
  // One may be on its way.
  expect(far().stats().naksSent - naksReceived).toBeLessThan(3)
  expect([naksReceived > 100, statusesSent]).toEqual([true, 0])
  const { lossRate } = (stream.peer as Peer).stats()
  expect(lossRate).toBeGreaterThan(0.02)
  expect(lossRate).toBeLessThan(0.1)
})

test.each<[string, PathOptions, Partial<NodeOptions>, SimulatedLinkOptions?, HostOptions?]>([
  [
    'link',
    {},
    { congestionControl: fixedRate(1e8) },
    { sendBufferBytes: 20_000, sendQueueBytes: 20_000 },
    { bytesPerSecond: 100_000 },
  ],
  ['memory', { latencyMs: 100 }, { congestionControl: fixedRate(1e8), maxFrameMemoryBytes: 30_000 }],
  ['congestion', { latencyMs: 100 }, {}],
  ['pace', {}, { congestionControl: fixedRate(10_000) }],
  ['window', { latencyMs: 500 }, { congestionControl: fixedRate(1e8) }],
])('the %s is what limits the sender', async (limit, path, options, linkOptions, host) => {
  const { network, stream } = await open(path, options, linkOptions, host)
  expect(stream.stats().limitedBy).toBe('nothing')
  pour(stream)
  await network.clock.advanceAsync(50)
  expect(stream.stats().limitedBy).toBe(limit)
})
