import { describe, expect, onTestFinished, test } from 'vitest'
import { SeededRandom, randomBelow, randomFill } from '../../src/core/index.js'
import { encodeControl, type ControlFrame } from '../../src/stream/control-frame.js'
import { readSender, writeHeader } from '../../src/stream/header.js'
import { fixedRate, type NodeOptions, type Peer, type Stream } from '../../src/stream/index.js'
import { NOBODY, type NodeId } from '../../src/stream/node-id.js'
import { FLAG, TYPE, VERSION } from '../../src/stream/wire.js'
import { SimulatedNetwork, type PathOptions, type SimulatedLink } from '../../src/testing/index.js'
import { nodeOn, type SimulatedNode } from './support/stream-nodes.js'

const PORT = 4000

interface World {
  readonly network: SimulatedNetwork
  readonly server: SimulatedNode
  readonly client: SimulatedNode
  readonly peer: Peer
}

async function join(path: PathOptions, options: Partial<NodeOptions> = {}): Promise<World> {
  const network = new SimulatedNetwork(1, { path })
  const server = nodeOn(network.addHost(), options, { port: PORT })
  const client = nodeOn(network.addHost())
  const joined = client.node.connect(server.endpoint)
  await network.clock.advanceAsync(100)
  onTestFinished(() => {
    client.node.destroy()
    server.node.destroy()
  })
  return { network, server, client, peer: await joined }
}

/** Offers messages for as long as the stream is open. */
function pour(stream: Stream, bytes: number): void {
  const message = Buffer.alloc(bytes)
  const more = (): void => {
    while (!stream.closed && stream.send(message));
  }
  stream.on('drain', more)
  more()
}

describe('a receiver that does not keep up', () => {
  test('keeps a bounded amount, however many streams nobody reads, and other peers’ streams are nearly as fast as ever', async () => {
    const limitBytes = 300 * 1472
    const rates: number[] = []
    for (const unreadStreams of [0, 50]) {
      const { network, server, peer } = await join({ latencyMs: 2, lossProbability: 0.02 }, { maxFrameMemoryBytes: limitBytes })
      let received = 0
      server.node.on('stream', (stream) => {
        if (stream.label === 'read') stream.on('message', () => received++)
      })
      const unread = Array.from({ length: unreadStreams }, () => peer.openStream({ windowBytes: 50_000 }))
      for (const stream of unread) pour(stream, 1000)
      await network.clock.advanceAsync(3000)
      const other = nodeOn(network.addHost(), { congestionControl: fixedRate(2e6) })
      const joined = other.node.connect(server.endpoint)
      await network.clock.advanceAsync(100)
      const read = (await joined).openStream({ label: 'read' })
      pour(read, 1000)
      let most = 0
      for (let i = 0; i < 100; i++) {
        await network.clock.advanceAsync(20)
        most = Math.max(most, server.node.stats().frameMemoryBytes)
      }
      // One frame of each stream is always to be had.
      expect(most).toBeLessThanOrEqual(limitBytes + (unreadStreams + 1) * 1472)
      rates.push(received)
      for (const stream of [read, ...unread]) stream.reset()
      await network.clock.advanceAsync(500)
      expect(server.node.stats().frameMemoryBytes).toBe(0)
      other.node.destroy()
    }
    console.log(`messages of another peer: ${rates[0]} alone, ${rates[1]} beside 50 streams that nobody reads`)
    expect(rates[1]! / rates[0]!).toBeGreaterThan(0.8)
  })

  test('one that reads now and then gets everything, and another stream is as fast as without it', async () => {
    const received = { slow: 0, fast: 0 }
    const rates: number[] = []
    for (const hasSlow of [false, true]) {
      const { network, server, peer } = await join({ latencyMs: 2 })
      received.fast = 0
      server.node.on('stream', (stream) => {
        stream.on('message', () => {
          received[stream.label as 'slow' | 'fast']++
          if (stream.label === 'fast') return
          stream.pause()
          network.clock.setTimer(() => stream.resume(), 20)
        })
      })
      if (hasSlow) pour(peer.openStream({ label: 'slow', windowBytes: 100_000 }), 5000)
      pour(peer.openStream({ label: 'fast', windowBytes: 100_000 }), 5000)
      await network.clock.advanceAsync(3000)
      rates.push(received.fast)
    }
    expect(received.slow).toBeGreaterThan(100)
    expect(rates[1]! / rates[0]!).toBeGreaterThan(0.9)
  })
})

/** A program that knows the protocol and does not keep to it. */
class Attacker {
  readonly id: NodeId
  readonly #frame = Buffer.alloc(2000)
  #serverId: NodeId = NOBODY
  #isJoining = false
  received = 0
  receivedBytes = 0
  sentBytes = 0

  constructor(
    readonly link: SimulatedLink,
    readonly server: { address: string; port: number },
    life: number,
  ) {
    this.id = { place: 7, life }
    link.on('batch', (batch) => {
      this.received += batch.count
      this.receivedBytes += batch.bytes
      for (let i = 0; i < batch.count; i++) {
        const frame = batch.payload(i)
        if (frame[1] !== TYPE.challenge || !this.#isJoining) continue
        this.#isJoining = false
        this.#serverId = readSender(frame)
        this.hello(Buffer.from(frame.subarray(24, 40)))
      }
    })
  }

  hello(cookie: Uint8Array = new Uint8Array(0)): void {
    const fields = { minVersion: VERSION, maxVersion: VERSION, frameBytes: 1472, timestamp: 1, session: this.id.life, name: '' }
    this.control({ type: TYPE.hello, cookie, ...fields }, NOBODY)
  }

  control(frame: ControlFrame, receiver = this.#serverId): void {
    writeHeader(this.#frame, FLAG.control | FLAG.opener, frame.type, 0, this.id, receiver)
    this.send(this.#frame.subarray(0, encodeControl(this.#frame, frame)))
  }

  data(stream: number, packet: number, chunks: Buffer, flags: number = FLAG.numbered): void {
    writeHeader(this.#frame, flags | FLAG.opener, 0, 0, this.id, this.#serverId)
    this.#frame.writeUInt32LE(stream, 20)
    this.#frame.writeUInt32LE(packet, 24)
    this.send(Buffer.concat([this.#frame.subarray(0, 32), chunks]))
  }

  send(frame: Uint8Array): void {
    this.sentBytes += frame.length
    this.link.send(frame, this.server)
  }

  async join(network: SimulatedNetwork): Promise<void> {
    this.#isJoining = true
    this.hello()
    await network.clock.advanceAsync(50)
  }
}

/** What `count` datagrams cost the process, network included, in microseconds each. */
async function cost(network: SimulatedNetwork, count: number, send: (i: number) => void): Promise<number> {
  const before = process.cpuUsage()
  for (let i = 0; i < count; i++) {
    send(i)
    if (i % 50 === 49) await network.clock.advanceAsync(1)
  }
  await network.clock.advanceAsync(50)
  const { user, system } = process.cpuUsage(before)
  return (user + system) / count
}

describe('a flood', () => {
  test('of hellos from a thousand addresses, of garbage and of strangers’ frames costs no memory, and is answered with less', async () => {
    const { network, server, peer } = await join({})
    let received = 0
    server.node.on('stream', (stream) => stream.on('message', () => received++))
    const host = network.addHost()
    const attackers = Array.from({ length: 1000 }, (_, i) => new Attacker(host.openLink(), server.endpoint, i + 1))
    const pick = (i: number): Attacker => attackers[i % attackers.length]!
    const random = new SeededRandom(1)
    const garbage = Buffer.alloc(100)
    const known = peer.id
    const floods: Record<string, (i: number) => void> = {
      hellos: (i) => pick(i).control(HELLO, NOBODY),
      'hellos with wrong cookies': (i) => pick(i).hello(Buffer.alloc(16, i)),
      garbage: (i) => {
        randomFill(random, garbage)
        pick(i).send(garbage.subarray(0, randomBelow(random, 100)))
      },
      'frames of nobody': (i) => pick(i).control({ type: TYPE.ping, timestamp: i, session: 1 }, known),
      'frames to an earlier life': (i) =>
        pick(i).control({ type: TYPE.ping, timestamp: i, session: 1 }, { place: known.place, life: 1 }),
    }
    const stream = peer.openStream()
    for (const [name, send] of Object.entries(floods)) {
      const [sentBefore, receivedBefore] = [sum(attackers, 'sentBytes'), sum(attackers, 'receivedBytes')]
      const microseconds = await cost(network, 20_000, send)
      const [sent, answered] = [sum(attackers, 'sentBytes') - sentBefore, sum(attackers, 'receivedBytes') - receivedBefore]
      console.log(
        `20 000 ${name}: ${microseconds.toFixed(1)} us each, the simulation included; ${(answered / sent).toFixed(2)} answered a byte`,
      )
      expect(answered).toBeLessThanOrEqual(sent)
      expect(server.node.stats()).toMatchObject({ peers: 1, frameMemoryBytes: 0, assemblyBytes: 0 })
      stream.send(name)
      await network.clock.advanceAsync(100)
    }
    expect(received).toBe(Object.keys(floods).length)
  }, 60_000)

  test('no datagram of somebody unknown is answered with more bytes than it has', async () => {
    const { network, server, peer } = await join({})
    const attacker = new Attacker(network.addHost().openLink(), server.endpoint, 5)
    const frame = Buffer.alloc(100)
    for (const receiver of [NOBODY, peer.id, { place: peer.id.place, life: 77 }]) {
      for (let flags = 0; flags < 16; flags++) {
        for (let type = 0; type < 20; type++) {
          for (let bytes = 20; bytes < 60; bytes++) {
            writeHeader(frame, flags, type, 0, attacker.id, receiver)
            const before = attacker.receivedBytes
            attacker.send(frame.subarray(0, bytes))
            network.clock.advance(3)
            expect(attacker.receivedBytes - before).toBeLessThanOrEqual(bytes)
          }
        }
      }
    }
    expect(attacker.received).toBeGreaterThan(1000)
    expect(server.node.peers().length).toBe(1)
  })

  test('of opens, of packets out of order and of pieces from a peer costs what the limits say, and others go on', async () => {
    const limits = { maxFrameMemoryBytes: 200 * 1472, maxAssemblyBytes: 1 << 20, maxStreamsPerPeer: 20 }
    const { network, server, peer } = await join({}, limits)
    let received = 0
    const opened: Stream[] = []
    server.node.on('stream', (stream) => {
      opened.push(stream)
      stream.on('message', () => received++)
    })
    const attacker = new Attacker(network.addHost().openLink(), server.endpoint, 5)
    await attacker.join(network)
    expect(server.node.peers().length).toBe(2)
    for (let stream = 1; stream <= 100; stream++) {
      const [kind, windowPackets] = [3, 65_536]
      attacker.control({ type: TYPE.open, stream, kind, options: 0, packet: 0, windowPackets, label: '' })
    }
    await network.clock.advanceAsync(10)
    expect(opened.filter((stream) => !stream.closed).length).toBeLessThanOrEqual(20)
    const chunk = Buffer.alloc(1404)
    chunk.writeUInt32LE(0x0578_0007)
    const piece = Buffer.alloc(8)
    piece.writeUInt16LE(1000, 2)
    const attacks: Record<string, (i: number) => void> = {
      'packets out of order': (i) => attacker.data(1 + (i % 20), 1 + 3 * Math.floor(i / 20), chunk),
      'pieces of packets': (i) => {
        piece.writeUInt16LE((i * 7) % 990, 0)
        attacker.data(1 + (i % 20), 2 + (Math.floor(i / 20) % 300), piece, FLAG.numbered | FLAG.piece)
      },
      'one piece in bits': (i) => {
        piece.writeUInt16LE(2 * (i % 490), 0)
        attacker.data(1, 1 + Math.floor(i / 490), piece.subarray(0, 5), FLAG.numbered | FLAG.piece)
      },
      'long messages that never end': (i) => {
        const begin = Buffer.alloc(20)
        begin.writeUInt32LE(0x000c_0005)
        begin.writeUInt32LE(100_000, 4)
        attacker.data(1 + (i % 20), 0, begin)
      },
      'frames that are too long': (i) => attacker.data(1 + (i % 20), 60_000 + i, Buffer.alloc(20_000)),
      'requests for everything': (i) => {
        const ranges = Array.from({ length: 128 }, () => ({ first: 0, count: 65_536 }))
        attacker.control({ type: TYPE.nak, stream: 1 + (i % 20), ranges })
      },
    }
    const stream = peer.openStream()
    let before = 0
    for (const [name, send] of Object.entries(attacks)) {
      const microseconds = await cost(network, 5000, send)
      console.log(`5000 ${name}: ${microseconds.toFixed(1)} us each, the simulation included`)
      const { frameMemoryBytes, assemblyBytes } = server.node.stats()
      expect(frameMemoryBytes).toBeLessThanOrEqual(limits.maxFrameMemoryBytes + 3 * 21 * 1472)
      expect(assemblyBytes).toBeLessThanOrEqual(limits.maxAssemblyBytes)
      for (let i = 0; i < 100; i++) stream.send(Buffer.alloc(i % 25 === 0 ? 65_536 : 1000))
      await network.clock.advanceAsync(2000)
      expect(received - before, `behind ${name}`).toBe(100)
      before = received
    }
    expect(server.node.stats().dropped.tooLong).toBe(5000)
    // It says nothing more.
    await network.clock.advanceAsync(7000)
    expect(server.node.peers().length).toBe(1)
    expect(server.node.stats()).toMatchObject({ frameMemoryBytes: 0, assemblyBytes: 0 })
  }, 60_000)

  test('of requests for what was sent already is answered once a round trip', async () => {
    const { network, server } = await join({ latencyMs: 5 })
    const attacker = new Attacker(network.addHost().openLink(), server.endpoint, 5)
    server.node.on('peer', () => undefined)
    await attacker.join(network)
    const peer = server.node.peers()[1]!
    const stream = peer.openStream({ windowBytes: 100_000 })
    pour(stream, 1000)
    await network.clock.advanceAsync(100)
    const before = attacker.receivedBytes
    const ranges = Array.from({ length: 128 }, () => ({ first: 0, count: 512 }))
    const microseconds = await cost(network, 2000, () => {
      // From the side that did not open it.
      const frame = Buffer.alloc(1200)
      writeHeader(frame, FLAG.control, TYPE.nak, 0, attacker.id, NOBODY)
      attacker.control({ type: TYPE.nak, stream: stream.id, ranges })
    })
    console.log(`2000 requests: ${microseconds.toFixed(1)} us each`)
    expect(attacker.receivedBytes - before).toBeLessThan(attacker.sentBytes)
  })
})

function sum(attackers: readonly Attacker[], what: 'sentBytes' | 'receivedBytes'): number {
  return attackers.reduce((total, attacker) => total + attacker[what], 0)
}

const HELLO: ControlFrame = {
  type: TYPE.hello,
  minVersion: VERSION,
  maxVersion: VERSION,
  cookie: new Uint8Array(0),
  frameBytes: 1472,
  timestamp: 1,
  session: 1,
  name: '',
}
