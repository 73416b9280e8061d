import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { UdpSocket, type ReceiveBatch } from '../../index.js'
import { HEARTBEAT_MS, REPORT_BYTES, writeReport } from './credit.js'
import { HEADER_BYTES, isIntact, numberOf, runIdOf, viewOf } from './datagram.js'
import { RECEIVE_BUFFER_BYTES, trainsInFlight, type BenchPlan, type FromSink, type ToSink } from './plan.js'
import { Sequence } from './sequence.js'
import { LOOPBACK, cpuSeconds, obeyParent } from './worker.js'

/** The receiving process of `geysir bench`: a hidden sub-command, driven by messages of its parent. */
export function addBenchSink(program: Command): void {
  program.command('bench-sink', { hidden: true }).action(() => {
    let sink: Sink | undefined
    const tell = obeyParent<ToSink, FromSink>((message) => {
      if (message.kind === 'plan') sink = new Sink(message.plan, tell)
      else if (message.kind === 'peer') void sink?.connect(message.port)
      else sink?.finish(message.numbered)
    })
  })
}

/** What differs between geysir and node:dgram. */
interface Receiving {
  readonly ready: Promise<{ port: number; receiveBufferBytes: number; offload: boolean }>
  connect(port: number): Promise<void>
  report(bytes: Buffer): void
  readDrops(): number | undefined
}

interface Taker {
  /** A datagram, in a view over the memory that it lies in. */
  take(view: DataView, offset: number, length: number): void
  endBatch(): void
}

class Sink implements Taker {
  readonly #plan: BenchPlan
  readonly #tell: (message: FromSink) => void
  readonly #receiving: Receiving
  readonly #sequence = new Sequence()
  readonly #report = Buffer.alloc(REPORT_BYTES)
  #reportEvery = 1
  #reported = 0
  #corrupted = 0
  #strangers = 0
  #firstMs = 0
  #lastMs = 0

  constructor(plan: BenchPlan, tell: (message: FromSink) => void) {
    this.#plan = plan
    this.#tell = tell
    this.#receiving = plan.transport === 'geysir' ? receiveWithGeysir(plan, this) : receiveWithDgram(this)
    void this.#receiving.ready.then(({ port, receiveBufferBytes, offload }) => {
      const inFlight = trainsInFlight(plan, receiveBufferBytes, plan.offload && offload)
      this.#reportEvery = Math.max(1, Math.floor(inFlight / REPORTS_PER_WINDOW))
      tell({ kind: 'ready', port, inFlight, receiveBufferBytes, offload })
    })
  }

  async connect(port: number): Promise<void> {
    await this.#receiving.connect(port)
    this.#tellProgress()
    setInterval(() => this.#sendReport(), HEARTBEAT_MS)
    setInterval(() => this.#tellProgress(), PROGRESS_MS)
  }

  take(view: DataView, offset: number, length: number): void {
    const { bytes, runId, verify } = this.#plan
    if (length !== bytes || length < HEADER_BYTES || (verify && !isIntact(view, offset, length))) this.#corrupted++
    else if (runIdOf(view, offset) !== runId) this.#strangers++
    else this.#sequence.accept(numberOf(view, offset))
  }

  endBatch(): void {
    this.#lastMs = performance.now()
    if (this.#firstMs === 0) this.#firstMs = this.#lastMs
    if (this.#trains() - this.#reported >= this.#reportEvery) this.#sendReport()
  }

  /** The source has stopped after `numbered` datagrams: take what is still on its way, then tell the result. */
  finish(numbered: number): void {
    let received = -1
    const whenQuiet = (): void => {
      const total = this.#sequence.received + this.#corrupted
      if (total < numbered && total !== received) {
        received = total
        // By way of a turn of the loop: a timer that is late comes before datagrams that wait in the kernel.
        setTimeout(() => setImmediate(whenQuiet), QUIET_MS)
        return
      }
      this.#tellResult(numbered)
    }
    whenQuiet()
  }

  #tellResult(numbered: number): void {
    const { received, duplicated, late } = this.#sequence
    this.#tellProgress()
    this.#tell({
      kind: 'result',
      result: {
        received,
        missing: this.#sequence.missing(numbered),
        duplicated,
        late,
        corrupted: this.#corrupted,
        strangers: this.#strangers,
        kernelDrops: this.#receiving.readDrops(),
        seconds: (this.#lastMs - this.#firstMs) / 1000,
        cpuSeconds: cpuSeconds(),
      },
    })
  }

  /** Trains that have come to their end, or that were overtaken. */
  #trains(): number {
    return Math.floor(this.#sequence.next / this.#plan.trainDatagrams)
  }

  #sendReport(): void {
    this.#reported = this.#trains()
    writeReport(this.#report, this.#plan.runId, this.#reported)
    this.#receiving.report(this.#report)
  }

  #tellProgress(): void {
    const kernelDrops = this.#receiving.readDrops() ?? 0
    this.#tell({ kind: 'progress', received: this.#sequence.received, kernelDrops, atMs: performance.now() })
  }
}

function receiveWithGeysir(plan: BenchPlan, taker: Taker): Receiving {
  const socket = new UdpSocket({
    receiveBufferBytes: RECEIVE_BUFFER_BYTES,
    ...(plan.offload ? {} : { receiveOffload: false, sendOffload: false }),
  })
  // `geysir doctor` tells of a buffer that is smaller than asked for; here it makes for fewer trains under way, no more.
  socket.on('warning', () => {})
  let slab: Buffer | undefined
  let view: DataView = new DataView(new ArrayBuffer(0))
  const take = (batch: ReceiveBatch): void => {
    if (batch.slab !== slab) {
      slab = batch.slab
      view = viewOf(slab)
    }
    for (let i = 0; i < batch.count; i++) taker.take(view, batch.offset(i), batch.length(i))
    taker.endBatch()
  }
  const bind = async (): Receiving['ready'] => {
    const { port } = await socket.bind({ address: LOOPBACK })
    return { port, receiveBufferBytes: socket.getOption('receiveBufferBytes'), offload: socket.offload.receive }
  }
  return {
    ready: bind(),
    connect: async (port) => {
      await socket.connect({ address: LOOPBACK, port })
      socket.on('batch', take)
    },
    report: (bytes) => void socket.send(bytes),
    readDrops: () => socket.stats().kernelDrops,
  }
}

function receiveWithDgram(taker: Taker): Receiving {
  const socket = createSocket('udp4')
  let port = 0
  return {
    ready: new Promise((resolve, reject) => {
      socket.once('error', reject)
      socket.bind(0, LOOPBACK, () => {
        socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES)
        port = socket.address().port
        resolve({ port, receiveBufferBytes: socket.getRecvBufferSize(), offload: false })
      })
    }),
    connect: (peerPort) =>
      new Promise((resolve) => {
        socket.connect(peerPort, LOOPBACK, resolve)
        socket.on('message', (payload) => {
          taker.take(viewOf(payload), 0, payload.length)
          taker.endBatch()
        })
      }),
    // A callback, so that a lost report is not an 'error': the next one says it all.
    report: (bytes) => socket.send(bytes, () => {}),
    readDrops: () => dropsOfPort(port),
  }
}

/** The kernel's drop counter of the UDP socket at a local port, which node:dgram cannot ask for. proc(5), /proc/net/udp. */
function dropsOfPort(port: number): number | undefined {
  const ending = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  for (const line of readFileSync('/proc/net/udp', 'utf8').split('\n')) {
    const fields = line.trim().split(/\s+/)
    if (fields[1]?.endsWith(ending)) return Number(fields.at(-1))
  }
  return undefined
}

const REPORTS_PER_WINDOW = 4
const PROGRESS_MS = 1000
/** Longer than a datagram stays in a loopback queue. */
const QUIET_MS = 100
