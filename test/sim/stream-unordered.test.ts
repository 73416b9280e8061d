import { describe, expect, test } from 'vitest'
import { SeededRandom, randomBelow, randomFill, randomFraction, type Random } from '../../src/core/index.js'
import { fixedRate, type Stream } from '../../src/stream/index.js'
import { SimulatedNetwork, forSeeds } from '../../src/testing/index.js'
import { badPath, nodeOn, repeat, seedsOf } from './support/stream-nodes.js'

/** Messages that tell their number: short, a frame long, several frames long. */
function messagesFrom(random: Random, count: number): Buffer[] {
  return Array.from({ length: count }, (_, number) => {
    const message = Buffer.alloc(4 + randomBelow(random, [0, 40, 1400, 1600, 20_000, 60_000][randomBelow(random, 6)]! + 1))
    randomFill(random, message)
    message.writeUInt32LE(number)
    return message
  })
}

function feed(stream: Stream, messages: readonly Buffer[]): void {
  let next = 0
  const more = (): void => {
    while (next < messages.length) if (!stream.send(messages[next]!, next++ & 255)) return void next--
    stream.end()
  }
  stream.on('drain', more)
  more()
}

/** Reads in one of the ways that there are. */
function read(stream: Stream, random: Random, setTimer: (callback: () => void, ms: number) => void, take: Take): void {
  const way = randomBelow(random, 3)
  if (way === 0) {
    void (async () => {
      for await (const message of stream) take(message)
    })()
    return
  }
  stream.on('message', (message, handler) => {
    take(message, handler)
    if (way === 1 || randomFraction(random) < 0.7) return
    stream.pause()
    setTimer(() => stream.resume(), randomBelow(random, 20))
  })
}

type Take = (message: Buffer, handler?: number) => void

describe('without order', () => {
  for (const kind of ['reliable', 'bestEffort'] as const) {
    test(`${kind}: each message comes once and unchanged, whole, over bad paths`, async () => {
      let overtakes = 0
      await forSeeds(
        seedsOf(40),
        async (seed) => {
          const random = new SeededRandom(seed)
          const network = new SimulatedNetwork(seed, { path: badPath(random) })
          const [a, b] = [network.addHost(), network.addHost()]
          const options = { integrity: 'crc32c', peerTimeoutMs: 60_000, congestionControl: fixedRate(2e6) } as const
          const [client, server] = [nodeOn(a, options), nodeOn(b, options)]
          const messages = messagesFrom(random, 150)
          const received = new Set<number>()
          let [last, closed, gaps] = [-1, 0, 0]
          server.node.on('stream', (stream) => {
            expect(stream.ordered).toBe(false)
            stream.on('gap', (packets) => (gaps += packets))
            stream.on('close', (error) => {
              expect(error?.message).toBeUndefined()
              closed++
            })
            read(
              stream,
              random,
              (callback, ms) => void b.clock.setTimer(callback, ms),
              (message, handler) => {
                const number = message.readUInt32LE(0)
                expect(received.has(number), `${number} twice`).toBe(false)
                received.add(number)
                if (handler !== undefined) expect(handler).toBe(number & 255)
                expect(message.equals(messages[number]!)).toBe(true)
                if (number < last) overtakes++
                last = Math.max(last, number)
              },
            )
          })
          void client.node.connect(server.endpoint, { timeoutMs: 60_000 }).then((peer) => {
            const windowBytes = 20_000 + randomBelow(random, 300_000)
            const initialPacket = 0xffff_ffff - randomBelow(random, 50)
            const stream = peer.openStream({ kind, ordered: false, windowBytes, initialPacket })
            stream.on('close', () => closed++)
            feed(stream, messages)
          })
          const isDone = await network.clock.runUntilTrueAsync(() => closed === 2, 600_000)
          expect(isDone, `received ${received.size}`).toBe(true)
          if (kind === 'reliable' || gaps === 0) expect(received.size).toBe(messages.length)
          for (const { node } of [client, server]) {
            expect(node.stats()).toMatchObject({ frameMemoryBytes: 0, assemblyBytes: 0 })
            node.destroy()
          }
        },
        repeat,
      )
      if (seedsOf(40).length > 1) expect(overtakes).toBeGreaterThan(100)
    }, 60_000)
  }

  test.each([
    [true, [0, 1, 2, 3]],
    [false, [1, 2, 3, 0]],
  ])('ordered %s: what comes first when the first message is lost', async (ordered, expected) => {
    const network = new SimulatedNetwork(1, { path: { latencyMs: 25 } })
    const [client, server] = [nodeOn(network.addHost()), nodeOn(network.addHost())]
    const arrivals: { readonly number: number; readonly ms: number }[] = []
    server.node.on('stream', (stream) => {
      stream.on('message', (message) => arrivals.push({ number: message[0]!, ms: network.clock.nowMs() }))
    })
    const joined = client.node.connect(server.endpoint)
    await network.clock.advanceAsync(300)
    const stream = (await joined).openStream({ ordered })
    await network.clock.advanceAsync(200)
    const sentMs = network.clock.nowMs()
    network.setDefaultPath({ latencyMs: 25, lossProbability: 1 })
    stream.send(Buffer.alloc(1400, 0))
    await network.clock.advanceAsync(1)
    network.setDefaultPath({ latencyMs: 25, lossProbability: 0 })
    for (const [number, bytes] of [1400, 8000, 3].entries()) stream.send(Buffer.alloc(bytes, number + 1))
    await network.clock.advanceAsync(2000)
    expect(arrivals.map(({ number }) => number)).toEqual(expected)
    const lateMs = arrivals.map(({ number, ms }) => [number, ms - sentMs] as const)
    for (const [number, ms] of lateMs) {
      if (!ordered && number > 0) expect(ms).toBeLessThan(number === 1 ? 30 : 80)
      else expect(ms).toBeGreaterThan(75)
    }
    client.node.destroy()
    server.node.destroy()
  })
})
