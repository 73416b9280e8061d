import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/core/index.js'
import { fixedRate, type NodeOptions, type Peer, type Stream, type StreamNode } from '../../src/stream/index.js'
import { SimulatedNetwork, forSeeds, type PathOptions } from '../../src/testing/index.js'
import { badPath, nodeOn, repeat, seedsOf } from './support/stream-nodes.js'

interface Pair {
  readonly network: SimulatedNetwork
  readonly client: StreamNode
  readonly server: StreamNode
  readonly peer: Peer
  /** Moves time on. */
  advance(ms: number): Promise<void>
  readonly close: () => void
}

async function join(seed: number, path: PathOptions, options: Partial<NodeOptions> = {}): Promise<Pair> {
  const network = new SimulatedNetwork(seed, { path })
  const [a, b] = [network.addHost(), network.addHost()]
  const [client, server] = [nodeOn(a, options), nodeOn(b, options)]
  const joined = client.node.connect(server.endpoint, { timeoutMs: 60_000 })
  let peer: Peer | undefined
  void joined.then((found) => (peer = found))
  await network.clock.runUntilTrueAsync(() => peer !== undefined, 60_000)
  return {
    network,
    client: client.node,
    server: server.node,
    peer: peer!,
    advance: (ms) => network.clock.advanceAsync(ms),
    close: () => {
      client.node.destroy()
      server.node.destroy()
    },
  }
}

/** Offers messages as long as `isOn`. */
function pour(stream: Stream, bytes: number, isOn: () => boolean): void {
  const message = Buffer.alloc(bytes)
  const more = (): void => {
    while (isOn() && stream.send(message));
  }
  stream.on('drain', more)
  more()
}

describe('best effort', () => {
  test('what its sender has forgotten is given up when the first packet that is so far ahead comes', async () => {
    const pair = await join(
      1,
      { latencyMs: 10, lossProbability: 0.2 },
      { congestionControl: fixedRate(5e6), peerTimeoutMs: 60_000 },
    )
    const { network, server, peer } = pair
    let [far, gaps]: [Stream | undefined, number] = [undefined, 0]
    server.on('stream', (stream) => {
      far = stream
      stream.on('message', () => undefined)
      stream.on('gap', (packets) => (gaps += packets))
    })
    // Twenty packets leave in 6 ms, so most of what is lost is forgotten before it is asked for.
    const stream = peer.openStream({ kind: 'bestEffort', windowBytes: 20 * 1472 })
    const untilMs = network.clock.nowMs() + 1000
    pour(stream, 1400, () => network.clock.nowMs() < untilMs)
    await pair.advance(3000)
    const { packetsReceived, packetsLost, beyondWindow } = far!.stats()
    expect(gaps).toBeGreaterThan(100)
    expect(packetsLost).toBe(gaps)
    expect(beyondWindow).toBe(0)
    expect(packetsReceived + packetsLost).toBeGreaterThan(1000)
    pair.close()
  })

  test('keeps order, and what is missing is what gaps tell of', async () => {
    await forSeeds(
      seedsOf(60),
      async (seed) => {
        const { network, server, peer, close } = await join(seed, badPath(new SeededRandom(seed)), {
          integrity: 'crc32c',
          peerTimeoutMs: 60_000,
          congestionControl: fixedRate(1e6),
        })
        let [received, gaps, last, isOver] = [0, 0, -1, false]
        server.on('stream', (stream) => {
          stream.on('message', (message) => {
            expect(message.readUInt32LE(0)).toBeGreaterThan(last)
            last = message.readUInt32LE(0)
            received++
          })
          stream.on('gap', (packets) => (gaps += packets))
          stream.on('close', (error) => {
            expect(error?.message).toBeUndefined()
            isOver = true
          })
        })
        const stream = peer.openStream({ kind: 'bestEffort', windowBytes: 16 * 1472, initialPacket: 0xffff_fff0 })
        // A packet each: what is lost can be counted.
        let sent = 0
        const more = (): void => {
          for (; sent < 300; sent++) {
            const message = Buffer.alloc(1400)
            message.writeUInt32LE(sent)
            if (!stream.send(message)) return
          }
          stream.end()
        }
        stream.on('drain', more)
        more()
        await network.clock.runUntilTrueAsync(() => isOver, 300_000)
        expect(isOver).toBe(true)
        expect(received + gaps).toBe(300)
        close()
      },
      repeat,
    )
  }, 60_000)
})

describe('fire and forget', () => {
  test('what arrives is whole, what is lost is lost, and the end is agreed on', async () => {
    const { network, server, peer, close } = await join(5, { latencyMs: 3, lossProbability: 0.2 })
    let [received, isOver] = [0, false]
    server.on('stream', (stream) => {
      expect([stream.kind, stream.label]).toEqual(['fireAndForget', 'readings'])
      stream.on('message', (message, handler) => {
        expect([message.toString(), handler]).toEqual(['a reading of something', 3])
        received++
      })
      stream.on('close', (error) => {
        expect(error).toBeUndefined()
        isOver = true
      })
    })
    const stream = peer.openStream({ kind: 'fireAndForget', label: 'readings' })
    expect(() => stream.send(Buffer.alloc(2000))).toThrow(/<= 1436/)
    await network.clock.advanceAsync(100)
    for (let i = 0; i < 200; i++) {
      stream.send('a reading of something', 3)
      await network.clock.advanceAsync(1)
    }
    stream.end()
    await network.clock.runUntilTrueAsync(() => isOver, 30_000)
    expect(isOver).toBe(true)
    expect(received).toBeGreaterThan(120)
    expect(received).toBeLessThan(200)
    close()
  })
})

describe('flow', () => {
  test('a reader that never reads stops its sender and nobody else', async () => {
    const { network, server, client, peer, close } = await join(7, { latencyMs: 1 })
    let received = 0
    server.on('stream', (stream) => {
      if (stream.label === 'read') stream.on('message', () => received++)
    })
    const [unread, read] = [peer.openStream({ label: 'unread', windowBytes: 100_000 }), peer.openStream({ label: 'read' })]
    pour(unread, 1000, () => true)
    await network.clock.advanceAsync(5000)
    const kept = server.stats().frameMemoryBytes
    expect(kept).toBeLessThanOrEqual(100_000)
    pour(read, 1000, () => received < 10_000)
    await network.clock.advanceAsync(20_000)
    expect(received).toBeGreaterThanOrEqual(10_000)
    expect(server.stats().frameMemoryBytes).toBe(kept)
    expect(unread.stats().limitedBy).toBe('window')
    unread.reset()
    await network.clock.advanceAsync(100)
    expect([server.stats().frameMemoryBytes, client.stats().frameMemoryBytes]).toEqual([0, 0])
    close()
  })

  test('a message that is too long resets its stream, not the process', async () => {
    const { network, server, peer, close } = await join(8, {})
    const huge = Buffer.alloc(1 << 20)
    const ends: unknown[] = []
    const small = createReceiver(server)
    const stream = peer.openStream()
    stream.on('close', (error) => ends.push(error?.reason))
    stream.send(huge)
    await network.clock.advanceAsync(2000)
    expect(small.bytes).toBe(huge.length)
    expect(ends).toEqual([])
    close()
  })

  test('async iteration takes message by message, and ends with the stream', async () => {
    const { network, server, peer, close } = await join(9, {})
    const seen: string[] = []
    let isDone = false
    server.on('stream', (stream) => {
      void (async () => {
        for await (const message of stream) seen.push(message.toString())
        isDone = true
      })()
    })
    const stream = peer.openStream()
    for (let i = 0; i < 100; i++) stream.send(`message ${i}`)
    const closed = stream.close()
    await network.clock.runUntilTrueAsync(() => isDone, 10_000)
    await network.clock.advanceAsync(100)
    expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => `message ${i}`))
    expect(await closed).toBe(true)
    close()
  })

  test('a close waits until the other side has read everything', async () => {
    const { network, server, peer, close } = await join(15, { latencyMs: 1, duplicateProbability: 0.5 })
    let reader: Stream | undefined
    server.on('stream', (stream) => {
      reader = stream
      // Nothing comes from there: only reading keeps it open.
      stream.end()
    })
    const stream = peer.openStream()
    for (let i = 0; i < 10; i++) stream.send('to be read later')
    let isClosed: boolean | undefined
    void stream.close().then((isComplete) => (isClosed = isComplete))
    await network.clock.advanceAsync(3000)
    expect([isClosed, reader!.closed]).toEqual([undefined, false])
    let read = 0
    reader!.on('message', () => read++)
    await network.clock.advanceAsync(100)
    expect([read, isClosed]).toEqual([10, true])
    close()
  })

  test('a close that cannot finish in time resets the stream and says so', async () => {
    const { network, server, peer, close } = await join(10, {})
    server.on('stream', () => undefined)
    const stream = peer.openStream()
    stream.send('nobody reads this')
    const closed = stream.close({ deadlineMs: 500 })
    await network.clock.advanceAsync(600)
    expect(await closed).toBe(false)
    expect(stream.error?.reason).toBe('cancelled')
    close()
  })

  test('a stream that nobody takes is refused', async () => {
    const { network, peer, close } = await join(11, {})
    const stream = peer.openStream()
    await network.clock.advanceAsync(100)
    expect(stream.error).toMatchObject({ code: 'ERR_STREAM_RESET', reason: 'refused' })
    close()
  })
})

describe('the path MTU', () => {
  test.each(['drop', 'error'] as const)(
    'shrinks in mid-stream: nothing is lost, and it is found out again (%s)',
    async (tooBig) => {
      const { network, server, peer, close } = await join(
        14,
        { latencyMs: 5, tooBig, lossProbability: 0.01 },
        { integrity: 'crc32c' },
      )
      let [received, isOver] = [0, false]
      const count = 4000
      server.on('stream', (stream) => {
        stream.on('message', (message) => {
          expect([message.length, message.readUInt32LE(0)]).toEqual([1000 + (received % 3000), received])
          received++
        })
        stream.on('close', () => (isOver = true))
      })
      const stream = peer.openStream({ initialPacket: 0xffff_ff00 })
      let sent = 0
      let limit = 0
      const more = (): void => {
        for (; sent < limit; sent++) {
          const message = Buffer.alloc(1000 + (sent % 3000))
          message.writeUInt32LE(sent)
          if (!stream.send(message)) return
        }
      }
      stream.on('drain', more)
      const sendUpTo = (wanted: number): void => {
        limit = wanted
        more()
      }
      sendUpTo(2000)
      await network.clock.runUntilTrueAsync(() => received >= 500, 60_000)
      expect(peer.stats().frameBytes).toBe(1472)
      network.setDefaultPath({ mtuBytes: 1300 })
      await network.clock.runUntilTrueAsync(() => received === 2000, 120_000)
      expect(received).toBe(2000)
      await network.clock.advanceAsync(5000)
      expect(peer.stats().frameBytes).toBe(1232)
      network.setDefaultPath({ mtuBytes: 1500 })
      await network.clock.advanceAsync(40_000)
      // What a host was told by an error it believes for longer.
      expect(peer.stats().frameBytes).toBe(tooBig === 'drop' ? 1472 : 1232)
      sendUpTo(count)
      stream.end()
      await network.clock.runUntilTrueAsync(() => isOver, 120_000)
      expect([received, isOver]).toEqual([sent, true])
      expect(server.stats().frameMemoryBytes).toBe(0)
      close()
    },
    60_000,
  )
})

test('fire and forget alone notices that the path has become narrower, and that it is wide again', async () => {
  const { network, server, peer, close } = await join(1, { latencyMs: 5, tooBig: 'drop' })
  let received = 0
  server.on('stream', (stream) => stream.on('message', () => received++))
  const stream = peer.openStream({ kind: 'fireAndForget' })
  const sendFor = async (seconds: number): Promise<number> => {
    const before = received
    for (let i = 0; i < 10 * seconds; i++) {
      stream.send(Buffer.alloc(stream.maxMessageBytes))
      await network.clock.advanceAsync(100)
    }
    return received - before
  }
  expect(await sendFor(10)).toBe(100)
  network.setDefaultPath({ latencyMs: 5, tooBig: 'drop', mtuBytes: 1300 })
  await sendFor(10)
  expect(peer.stats().frameBytes).toBe(1232)
  expect(await sendFor(10)).toBe(100)
  network.setDefaultPath({ latencyMs: 5, tooBig: 'drop', mtuBytes: 1500 })
  expect(await sendFor(60)).toBe(600)
  expect(peer.stats().frameBytes).toBe(1472)
  close()
})

test('bits that change unnoticed break streams, never nodes', async () => {
  await forSeeds(
    seedsOf(60),
    async (seed) => {
      const pair = await join(seed, { latencyMs: 2, reorderProbability: 0.1, reorderMs: 3 })
      let ends = 0
      const answer = (stream: Stream): void => {
        stream.on('message', (message) => void (stream.closed || stream.send(message)))
        stream.on('close', () => ends++)
      }
      pair.server.on('stream', answer)
      pair.network.setDefaultPath({ corruptProbability: 0.5 })
      const random = new SeededRandom(seed)
      for (let i = 0; i < 5; i++) {
        if (pair.peer.closed) break
        const kind = (['reliable', 'bestEffort', 'fireAndForget'] as const)[i % 3]!
        const stream = pair.peer.openStream({ kind, windowBytes: 50_000 })
        answer(stream)
        for (let j = 0; j < 20 && !stream.closed; j++)
          stream.send(Buffer.alloc((random.uint32() % stream.maxMessageBytes) % 4000))
        await pair.advance(200)
      }
      pair.network.setDefaultPath({ corruptProbability: 0 })
      await pair.advance(1000)
      pair.close()
      await pair.advance(100)
      for (const node of [pair.client, pair.server]) {
        expect(node.stats()).toMatchObject({ peers: 0, frameMemoryBytes: 0, assemblyBytes: 0 })
      }
    },
    repeat,
  )
}, 60_000)

describe('congestion control', () => {
  const CAPACITY = 12.5e6 // 100 Mbit/s
  const path = { latencyMs: 10, bytesPerSecond: CAPACITY, queueBytes: 256 << 10 }

  async function goodput(lossProbability: number, options: Partial<NodeOptions>): Promise<number> {
    const pair = await join(12, { ...path, lossProbability }, options)
    const receiver = createReceiver(pair.server)
    pour(pair.peer.openStream(), 1400, () => true)
    await pair.advance(2000)
    const before = receiver.bytes
    await pair.advance(4000)
    const bytesPerSecond = (receiver.bytes - before) / 4
    pair.close()
    return bytesPerSecond / CAPACITY
  }

  test('a fixed rate, set to the path, fills it in spite of losses', async () => {
    // What the path carries of payload: headers are 28 + 36 of 1464.
    const options = { congestionControl: fixedRate(CAPACITY * 0.975) }
    const [one, five] = [await goodput(0.01, options), await goodput(0.05, options)]
    console.log(`fixed rate: ${one.toFixed(3)} of capacity at 1 % loss, ${five.toFixed(3)} at 5 %`)
    expect(one).toBeGreaterThan(0.9)
    expect(five).toBeGreaterThan(0.85)
  }, 60_000)

  test('CUBIC fills a path without losses, and yields where there are some', async () => {
    const shares = []
    for (const loss of [0, 0.001, 0.01, 0.05]) shares.push(await goodput(loss, {}))
    console.log(`CUBIC: ${shares.map((share) => share.toFixed(3)).join(', ')} of capacity at 0, 0.1, 1, 5 % loss`)
    expect(shares[0]).toBeGreaterThan(0.85)
    expect(shares[1]).toBeGreaterThan(shares[2]!)
    expect(shares[2]).toBeGreaterThan(shares[3]!)
  }, 60_000)

  test('two streams to one peer share its path evenly', async () => {
    const pair = await join(13, path)
    const received = new Map<number, number>()
    pair.server.on('stream', (stream) => {
      stream.on('message', (message) => received.set(stream.id, (received.get(stream.id) ?? 0) + message.length))
    })
    for (let i = 0; i < 2; i++) pour(pair.peer.openStream(), 1400, () => true)
    await pair.advance(4000)
    const [one, two] = [...received.values()] as [number, number]
    const jain = (one + two) ** 2 / (2 * (one ** 2 + two ** 2))
    console.log(`Jain's index of two streams: ${jain.toFixed(4)}`)
    expect(jain).toBeGreaterThan(0.99)
    pair.close()
  }, 60_000)
})

function createReceiver(node: StreamNode): { bytes: number } {
  const receiver = { bytes: 0 }
  node.on('stream', (stream) => stream.on('message', (message) => (receiver.bytes += message.length)))
  return receiver
}
