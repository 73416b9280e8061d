import { describe, expect, test } from 'vitest'
import { fixedRate, type CongestionControlFactory, type NodeOptions, type Peer, type Stream } from '../../src/stream/index.js'
import { SimulatedNetwork, forSeeds, type ClockSkew, type PathOptions, type SimulatedHost } from '../../src/testing/index.js'
import { pour } from './support/flows.js'
import { nodeOn, repeat, seedsOf } from './support/stream-nodes.js'

interface Pair {
  readonly network: SimulatedNetwork
  readonly near: SimulatedHost
  readonly far: SimulatedHost
  readonly peer: Peer
  /** Bytes and messages that have arrived at the far end on streams without a label. */
  readonly arrived: { bytes: number; messages: number }
  /** Streams that have ended there, and why. */
  readonly ends: (string | undefined)[]
  readonly advance: (ms: number) => Promise<void>
  readonly until: (condition: () => boolean, withinMs: number) => Promise<boolean>
}

interface Setting {
  readonly there: PathOptions
  readonly back?: PathOptions
  readonly options?: Partial<NodeOptions>
  readonly skews?: readonly [ClockSkew, ClockSkew]
}

/** Two nodes that have joined. Streams with the label 'echo' send back what they get. */
async function join(seed: number, { there, back = there, options = {}, skews }: Setting): Promise<Pair> {
  const network = new SimulatedNetwork(seed)
  const [near, far] = [0, 1].map((i) => network.addHost(skews === undefined ? {} : { clock: skews[i]! })) as [
    SimulatedHost,
    SimulatedHost,
  ]
  network.setPath(near, far, there)
  network.setPath(far, near, back)
  const [client, server] = [nodeOn(near, options), nodeOn(far, options)]
  const arrived = { bytes: 0, messages: 0 }
  const ends: (string | undefined)[] = []
  server.node.on('stream', (stream) => {
    stream.on('message', (message) => {
      if (stream.label === 'echo') stream.send(message)
      else {
        arrived.bytes += message.length
        arrived.messages++
      }
    })
    stream.on('close', (error) => ends.push(error?.code))
  })
  let peer: Peer | undefined
  void client.node.connect(server.endpoint, { timeoutMs: 60_000 }).then((found) => (peer = found))
  await network.clock.runUntilTrueAsync(() => peer !== undefined, 60_000)
  return {
    network,
    near,
    far,
    peer: peer!,
    arrived,
    ends,
    advance: (ms) => network.clock.advanceAsync(ms),
    until: (condition, withinMs) => network.clock.runUntilTrueAsync(condition, withinMs),
  }
}

/** Bytes a second that arrive from now on. */
async function goodput({ arrived, advance }: Pair, ms: number): Promise<number> {
  const before = arrived.bytes
  await advance(ms)
  return ((arrived.bytes - before) * 1000) / ms
}

/** Sends `count` numbered messages on a new stream and ends it. */
function sendAll({ peer }: Pair, count: number, bytes: number): Stream {
  const stream = peer.openStream()
  let sent = 0
  const more = (): void => {
    while (sent < count && stream.send(Buffer.alloc(bytes))) sent++
    if (sent === count) stream.end()
  }
  stream.on('drain', more)
  more()
  return stream
}

describe('requests beside bulk on another stream of the same peer', () => {
  const BOTTLENECK: PathOptions = { latencyMs: 10, bytesPerSecond: 2.5e6, queueBytes: 75_000 }
  const QUEUE_MS = 30

  /** Round trips of 64 bytes, one at a time, in order of their length. */
  async function requests(setting: Setting, hasBulk: boolean): Promise<number[]> {
    const pair = await join(21, setting)
    const { network, peer } = pair
    if (hasBulk) pour(peer.openStream(), 16_384)
    await pair.advance(3000)
    const stream = peer.openStream({ label: 'echo' })
    const times: number[] = []
    let sentMs = 0
    const ask = (): void => {
      sentMs = network.clock.nowMs()
      stream.send(Buffer.alloc(64))
    }
    stream.on('message', () => {
      times.push(network.clock.nowMs() - sentMs)
      // Not in step with anything.
      pair.near.clock.setTimer(ask, (times.length * 7.3) % 20)
    })
    ask()
    await pair.until(() => times.length === 300, 120_000)
    expect(times.length).toBe(300)
    return times.sort((a, b) => a - b)
  }

  const percentiles = (times: readonly number[]): string =>
    `median ${times[150]!.toFixed(1)}, p99 ${times[297]!.toFixed(1)}, longest ${times[299]!.toFixed(1)} ms`

  test.each([
    // Beside the queue of the bottleneck, which is CUBIC's to fill, little is to be added.
    ['CUBIC', undefined, 20 + QUEUE_MS + 15],
    // It fills no queue.
    ['a fixed rate of 90 %', fixedRate(2.25e6), 20 + 15],
  ] as [string, CongestionControlFactory | undefined, number][])(
    '%s: wait for the path, not for the bulk',
    async (name, control, most) => {
      const options = control === undefined ? {} : { congestionControl: control }
      const alone = await requests({ there: BOTTLENECK, options }, false)
      const beside = await requests({ there: BOTTLENECK, options }, true)
      console.log(`${name}, 20 ms and a queue of ${QUEUE_MS} ms: alone ${percentiles(alone)}; beside bulk ${percentiles(beside)}`)
      expect(beside[150]!).toBeLessThan(most)
      expect(beside[297]!).toBeLessThan(most + 20)
    },
  )
})

describe('at the edges', () => {
  test('a window of two packets is enough to go on', async () => {
    const two: CongestionControlFactory = () => ({
      windowPackets: 2,
      paceBytesPerMs: () => Infinity,
      onAcknowledged: () => undefined,
      onLost: () => undefined,
      onTimeout: () => undefined,
    })
    const pair = await join(1, { there: { latencyMs: 5, lossProbability: 0.1 }, options: { congestionControl: two } })
    const stream = sendAll(pair, 200, 1400)
    expect(await pair.until(() => stream.closed, 60_000)).toBe(true)
    expect([pair.arrived.messages, stream.error]).toEqual([200, undefined])
  })

  test('a stream with the smallest window gets through losses', async () => {
    const pair = await join(2, { there: { latencyMs: 5, lossProbability: 0.2 } })
    const stream = pair.peer.openStream({ windowBytes: 1 })
    let sent = 0
    const more = (): void => {
      while (sent < 200 && stream.send(Buffer.alloc(1400))) sent++
      if (sent === 200) stream.end()
    }
    stream.on('drain', more)
    more()
    expect(await pair.until(() => stream.closed, 60_000)).toBe(true)
    expect([pair.arrived.messages, stream.error]).toEqual([200, undefined])
  })

  test('a pace without a window keeps its rate, however slow', async () => {
    const pair = await join(3, { there: { latencyMs: 5 }, options: { congestionControl: fixedRate(10_000) } })
    pour(pair.peer.openStream(), 1400)
    await pair.advance(5000)
    const rate = await goodput(pair, 20_000)
    expect(rate).toBeGreaterThan(9000)
    expect(rate).toBeLessThan(10_100)
    expect(pair.peer.stats().windowPackets).toBe(Infinity)
  })

  test('when nothing gets through for a while, it begins anew with two packets, and is back soon', async () => {
    const path: PathOptions = { latencyMs: 10, bytesPerSecond: 2.5e6 }
    const pair = await join(4, { there: path, options: { peerTimeoutMs: 30_000 } })
    pour(pair.peer.openStream(), 1400)
    await pair.advance(3000)
    pair.network.partition([pair.near], [pair.far])
    await pair.advance(4000)
    expect(pair.peer.stats().windowPackets).toBe(2)
    pair.network.heal()
    await pair.advance(3000)
    expect(await goodput(pair, 2000)).toBeGreaterThan(0.6 * 2.5e6)
  })

  test('CUBIC goes on when the path becomes narrower in mid-stream', async () => {
    const path: PathOptions = { latencyMs: 10, bytesPerSecond: 2.5e6, tooBig: 'drop' }
    const pair = await join(5, { there: path })
    pour(pair.peer.openStream(), 4000)
    await pair.advance(3000)
    expect(pair.peer.stats().frameBytes).toBe(1472)
    pair.network.setPaths(pair.near, pair.far, { ...path, mtuBytes: 1300 })
    await pair.advance(6000)
    expect(pair.peer.stats().frameBytes).toBe(1232)
    expect(await goodput(pair, 3000)).toBeGreaterThan(0.7 * 2.5e6)
  })

  test('acknowledgements that are lost cost little', async () => {
    const there: PathOptions = { latencyMs: 10, bytesPerSecond: 2.5e6 }
    const pair = await join(6, { there, back: { latencyMs: 10, lossProbability: 0.3 } })
    pour(pair.peer.openStream(), 1400)
    await pair.advance(3000)
    const share = (await goodput(pair, 8000)) / 2.5e6
    console.log(`30 % of acknowledgements lost: ${share.toFixed(3)} of capacity`)
    expect(share).toBeGreaterThan(0.85)
  })

  test('a round trip that jumps between 1 and 200 ms', async () => {
    const path: PathOptions = { bytesPerSecond: 2.5e6, queueBytes: 500_000 }
    const pair = await join(7, { there: { ...path, latencyMs: 0.5 } })
    const stream = pair.peer.openStream()
    pour(stream, 1400)
    await pair.advance(3000)
    const shares: number[] = []
    for (const latencyMs of [100, 0.5, 100, 0.5]) {
      pair.network.setPaths(pair.near, pair.far, { ...path, latencyMs })
      await pair.advance(1000)
      shares.push((await goodput(pair, 3000)) / 2.5e6)
    }
    const { packetsSent, packetsRetransmitted } = stream.stats()
    const again = packetsRetransmitted / packetsSent
    console.log(
      `1 to 200 ms and back, twice: ${shares.map((share) => share.toFixed(2)).join(', ')} of capacity, ${(100 * again).toFixed(1)} % sent again`,
    )
    for (const share of shares) expect(share).toBeGreaterThan(0.5)
    expect(again).toBeLessThan(0.15)
  })

  test('a receiver that stands still for two seconds is waited for', async () => {
    const pair = await join(8, { there: { latencyMs: 5, bytesPerSecond: 2.5e6 } })
    const stream = sendAll(pair, 5000, 1400)
    await pair.advance(1000)
    pair.far.pause()
    await pair.advance(2000)
    expect(stream.closed).toBe(false)
    pair.far.resume()
    expect(await pair.until(() => stream.closed, 20_000)).toBe(true)
    expect([pair.arrived.messages, stream.error]).toEqual([5000, undefined])
  })

  test('clocks that are wrong and run unevenly make no difference', async () => {
    await forSeeds(
      seedsOf(5),
      async (seed) => {
        const skews = [
          { offsetMs: 1e9, driftPpm: 500 },
          { offsetMs: 12_345.678, driftPpm: -500 },
        ] as const
        const pair = await join(seed, { there: { latencyMs: 10, bytesPerSecond: 2.5e6, lossProbability: 0.001 }, skews })
        pour(pair.peer.openStream(), 1400)
        await pair.advance(2000)
        expect(await goodput(pair, 3000)).toBeGreaterThan(0.6 * 2.5e6)
        expect(pair.peer.stats().minRoundTripMs).toBeGreaterThan(19.9)
        expect(pair.peer.stats().minRoundTripMs).toBeLessThan(25)
      },
      repeat,
    )
  })

  test('either it goes on, or the peer is said to be silent in time', async () => {
    await forSeeds(
      seedsOf(6),
      async (seed) => {
        const peerTimeoutMs = 3000
        const latencyMs = 5 * (seed % 5)
        const pair = await join(seed, { there: { latencyMs, lossProbability: 0.3 }, options: { peerTimeoutMs } })
        const stream = pair.peer.openStream()
        let ended: string | undefined
        stream.on('close', (error) => (ended = error?.code))
        pour(stream, 1400)
        // With a window of two packets, of which nearly a third are lost, and their repetitions as well, a second or two pass now and then.
        for (let i = 0; i < 8; i++) {
          const before = pair.arrived.messages
          await pair.advance(4000)
          expect(pair.arrived.messages).toBeGreaterThan(before)
        }
        pair.network.partition([pair.near], [pair.far])
        await pair.advance(peerTimeoutMs + 2 * latencyMs + 100)
        expect(ended).toBe('ERR_PEER_SILENT')
        expect(pair.ends).toEqual(['ERR_PEER_SILENT'])
      },
      repeat,
    )
  })
})
