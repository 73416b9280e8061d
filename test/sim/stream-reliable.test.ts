import { expect, test } from 'vitest'
import { SeededRandom, randomBelow, randomFill, randomFraction, type Random } from '../../src/core/index.js'
import { fixedRate, type Stream } from '../../src/stream/index.js'
import { SimulatedNetwork, forSeeds } from '../../src/testing/index.js'
import { badPath, nodeOn, repeat, seedsOf } from './support/stream-nodes.js'

/** Messages that tell their number and whether they are whole. */
function messageOf(random: Random, number: number): Buffer {
  const size = [0, 4, 40, 1400, 1600, 20_000][randomBelow(random, 6)]!
  const message = Buffer.alloc(4 + randomBelow(random, size + 1))
  randomFill(random, message)
  message.writeUInt32LE(number)
  return message
}

class Checker {
  readonly sent: Buffer[] = []
  received = 0
  #next = 0

  constructor(
    readonly random: Random,
    readonly count: number,
  ) {}

  /** Sends until there is no room, and goes on when there is. */
  feed(stream: Stream): void {
    const more = (): void => {
      while (this.#next < this.count) {
        const message = (this.sent[this.#next] ??= messageOf(this.random, this.#next))
        if (!stream.send(message, this.#next & 255)) return
        this.#next++
      }
      stream.end()
    }
    stream.on('drain', more)
    more()
  }

  check(message: Buffer, handler: number): void {
    expect(message.readUInt32LE(0)).toBe(this.received)
    expect(handler).toBe(this.received & 255)
    expect(message.equals(this.sent[this.received]!)).toBe(true)
    this.received++
  }
}

test('reliable streams deliver everything once, in order and unchanged, in both directions, over bad paths', async () => {
  await forSeeds(
    seedsOf(100),
    async (seed) => {
      const random = new SeededRandom(seed)
      const network = new SimulatedNetwork(seed)
      const [a, b] = [network.addHost(), network.addHost()]
      network.setPath(a, b, badPath(random))
      network.setPath(b, a, badPath(random))
      const congestionControl = randomFraction(random) < 0.3 ? { congestionControl: fixedRate(2e6) } : {}
      const options = { integrity: 'crc32c', peerTimeoutMs: 30_000, ...congestionControl } as const
      const [client, server] = [nodeOn(a, options), nodeOn(b, options)]
      const [there, back] = [new Checker(random, 200), new Checker(random, randomBelow(random, 100))]
      let closed = 0
      let slow = randomFraction(random) < 0.3
      server.node.on('stream', (stream) => {
        stream.allowHalfOpen = true
        stream.on('message', (message, handler) => {
          there.check(message, handler)
          if (!slow) return
          stream.pause()
          b.clock.setTimer(() => stream.resume(), randomBelow(random, 30))
        })
        stream.on('end', () => (slow = false))
        stream.on('close', (error) => {
          expect(error?.message).toBeUndefined()
          closed++
        })
        back.feed(stream)
      })
      const joined = client.node.connect(server.endpoint, { timeoutMs: 60_000 })
      let stream: Stream | undefined
      void joined.then((peer) => {
        // Near the end of the numbers, so that they wrap around.
        const initialPacket = randomFraction(random) < 0.5 ? 0xffff_ffff - randomBelow(random, 50) : randomBelow(random, 2 ** 32)
        stream = peer.openStream({ initialPacket, windowBytes: 20_000 + randomBelow(random, 500_000), allowHalfOpen: true })
        stream.on('message', (message, handler) => back.check(message, handler))
        stream.on('close', (error) => {
          expect(error?.message).toBeUndefined()
          closed++
        })
        there.feed(stream)
      })
      const isDone = await network.clock.runUntilTrueAsync(() => closed === 2, 600_000)
      expect([there.received, back.received], `after ${network.clock.nowMs()} ms`).toEqual([there.count, back.count])
      expect(isDone).toBe(true)
      expect(client.node.stats()).toMatchObject({ frameMemoryBytes: 0, assemblyBytes: 0 })
      expect(server.node.stats()).toMatchObject({ frameMemoryBytes: 0, assemblyBytes: 0 })
      client.node.destroy()
      server.node.destroy()
    },
    repeat,
  )
}, 120_000)
