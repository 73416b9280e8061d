import { createSocket } from 'node:dgram'
import type { Command } from 'commander'
import { UdpSocket } from '../../index.js'
import { CreditWindow, RESYNC_MS, readReport } from './credit.js'
import { DatagramTemplate, viewOf } from './datagram.js'
import type { BenchPlan, FromSource, SourceResult, ToSource } from './plan.js'
import { LOOPBACK, cpuSeconds, obeyParent } from './worker.js'

/** The sending process of `geysir bench`: a hidden sub-command, driven by messages of its parent. */
export function addBenchSource(program: Command): void {
  program.command('bench-source', { hidden: true }).action(() => {
    let source: Source | undefined
    const tell = obeyParent<ToSource, FromSource>((message) => {
      if (message.kind === 'plan') source = new Source(message.plan, message.port, message.inFlight, tell)
      else if (message.kind === 'go') source?.go()
      else source?.stop()
    })
  })
}

/** What differs between geysir and node:dgram. */
interface Transmitting {
  readonly ready: Promise<{ port: number; offload: boolean }>
  /** Sends a train beginning with datagram `first`. False: no more until {@link Refill.onRoom}. */
  sendTrain(first: number): boolean
  /** Hands over what was written. False as for `sendTrain`. */
  flush(): boolean
  isIdle(): boolean
  result(): { sent: number; failed: number; offloadFallbacks: number; wouldBlock: number }
}

interface Refill {
  onRoom(): void
  onReport(report: Buffer): void
}

class Source implements Refill {
  readonly #plan: BenchPlan
  readonly #tell: (message: FromSource) => void
  readonly #transmitting: Transmitting
  readonly #window: CreditWindow
  #endMs = Infinity
  #waiting: 'nothing' | 'credit' | 'room' = 'nothing'
  #stopped = false
  #told = false

  constructor(plan: BenchPlan, port: number, inFlight: number, tell: (message: FromSource) => void) {
    this.#plan = plan
    this.#tell = tell
    this.#window = new CreditWindow(inFlight)
    this.#transmitting = plan.transport === 'geysir' ? transmitWithGeysir(plan, port, this) : transmitWithDgram(plan, port, this)
    void this.#transmitting.ready.then((ready) => tell({ kind: 'ready', ...ready }))
  }

  go(): void {
    this.#endMs = performance.now() + this.#plan.seconds * 1000
    setInterval(() => this.#look(), RESYNC_MS / 2)
    this.#turn()
  }

  stop(): void {
    this.#stopped = true
    this.#tellWhenIdle()
  }

  onRoom(): void {
    if (this.#waiting === 'room') this.#goOn()
    this.#tellWhenIdle()
  }

  onReport(report: Buffer): void {
    const trains = readReport(report, this.#plan.runId)
    if (trains === undefined) return
    this.#window.report(trains, performance.now())
    if (this.#waiting === 'credit' && this.#window.credit > 0) this.#goOn()
  }

  #goOn(): void {
    this.#waiting = 'nothing'
    this.#turn()
  }

  /** Sends what credit and time allow, then lets the event loop look for reports. */
  #turn(): void {
    if (performance.now() >= this.#endMs) this.stop()
    if (this.#stopped) return
    const trains = Math.min(TRAINS_PER_TURN, this.#window.credit)
    let hasRoom = true
    for (let i = 0; i < trains && hasRoom; i++) {
      hasRoom = this.#sendTrain()
      if ((i + 1) % TRAINS_PER_FLUSH === 0) hasRoom = this.#transmitting.flush() && hasRoom
    }
    hasRoom = this.#transmitting.flush() && hasRoom
    if (!hasRoom) this.#waiting = 'room'
    else if (this.#window.credit <= 0) this.#waiting = 'credit'
    else setImmediate(() => this.#turn())
  }

  #sendTrain(): boolean {
    return this.#transmitting.sendTrain(this.#window.sent++ * this.#plan.trainDatagrams)
  }

  /** Against a standstill: the time is over, or no report came. */
  #look(): void {
    const nowMs = performance.now()
    if (nowMs >= this.#endMs) this.stop()
    if (this.#stopped || this.#waiting !== 'credit' || !this.#window.mustResync(nowMs)) return
    this.#sendTrain()
    this.#transmitting.flush()
  }

  #tellWhenIdle(): void {
    if (!this.#stopped || this.#told || !this.#transmitting.isIdle()) return
    this.#told = true
    const { sent, failed, offloadFallbacks, wouldBlock } = this.#transmitting.result()
    const result: SourceResult = {
      numbered: this.#window.sent * this.#plan.trainDatagrams,
      sent,
      failed,
      offloadFallbacks,
      resyncs: this.#window.resyncs,
      wouldBlock,
      cpuSeconds: cpuSeconds(),
    }
    this.#tell({ kind: 'result', result })
  }
}

function transmitWithGeysir(plan: BenchPlan, port: number, refill: Refill): Transmitting {
  const { bytes, trainDatagrams, verify } = plan
  const socket = new UdpSocket(plan.offload ? {} : { receiveOffload: false, sendOffload: false })
  const templates = makeTemplates(plan)
  const views = new SlabViews()
  socket.on('drain', () => refill.onRoom())
  socket.on('batch', (batch) => {
    for (let i = 0; i < batch.count; i++) refill.onReport(batch.payload(i))
  })
  const connect = async (): Promise<{ port: number; offload: boolean }> => {
    await socket.connect({ address: LOOPBACK, port })
    return { port: socket.address().port, offload: socket.offload.send }
  }
  return {
    ready: connect(),
    sendTrain: (first) => {
      for (let i = 0; i < trainDatagrams; i++) {
        // A train is begun only when everything before it was taken, and the queue holds many: there is always room.
        const target = socket.reserve(bytes)!
        templates[i]!.write(target, views.over(target), target.byteOffset, first + i, verify)
        socket.commit()
      }
      return true
    },
    flush: () => socket.flush(),
    isIdle: () => socket.stats().queuedDatagrams === 0,
    result: () => {
      const { datagramsSent, datagramsFailed, offloadFallbacks, wouldBlock } = socket.stats()
      return { sent: datagramsSent, failed: datagramsFailed, offloadFallbacks, wouldBlock }
    },
  }
}

/** node:dgram calls back for every datagram; its memory is ours again only then. */
function transmitWithDgram(plan: BenchPlan, port: number, refill: Refill): Transmitting {
  const { bytes, trainDatagrams, verify } = plan
  const socket = createSocket('udp4')
  const templates = makeTemplates(plan)
  const free = Array.from({ length: DGRAM_TRAINS * trainDatagrams }, () => Buffer.alloc(bytes))
  let sent = 0
  let failed = 0
  let underWay = 0
  const hasRoom = (): boolean => free.length >= trainDatagrams
  socket.on('message', (report) => refill.onReport(report))
  return {
    ready: new Promise((resolve) => {
      socket.connect(port, LOOPBACK, () => resolve({ port: socket.address().port, offload: false }))
    }),
    sendTrain: (first) => {
      for (let i = 0; i < trainDatagrams; i++) {
        const payload = free.pop() ?? Buffer.alloc(bytes)
        templates[i]!.write(payload, viewOf(payload), 0, first + i, verify)
        underWay++
        socket.send(payload, (error) => {
          if (error === null) sent++
          else failed++
          underWay--
          free.push(payload)
          if (hasRoom()) refill.onRoom()
        })
      }
      return hasRoom()
    },
    flush: hasRoom,
    isIdle: () => underWay === 0,
    result: () => ({ sent, failed, offloadFallbacks: 0, wouldBlock: 0 }),
  }
}

function makeTemplates({ runId, bytes, trainDatagrams }: BenchPlan): DatagramTemplate[] {
  return Array.from({ length: trainDatagrams }, (_, i) => new DatagramTemplate(runId, i, bytes))
}

/** One DataView a slab, instead of one a datagram: a socket has two or three slabs. */
class SlabViews {
  #slab: ArrayBufferLike | undefined
  #view: DataView = new DataView(new ArrayBuffer(0))
  readonly #known = new Map<ArrayBufferLike, DataView>()

  over(target: Buffer): DataView {
    if (target.buffer !== this.#slab) this.#change(target.buffer)
    return this.#view
  }

  #change(slab: ArrayBufferLike): void {
    let view = this.#known.get(slab)
    if (view === undefined) {
      view = new DataView(slab)
      this.#known.set(slab, view)
    }
    this.#slab = slab
    this.#view = view
  }
}

/** As many trains as one send slab holds: a train that a full slab cut in two would be two messages. */
const TRAINS_PER_FLUSH = 8
const TRAINS_PER_TURN = 32
/** Enough under way for node:dgram to be busy: 256 datagrams, and more where trains are long. */
const DGRAM_TRAINS = 8
