import { expect, onTestFinished, test } from 'vitest'
import { fixedRate, type NodeOptions, type Stream } from '../../src/stream/index.js'
import { SimulatedNetwork, type PathOptions } from '../../src/testing/index.js'
import { nodeOn } from './support/stream-nodes.js'

const LONG_BYTES = 65_507

interface Opened {
  readonly network: SimulatedNetwork
  readonly stream: Stream
  readonly stats: () => { readonly near: number; readonly far: number }
}

async function open(path: PathOptions, near: Partial<NodeOptions>, far: Partial<NodeOptions>): Promise<Opened> {
  const network = new SimulatedNetwork(1, { path: { latencyMs: 2, ...path } })
  const congestionControl = fixedRate(1e8)
  const client = nodeOn(network.addHost(), { congestionControl, ...near })
  const server = nodeOn(network.addHost(), { congestionControl, ...far })
  server.node.on('stream', () => undefined)
  const joined = client.node.connect(server.endpoint)
  await network.clock.advanceAsync(1000)
  onTestFinished(() => {
    client.node.destroy()
    server.node.destroy()
  })
  const stats = (): ReturnType<Opened['stats']> => ({
    near: client.node.stats().frameMemoryBytes,
    far: server.node.stats().frameMemoryBytes,
  })
  return { network, stream: (await joined).openStream({ windowBytes: 1 << 20 }), stats }
}

test.each<[string, PathOptions, Partial<NodeOptions>, Partial<NodeOptions>]>([
  ['the sender has agreed to short ones', {}, { frameBytes: 1472 }, { frameBytes: LONG_BYTES }],
  ['the receiver has', { lossProbability: 0.1 }, { frameBytes: LONG_BYTES }, { frameBytes: 1472 }],
  ['the path is narrow', {}, { frameBytes: LONG_BYTES }, { frameBytes: LONG_BYTES }],
])('a stream that nobody reads costs its window where nodes have long frames: %s', async (_, path, near, far) => {
  const { network, stream, stats } = await open({ tooBig: 'drop', ...path }, near, far)
  const message = Buffer.alloc(10_000)
  while (stream.send(message));
  expect(stats().near).toBeLessThan(1.1 * 2 ** 20)
  stream.on('drain', () => {
    while (stream.send(message));
  })
  await network.clock.advanceAsync(3000)
  expect(stats().far).toBeGreaterThan(0.9 * 2 ** 20)
  expect(stats().far).toBeLessThan(1.1 * 2 ** 20)
  const { packetsRetransmitted, packetsSent } = stream.stats()
  expect(packetsRetransmitted).toBeLessThan(0.2 * packetsSent)
})

test('what frames have no room for is bounded and told, and everybody gets on', async () => {
  const network = new SimulatedNetwork(1, { path: { latencyMs: 2 } })
  const maxFrameMemoryBytes = 1 << 20
  const client = nodeOn(network.addHost(), { maxFrameMemoryBytes, congestionControl: fixedRate(1e8) })
  onTestFinished(() => client.node.destroy())
  let received = 0
  const streams: Stream[] = []
  for (let i = 0; i < 2; i++) {
    const server = nodeOn(network.addHost())
    onTestFinished(() => server.node.destroy())
    server.node.on('stream', (stream) => stream.on('message', () => received++))
    const joined = client.node.connect(server.endpoint)
    await network.clock.advanceAsync(100)
    const peer = await joined
    for (let j = 0; j < 20; j++) streams.push(peer.openStream({ windowBytes: 30_000 }))
  }
  const message = Buffer.alloc(400_000)
  let refused = 0
  for (const stream of streams) {
    let sent = 0
    const more = (): void => {
      for (; sent < 2; sent++) if (!stream.send(message)) return void refused++
    }
    stream.on('drain', more)
    more()
  }
  const { unsentBytes } = client.node.stats()
  expect(unsentBytes).toBeGreaterThan(300_000)
  expect(unsentBytes).toBeLessThanOrEqual(maxFrameMemoryBytes)
  expect(refused).toBe(40)
  expect(streams.at(-1)!.stats().limitedBy).toBe('memory')
  await network.clock.runUntilTrueAsync(() => received === 80, 60_000)
  expect(received).toBe(80)
  expect(client.node.stats().unsentBytes).toBe(0)
})
