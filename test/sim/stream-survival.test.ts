import { describe, expect, onTestFinished, test } from 'vitest'
import { fixedRate, type CongestionControl, type NodeOptions, type Peer, type StreamNode } from '../../src/stream/index.js'
import { SimulatedNetwork, type SimulatedHost } from '../../src/testing/index.js'
import { forEachSeed } from '../support/seeds.js'
import { nodeOn } from './support/stream-nodes.js'
import { survive } from './support/stream-survival.js'

/** `GEYSIR_RUNS=10` for so many times more. */
test('streams survive everything at once', { timeout: 86_400_000 }, async () => {
  const startedMs = performance.now()
  let lives = 0
  await forEachSeed(LIVES, async (seed) => {
    await survive(seed)
    lives++
  })
  console.log(`${lives} lives in ${Math.round(performance.now() - startedMs)} ms`)
})

interface Pair {
  readonly network: SimulatedNetwork
  readonly hosts: readonly [SimulatedHost, SimulatedHost]
  readonly client: StreamNode
  readonly server: StreamNode
  readonly peer: Peer
  /** Labels of the streams whose messages the server got, in order. */
  readonly received: string[]
  readonly advance: (ms: number) => Promise<void>
}

async function join(options: Partial<NodeOptions>, serverOptions = options): Promise<Pair> {
  const network = new SimulatedNetwork(1, { path: { latencyMs: 2 } })
  const hosts = [network.addHost(), network.addHost()] as const
  const [client, server] = [nodeOn(hosts[0], options), nodeOn(hosts[1], serverOptions)]
  const received: string[] = []
  server.node.on('stream', (stream) => stream.on('message', () => received.push(stream.label)))
  const joined = client.node.connect(server.endpoint)
  await network.clock.advanceAsync(100)
  onTestFinished(() => {
    client.node.destroy()
    server.node.destroy()
  })
  const advance = (ms: number): Promise<void> => network.clock.advanceAsync(ms)
  return { network, hosts, client: client.node, server: server.node, peer: await joined, received, advance }
}

describe('streams of one peer that wait for each other', () => {
  test('a packet that left late, by the pace, is asked after like any other', async () => {
    const { network, hosts, peer, received, advance } = await join({ congestionControl: fixedRate(100_000) })
    const [many, one] = [peer.openStream({ label: 'many' }), peer.openStream({ label: 'one' })]
    await advance(50)
    for (let i = 0; i < 20; i++) many.send(Buffer.alloc(1400))
    one.send('the only one')
    await advance(5)
    expect(one.stats().packetsSent).toBe(0)
    const parted = network.partition([hosts[0]], [hosts[1]])
    await advance(400)
    expect(one.stats().packetsSent).toBe(1)
    parted.heal()
    await advance(5000)
    expect(received.filter((label) => label === 'one')).toEqual(['one'])
  })

  test('what a stream that is reset had on its way does not hold back the others', async () => {
    const congestionControl = (): CongestionControl => ({ ...fixedRate(1e6)(), windowPackets: 2 })
    const { network, hosts, peer, received, advance } = await join({ congestionControl })
    const [one, other] = [peer.openStream({ label: 'one' }), peer.openStream({ label: 'other' })]
    await advance(50)
    const parted = network.partition([hosts[0]], [hosts[1]])
    for (let i = 0; i < 5; i++) one.send(Buffer.alloc(1400))
    await advance(1)
    other.send('waits for room')
    // Not so long that probes leave, window or not.
    await advance(1)
    expect([one.stats().packetsSent, other.stats().packetsSent]).toEqual([2, 0])
    one.reset()
    parted.heal()
    await advance(1000)
    expect(received).toEqual(['other'])
  })

  test('an end that waits for what was sent before waits without work', async () => {
    const { network, peer, received, advance } = await join({ congestionControl: fixedRate(10_000) })
    const stream = peer.openStream({ label: 'one', kind: 'fireAndForget' })
    await advance(50)
    for (let i = 0; i < 40; i++) stream.send(Buffer.alloc(1000))
    stream.end()
    let events = 0
    await network.clock.runUntilTrueAsync(() => events++ > 5000 || stream.closed, 10_000)
    expect([received.length, stream.closed, stream.error]).toEqual([40, true, undefined])
    expect(events).toBeLessThan(5000)
  })
})

test('a process that stood still does not take that for the silence of others', async () => {
  const { hosts, client, server, received, peer, advance } = await join({ peerTimeoutMs: 2000 }, { peerTimeoutMs: 60_000 })
  const stream = peer.openStream({ label: 'one' })
  await advance(800)
  for (const forMs of [1500, 4000, 30_000]) {
    hosts[0].pause()
    await advance(forMs)
    hosts[0].resume()
    await advance(3000)
    expect([client.peers().length, server.peers().length]).toEqual([1, 1])
  }
  stream.send('still here')
  await advance(100)
  expect(received).toEqual(['one'])
})

/** Some 30 ms each, on one core. */
const LIVES = 2000
