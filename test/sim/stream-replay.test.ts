import { describe, expect, test } from 'vitest'
import { SeededRandom, randomBelow, type Link, type Random } from '../../src/core/index.js'
import { createNode, type Peer, type StreamKind, type StreamNode } from '../../src/stream/index.js'
import { SimulatedNetwork, type SimulatedHost, type SimulatedLink } from '../../src/testing/index.js'
import { forEachSeed } from '../support/seeds.js'
import { nodeOn } from './support/stream-nodes.js'

const PORT = 4000
const KINDS: readonly StreamKind[] = ['reliable', 'bestEffort', 'reliable']

/** Two hosts; what each node sends is recorded, so that it can be sent again by whoever has its address then. */
class World {
  readonly network: SimulatedNetwork
  readonly random: SeededRandom
  readonly hosts: readonly [SimulatedHost, SimulatedHost]
  readonly links: SimulatedLink[] = []
  readonly nodes: StreamNode[] = []
  /** What each side has sent, in all its lives. */
  readonly recorded: [Buffer[], Buffer[]] = [[], []]
  /** What the second node's users heard, as often as they did. */
  readonly heard = new Map<string, number>()
  #messages = 0

  constructor(seed: number) {
    this.random = new SeededRandom(seed)
    this.network = new SimulatedNetwork(seed, { path: { latencyMs: 3 } })
    this.hosts = [this.network.addHost(), this.network.addHost()]
    this.start(0)
    this.start(1)
  }

  /** A node of a new life, at the same address. */
  start(side: 0 | 1): void {
    const host = this.hosts[side]
    const link = host.openLink({ port: PORT, receiveBufferBytes: 16 << 20 })
    this.links[side] = link
    const recording = recordingLink(link, this.recorded[side])
    const node = createNode({ link: recording, clock: host.clock, random: host.random, peerTimeoutMs: 3000 })
    this.nodes[side] = node
    node.on('stream', (stream) => {
      stream.on('message', (message) => {
        const text = message.toString('latin1', 0, 40)
        this.heard.set(text, (this.heard.get(text) ?? 0) + 1)
        if (side === 1) stream.send(message)
      })
    })
  }

  /** As kill -9. */
  stop(side: 0 | 1): void {
    this.hosts[side].stop()
  }

  restart(side: 0 | 1): void {
    this.hosts[side].restart()
    this.start(side)
  }

  advance(ms: number): Promise<void> {
    return this.network.clock.advanceAsync(ms)
  }

  async join(): Promise<Peer> {
    let peer: Peer | undefined
    const joining = this.nodes[0]!.connect({ address: this.hosts[1].addressOf(), port: PORT }, { timeoutMs: 30_000 })
    void joined(joining, (found) => (peer = found))
    await this.network.clock.runUntilTrueAsync(() => peer !== undefined, 30_000)
    expect(peer).toBeDefined()
    return peer!
  }

  /** A conversation on streams of several kinds, while `meanwhile` happens. Everything is heard there, once, and comes back. */
  async talk(peer: Peer, meanwhile: () => void = () => undefined): Promise<void> {
    const answered = new Set<string>()
    const closed: boolean[] = []
    const texts: string[] = []
    for (const kind of KINDS) {
      const stream = peer.openStream({ kind, initialPacket: 0xffff_fffc, allowHalfOpen: true })
      stream.on('message', (message) => answered.add(message.toString('latin1', 0, 40)))
      for (const size of [40, 700, 4000]) {
        const text = `message ${this.#messages++} `.padEnd(40)
        texts.push(text)
        stream.send(text.padEnd(size))
      }
      stream.end()
      stream.on('close', (error) => closed.push(error === undefined))
    }
    meanwhile()
    await this.advance(500)
    meanwhile()
    await this.network.clock.runUntilTrueAsync(() => closed.length === KINDS.length, 20_000)
    expect(closed).toEqual(KINDS.map(() => true))
    for (const text of texts) expect([text, this.heard.get(text), answered.has(text)]).toEqual([text, 1, true])
  }

  /** Sends to `side`, from the other side's address, what that had sent in its lives until now, in any order. */
  replayTo(side: 0 | 1): void {
    const from = side === 0 ? 1 : 0
    const frames = [...this.recorded[from]]
    shuffle(frames, this.random)
    // Under the node, if there is one: it knows nothing of this.
    const link = this.links[from]!.closed ? this.hosts[from].openLink({ port: PORT }) : this.links[from]!
    for (const frame of frames) link.send(frame, { address: this.hosts[side].addressOf(), port: PORT })
    link.flush()
    if (link !== this.links[from]) this.network.clock.setTimer(() => link.close(), 50)
  }

  expectHeardOnce(): void {
    for (const [text, times] of this.heard) expect([text, times]).toEqual([text, 1])
  }

  expectNothingHeld(): void {
    for (const node of this.nodes) {
      expect(node.stats()).toMatchObject({ frameMemoryBytes: 0, assemblyBytes: 0 })
      for (const peer of node.peers()) expect(peer.stats()).toMatchObject({ streams: 0, inFlightPackets: 0 })
    }
  }

  close(): void {
    for (const node of this.nodes) node.destroy()
  }
}

async function joined(joining: Promise<Peer>, onPeer: (peer: Peer) => void): Promise<void> {
  onPeer(await joining)
}

function shuffle(frames: Buffer[], random: Random): void {
  for (let i = frames.length - 1; i > 0; i--) {
    const j = randomBelow(random, i + 1)
    const frame = frames[i]!
    frames[i] = frames[j]!
    frames[j] = frame
  }
}

function recordingLink(link: SimulatedLink, record: Buffer[]): Link {
  return new Proxy(link, {
    get(target, name) {
      if (name === 'send') {
        return (frame: Buffer, endpoint: { address: string; port: number }) => {
          record.push(Buffer.from(frame))
          return target.send(frame, endpoint)
        }
      }
      const value = Reflect.get(target, name) as unknown
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

describe('what was recorded and is sent again, shuffled', () => {
  test('within the same lives: nothing is delivered twice, and streams that run are not disturbed', async () => {
    await forEachSeed(60, async (seed) => {
      const world = new World(seed)
      const peer = await world.join()
      await world.talk(peer)
      await world.talk(peer, () => {
        world.replayTo(1)
        world.replayTo(0)
      })
      world.replayTo(0)
      world.replayTo(1)
      await world.advance(2000)
      world.expectHeardOnce()
      world.expectNothingHeld()
      expect(world.nodes.map((node) => node.peers().length)).toEqual([1, 1])
      await world.talk(peer)
      world.close()
    })
  }, 60_000)

  test('when the peer has left, and when it has come again in the same life', async () => {
    await forEachSeed(40, async (seed) => {
      const world = new World(seed)
      const peer = await world.join()
      await world.talk(peer)
      peer.leave()
      await world.advance(100)
      for (let i = 0; i < 3; i++) {
        world.replayTo(1)
        world.replayTo(0)
        await world.advance(200)
      }
      world.expectHeardOnce()
      await world.advance(4000)
      world.expectNothingHeld()
      expect(world.nodes.map((node) => node.peers().length)).toEqual([0, 0])
      const again = await world.join()
      await world.talk(again)
      await world.talk(again, () => {
        world.replayTo(1)
        world.replayTo(0)
      })
      world.expectHeardOnce()
      world.close()
    })
  }, 60_000)

  test('when the peer is dead, and nobody contradicts', async () => {
    await forEachSeed(40, async (seed) => {
      const world = new World(seed)
      const peer = await world.join()
      await world.talk(peer)
      world.stop(0)
      await world.advance(5000)
      expect(world.nodes[1]!.peers()).toEqual([])
      world.hosts[0].restart()
      for (let i = 0; i < 5; i++) {
        world.replayTo(1)
        await world.advance(300)
      }
      world.expectHeardOnce()
      await world.advance(5000)
      expect(world.nodes[1]!.peers()).toEqual([])
      world.expectNothingHeld()
      world.close()
    })
  }, 60_000)

  test.each([0, 1] as const)(
    'into a later life of node %i: nothing is delivered, new streams are not disturbed',
    async (side) => {
      await forEachSeed(40, async (seed) => {
        const world = new World(seed)
        await world.talk(await world.join())
        world.stop(side)
        await world.advance(50)
        world.restart(side)
        world.replayTo(side)
        world.replayTo(side === 0 ? 1 : 0)
        await world.advance(3000)
        const peer = await world.join()
        await world.talk(peer, () => {
          world.replayTo(1)
          world.replayTo(0)
        })
        await world.advance(3000)
        world.expectHeardOnce()
        world.expectNothingHeld()
        expect(world.nodes.map((node) => node.peers().length)).toEqual([1, 1])
        await world.talk(peer)
        world.close()
      })
    },
    60_000,
  )
})

test('numbers of streams wrap around, and so do those of packets', async () => {
  const network = new SimulatedNetwork(1)
  const hosts = [network.addHost(), network.addHost()]
  // Everything that is drawn is near the end.
  let draws = 0
  const random = { uint32: () => 0xffff_fff0 + (draws++ & 3) }
  const [client, server] = [nodeOn(hosts[0]!, { random }), nodeOn(hosts[1]!)]
  const heard: string[] = []
  server.node.on('stream', (stream) => stream.on('message', (message) => heard.push(message.toString())))
  let peer: Peer | undefined
  void joined(client.node.connect(server.endpoint), (found) => (peer = found))
  await network.clock.advanceAsync(100)
  const ids: number[] = []
  network.setDefaultPath({ reorderProbability: 0.5, reorderMs: 5 })
  for (let i = 0; i < 100; i++) {
    const stream = peer!.openStream()
    ids.push(stream.id)
    for (let j = 0; j < 30; j++) stream.send(`${i} ${j}`.padEnd(1000))
    stream.end()
    if (i % 5 === 4) await network.clock.advanceAsync(50)
  }
  await network.clock.advanceAsync(2000)
  expect(Math.max(...ids)).toBe(0xffff_ffff)
  expect(ids).not.toContain(0)
  expect(ids).toContain(1)
  expect(new Set(heard).size).toBe(3000)
  expect(heard.length).toBe(3000)
  expect(peer!.stats().streams).toBe(0)
  client.node.destroy()
  server.node.destroy()
})
