import { describe, expect, test } from 'vitest'
import { SimulatedNetwork, forSeeds, type PathOptions } from '../../src/testing/index.js'
import { Dumbbell, jain } from './support/dumbbell.js'
import { measure, streamFlow, tcpFlow, type Flow } from './support/flows.js'
import { repeat, seedsOf } from './support/stream-nodes.js'

/** 20 Mbit/s, 20 ms and a queue of one and a half times what is on the way: a flow of TCP fills it. */
const BOTTLENECK: PathOptions = { latencyMs: 10, bytesPerSecond: 2.5e6, queueBytes: 75_000 }
const SETTLING_MS = 5000
const MEASURED_MS = 15_000

type Make = (network: SimulatedNetwork, dumbbell: Dumbbell, startMs: number) => Flow
const stream: Make = (network, dumbbell, startMs) => streamFlow(network, dumbbell, { startMs })
const tcp: Make = (network, dumbbell, startMs) => tcpFlow(network, dumbbell, { startMs })
const reno: Make = (network, dumbbell, startMs) => tcpFlow(network, dumbbell, { startMs, isCubic: false })
const times = (count: number, make: Make): Make[] => Array.from({ length: count }, () => make)

/** Lets flows begin at odd times and share the bottleneck: the part of its capacity that each gets. */
async function share(seed: number, makes: readonly Make[]): Promise<number[]> {
  const network = new SimulatedNetwork(seed)
  const dumbbell = new Dumbbell(network, BOTTLENECK)
  const flows = makes.map((make, i) => make(network, dumbbell, 130 * i + ((seed * 37) % 100)))
  await network.clock.advanceAsync(SETTLING_MS)
  const rates = await measure(network, flows, MEASURED_MS)
  return rates.map((rate) => rate / BOTTLENECK.bytesPerSecond!)
}

function tell(name: string, seed: number, shares: readonly number[]): void {
  const percent = shares.map((part) => (100 * part).toFixed(0)).join(', ')
  console.log(`${name}, seed ${seed}: Jain's index ${jain(shares).toFixed(3)}, ${percent} % of the capacity`)
}

describe('at a bottleneck', () => {
  test.each([
    // What each test asserts is Jain's index, and the least that all together carry.
    ['two streams to different peers', times(2, stream), 0.95],
    ['ten nodes, a stream each', times(10, stream), 0.9],
    ['two flows like TCP with CUBIC, to compare', times(2, tcp), 0.9],
    ['a stream beside a flow like TCP with CUBIC', [stream, tcp], 0.9],
    ['a flow like TCP with CUBIC that was there before the stream', [tcp, stream], 0.9],
    ['a stream beside a flow like TCP with NewReno', [stream, reno], 0.9],
    ['five streams beside five flows like TCP', [...times(5, stream), ...times(5, tcp)], 0.9],
  ] as const)(
    '%s share it',
    async (name, makes, least) => {
      await forSeeds(
        seedsOf(2),
        async (seed) => {
          const shares = await share(seed, makes)
          tell(name, seed, shares)
          expect(shares.reduce((sum, part) => sum + part, 0)).toBeGreaterThan(0.85)
          expect(jain(shares)).toBeGreaterThan(least)
        },
        repeat,
      )
    },
    120_000,
  )

  test('who has four times the round trip gets less, as with TCP, but is not starved', async () => {
    await forSeeds(
      seedsOf(2),
      async (seed) => {
        const pairs = []
        for (const kind of ['streams', 'like TCP'] as const) {
          const network = new SimulatedNetwork(seed)
          const dumbbell = new Dumbbell(network, BOTTLENECK)
          const make = kind === 'streams' ? streamFlow : tcpFlow
          const flows = [make(network, dumbbell), make(network, dumbbell, { startMs: 130, accessLatencyMs: 30 })]
          await network.clock.advanceAsync(SETTLING_MS)
          const [short, long] = (await measure(network, flows, MEASURED_MS)) as [number, number]
          pairs.push(`${kind} ${(short / long).toFixed(1)}`)
          if (kind === 'streams') expect(short / long).toBeLessThan(6)
        }
        console.log(`20 ms against 80 ms, seed ${seed}: the short one carries so many times as much: ${pairs.join(', ')}`)
      },
      repeat,
    )
  }, 60_000)
})
