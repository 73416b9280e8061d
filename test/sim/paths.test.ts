import { describe, expect, test } from 'vitest'
import { forEachSeed } from '../support/seeds.js'
import { arrivals, numbered, sendEvery, textsOf, twoHosts, type Arrival } from '../support/simulation.js'

/** IPv4 and UDP. */
const HEADERS = 28
const numbersOf = (seen: readonly Arrival[]): number[] => seen.map(({ payload }) => payload.readUInt32BE())

/** Is a count what a share of `trials` trials gives? Five standard deviations: one run in two million is further away by chance. */
function expectShare(count: number, trials: number, probability: number): void {
  const deviation = Math.sqrt(trials * probability * (1 - probability))
  expect(Math.abs(count - trials * probability), `${count} of ${trials} for ${probability}`).toBeLessThan(5 * deviation)
}

/** Which of `count` datagrams were lost. */
function lossesOf(seen: readonly Arrival[], count: number): boolean[] {
  const lost = new Array<boolean>(count).fill(true)
  for (const i of numbersOf(seen)) lost[i] = false
  return lost
}

describe('loss', () => {
  const COUNT = 20_000

  test('is the share that was asked for, and independent from datagram to datagram', () =>
    forEachSeed(3, (seed) => {
      const two = twoHosts({ lossProbability: 0.1 }, seed)
      const seen = arrivals(two.network, two.b)
      sendEvery(two, COUNT, 1)
      const lost = lossesOf(seen, COUNT)
      const losses = lost.filter(Boolean).length
      expect(two.network.stats().dropped.lost).toBe(losses)
      expectShare(losses, COUNT, 0.1)
      const twiceInARow = lost.filter((isLost, i) => isLost && lost[i + 1]).length
      expectShare(twiceInARow, losses, 0.1)
    }))

  test('is another on each path', () => {
    const two = twoHosts({ lossProbability: 0.5 })
    const [atA, atB] = [arrivals(two.network, two.a), arrivals(two.network, two.b)]
    for (let i = 0; i < 100; i++) {
      two.a.send(numbered(i))
      two.b.send(numbered(i), two.a.address())
    }
    two.network.clock.runUntilIdle()
    expect(numbersOf(atA)).not.toEqual(numbersOf(atB))
  })

  test('in bursts has the length and the share that were asked for', () =>
    forEachSeed(3, (seed) => {
      const two = twoHosts({ burstLoss: { enterProbability: 0.01, leaveProbability: 0.2 } }, seed)
      const seen = arrivals(two.network, two.b)
      sendEvery(two, COUNT, 1)
      const lost = lossesOf(seen, COUNT)
      const losses = lost.filter(Boolean).length
      const bursts = lost.filter((isLost, i) => isLost && !lost[i - 1]).length
      expect(two.network.stats().dropped.lostInBurst).toBe(losses)
      // A burst begins at one in a hundred datagrams of a good path, and has five on average.
      expect(losses / bursts).toBeGreaterThan(4)
      expect(losses / bursts).toBeLessThan(6)
      expect(losses / COUNT).toBeGreaterThan(0.035)
      expect(losses / COUNT).toBeLessThan(0.065)
    }))

  test('in a burst can be partial', () => {
    const two = twoHosts({ burstLoss: { enterProbability: 1, leaveProbability: 0, lossProbability: 0.5 } })
    sendEvery(two, 10_000, 0)
    expectShare(two.network.stats().dropped.lostInBurst, 10_000, 0.5)
  })

  test('of one is a dead path, in its direction alone', () => {
    const two = twoHosts()
    two.network.setPath(two.hostA, two.hostB, { lossProbability: 1 })
    const [atA, atB] = [arrivals(two.network, two.a), arrivals(two.network, two.b)]
    two.a.send('lost')
    two.b.send('there', two.a.address())
    two.network.clock.runUntilIdle()
    expect([textsOf(atA), textsOf(atB)]).toEqual([['there'], []])
  })
})

describe('time', () => {
  test('latency is exact, and the same for all', () => {
    const two = twoHosts({ latencyMs: 12.5 })
    const seen = arrivals(two.network, two.b)
    sendEvery(two, 10, 1)
    expect(seen.map(({ timeMs }) => timeMs)).toEqual(Array.from({ length: 10 }, (_, i) => i + 12.5))
  })

  test('jitter is even, between nothing and its bound', () =>
    forEachSeed(3, (seed) => {
      const two = twoHosts({ latencyMs: 5, jitterMs: 8 }, seed)
      const seen = arrivals(two.network, two.b)
      const count = 4000
      sendEvery(two, count, 20)
      const delays = seen.map(({ timeMs, payload }) => timeMs - 20 * payload.readUInt32BE())
      expect(Math.min(...delays)).toBeGreaterThanOrEqual(5)
      expect(Math.max(...delays)).toBeLessThanOrEqual(13)
      for (const quarter of [0, 1, 2, 3]) {
        const inQuarter = delays.filter((delay) => delay >= 5 + 2 * quarter && delay < 7 + 2 * quarter).length
        expectShare(inQuarter, count, 0.25)
      }
    }))

  test('jitter keeps the order', () => {
    const two = twoHosts({ jitterMs: 50 })
    const seen = arrivals(two.network, two.b)
    sendEvery(two, 1000, 1)
    expect(numbersOf(seen)).toEqual(Array.from({ length: 1000 }, (_, i) => i))
  })

  test('reordering lets others overtake the share that was asked for', () =>
    forEachSeed(3, (seed) => {
      const two = twoHosts({ reorderProbability: 0.1, reorderMs: 50 }, seed)
      const seen = arrivals(two.network, two.b)
      const count = 5000
      sendEvery(two, count, 1)
      expect(numbersOf(seen).sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i))
      const late = seen.filter(({ timeMs, payload }) => timeMs > payload.readUInt32BE() + 1).length
      expectShare(late, count, 0.1)
      expect(Math.max(...seen.map(({ timeMs, payload }) => timeMs - payload.readUInt32BE()))).toBeLessThanOrEqual(51)
    }))
})

describe('what a path does to datagrams', () => {
  test('duplicates the share that was asked for, with the same contents', () =>
    forEachSeed(3, (seed) => {
      const two = twoHosts({ duplicateProbability: 0.2 }, seed)
      const seen = arrivals(two.network, two.b)
      sendEvery(two, 5000, 1)
      const { duplicated, delivered } = two.network.stats()
      expectShare(duplicated, 5000, 0.2)
      expect([delivered, seen.length]).toEqual([5000 + duplicated, 5000 + duplicated])
      const times = new Map<number, number>()
      for (const i of numbersOf(seen)) times.set(i, (times.get(i) ?? 0) + 1)
      expect([times.size, Math.max(...times.values())]).toEqual([5000, 2])
    }))

  test('turns over one bit, of the share that was asked for, anywhere', () =>
    forEachSeed(3, (seed) => {
      const two = twoHosts({ corruptProbability: 0.3 }, seed)
      const positions = new Set<number>()
      let corrupted = 0
      two.b.on('batch', (batch) => {
        for (let i = 0; i < batch.count; i++) {
          const bits = [...batch.payload(i)].flatMap((byte) => [7, 6, 5, 4, 3, 2, 1, 0].map((bit) => (byte >> bit) & 1))
          const turned = bits.flatMap((bit, at) => (bit === 1 ? [at] : []))
          expect(turned.length).toBeLessThanOrEqual(1)
          corrupted += turned.length
          for (const at of turned) positions.add(at)
        }
      })
      for (let i = 0; i < 3000; i++) two.a.send(Buffer.alloc(4))
      two.network.clock.runUntilIdle()
      expect(two.network.stats().corrupted).toBe(corrupted)
      expectShare(corrupted, 3000, 0.3)
      expect(positions.size).toBe(32)
    }))

  test('cannot corrupt nothing', () => {
    const two = twoHosts({ corruptProbability: 1 })
    const seen = arrivals(two.network, two.b)
    two.a.send('')
    two.network.clock.runUntilIdle()
    expect([seen.length, two.network.stats().corrupted]).toEqual([1, 0])
  })

  test('a duplicate can be corrupted while the other is not', () => {
    const two = twoHosts({ corruptProbability: 0.5, duplicateProbability: 1 })
    const seen = arrivals(two.network, two.b)
    for (let i = 0; i < 200; i++) two.a.send(Buffer.alloc(8))
    two.network.clock.runUntilIdle()
    const { corrupted } = two.network.stats()
    expect(seen.filter(({ payload }) => payload.some((byte) => byte !== 0)).length).toBe(corrupted)
    expectShare(corrupted, 400, 0.5)
  })
})

describe('a limited rate', () => {
  test('is what is carried, headers and all, when more is sent', () => {
    const bytesPerSecond = 1_000_000
    const two = twoHosts({ latencyMs: 0, bytesPerSecond, queueBytes: 50_000 })
    const seen = arrivals(two.network, two.b)
    for (let i = 0; i < 4000; i++) {
      two.a.send(numbered(i, 972))
      two.network.clock.advance(0.5)
    }
    const { nowMs } = { nowMs: two.network.clock.nowMs() }
    const carried = seen.length * (972 + HEADERS)
    expect(nowMs).toBe(2000)
    expect(carried).toBeGreaterThan(2 * bytesPerSecond - 2000)
    expect(carried).toBeLessThanOrEqual(2 * bytesPerSecond)
    expect(two.network.stats().dropped.queueFull).toBeGreaterThan(1900)
  })

  test('spaces datagrams by their length, and then each takes the latency', () => {
    const two = twoHosts({ latencyMs: 10, bytesPerSecond: 100_000 })
    const seen = arrivals(two.network, two.b)
    for (const bytes of [72, 172, 72]) two.a.send(Buffer.alloc(bytes))
    two.network.clock.runUntilIdle()
    expect(seen.map(({ timeMs }) => timeMs)).toEqual([11, 13, 14])
  })

  test('drops at the tail what finds no room to wait, and an idle path takes a datagram longer than its queue', () => {
    const two = twoHosts({ latencyMs: 0, bytesPerSecond: 1000, queueBytes: 250 })
    const seen = arrivals(two.network, two.b)
    for (let i = 0; i < 5; i++) two.a.send(numbered(i, 72))
    two.network.clock.runUntilIdle()
    // 100 bytes each: the first is on the wire from 0 to 100 ms, and all of it counts until then.
    expect(numbersOf(seen)).toEqual([0, 1])
    expect(two.network.stats().dropped.queueFull).toBe(3)
    two.a.send(numbered(9, 1000))
    two.network.clock.runUntilIdle()
    expect(numbersOf(seen)).toEqual([0, 1, 9])
  })
})

describe('an MTU', () => {
  test('cuts longer datagrams into fragments, of which each can be lost', () => {
    const two = twoHosts({ lossProbability: 0.1, mtuBytes: 1028 })
    sendEvery(two, 5000, 0, 4000)
    expectShare(two.network.stats().dropped.lost, 5000, 1 - 0.9 ** 4)
  })

  test('cuts exactly where a packet is longer, and counts the headers of each fragment in the rate', () => {
    const two = twoHosts({ latencyMs: 0, mtuBytes: 1000, bytesPerSecond: 1000 })
    const seen = arrivals(two.network, two.b)
    for (const bytes of [972, 973]) {
      two.a.send(Buffer.alloc(bytes))
      two.network.clock.runUntilIdle()
    }
    expect(seen.map(({ timeMs }) => timeMs)).toEqual([1000, 1000 + 973 + 2 * HEADERS])
  })

  test('is a black hole, if that is asked for', () => {
    const two = twoHosts({ mtuBytes: 1000, tooBig: 'drop' })
    const seen = arrivals(two.network, two.b)
    for (const bytes of [973, 972, 973]) two.a.send(Buffer.alloc(bytes))
    two.network.clock.runUntilIdle()
    expect(seen.map(({ payload }) => payload.length)).toEqual([972])
    expect(two.network.stats().dropped.tooBig).toBe(2)
    expect(two.a.stats()).toMatchObject({ datagramsSent: 3, datagramsFailed: 0 })
    expect(two.a.unfragmentedBytes()).toBe(1472)
  })

  test('tells the sender after a round trip, whose longer datagrams then fail at once', () => {
    const two = twoHosts({ latencyMs: 10, mtuBytes: 1000, tooBig: 'error' })
    const events: unknown[] = []
    two.a.on('tooBig', (endpoint, bytes) => events.push([two.network.clock.nowMs(), endpoint.toString(), bytes]))
    two.a.on('sendError', (error, endpoint) => events.push([(error as Error & { code: string }).code, endpoint!.toString()]))
    const peer = two.b.address().toString()
    two.a.send(Buffer.alloc(1400))
    two.network.clock.advance(19)
    expect([events, two.a.unfragmentedBytes()]).toEqual([[], 1472])
    two.network.clock.advance(1)
    expect(events).toEqual([[20, peer, 972]])
    expect([two.a.unfragmentedBytes(), two.a.unfragmentedBytes(two.b.address())]).toEqual([972, 972])
    two.a.send(Buffer.alloc(973))
    two.a.send(Buffer.alloc(972))
    two.network.clock.runUntilIdle()
    expect(events.slice(1)).toEqual([['EMSGSIZE', peer]])
    expect(two.a.stats()).toMatchObject({ datagramsQueued: 3, datagramsSent: 2, datagramsFailed: 1 })
    expect(two.network.stats()).toMatchObject({ sent: 2, delivered: 0, inFlight: 1 })
  })

  test('that was learnt is forgotten when the sender restarts', () => {
    const two = twoHosts({ mtuBytes: 1000, tooBig: 'error' })
    two.a.send(Buffer.alloc(1400))
    two.network.clock.runUntilIdle()
    two.hostA.restart()
    expect(two.hostA.openLink().unfragmentedBytes(two.b.address())).toBe(1472)
  })

  test('of the device is what unfragmentedBytes says', () => {
    const { a } = twoHosts({}, 1, { mtuBytes: 9000 })
    expect(a.unfragmentedBytes()).toBe(8972)
  })
})
