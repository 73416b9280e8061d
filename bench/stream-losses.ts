/**
 * What streams carry over a path of 100 Mbit/s with 20 ms round trip that loses packets: `npm run bench:losses [-- rounds]`. Writes
 * docs/stream-losses.svg and docs/stream-losses.json.
 *
 * Points are measured in three processes, of which one is the path; lines are simulated. Beside them stands what TCP with CUBIC gets by
 * RFC 9438.
 */
import { writeFile } from 'node:fs/promises'
import { createNode, fixedRate, type Stream } from '../src/stream/index.js'
import { SimulatedNetwork } from '../src/testing/index.js'
import type { Contender } from './runner/benchmark.js'
import { drawLosses, type LossCurve, type LossPoint } from './runner/losses-chart.js'
import { buildPrograms } from './runner/programs.js'
import {
  CAPACITY,
  FIXED_RATE,
  MESSAGE_BYTES,
  QUEUE_BYTES,
  ROUND_TRIP_MS,
  datagramsThroughRelay,
  streamThroughRelay,
  type Control,
} from './runner/relayed.js'
import { median } from './runner/statistics.js'

const LOSSES = [0, 0.001, 0.01, 0.05, 0.1]
const SIMULATED_LOSSES = [0, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1]
const SIMULATED_SEEDS = 3
const SIMULATED_MS = 10_000
const WARM_UP_SECONDS = 2
const SECONDS = 4

/**
 * RFC 9438: the average window with constant loss, in packets. Figure 5 of section 5.1, and in the Reno-friendly region, where that is
 * more, the window of section 4.3 (with the gain that makes it Reno's: the square root of 3 / 2p).
 */
function averageWindow(loss: number): number {
  const cubic = 1.054 * (ROUND_TRIP_MS / 1000 / loss) ** 0.75
  return Math.max(cubic, Math.sqrt(1.5 / loss))
}

/** Payload of messages as a share of the capacity. */
function byFormula(loss: number): number {
  return (averageWindow(loss) * MESSAGE_BYTES) / (ROUND_TRIP_MS / 1000) / CAPACITY
}

async function simulate(control: Control, lossProbability: number, seed: number): Promise<number> {
  const path = { latencyMs: ROUND_TRIP_MS / 2, bytesPerSecond: CAPACITY, queueBytes: QUEUE_BYTES, lossProbability }
  const network = new SimulatedNetwork(seed, { path })
  const [client, server] = [network.addHost(), network.addHost()].map((host) => {
    const link = host.openLink({ receiveBufferBytes: 4 << 20 })
    const options = control === 'fixed' ? { congestionControl: fixedRate(FIXED_RATE) } : {}
    return { host, link, node: createNode({ link, clock: host.clock, random: host.random, ...options }) }
  })
  let bytes = 0
  server!.node.on('stream', (stream) => stream.on('message', (message) => (bytes += message.length)))
  const target = { address: server!.host.addressOf(), port: server!.link.address().port }
  void client!.node.connect(target).then((peer) => pour(peer.openStream()))
  await network.clock.advanceAsync(WARM_UP_SECONDS * 1000)
  const before = bytes
  await network.clock.advanceAsync(SIMULATED_MS)
  client!.node.destroy()
  server!.node.destroy()
  return ((bytes - before) * 1000) / SIMULATED_MS / CAPACITY
}

function pour(stream: Stream): void {
  const message = Buffer.alloc(MESSAGE_BYTES)
  const more = (): void => {
    while (stream.send(message));
  }
  stream.on('drain', more)
  more()
}

async function measure(name: string, contender: Contender): Promise<number> {
  const trial = { seconds: SECONDS, warmUpSeconds: WARM_UP_SECONDS, quick: false, note: (text: string) => console.error(text) }
  const goodput = (await contender(trial))['goodput']!
  console.error(`${name}: ${goodput.toFixed(3)} of capacity`)
  return goodput
}

function pointOf(loss: number, values: readonly number[]): LossPoint {
  const rounded = (value: number): number => Number(value.toFixed(4))
  return {
    loss,
    least: rounded(Math.min(...values)),
    median: rounded(median(values)),
    most: rounded(Math.max(...values)),
  }
}

const CONTROLS = ['fixed', 'cubic'] as const
const NAMES = { fixed: 'fixed rate', cubic: 'CUBIC, the default' }

async function simulatedCurve(control: Control): Promise<LossCurve> {
  const points: LossPoint[] = []
  for (const loss of SIMULATED_LOSSES) {
    const values: number[] = []
    for (let seed = 1; seed <= SIMULATED_SEEDS; seed++) values.push(await simulate(control, loss, seed))
    points.push(pointOf(loss, values))
  }
  return { name: `${NAMES[control]}, simulated`, kind: control, isMeasured: false, points }
}

async function measuredCurve(control: Control, rounds: number): Promise<LossCurve> {
  const points: LossPoint[] = []
  for (const loss of LOSSES) {
    const contender = streamThroughRelay(control, loss)
    const values: number[] = []
    for (let round = 0; round < rounds; round++) values.push(await measure(`${NAMES[control]}, ${100 * loss} % lost`, contender))
    points.push(pointOf(loss, values))
  }
  return { name: `${NAMES[control]}, three processes`, kind: control, isMeasured: true, points }
}

const rounds = Number(process.argv[2] ?? 3)
await buildPrograms()
const datagrams = await measure('raw datagrams', datagramsThroughRelay())
const curves: LossCurve[] = []
for (const control of CONTROLS) curves.push(await simulatedCurve(control), await measuredCurve(control, rounds))
const formula = LOSSES.filter((loss) => loss > 0).map((loss) => ({ loss, share: Number(byFormula(loss).toFixed(4)) }))
await writeFile(
  new URL('../docs/stream-losses.json', import.meta.url),
  `${JSON.stringify({ datagrams: Number(datagrams.toFixed(4)), formula, curves }, null, 1)}\n`,
)
await writeFile(new URL('../docs/stream-losses.svg', import.meta.url), drawLosses(curves, byFormula))
