import { expect, onTestFinished, test } from 'vitest'
import { fixedRate, type NodeOptions, type Peer, type Stream, type StreamOptions } from '../../src/stream/index.js'
import { SimulatedNetwork, type PathOptions } from '../../src/testing/index.js'
import { nodeOn, type SimulatedNode } from './support/stream-nodes.js'

const MESSAGE_BYTES = 65_536

class World {
  readonly network: SimulatedNetwork
  readonly server: SimulatedNode
  received = 0
  readonly closes: string[] = []
  readonly accepted: Stream[] = []
  mostBytes = 0

  constructor(path: PathOptions, options: Partial<NodeOptions>) {
    this.network = new SimulatedNetwork(1, { path })
    this.server = nodeOn(this.network.addHost(), options)
    onTestFinished(() => this.server.node.destroy())
    this.server.node.on('stream', (stream) => {
      this.accepted.push(stream)
      stream.on('close', (error) => this.closes.push(error?.message ?? 'over'))
      if (stream.label === 'unread') return
      stream.on('message', (message) => {
        expect(message.every((byte) => byte === message[0])).toBe(true)
        this.received++
        this.mostBytes = Math.max(this.mostBytes, this.server.node.stats().assemblyBytes)
      })
    })
  }

  async join(options: Partial<NodeOptions> = {}): Promise<Peer> {
    const client = nodeOn(this.network.addHost(), options)
    onTestFinished(() => client.node.destroy())
    const joined = client.node.connect(this.server.endpoint)
    await this.network.clock.advanceAsync(100)
    return joined
  }
}

/** A stream that sends so many messages, and ends. */
function sendAll(peer: Peer, count: number, bytes: number, options: StreamOptions = {}): Stream {
  const stream = peer.openStream(options)
  let sent = 0
  const more = (): void => {
    for (; sent < count; sent++) if (!stream.send(Buffer.alloc(bytes, sent + stream.id))) return
    stream.end()
  }
  stream.on('drain', more)
  more()
  return stream
}

test('long messages of one peer that hardly go on leave room for those of others', async () => {
  const world = new World({ latencyMs: 2 }, { maxAssemblyBytes: 19 * MESSAGE_BYTES })
  // A packet a second: all begin, none is over.
  const slow = await world.join({ congestionControl: fixedRate(30_000) })
  for (let i = 0; i < 16; i++) sendAll(slow, 1, MESSAGE_BYTES, { windowBytes: 25_000 })
  await world.network.clock.advanceAsync(8000)
  expect(world.server.node.stats().assemblyBytes).toBeGreaterThanOrEqual(8 * MESSAGE_BYTES)
  expect(world.server.node.stats().assemblyBytes).toBeLessThan(9 * MESSAGE_BYTES)
  expect(world.received).toBe(0)
  const honest = await world.join()
  for (let i = 0; i < 4; i++) sendAll(honest, 10, MESSAGE_BYTES)
  await world.network.clock.advanceAsync(2000)
  expect(world.received).toBe(40)
  await world.network.clock.advanceAsync(60_000)
  expect(world.received).toBe(56)
  expect(world.closes.filter((close) => close !== 'over')).toEqual([])
  expect(world.server.node.stats()).toMatchObject({ frameMemoryBytes: 0, assemblyBytes: 0 })
}, 60_000)

test.each([
  ['in order', {}],
  ['as soon as they are complete', { ordered: false }],
])(
  'messages of many streams wait for memory, and all arrive, %s',
  async (_, options) => {
    const maxAssemblyBytes = 5 * MESSAGE_BYTES
    const world = new World({ latencyMs: 5, lossProbability: 0.02 }, { maxAssemblyBytes })
    const peers = [await world.join(), await world.join({ congestionControl: fixedRate(3e6) })]
    for (let i = 0; i < 10; i++)
      for (const peer of peers) sendAll(peer, 5, MESSAGE_BYTES - i, { ...options, windowBytes: 65_536 })
    await world.network.clock.runUntilTrueAsync(() => world.closes.length === 20, 120_000)
    expect(world.received).toBe(100)
    expect(new Set(world.closes)).toEqual(new Set(['over']))
    expect(world.mostBytes).toBeGreaterThan(MESSAGE_BYTES)
    expect(world.mostBytes).toBeLessThanOrEqual(maxAssemblyBytes)
    await world.network.clock.advanceAsync(3000)
    expect(world.server.node.stats()).toMatchObject({ frameMemoryBytes: 0, assemblyBytes: 0 })
  },
  60_000,
)

test('a message may have all memory for messages; one that is longer resets its stream', async () => {
  const world = new World({ latencyMs: 2 }, { maxAssemblyBytes: 240_000 })
  const peer = await world.join()
  sendAll(peer, 3, 210_000)
  sendAll(peer, 3, 150_000)
  const tooLong = sendAll(peer, 1, 210_001)
  await world.network.clock.advanceAsync(3000)
  expect(world.received).toBe(6)
  expect(world.closes.sort()).toEqual(['The stream was reset by this side: noMemory', 'over', 'over'])
  expect(tooLong.closed).toBe(true)
  expect(world.server.node.stats()).toMatchObject({ frameMemoryBytes: 0, assemblyBytes: 0 })
})

test('who waits for memory goes on when the one that has it is paused, is reset, or leaves', async () => {
  const world = new World({ latencyMs: 2 }, { maxAssemblyBytes: 120_000 })
  const slow = await world.join({ congestionControl: fixedRate(20_000) })
  const first = sendAll(slow, 1, 100_000)
  await world.network.clock.advanceAsync(1000)
  const peer = await world.join()
  sendAll(peer, 1, 99_000)
  await world.network.clock.advanceAsync(1000)
  // This one waits behind it, and is not read when its turn comes: it does not keep what it was given.
  sendAll(peer, 1, 98_000)
  await world.network.clock.advanceAsync(1000)
  expect(world.received).toBe(0)
  expect(world.server.node.stats().assemblyBytes).toBeGreaterThanOrEqual(100_000)
  world.accepted[2]!.pause()
  first.reset()
  await world.network.clock.advanceAsync(2000)
  expect([world.received, world.closes.length]).toEqual([1, 2])
  const later = sendAll(slow, 1, 97_000)
  await world.network.clock.advanceAsync(10_000)
  expect([world.received, later.closed]).toEqual([2, true])
  world.accepted[2]!.resume()
  await world.network.clock.advanceAsync(1000)
  expect(world.received).toBe(3)
  await world.network.clock.advanceAsync(2000)
  expect(world.server.node.stats()).toMatchObject({ frameMemoryBytes: 0, assemblyBytes: 0 })
})
