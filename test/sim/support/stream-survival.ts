import { expect } from 'vitest'
import { SeededRandom, randomBelow, randomFill, randomFraction, type Random } from '../../../src/core/index.js'
import { fixedRate, type NodeOptions, type Peer, type Stream, type StreamKind } from '../../../src/stream/index.js'
import { SimulatedNetwork, type HostOptions, type PathOptions, type SimulatedHost } from '../../../src/testing/index.js'
import { badPath, nodeOn, type SimulatedNode } from './stream-nodes.js'

/**
 * A whole life of two nodes that comes from its seed alone: paths that lose, repeat, reorder and change bits, each way in its own manner;
 * that become worse, better and narrower while streams run; hosts that stand still, are cut off from each other, and whose clocks are
 * wrong; streams of all kinds both ways, with readers of all kinds, and memory that is short.
 */
export async function survive(seed: number): Promise<void> {
  const world = new World(seed)
  await world.join()
  const flows = world.openStreams()
  const disturbedUntilMs = world.disturb()
  const { clock } = world.network
  const isOver = (): boolean => flows.every((flow) => flow.isOver)
  await clock.runUntilTrueAsync(isOver, disturbedUntilMs + LIVENESS_MS)
  for (const flow of flows) flow.checkAtEnd()
  await world.leave()
}

/** A direction of a stream: what was sent, and whether it is what arrives. */
class Direction {
  readonly sizes: number[]
  sent = 0
  received = 0
  receivedBytes = 0
  gapPackets = 0
  hasEnded = false
  #last = -1
  #buffered: Buffer = Buffer.alloc(0)

  constructor(
    readonly kind: StreamKind,
    random: Random,
    maxMessageBytes: number,
  ) {
    const count = randomBelow(random, randomFraction(random) < 0.1 ? 400 : 60)
    const usual = USUAL_SIZES[randomBelow(random, USUAL_SIZES.length)]!
    this.sizes = Array.from({ length: count }, () => {
      const size = randomFraction(random) < 0.8 ? usual : USUAL_SIZES[randomBelow(random, USUAL_SIZES.length)]!
      return Math.min(maxMessageBytes, NUMBER_BYTES + randomBelow(random, size + 1))
    })
  }

  /** Sends until there is no room, and goes on when there is. */
  feed(stream: Stream): void {
    const more = (): void => {
      for (; this.sent < this.sizes.length; this.sent++) {
        // The path may have become narrower since.
        const bytes = this.kind === 'fireAndForget' ? Math.min(this.sizes[this.sent]!, stream.maxMessageBytes) : undefined
        if (!stream.send(messageOf(this.sent, bytes ?? this.sizes[this.sent]!), this.sent & 255)) return
      }
      stream.end()
    }
    stream.on('drain', more)
    more()
  }

  check(message: Buffer, handler?: number): void {
    expect(message.length).toBeGreaterThanOrEqual(NUMBER_BYTES)
    const number = message.readUInt32LE(0)
    expect(number, 'a message that was sent').toBeLessThan(this.sent + 1)
    if (handler !== undefined) expect(handler).toBe(number & 255)
    if (this.kind === 'reliable') expect(number, 'in order, none missing').toBe(this.#last + 1)
    if (this.kind === 'bestEffort') expect(number, 'in order').toBeGreaterThan(this.#last)
    if (this.kind !== 'fireAndForget') expect(message.length).toBe(this.sizes[number]!)
    if (!message.equals(messageOf(number, message.length))) throw new Error(`message ${number} has other bytes`)
    this.#last = number
    this.received++
    this.receivedBytes += message.length
  }

  /** Bytes without boundaries: of a Duplex. */
  checkBytes(chunk: Buffer): void {
    this.#buffered = this.#buffered.length === 0 ? chunk : Buffer.concat([this.#buffered, chunk])
    for (;;) {
      const length = this.sizes[this.received]
      if (length === undefined || this.#buffered.length < length) return
      this.check(this.#buffered.subarray(0, length))
      this.#buffered = this.#buffered.subarray(length)
    }
  }

  checkAtEnd(where: string): void {
    expect(this.hasEnded, `${where}: the end was told`).toBe(true)
    if (this.kind === 'reliable') expect(this.received, where).toBe(this.sizes.length)
    if (this.kind === 'bestEffort' && this.gapPackets === 0) expect(this.received, where).toBe(this.sizes.length)
  }
}

/** A stream with both its ends. */
class Flow {
  readonly there: Direction
  readonly back: Direction
  readonly ends: (string | undefined)[] = []
  opener: Stream | undefined
  accepted: Stream | undefined
  isOver = false
  /** Given up by one of its users. */
  isReset = false
  isNeverAccepted = false

  constructor(
    readonly label: string,
    readonly kind: StreamKind,
    readonly random: Random,
    maxMessageBytes: number,
  ) {
    this.there = new Direction(kind, random, maxMessageBytes)
    this.back = new Direction(kind, random, maxMessageBytes)
  }

  start(stream: Stream, host: SimulatedHost): void {
    const isOpener = stream.isOpener
    if (isOpener) this.opener = stream
    else this.accepted = stream
    stream.allowHalfOpen = true
    const [outgoing, incoming] = isOpener ? [this.there, this.back] : [this.back, this.there]
    stream.on('gap', (packets) => (incoming.gapPackets += packets))
    stream.on('end', () => {
      expect(incoming.hasEnded, 'an end is told once').toBe(false)
      incoming.hasEnded = true
    })
    stream.on('close', (error) => {
      this.ends.push(error?.message)
      this.isOver = this.ends.length === (this.isNeverAccepted && this.accepted === undefined ? 1 : 2)
    })
    this.#read(stream, incoming, host)
    outgoing.feed(stream)
  }

  #read(stream: Stream, incoming: Direction, host: SimulatedHost): void {
    const { random } = this
    const reader = this.kind === 'fireAndForget' ? 0 : randomBelow(random, this.kind === 'reliable' ? 4 : 3)
    if (reader === 2) return void this.#iterate(stream, incoming, host)
    if (reader === 3) {
      const duplex = stream.duplex()
      duplex.on('data', (chunk: Buffer) => incoming.checkBytes(chunk))
      duplex.on('error', (error) => expect([this.isReset, error.message]).toEqual([true, expect.stringContaining('reset')]))
      return
    }
    stream.on('message', (message, handler) => {
      incoming.check(message, handler)
      // A slow one: now and then it stops for a while.
      if (reader === 0 || randomFraction(random) < 0.8) return
      stream.pause()
      host.clock.setTimer(() => stream.resume(), randomBelow(random, 50))
    })
  }

  async #iterate(stream: Stream, incoming: Direction, host: SimulatedHost): Promise<void> {
    try {
      for await (const message of stream) {
        incoming.check(message)
        if (randomFraction(this.random) < 0.1) await new Promise<void>((resolve) => host.clock.setTimer(resolve, 5))
      }
    } catch (error) {
      if (!this.isReset) throw error
    }
  }

  /** One of its users gives it up, wherever it is. */
  reset(): void {
    const stream = randomFraction(this.random) < 0.5 ? this.opener : this.accepted
    if (stream === undefined || stream.closed || this.ends.length > 0) return
    this.isReset = true
    stream.reset()
    // Nobody was told of it, and nobody will be.
    if (this.accepted === undefined) this.isNeverAccepted = true
  }

  checkAtEnd(): void {
    const where = `${this.kind} stream ${this.label}`
    const { there, back } = this
    const told = `${there.received} of ${there.sizes.length} there, ${back.received} of ${back.sizes.length} back`
    expect(this.isOver, `${where} is over; ${told}; ends: ${this.ends.join()}`).toBe(true)
    if (this.isReset) return this.#checkReset(where)
    expect(this.ends, where).toEqual([undefined, undefined])
    there.checkAtEnd(`${where}, there`)
    back.checkAtEnd(`${where}, back`)
    this.#checkCounters(this.opener!, this.accepted!, there)
    this.#checkCounters(this.accepted!, this.opener!, back)
  }

  /** Both sides were told, but one that was through already. */
  #checkReset(where: string): void {
    expect(this.ends[0], where).toMatch(/cancelled/)
    for (const stream of [this.opener, this.accepted]) {
      expect([stream?.closed ?? true, stream?.stats().sendQueuePackets ?? 0]).toEqual([true, 0])
    }
  }

  /** What one side counts, the other does. */
  #checkCounters(from: Stream, to: Stream, direction: Direction): void {
    const [sent, received] = [from.stats(), to.stats()]
    expect(sent.messagesSent).toBe(direction.sizes.length)
    expect(received.messagesReceived).toBe(direction.received)
    expect(received.bytesReceived).toBe(direction.receivedBytes)
    expect([sent.sendQueuePackets, received.receiveQueuePackets]).toEqual([0, 0])
    if (this.kind === 'reliable') {
      expect(received.packetsReceived).toBe(sent.packetsSent)
      expect([received.packetsLost, sent.packetsForgotten]).toEqual([0, 0])
    }
    if (this.kind === 'bestEffort') {
      expect(received.packetsReceived + received.packetsLost).toBeLessThanOrEqual(sent.packetsSent + sent.packetsForgotten)
      expect(received.packetsLost).toBe(direction.gapPackets)
    }
  }
}

class World {
  readonly network: SimulatedNetwork
  readonly #random: SeededRandom
  readonly #hosts: readonly [SimulatedHost, SimulatedHost]
  readonly #nodes: readonly [SimulatedNode, SimulatedNode]
  readonly #frameMemoryBytes: number
  /** Of each direction; one that is set replaces the one before. */
  readonly #paths: [PathOptions, PathOptions]
  readonly #mtu: PathOptions
  #peer: Peer | undefined
  #flows: Flow[] = []

  constructor(seed: number) {
    const random = (this.#random = new SeededRandom(seed))
    this.network = new SimulatedNetwork(seed)
    const isLarge = randomFraction(random) < 0.2
    const makeHost = (): HostOptions => ({
      mtuBytes: isLarge ? 9000 : 1500,
      // Far worse than any crystal.
      clock: { offsetMs: randomBelow(random, 1e9), driftPpm: randomBelow(random, 40_000) - 20_000 },
    })
    this.#hosts = [this.network.addHost(makeHost()), this.network.addHost(makeHost())]
    const tooBig = (['fragment', 'drop', 'error'] as const)[randomBelow(random, 3)]!
    this.#mtu = { tooBig, mtuBytes: isLarge ? 9000 : 1500 }
    this.#paths = [badPath(random), badPath(random)]
    this.#applyPaths()
    const [limit, options] = this.#drawOptions()
    this.#frameMemoryBytes = limit
    this.#nodes = [nodeOn(this.#hosts[0], options), nodeOn(this.#hosts[1], options)]
  }

  async join(): Promise<void> {
    const [client, server] = this.#nodes
    const { clock } = this.network
    server.node.on('stream', (stream) => {
      // Which flow it is, the label says: streams overtake each other.
      const flow = this.#flows[Number(stream.label)]!
      expect([flow.accepted, stream.kind]).toEqual([undefined, flow.kind])
      flow.start(stream, this.#hosts[1])
    })
    void client.node.connect(server.endpoint, { timeoutMs: JOIN_MS }).then((peer) => (this.#peer = peer))
    await clock.runUntilTrueAsync(() => this.#peer !== undefined, JOIN_MS)
    expect(this.#peer, 'joined').toBeDefined()
  }

  openStreams(): Flow[] {
    const random = this.#random
    const peer = this.#peer!
    this.#flows = Array.from({ length: 1 + randomBelow(random, 4) }, (_, i) => {
      const kind = randomFraction(random) < 0.7 ? 'reliable' : randomFraction(random) < 0.6 ? 'bestEffort' : 'fireAndForget'
      const maxBytes = kind === 'fireAndForget' ? 1000 : Infinity
      return new Flow(String(i), kind, random, maxBytes)
    })
    for (const { label, kind } of this.#flows) {
      // Half of them near the end of the numbers, so that they wrap around.
      const initialPacket = randomFraction(random) < 0.5 ? 0xffff_ffff - randomBelow(random, 30) : randomBelow(random, 2 ** 32)
      const windowBytes = 5000 + randomBelow(random, randomFraction(random) < 0.5 ? 50_000 : 1_000_000)
      const stream = peer.openStream({ kind, label, initialPacket, windowBytes })
      this.#flows[Number(label)]!.start(stream, this.#hosts[0])
    }
    return this.#flows
  }

  /** Schedules what is to go wrong; when the last of it is over. */
  disturb(): number {
    const random = this.#random
    let atMs = 0
    for (let count = randomBelow(random, 6); count > 0; count--) {
      const forMs = randomBelow(random, randomFraction(random) < 0.7 ? 300 : LONGEST_DISTURBANCE_MS)
      const undo = DISTURBANCES[randomBelow(random, DISTURBANCES.length)]!
      this.network.clock.setTimer(() => this.#disturbFor(undo, forMs), atMs)
      const victim = this.#flows[randomBelow(random, this.#flows.length)]!
      if (randomFraction(random) < 0.15) this.network.clock.setTimer(() => victim.reset(), atMs + randomBelow(random, 100))
      atMs += forMs + 1 + randomBelow(random, 200)
    }
    return atMs
  }

  /** All is closed, no memory is held, nobody waits for anything. */
  async leave(): Promise<void> {
    const { clock } = this.network
    for (const { node } of this.#nodes) {
      expect(node.stats()).toMatchObject({ frameMemoryBytes: 0, assemblyBytes: 0 })
      for (const peer of node.peers()) expect(peer.stats()).toMatchObject({ streams: 0, inFlightPackets: 0 })
    }
    for (const { node } of this.#nodes) void node.close()
    await clock.advanceAsync(1)
    expect(this.#nodes.map(({ node }) => node.closed)).toEqual([true, true])
    for (const { link } of this.#nodes) link.close()
    await clock.runUntilIdleAsync(10_000)
  }

  #disturbFor(kind: Disturbance, forMs: number): void {
    const random = this.#random
    const { network } = this
    const [a, b] = this.#hosts
    const direction = randomBelow(random, 2)
    const later = (undo: () => void): void => void network.clock.setTimer(undo, forMs)
    this.#checkMemory()
    switch (kind) {
      case 'path':
        this.#paths[direction] = badPath(random)
        return this.#applyPaths()
      case 'good':
        this.#paths[0] = this.#paths[1] = { latencyMs: randomBelow(random, 5) }
        return this.#applyPaths()
      case 'narrow':
        // As narrow as IPv6 allows; wider again at times.
        this.#mtu.mtuBytes = 1280 + randomBelow(random, 220)
        return this.#applyPaths()
      case 'wide':
        this.#mtu.mtuBytes = 9000
        return this.#applyPaths()
      case 'pause': {
        const host = this.#hosts[direction]!
        host.pause()
        return later(() => host.resume())
      }
      case 'partition': {
        const parted = network.partition([a], [b])
        return later(() => parted.heal())
      }
      case 'oneWay': {
        const before = this.#paths[direction]!
        const lost = (this.#paths[direction] = { ...before, lossProbability: 1 })
        this.#applyPaths()
        return later(() => {
          if (this.#paths[direction] === lost) this.#paths[direction] = before
          this.#applyPaths()
        })
      }
    }
  }

  #applyPaths(): void {
    const [a, b] = this.#hosts
    this.network.setPath(a, b, { ...this.#paths[0], ...this.#mtu })
    this.network.setPath(b, a, { ...this.#paths[1], ...this.#mtu })
  }

  #drawOptions(): [number, Partial<NodeOptions>] {
    const random = this.#random
    const frameMemoryBytes = randomFraction(random) < 0.2 ? 100_000 : 256 << 20
    const options: Partial<NodeOptions> = {
      peerTimeoutMs: PEER_TIMEOUT_MS,
      maxFrameMemoryBytes: frameMemoryBytes,
      ...(randomFraction(random) < 0.9 ? { integrity: 'crc32c' } : { secret: 'a secret of the two of them' }),
      ...(randomFraction(random) < 0.3 ? { congestionControl: fixedRate(100_000 + randomBelow(random, 5_000_000)) } : {}),
    }
    return [frameMemoryBytes, options]
  }

  #checkMemory(): void {
    for (const { node } of this.#nodes) {
      // One frame a stream and direction is always to be had.
      const most = this.#frameMemoryBytes + this.#flows.length * 2 * 9000
      expect(node.stats().frameMemoryBytes).toBeLessThanOrEqual(most)
    }
  }
}

/** Numbered, and otherwise bytes that depend on the number. */
export function messageOf(number: number, bytes: number): Buffer {
  const from = (number * 131) % PATTERN_BYTES
  const message = Buffer.from(PATTERN.subarray(from, from + bytes))
  message.writeUInt32LE(number, 0)
  return message
}

type Disturbance = (typeof DISTURBANCES)[number]
const DISTURBANCES = ['path', 'good', 'narrow', 'wide', 'pause', 'partition', 'oneWay'] as const
export const NUMBER_BYTES = 4
export const USUAL_SIZES = [0, 10, 100, 1400, 3000, 20_000]
const PATTERN_BYTES = 10_007
const PATTERN = Buffer.alloc(PATTERN_BYTES + NUMBER_BYTES + Math.max(...USUAL_SIZES))
randomFill(new SeededRandom(1), PATTERN)
/** Longer than what a disturbance and bad luck take together. */
const PEER_TIMEOUT_MS = 60_000
const LONGEST_DISTURBANCE_MS = 5000
const JOIN_MS = 120_000
/** After the last disturbance, on the worst of paths. */
const LIVENESS_MS = 600_000
