import { fork, type ChildProcess } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { CommandError } from '../exit.js'
import {
  trainLength,
  type BenchPlan,
  type FromSink,
  type FromSource,
  type SinkProgress,
  type SinkResult,
  type SourceResult,
  type ToSink,
  type ToSource,
} from './plan.js'

export interface BenchRequest {
  readonly transport: BenchPlan['transport']
  readonly seconds: number
  readonly bytes: number
  readonly offload: boolean
  readonly verify: boolean
  readonly overrun: boolean
}

/** What a run found; `geysir bench --json` prints it. */
export interface BenchResult {
  readonly transport: BenchPlan['transport']
  readonly bytes: number
  /** From the first datagram that arrived to the last. */
  readonly seconds: number
  readonly datagramsPerSecond: number
  /** Payload. */
  readonly gigabitsPerSecond: number
  /** Datagrams given a number and handed to the kernel. */
  readonly sent: number
  readonly received: number
  /** `kernelDrops` in datagrams. */
  readonly dropped: number
  /** The kernel's counter: messages, each of `datagramsPerDrop` datagrams. */
  readonly kernelDrops: number
  readonly datagramsPerDrop: number
  /** Datagrams that the kernel refused to send. */
  readonly failed: number
  readonly corrupted: number
  readonly duplicated: number
  readonly late: number
  /** `sent = received + dropped + failed + corrupted`, to the last one, and nothing came twice. */
  readonly addsUp: boolean
  /** Were all bytes checked? */
  readonly verified: boolean
  readonly offload: { readonly send: boolean; readonly receive: boolean }
  readonly receiveBufferBytes: number
  readonly resyncs: number
  readonly wouldBlock: number
  readonly sourceCpuSeconds: number
  readonly sinkCpuSeconds: number
}

/** How far a run is. */
export interface BenchProgress extends SinkProgress {
  /** Datagrams. */
  readonly dropped: number
}

/** Runs a source and a sink in processes of their own, over loopback. */
export async function runBench(
  request: BenchRequest,
  onProgress: (progress: BenchProgress) => void,
  interrupt: AbortSignal,
): Promise<BenchResult> {
  const plan: BenchPlan = { ...request, runId: randomInt(1, 2 ** 31), trainDatagrams: trainLength(request.bytes) }
  const sink = new Worker<ToSink, FromSink>('bench-sink')
  const source = new Worker<ToSource, FromSource>('bench-source')
  try {
    sink.tell({ kind: 'plan', plan })
    const sinkReady = await sink.next('ready')
    source.tell({ kind: 'plan', plan, port: sinkReady.port, inFlight: sinkReady.inFlight })
    const sourceReady = await source.next('ready')
    const datagramsPerDrop = sourceReady.offload && sinkReady.offload ? plan.trainDatagrams : 1
    sink.onMessage('progress', (progress) => onProgress({ ...progress, dropped: progress.kernelDrops * datagramsPerDrop }))
    sink.tell({ kind: 'peer', port: sourceReady.port })
    interrupt.addEventListener('abort', () => source.tell({ kind: 'stop' }))
    await sink.next('progress') // it is connected
    source.tell({ kind: 'go' })
    const sent = (await Promise.race([source.next('result'), sink.failed])).result
    sink.tell({ kind: 'finish', numbered: sent.numbered })
    const received = (await sink.next('result')).result
    return makeResult(plan, sent, received, datagramsPerDrop, {
      offload: { send: sourceReady.offload, receive: sinkReady.offload },
      receiveBufferBytes: sinkReady.receiveBufferBytes,
    })
  } finally {
    sink.end()
    source.end()
  }
}

function makeResult(
  plan: BenchPlan,
  source: SourceResult,
  sink: SinkResult,
  datagramsPerDrop: number,
  rest: Pick<BenchResult, 'offload' | 'receiveBufferBytes'>,
): BenchResult {
  const kernelDrops = sink.kernelDrops ?? 0
  const dropped = kernelDrops * datagramsPerDrop
  const { received, corrupted, duplicated, late } = sink
  const { numbered, failed } = source
  const rate = sink.seconds > 0 ? received / sink.seconds : 0
  return {
    transport: plan.transport,
    bytes: plan.bytes,
    seconds: sink.seconds,
    datagramsPerSecond: rate,
    gigabitsPerSecond: (rate * plan.bytes * 8) / 1e9,
    sent: numbered,
    received,
    dropped,
    kernelDrops,
    datagramsPerDrop,
    failed,
    corrupted,
    duplicated,
    late,
    addsUp: numbered === received + dropped + failed + corrupted && duplicated === 0,
    verified: plan.verify,
    ...rest,
    resyncs: source.resyncs,
    wouldBlock: source.wouldBlock,
    sourceCpuSeconds: source.cpuSeconds,
    sinkCpuSeconds: sink.cpuSeconds,
  }
}

/** A process of this same program that is driven by messages. */
class Worker<Order extends object, Answer extends { kind: string }> {
  /** Rejects when the process ends before it was told to. */
  readonly failed: Promise<never>
  readonly #child: ChildProcess
  #ended = false

  constructor(name: string) {
    this.#child = fork(fileURLToPath(new URL('../main.js', import.meta.url)), [name], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.failed = new Promise((_, reject) => {
      this.#child.once('error', reject)
      this.#child.once('exit', (code, signal) => {
        if (!this.#ended) reject(new CommandError(`the process ${name} ended by itself (${signal ?? `exit status ${code}`})`))
      })
    })
    this.failed.catch(() => {}) // whoever waits for an answer is told
  }

  tell(order: Order): void {
    if (this.#child.connected) this.#child.send(order)
  }

  onMessage<Kind extends Answer['kind']>(kind: Kind, listener: (answer: Extract<Answer, { kind: Kind }>) => void): void {
    this.#child.on('message', (answer: Answer) => {
      if (answer.kind === kind) listener(answer as Extract<Answer, { kind: Kind }>)
    })
  }

  /** The next answer of a kind. */
  next<Kind extends Answer['kind']>(kind: Kind): Promise<Extract<Answer, { kind: Kind }>> {
    const answer = new Promise<Extract<Answer, { kind: Kind }>>((resolve) => this.onMessage(kind, resolve))
    return Promise.race([answer, this.failed])
  }

  end(): void {
    this.#ended = true
    if (this.#child.connected) this.#child.disconnect()
  }
}
