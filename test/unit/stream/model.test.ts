import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Peer, Stream, StreamKind } from '../../../src/stream/index.js'
import { SimulatedNetwork, type Partition } from '../../../src/testing/index.js'
import { nodeOn, type SimulatedNode } from '../../sim/support/stream-nodes.js'
import { checkProperty } from '../support/check-property.js'

/** What users and the network may do, at any moment, in any order. `who` is one of two sides, `which` any of the streams. */
type Action =
  | { readonly do: 'open'; readonly who: number; readonly kind: StreamKind; readonly windowBytes: number }
  | { readonly do: 'send'; readonly who: number; readonly which: number; readonly bytes: number; readonly times: number }
  | { readonly do: 'end' | 'reset' | 'close' | 'pause' | 'resume' | 'deafen'; readonly who: number; readonly which: number }
  | { readonly do: 'flush'; readonly who: number }
  | { readonly do: 'leave'; readonly who: number }
  | { readonly do: 'path'; readonly loss: number; readonly duplicates: number; readonly reorder: number }
  | { readonly do: 'part' | 'heal' }
  | { readonly do: 'stand' | 'goOn'; readonly who: number }
  | { readonly do: 'wait'; readonly ms: number }

/** What the model knows of an end of a stream. */
interface End {
  readonly stream: Stream
  sent: number
  received: number
  hasEnded: boolean
  /** Its user has closed it: what it had not read may be thrown away, and then its 'end' does not come. */
  isClosing: boolean
  closes: number
}

class Model {
  readonly network = new SimulatedNetwork(1, { path: { latencyMs: 3 } })
  readonly nodes: readonly SimulatedNode[]
  /** Of each side. */
  readonly ends: [End[], End[]] = [[], []]
  #partition: Partition | undefined

  constructor() {
    const options = { peerTimeoutMs: 20_000, maxFrameMemoryBytes: 200_000, maxAssemblyBytes: 200_000, maxMessageBytes: 100_000 }
    this.nodes = [nodeOn(this.network.addHost(), options), nodeOn(this.network.addHost(), options)]
    for (const [who, { node }] of this.nodes.entries()) node.on('stream', (stream) => this.#follow(who, stream))
  }

  async join(): Promise<void> {
    const joined = this.nodes[0]!.node.connect(this.nodes[1]!.endpoint, { timeoutMs: 60_000 })
    await this.network.clock.advanceAsync(50)
    await joined
  }

  async act(action: Action): Promise<void> {
    switch (action.do) {
      case 'open': {
        const stream = this.#peerOf(action.who)?.openStream({ kind: action.kind, windowBytes: action.windowBytes })
        if (stream !== undefined) this.#follow(action.who, stream)
        return
      }
      case 'flush':
        return this.nodes[action.who]!.node.flush()
      case 'leave':
        return this.#peerOf(action.who)?.leave()
      case 'path':
        return this.network.setDefaultPath({
          lossProbability: action.loss,
          duplicateProbability: action.duplicates,
          reorderProbability: action.reorder,
        })
      case 'part':
        this.#partition ??= this.network.partition([this.network.hosts[0]!], [this.network.hosts[1]!])
        return
      case 'heal':
        this.#partition?.heal()
        this.#partition = undefined
        return
      case 'stand':
        return this.network.hosts[action.who]!.pause()
      case 'goOn':
        return this.network.hosts[action.who]!.resume()
      case 'wait':
        return this.network.clock.advanceAsync(action.ms)
      default:
        return this.#actOn(action)
    }
  }

  /** The network is good again, everybody reads and ends: everything comes to an end, and nothing is held. */
  async settle(): Promise<void> {
    await this.act({ do: 'path', loss: 0, duplicates: 0, reorder: 0 })
    await this.act({ do: 'heal' })
    for (const host of this.network.hosts) host.resume()
    await this.network.clock.advanceAsync(3000)
    for (const { stream } of this.#all()) {
      if (stream.listenerCount('message') === 0) stream.on('message', () => undefined)
      stream.resume()
      stream.end()
    }
    const isQuiet = (): boolean => this.#all().every(({ stream }) => stream.closed)
    await this.network.clock.runUntilTrueAsync(isQuiet, 60_000)
    await this.network.clock.advanceAsync(100)
    for (const end of this.#all()) this.#checkEnd(end)
    for (const { node } of this.nodes) {
      expect(node.stats()).toMatchObject({ frameMemoryBytes: 0, assemblyBytes: 0 })
      for (const peer of node.peers()) expect(peer.stats()).toMatchObject({ streams: 0, inFlightPackets: 0 })
      node.destroy()
    }
    for (const { link } of this.nodes) link.close()
    await this.network.clock.runUntilIdleAsync(1000)
  }

  checkBounds(): void {
    for (const { node } of this.nodes) {
      const { frameMemoryBytes, assemblyBytes } = node.stats()
      expect(frameMemoryBytes).toBeLessThanOrEqual(200_000 + 3 * this.#all().length * 1472)
      expect(assemblyBytes).toBeLessThanOrEqual(200_000)
      expect(Math.min(frameMemoryBytes, assemblyBytes)).toBeGreaterThanOrEqual(0)
    }
  }

  #checkEnd({ stream, sent, received, hasEnded, isClosing, closes }: End): void {
    const where = `${stream.kind} stream ${stream.id}, ${stream.isOpener ? 'opener' : 'accepted'}, ${stream.error?.message}`
    expect([stream.closed, closes], where).toEqual([true, 1])
    const other = this.#all().find((end) => end.stream.id === stream.id && end.stream.isOpener !== stream.isOpener)
    if (stream.error !== undefined) return
    expect(hasEnded || isClosing, where).toBe(true)
    // By agreement: the other side was there, and what it sent is here, all of it if that was promised.
    if (stream.kind === 'reliable') expect(received, where).toBe(other!.sent)
    else if (stream.kind === 'bestEffort') expect(received, where).toBeLessThanOrEqual(other!.sent)
    expect(stream.stats().messagesSent, where).toBe(sent)
  }

  #follow(who: number, stream: Stream): void {
    const end: End = { stream, sent: 0, received: 0, hasEnded: false, isClosing: false, closes: 0 }
    this.ends[who as 0 | 1].push(end)
    let last = -1
    stream.on('message', (message) => {
      const number = message.readUInt32LE(0)
      if (stream.kind === 'reliable') expect(number).toBe(last + 1)
      if (stream.kind === 'bestEffort') expect(number).toBeGreaterThan(last)
      last = number
      end.received++
    })
    stream.on('end', () => (end.hasEnded = true))
    stream.on('close', () => end.closes++)
  }

  #actOn(action: Extract<Action, { readonly which: number }>): void {
    const ends = this.ends[action.who as 0 | 1]
    const end = ends[action.which % Math.max(1, ends.length)]
    if (end === undefined) return
    const { stream } = end
    switch (action.do) {
      case 'send':
        for (let i = 0; i < action.times && this.#send(end, action.bytes); i++);
        return
      case 'end':
        return stream.end()
      case 'reset':
        return stream.reset()
      case 'close':
        // What it would still have received is thrown away.
        if (stream.closed || stream.kind === 'reliable') return
        end.isClosing = true
        return void stream.close({ deadlineMs: 500 })
      case 'pause':
        return void stream.pause()
      case 'resume':
        return void stream.resume()
      case 'deafen': {
        // Nobody reads for a moment.
        const listeners = stream.listeners('message')
        stream.removeAllListeners('message')
        for (const listener of listeners) stream.on('message', listener)
      }
    }
  }

  #send(end: End, bytes: number): boolean {
    const { stream } = end
    const message = Buffer.alloc(Math.min(Math.max(4, bytes), stream.maxMessageBytes))
    message.writeUInt32LE(end.sent)
    try {
      if (!stream.send(message)) return false
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe('ERR_CLOSED')
      return false
    }
    end.sent++
    return true
  }

  #peerOf(who: number): Peer | undefined {
    return this.nodes[who]!.node.peers()[0]
  }

  #all(): End[] {
    return this.ends.flat()
  }
}

const who = fc.integer({ min: 0, max: 1 })
const which = fc.integer({ min: 0, max: 7 })
const share = fc.constantFrom(0, 0.1, 0.3, 0.9)
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('open' as const),
      who,
      kind: fc.constantFrom<StreamKind>('reliable', 'bestEffort', 'fireAndForget'),
      windowBytes: fc.constantFrom(1, 50_000, 1_000_000),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('send' as const),
      who,
      which,
      bytes: fc.constantFrom(0, 100, 1500, 30_000),
      times: fc.integer({ min: 1, max: 30 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constantFrom('end', 'reset', 'close', 'pause', 'resume', 'deafen'), who, which }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('flush', 'stand', 'goOn'), who }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('part', 'heal') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('path' as const), loss: share, duplicates: share, reorder: share }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 7, 50, 600) }) },
)

test('whatever users and the network do in whatever order, everything ends in good order once they let it', async () => {
  await checkProperty(
    fc.asyncProperty(fc.array(action, { minLength: 1, maxLength: 60 }), fc.boolean(), async (actions, leaves) => {
      const model = new Model()
      await model.join()
      for (const next of actions) {
        await model.act(next)
        model.checkBounds()
      }
      if (leaves) await model.act({ do: 'leave', who: actions.length & 1 })
      await model.settle()
    }),
    150,
  )
}, 3_600_000)
