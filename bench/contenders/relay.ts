/**
 * A path between a source and a sink: a rate with a queue before it, a delay, and losses by chance, the same in both directions.
 *
 *     relay host sink-port [--rate bytes/s] [--queue bytes] [--delay ms] [--loss share] [--seed n]
 *
 * Prints `{"port":…}`, where sources send to, and on SIGTERM what became of the datagrams.
 */
import { parseArgs } from 'node:util'
import { UdpSocket, type Endpoint, type ReceiveBatch } from 'geysir'
import { SeededRandom } from 'geysir/testing'
import { cpuSeconds, printLine } from './contender.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rate: { type: 'string', default: '12500000' },
    queue: { type: 'string', default: String(256 << 10) },
    delay: { type: 'string', default: '10' },
    loss: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
  },
})
const [host, sinkPort] = positionals
const bytesPerMs = Number(values.rate) / 1000
const queueBytes = Number(values.queue)
const delayMs = Number(values.delay)
const loss = Number(values.loss)

/** What IPv4 and UDP add to a payload: the rate is of IP. */
const HEADER_BYTES = 28
const SLOT_BYTES = 2048
/** More than are ever in the queue and on their way. */
const SLOTS = 1 << 14
/** A timer's precision. */
const TICK_MS = 1
const RECEIVE_BUFFER_BYTES = 4 << 20

/** One direction: datagrams in a ring, in the order of their arrival, each with the time at which it is through. */
class Direction {
  forwarded = 0
  lost = 0
  queueFull = 0
  readonly #slab = Buffer.allocUnsafeSlow(SLOTS * SLOT_BYTES)
  readonly #lengths = new Uint16Array(SLOTS)
  readonly #dueMs = new Float64Array(SLOTS)
  readonly #random: SeededRandom
  #head = 0
  #tail = 0
  #freeAtMs = 0

  constructor(seed: number) {
    this.#random = new SeededRandom(seed)
  }

  take(batch: ReceiveBatch, nowMs: number): void {
    for (let i = 0; i < batch.count; i++) {
      const payload = batch.payload(i)
      const bytes = payload.length + HEADER_BYTES
      const startMs = Math.max(nowMs, this.#freeAtMs)
      if ((startMs - nowMs) * bytesPerMs + bytes > queueBytes || this.#tail - this.#head === SLOTS) {
        this.queueFull++
        continue
      }
      this.#freeAtMs = startMs + bytes / bytesPerMs
      // Behind the queue, so that what is lost takes its time, too.
      if (this.#random.uint32() < loss * 2 ** 32) {
        this.lost++
        continue
      }
      const at = this.#tail++ & (SLOTS - 1)
      this.#slab.set(payload, at * SLOT_BYTES)
      this.#lengths[at] = payload.length
      this.#dueMs[at] = this.#freeAtMs + delayMs
    }
  }

  pass(socket: UdpSocket, to: Endpoint | undefined, nowMs: number): void {
    for (; this.#head < this.#tail; this.#head++) {
      const at = this.#head & (SLOTS - 1)
      if (this.#dueMs[at]! > nowMs) break
      const payload = this.#slab.subarray(at * SLOT_BYTES, at * SLOT_BYTES + this.#lengths[at]!)
      if (!socket.send(payload, to)) break
      this.forwarded++
    }
  }
}

const seed = Number(values.seed)
const [there, back] = [new Direction(seed), new Direction(seed + 1)]
const [front, behind] = [0, 1].map(() => new UdpSocket({ type: 'udp4', receiveBufferBytes: RECEIVE_BUFFER_BYTES }))
const { port } = await front!.bind({ address: host! })
await behind!.bind({ address: host! })
await behind!.connect({ address: host!, port: Number(sinkPort) })
let source: Endpoint | undefined

front!.on('batch', (batch) => {
  source = batch.endpoint(0)
  there.take(batch, performance.now())
})
behind!.on('batch', (batch) => back.take(batch, performance.now()))
const ticking = setInterval(() => {
  const nowMs = performance.now()
  there.pass(behind!, undefined, nowMs)
  if (source !== undefined) back.pass(front!, source, nowMs)
}, TICK_MS)

process.once('SIGTERM', () => {
  clearInterval(ticking)
  const { forwarded, lost, queueFull } = there
  const kernelDrops = front!.stats().kernelDrops + behind!.stats().kernelDrops
  printLine({ forwarded, lost, queueFull, kernelDrops, cpuSeconds: cpuSeconds() })
  front!.close()
  behind!.close()
})
printLine({ port })
