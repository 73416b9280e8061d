import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  SimulatedNetwork,
  forSeeds,
  type PathOptions,
  type SimulatedHost,
  type SimulatedLink,
  type TraceEvent,
} from '../../src/testing/index.js'
import { checkProperty } from '../unit/support/check-property.js'
import { forEachSeed } from '../support/seeds.js'
import { sides, twoHosts } from '../support/simulation.js'

const BAD_PATH: PathOptions = {
  latencyMs: 10,
  jitterMs: 20,
  lossProbability: 0.05,
  burstLoss: { enterProbability: 0.02, leaveProbability: 0.3 },
  duplicateProbability: 0.05,
  reorderProbability: 0.1,
  corruptProbability: 0.05,
  bytesPerSecond: 200_000,
  queueBytes: 20_000,
}

/** Hosts that gossip at random, come and go; returns what the network says at the end. */
function gossip(seed: number, trace?: (event: TraceEvent) => void): SimulatedNetwork {
  const network = new SimulatedNetwork(seed, { path: BAD_PATH, ...(trace && { trace }) })
  const start = (host: SimulatedHost): void => {
    const link = host.openLink({ port: 7 })
    link.joinGroup('239.1.1.1')
    link.on('batch', (batch) => {
      for (let i = 0; i < batch.count; i++) {
        const payload = batch.payload(i)
        if (payload.length > 40) link.send(payload.subarray(0, payload.length >> 1), batch.endpoint(i))
      }
    })
    const tick = (): void => {
      const peer = network.hosts[host.random.uint32() % network.hosts.length]!
      link.send(Buffer.alloc(host.random.uint32() % 2000, 7), { address: peer.addressOf(), port: 7 })
      if (host.random.uint32() % 10 === 0) link.send('to all', { address: '239.1.1.1', port: 7 })
      if (network.clock.nowMs() < 2000) host.clock.setTimer(tick, host.random.uint32() % 50)
    }
    host.clock.setTimer(tick, 1)
  }
  for (let i = 0; i < 12; i++) network.addHost({ start, clock: { driftPpm: i * 100 } })
  const [first, second, third, ...others] = network.hosts as [SimulatedHost, SimulatedHost, SimulatedHost, ...SimulatedHost[]]
  const { clock } = network
  clock.setTimer(() => network.partition([first, second], others), 500)
  clock.setTimer(() => network.heal(), 800)
  clock.setTimer(() => second.pause(), 900)
  clock.setTimer(() => second.resume(), 1200)
  clock.setTimer(() => third.restart(), 1000)
  clock.runUntilIdle()
  return network
}

describe('a run', () => {
  test('is the same for the same seed, event by event, and another for another', () =>
    forEachSeed(3, (seed) => {
      const traces: TraceEvent[][] = [[], [], []]
      const runs = [seed, seed, seed + 1].map((used, i) => gossip(used, (event) => traces[i]!.push(event)))
      expect(runs[0]!.stats().delivered).toBeGreaterThan(500)
      expect(traces[1]).toEqual(traces[0])
      expect(runs[1]!.digest()).toBe(runs[0]!.digest())
      expect(runs[1]!.stats()).toEqual(runs[0]!.stats())
      expect(runs[2]!.digest()).not.toBe(runs[0]!.digest())
    }))

  test('does not depend on being traced', () => {
    expect(gossip(5, () => undefined).digest()).toBe(gossip(5).digest())
  })

  test('uses everything that can happen, and all of it is counted', () =>
    forEachSeed(3, (seed) => {
      const network = gossip(seed)
      const { dropped, duplicated, copied, corrupted, inFlight } = network.stats()
      for (const reason of ['lost', 'lostInBurst', 'partitioned'] as const) expect(dropped[reason], reason).toBeGreaterThan(0)
      expect(Math.min(duplicated, copied, corrupted)).toBeGreaterThan(0)
      expect(inFlight).toBe(0)
      expect(sides(network)[0]).toBe(sides(network)[1])
    }))

  test('has another digest when one bit of one payload, or one moment, is another', () => {
    const digestOf = (payload: string, delayMs: number): string => {
      const { network, a } = twoHosts()
      network.clock.advance(delayMs)
      a.send(payload)
      network.clock.runUntilIdle()
      return network.digest()
    }
    const digests = [
      digestOf('abcdefg', 0),
      digestOf('abcdefh', 0),
      digestOf('abcdef', 0),
      digestOf('abcdefg', 0.001),
      digestOf('', 0),
    ]
    expect(new Set(digests).size).toBe(digests.length)
    expect(digestOf('abcdefg', 0)).toBe(digests[0])
    expect(digests[0]).toMatch(/^[0-9a-f]{16}$/)
  })

  test('does not depend on what was written to a reservation behind its end', () => {
    const digestWith = (behind: number): string => {
      const { network, a } = twoHosts()
      a.reserve(7)!.fill(behind, 5).fill(1, 0, 5)
      a.commit(5)
      network.clock.runUntilIdle()
      return network.digest()
    }
    expect(digestWith(1)).toBe(digestWith(2))
  })

  test('of one path does not depend on what happens on another', () => {
    const arrivalsWith = (noise: boolean): number => {
      const network = new SimulatedNetwork(3, { path: { lossProbability: 0.5 } })
      const [a, b, c] = [network.addHost(), network.addHost(), network.addHost()].map((host) => host.openLink({ port: 7 })) as [
        SimulatedLink,
        SimulatedLink,
        SimulatedLink,
      ]
      let seen = 0
      b.on('batch', (batch) => {
        for (let i = 0; i < batch.count; i++) seen = (Math.imul(seen, 31) + batch.payload(i)[0]!) | 0
      })
      for (let i = 0; i < 100; i++) {
        a.send(Buffer.of(i), b.address())
        if (noise) a.send(Buffer.of(i), c.address())
        network.clock.advance(1)
      }
      network.clock.runUntilIdle()
      return seen
    }
    expect(arrivalsWith(true)).toBe(arrivalsWith(false))
  })

  test('with promises is the same as well', async () => {
    const run = async (): Promise<string> => {
      const { network, a, b } = twoHosts(BAD_PATH, 9)
      void (async () => {
        for await (const batch of b) for (let i = 0; i < batch.count; i++) b.send(batch.copy(i), batch.endpoint(i))
      })()
      void (async () => {
        for (let i = 0; i < 100; i++) {
          a.send(Buffer.alloc(i))
          await new Promise<void>((resolve) => void network.clock.setTimer(resolve, 3))
        }
      })()
      await network.clock.runUntilIdleAsync()
      return network.digest()
    }
    expect(await run()).toBe(await run())
  })
})

describe('counters', () => {
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.record({ send: fc.tuple(fc.nat(3), fc.nat(5), fc.nat(1500)) }) },
    { weight: 4, arbitrary: fc.record({ advance: fc.nat(30) }) },
    { weight: 1, arbitrary: fc.record({ pause: fc.nat(3) }) },
    { weight: 1, arbitrary: fc.record({ resume: fc.nat(3) }) },
    { weight: 1, arbitrary: fc.record({ restart: fc.nat(3) }) },
    { weight: 1, arbitrary: fc.record({ close: fc.nat(3) }) },
    { weight: 1, arbitrary: fc.record({ listen: fc.nat(3) }) },
    { weight: 1, arbitrary: fc.record({ partition: fc.nat(3) }) },
    { weight: 1, arbitrary: fc.constant({ heal: true } as const) },
  )
  const share = fc.constantFrom(0, 0, 0.2, 1)
  const path = fc.record({
    lossProbability: share,
    duplicateProbability: share,
    reorderProbability: share,
    corruptProbability: share,
    jitterMs: fc.nat(20),
    bytesPerSecond: fc.constantFrom(Infinity, 20_000),
    queueBytes: fc.nat(5000),
    mtuBytes: fc.constantFrom(1500, 600),
    tooBig: fc.constantFrom('fragment' as const, 'drop' as const, 'error' as const),
  })

  test('of the network and of every link add up at every moment, whatever happens', async () => {
    await checkProperty(
      fc.property(path, fc.array(step, { maxLength: 80 }), fc.nat(1000), (options, steps, seed) => {
        const network = new SimulatedNetwork(seed, { path: options })
        const opened: SimulatedLink[] = []
        let heard = 0
        const listen = (link: SimulatedLink): void => void link.on('batch', (batch) => (heard += batch.count))
        const start = (host: SimulatedHost): void => {
          const link = host.openLink({ port: 7, receiveBufferBytes: 5000 })
          link.joinGroup('239.1.1.1')
          opened.push(link)
        }
        for (let i = 0; i < 4; i++) network.addHost({ start, ...(i === 0 && { bytesPerSecond: 50_000 }) })
        const linkOf = (i: number): SimulatedLink | undefined => {
          const { addresses } = network.hosts[i]!
          return opened.find((link) => !link.closed && addresses.includes(link.address().address))
        }
        for (const one of steps) {
          if ('send' in one) {
            const [from, to, bytes] = one.send
            const address = network.hosts[to]?.addressOf() ?? (to === 4 ? '239.1.1.1' : '192.0.2.9')
            linkOf(from)?.send(Buffer.alloc(bytes), { address, port: bytes % 7 === 0 ? 8 : 7 })
          } else if ('advance' in one) network.clock.advance(one.advance)
          else if ('pause' in one) network.hosts[one.pause]!.pause()
          else if ('resume' in one) network.hosts[one.resume]!.resume()
          else if ('restart' in one) network.hosts[one.restart]!.restart()
          else if ('close' in one) linkOf(one.close)?.close()
          else if ('partition' in one)
            network.partition(
              [network.hosts[one.partition]!],
              network.hosts.filter((_, i) => i !== one.partition),
            )
          else if ('heal' in one) network.heal()
          else if (linkOf(one.listen)?.listenerCount('batch') === 0) listen(linkOf(one.listen)!)
          expect(sides(network)[0]).toBe(sides(network)[1])
        }
        for (const host of network.hosts) host.resume()
        network.clock.runUntilIdle()
        for (const host of network.hosts) host.stop()
        network.clock.runUntilIdle()
        const { sent, delivered, inFlight } = network.stats()
        expect(sides(network)[0]).toBe(sides(network)[1])
        expect([inFlight, delivered]).toEqual([0, heard])
        const sums = opened.map((link) => link.stats())
        expect(sums.reduce((sum, { datagramsSent }) => sum + datagramsSent, 0)).toBe(sent)
        expect(sums.reduce((sum, { datagramsReceived }) => sum + datagramsReceived, 0)).toBe(delivered)
        for (const { datagramsQueued, datagramsSent, datagramsFailed, datagramsDiscarded, queuedDatagrams } of sums) {
          expect(datagramsQueued).toBe(datagramsSent + datagramsFailed + datagramsDiscarded + queuedDatagrams)
          expect(queuedDatagrams).toBe(0)
        }
      }),
      150,
    )
  })
})

test('ten thousand hosts gossip in one process', () => {
  const network = new SimulatedNetwork(1, { path: { latencyMs: 5, jitterMs: 10, lossProbability: 0.01 } })
  let heard = 0
  const start = (host: SimulatedHost): void => {
    const link = host.openLink({ port: 7 })
    link.on('batch', (batch) => {
      for (let i = 0; i < batch.count; i++) {
        heard++
        const hops = batch.payload(i)[0]!
        if (hops === 0) continue
        const peer = network.hosts[host.random.uint32() % network.hosts.length]!
        link.send(Buffer.of(hops - 1), { address: peer.addressOf(), port: 7 })
      }
    })
  }
  for (let i = 0; i < 10_000; i++) network.addHost({ start })
  const first = network.addHost().openLink()
  for (const host of network.hosts.slice(0, 10_000)) first.send(Buffer.of(4), { address: host.addressOf(), port: 7 })
  network.clock.runUntilIdle()
  expect(heard).toBeGreaterThan(45_000)
  expect(network.stats()).toMatchObject({ delivered: heard, inFlight: 0 })
})

test('a failure names its seed and how to repeat it', async () => {
  const seeds: number[] = []
  const failing = forSeeds(
    [1, 2, 3],
    (seed) => {
      seeds.push(seed)
      if (seed === 2) throw new Error('it broke')
    },
    (seed) => `SEED=${seed} node test.js`,
  )
  await expect(failing).rejects.toThrow('with seed 2: it broke\n\nTo repeat: SEED=2 node test.js')
  expect(seeds).toEqual([1, 2])
  const here = forEachSeed(1, () => Promise.reject(new Error('it broke')))
  await expect(here).rejects.toThrow(/GEYSIR_SEED=\d+ npx vitest run test\/sim\/repeatable.test.ts -t 'a failure names its seed/)
})
