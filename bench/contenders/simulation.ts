/**
 * Hosts of a simulated network that send to one another at random, eight datagrams at a time, from timers. Says how many datagrams a
 * second of real time arrive, and what a host with its link takes.
 *
 *   simulation hosts bytes seconds [--warm-up seconds] [--bad-path] [--promises]     with node --expose-gc
 */
import { parseArgs } from 'node:util'
import { endpoint } from 'geysir'
import { SimulatedNetwork, type PathOptions, type SimulatedHost } from 'geysir/testing'
import { cpuSeconds, printLine } from './contender.js'

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { 'warm-up': { type: 'string', default: '1' }, 'bad-path': { type: 'boolean' }, promises: { type: 'boolean' } },
})
const [hosts, bytes, seconds] = positionals.map(Number) as [number, number, number]

const BURST = 8
/** Everything that takes work. Its rate is more than is sent. */
const BAD_PATH: PathOptions = {
  latencyMs: 10,
  jitterMs: 5,
  lossProbability: 0.01,
  burstLoss: { enterProbability: 0.001, leaveProbability: 0.2 },
  duplicateProbability: 0.01,
  reorderProbability: 0.01,
  corruptProbability: 0.001,
  bytesPerSecond: 1e9,
  queueBytes: 1e6,
}

const payload = Buffer.alloc(bytes, 7)
let received = 0
let checksum = 0

// Compiled before it is measured, and the first hosts' memory is the program's.
new SimulatedNetwork(1).addHost({ start })
collect()
const before = process.memoryUsage()
const network = new SimulatedNetwork(1, values['bad-path'] ? { path: BAD_PATH } : {})
for (let i = 0; i < hosts; i++) network.addHost({ start })
const endpoints = network.hosts.map((host) => endpoint(host.addressOf(), 7))
collect()
const after = process.memoryUsage()

await run(Number(values['warm-up']))
const heapBefore = process.memoryUsage().heapUsed
const receivedBefore = received
const startMs = performance.now()
const cpuBefore = cpuSeconds()
await run(seconds)
const cpu = cpuSeconds() - cpuBefore
const elapsedSeconds = (performance.now() - startMs) / 1000
printLine({
  datagramsPerSecond: (received - receivedBefore) / elapsedSeconds,
  // What it would be on a machine with nothing else to do, about.
  datagramsPerCpuSecond: (received - receivedBefore) / cpu,
  residentBytesPerHost: (after.rss - before.rss) / hosts,
  heapBytesPerHost: (after.heapUsed - before.heapUsed) / hosts,
  heapGrowthBytes: (collect(), process.memoryUsage().heapUsed - heapBefore),
  checksum,
})
process.exit(0)

async function run(forSeconds: number): Promise<void> {
  const endMs = performance.now() + forSeconds * 1000
  while (performance.now() < endMs) {
    if (values.promises) await network.clock.advanceAsync(1)
    else network.clock.advance(1)
  }
}

function start(host: SimulatedHost): void {
  const link = host.openLink({ port: 7 })
  link.on('batch', (batch) => {
    for (let i = 0; i < batch.count; i++) {
      const bytes = batch.payload(i)
      checksum = (checksum + bytes[0]! + bytes[bytes.length - 1]!) | 0
    }
    received += batch.count
  })
  const tick = (): void => {
    const peer = endpoints[host.random.uint32() % hosts]!
    for (let i = 0; i < BURST; i++) link.send(payload, peer)
    // As much traffic in a millisecond however many hosts there are.
    host.clock.setTimer(tick, (hosts / 100) * (0.5 + host.random.uint32() / 2 ** 32))
  }
  host.clock.setTimer(tick, (hosts / 100) * (host.random.uint32() / 2 ** 32))
}

function collect(): void {
  for (let i = 0; i < 3; i++) globalThis.gc!()
}
