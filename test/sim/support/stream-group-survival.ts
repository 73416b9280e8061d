import { expect } from 'vitest'
import { SeededRandom, randomBelow, randomFraction } from '../../../src/core/index.js'
import { fixedRate, type NodeOptions, type PublicationOptions } from '../../../src/stream/index.js'
import { SimulatedNetwork, type PathOptions, type SimulatedHost } from '../../../src/testing/index.js'
import { Broadcast } from './broadcast.js'
import { GROUP } from './stream-groups.js'
import { badPath, nodeOn, type SimulatedNode } from './stream-nodes.js'

/**
 * A whole life of a sender to many that comes from its seed alone: to a list and to a multicast group, reliable and not, with all policies
 * for slow receivers; each path bad in its own manner; receivers that come late, leave, are removed and added again, die, start anew, stand
 * still, are cut off, and read slowly; in some lives the sender dies.
 */
export async function surviveAsGroup(seed: number): Promise<void> {
  const world = new GroupWorld(seed)
  await world.begin()
  const disturbedUntilMs = world.disturb()
  await world.runToTheEnd(disturbedUntilMs)
  await world.leave()
}

/** A node of a receiver, from its start to its end. */
class Life {
  isDead = false

  constructor(
    readonly host: SimulatedHost,
    readonly name: string,
    readonly node: SimulatedNode,
  ) {}
}

class GroupWorld {
  readonly #network: SimulatedNetwork
  readonly #random: SeededRandom
  readonly #options: Partial<NodeOptions>
  readonly #hasFixedRate: boolean
  readonly #senderHost: SimulatedHost
  readonly #sender: SimulatedNode
  readonly #lives: Life[] = []
  readonly #broadcasts: Broadcast[] = []
  #isSenderDead = false
  #isLeaving = false

  constructor(seed: number) {
    const random = (this.#random = new SeededRandom(seed))
    this.#network = new SimulatedNetwork(seed)
    this.#options = {
      peerTimeoutMs: PEER_TIMEOUT_MS,
      ...(randomFraction(random) < 0.8 ? { integrity: 'crc32c' } : { secret: 'a secret of all of them' }),
      ...(randomFraction(random) < 0.2 ? { maxFrameMemoryBytes: 100_000 } : {}),
      ...(randomFraction(random) < 0.3 ? { repairHistoryBytes: randomBelow(random, 100_000) } : {}),
    }
    this.#hasFixedRate = randomFraction(random) < 0.7
    this.#senderHost = this.#addHost('sender')
    this.#sender = this.#openSender()
  }

  async begin(): Promise<void> {
    const random = this.#random
    const { clock } = this.#network
    const { node } = this.#sender
    // Who joins later is added to what is not over.
    node.on('peer', (peer) => {
      for (const broadcast of this.#broadcasts) if (randomFraction(random) < 0.8) broadcast.add(peer)
    })
    for (let count = 1 + randomBelow(random, 5); count > 0; count--) this.#arrive()
    await clock.runUntilTrueAsync(() => node.peers().length === this.#lives.length, JOIN_MS)
    expect(node.peers().length, 'joined').toBe(this.#lives.length)
    for (let count = randomFraction(random) < 0.7 ? 1 : 2; count > 0; count--) {
      const broadcast = new Broadcast(node.openGroup(this.#drawPublication()), random, this.#senderHost.clock)
      this.#broadcasts.push(broadcast)
      for (const peer of node.peers()) if (randomFraction(random) < 0.9) broadcast.add(peer)
      broadcast.start()
    }
  }

  /** Schedules what is to go wrong; when the last of it is over. */
  disturb(): number {
    const random = this.#random
    const { clock } = this.#network
    const isFatal = randomFraction(random) < 0.1
    let atMs = 0
    for (let count = randomBelow(random, 8); count > 0; count--) {
      const forMs = randomBelow(random, randomFraction(random) < 0.7 ? 300 : LONGEST_DISTURBANCE_MS)
      const kind = DISTURBANCES[randomBelow(random, DISTURBANCES.length)]!
      clock.setTimer(() => this.#disturbFor(kind, forMs), atMs)
      atMs += forMs + 1 + randomBelow(random, 200)
    }
    if (isFatal) clock.setTimer(() => this.#killSender(), randomBelow(random, atMs + 500))
    return atMs + (isFatal ? 500 : 0)
  }

  async runToTheEnd(disturbedUntilMs: number): Promise<void> {
    const { clock } = this.#network
    const isOver = (): boolean => this.#broadcasts.every((broadcast) => broadcast.isOver)
    // Nobody is left, and nobody will come: messages would wait for ever.
    const resetAlone = (): void => {
      if (this.#isLeaving) return
      for (const broadcast of this.#broadcasts) broadcast.resetIfAlone()
      clock.setTimer(resetAlone, JOIN_MS)
    }
    clock.setTimer(resetAlone, disturbedUntilMs + JOIN_MS)
    await clock.runUntilTrueAsync(isOver, disturbedUntilMs)
    // What was under way when it died may still open streams.
    if (this.#isSenderDead) await clock.advanceAsync(LONGEST_DISTURBANCE_MS + 1000)
    await clock.runUntilTrueAsync(isOver, this.#isSenderDead ? DEATH_NOTICED_MS : JOIN_MS + LIVENESS_MS)
    for (const broadcast of this.#broadcasts) broadcast.checkAtEnd()
  }

  /** All is closed, no memory is held, nobody waits for anything. */
  async leave(): Promise<void> {
    this.#isLeaving = true
    const { clock } = this.#network
    const nodes = this.#lives.filter(({ isDead }) => !isDead).map(({ node }) => node)
    if (!this.#isSenderDead) nodes.push(this.#sender)
    // Final words that were lost are said again.
    await clock.advanceAsync(5000)
    for (const { node } of nodes) {
      expect(node.stats()).toMatchObject({ frameMemoryBytes: 0, assemblyBytes: 0 })
      for (const peer of node.peers()) expect(peer.stats()).toMatchObject({ streams: 0, inFlightPackets: 0 })
    }
    for (const { node } of nodes) void node.close()
    await clock.advanceAsync(100)
    for (const { node, link } of nodes) {
      expect(node.closed).toBe(true)
      link.close()
    }
    for (const { host } of this.#lives) host.stop()
    this.#senderHost.stop()
    await clock.runUntilIdleAsync(10_000)
  }

  #addHost(name: string): SimulatedHost {
    const random = this.#random
    const skew = { offsetMs: randomBelow(random, 1e9), driftPpm: randomBelow(random, 40_000) - 20_000 }
    return this.#network.addHost({ name, clock: skew })
  }

  #openSender(): SimulatedNode {
    return nodeOn(this.#senderHost, this.#options, { port: GROUP.port })
  }

  /** A receiver on a host of its own. */
  #arrive(): void {
    const host = this.#addHost(`host${this.#lives.length + 1}`)
    this.#applyPath(host, true)
    this.#applyPath(host, false)
    this.#live(host)
  }

  /** Starts a receiver's node, and makes it known to the sender. */
  #live(host: SimulatedHost): void {
    const name = `${host.name}/${this.#lives.length}`
    const made = nodeOn(host, { ...this.#options, name }, { port: GROUP.port })
    // Some do not hear the group at all: they are sent everything by their own address. That is slow if losses slow the sender down.
    if (!this.#hasFixedRate || randomFraction(this.#random) < 0.9) made.link.joinGroup(GROUP.address)
    const life = new Life(host, name, made)
    this.#lives.push(life)
    made.node.on('stream', (stream) => this.#broadcasts[Number(stream.label)]!.listen(stream, name, host.clock))
    made.node.connect(this.#sender.endpoint, { timeoutMs: JOIN_MS }).catch((error: Error) => {
      if (!this.#isLeaving && !this.#isSenderDead && !life.isDead) throw error
    })
  }

  #drawPublication(): PublicationOptions {
    const random = this.#random
    const kind = randomFraction(random) < 0.65 ? 'reliable' : randomFraction(random) < 0.7 ? 'bestEffort' : 'fireAndForget'
    const policy = randomBelow(random, 4)
    return {
      kind,
      label: String(this.#broadcasts.length),
      // Near the end of the numbers, half of the time.
      initialPacket: randomFraction(random) < 0.5 ? 0xffff_ffff - randomBelow(random, 30) : randomBelow(random, 2 ** 32),
      windowBytes: 5000 + randomBelow(random, randomFraction(random) < 0.5 ? 50_000 : 1_000_000),
      ...(randomFraction(random) < 0.65 ? { group: GROUP } : {}),
      ...(policy === 2 ? { slowReceivers: 'drop' as const } : {}),
      ...(policy === 3 ? { slowReceivers: { quorum: randomFraction(random) } } : {}),
      stallMs: 200 + randomBelow(random, 5000),
      ...(this.#hasFixedRate ? { congestionControl: fixedRate(100_000 + randomBelow(random, 5_000_000)) } : {}),
    }
  }

  #disturbFor(kind: Disturbance, forMs: number): void {
    if (this.#isLeaving) return
    const random = this.#random
    const { clock } = this.#network
    const alive = this.#lives.filter(({ isDead }) => !isDead)
    if (kind === 'arrive' || alive.length === 0) {
      if (this.#lives.length < MAX_LIVES) this.#arrive()
      return
    }
    const life = alive[randomBelow(random, alive.length)]!
    const { host, name } = life
    const broadcast = this.#broadcasts[randomBelow(random, this.#broadcasts.length)]!
    switch (kind) {
      case 'path':
        return this.#applyPath(host, randomFraction(random) < 0.5)
      case 'good':
        this.#network.setPath(this.#senderHost, host, GOOD_PATH)
        return this.#network.setPath(host, this.#senderHost, GOOD_PATH)
      case 'pause': {
        const paused = randomFraction(random) < 0.3 && !this.#isSenderDead ? this.#senderHost : host
        if (paused.isPaused) return
        paused.pause()
        return void clock.setTimer(() => paused.resume(), forMs)
      }
      case 'partition': {
        const parted = this.#network.partition(
          alive.filter((other) => other === life || randomFraction(random) < 0.3).map((other) => other.host),
          [this.#senderHost],
        )
        return void clock.setTimer(() => parted.heal(), forMs)
      }
      case 'reset':
        return broadcast.leave(name)
      case 'remove': {
        const peer = broadcast.remove(name)
        if (peer !== undefined && randomFraction(random) < 0.7) clock.setTimer(() => broadcast.add(peer), forMs)
        return
      }
      case 'die':
        return this.#end(life, () => host.stop())
      case 'restart':
        return this.#end(life, () => {
          host.restart()
          this.#live(host)
        })
      case 'close':
        return this.#end(life, () => life.node.node.destroy())
    }
  }

  #end(life: Life, how: () => void): void {
    life.isDead = true
    for (const broadcast of this.#broadcasts) broadcast.onDeath(life.name)
    how()
  }

  /** With or without a next life that asks everybody to join. */
  #killSender(): void {
    if (this.#isLeaving) return
    this.#isSenderDead = true
    for (const broadcast of this.#broadcasts) broadcast.onSenderDeath()
    this.#senderHost.stop()
    if (randomFraction(this.#random) < 0.5) return
    this.#senderHost.restart()
    const next = this.#openSender()
    for (const { host } of this.#lives) {
      next.node.connect({ address: host.addressOf(), port: GROUP.port }).catch(() => undefined)
    }
  }

  #applyPath(host: SimulatedHost, isThere: boolean): void {
    const path = badPath(this.#random)
    if (isThere) this.#network.setPath(this.#senderHost, host, path)
    else this.#network.setPath(host, this.#senderHost, path)
  }
}

type Disturbance = (typeof DISTURBANCES)[number]
const DISTURBANCES = [
  ...(['path', 'good', 'pause', 'pause', 'partition', 'partition', 'arrive'] as const),
  ...(['reset', 'remove', 'remove', 'die', 'restart', 'restart', 'close'] as const),
]
const GOOD_PATH: PathOptions = {
  latencyMs: 1,
  jitterMs: 0,
  lossProbability: 0,
  duplicateProbability: 0,
  reorderProbability: 0,
  corruptProbability: 0,
  burstLoss: undefined,
  bytesPerSecond: Infinity,
}
const MAX_LIVES = 10
/** Longer than what a disturbance and bad luck take together. */
const PEER_TIMEOUT_MS = 60_000
const LONGEST_DISTURBANCE_MS = 5000
const JOIN_MS = 120_000
/** After the last disturbance, on the worst of paths. */
const LIVENESS_MS = 600_000
/** The timeout, by clocks that are wrong by 2 %, and what had been heard late. */
const DEATH_NOTICED_MS = PEER_TIMEOUT_MS * 1.02 + 3000
