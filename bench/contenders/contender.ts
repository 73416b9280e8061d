/**
 * What the contenders in JavaScript share: the command line and the lines of JSON that they have in common with the C programs of
 * `bench/reference/`, so that any source can be paired with any sink.
 */
import { GCProfiler, getHeapStatistics } from 'node:v8'
import { parseArgs } from 'node:util'

export interface ContenderOptions {
  readonly host: string
  readonly port: number
  readonly bytes: number
  /** Seconds; for a ping, round trips. */
  readonly amount: number
  /** In the unit of `amount`. */
  readonly warmUp: number
  readonly offload: boolean
  /** Messages in one system call; undefined: what the contender does by itself. */
  readonly batch: number | undefined
  readonly receiveBufferBytes: number
  /** For a sink: a handler of batches or of single datagrams. */
  readonly mode: 'batch' | 'datagram'
  /** For a source: copy each payload into the socket instead of writing it in place. */
  readonly copy: boolean
  /** For a source: reserve and commit each datagram by itself instead of runs of them. */
  readonly single: boolean
  /** For a sink: count the bytes of JavaScript heap that are allocated in the window. */
  readonly garbage: boolean
  /** For a source with node:dgram: the datagrams between two turns of the event loop. */
  readonly turn: number | undefined
  /** For messages: what they are hashed with, and the part of the datagrams that is left out. */
  readonly hash: 'sha256' | 'sha3-256'
  readonly lose: number
  /** For a source with node:dgram: send to 127.0.0.1, 127.0.0.2, … in turn, so many, without connecting. 0: connect to the host. */
  readonly peers: number
  /** For streams: the longest frame; undefined: what the link says. */
  readonly frameBytes: number | undefined
  /** For a source: bytes of payload (streams: of frames) a second; undefined: as fast as it goes. */
  readonly rate: number | undefined
}

export function readOptions(): ContenderOptions {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      offload: { type: 'boolean', default: false },
      batch: { type: 'string' },
      'warm-up': { type: 'string', default: '0' },
      'receive-buffer': { type: 'string', default: String(4 << 20) },
      mode: { type: 'string', default: 'batch' },
      copy: { type: 'boolean', default: false },
      single: { type: 'boolean', default: false },
      garbage: { type: 'boolean', default: false },
      turn: { type: 'string' },
      peers: { type: 'string', default: '0' },
      hash: { type: 'string', default: 'sha256' },
      lose: { type: 'string', default: '0' },
      'frame-bytes': { type: 'string' },
      rate: { type: 'string' },
      'drop-in': { type: 'boolean', default: false }, // read by dgram-module.ts
    },
  })
  const [host, port, bytes, amount] = positionals
  if (host === undefined || port === undefined || bytes === undefined || amount === undefined) {
    throw new Error('usage: host port bytes amount [options]')
  }
  if (values.mode !== 'batch' && values.mode !== 'datagram') throw new Error(`--mode ${values.mode}: batch or datagram`)
  if (values.hash !== 'sha256' && values.hash !== 'sha3-256') throw new Error(`--hash ${values.hash}: sha256 or sha3-256`)
  return {
    host,
    hash: values.hash,
    lose: Number(values.lose),
    port: Number(port),
    bytes: Number(bytes),
    amount: Number(amount),
    warmUp: Number(values['warm-up']),
    offload: values.offload,
    batch: values.batch === undefined ? undefined : Number(values.batch),
    receiveBufferBytes: Number(values['receive-buffer']),
    mode: values.mode,
    copy: values.copy,
    single: values.single,
    garbage: values.garbage,
    turn: values.turn === undefined ? undefined : Number(values.turn),
    peers: Number(values.peers),
    frameBytes: values['frame-bytes'] === undefined ? undefined : Number(values['frame-bytes']),
    rate: values.rate === undefined ? undefined : Number(values.rate),
  }
}

export function printLine(figures: object): void {
  process.stdout.write(`${JSON.stringify(figures)}\n`)
}

/** Datagrams that one message carries with segmentation offload. */
export function segmentsPerMessage(bytes: number): number {
  return Math.min(MAX_SEGMENTS, Math.max(1, Math.floor(MAX_COALESCED_BYTES / bytes)))
}

/** The window of time in which a sink counts: it opens `warmUp` seconds after the first datagram. */
export class ReceiveWindow {
  datagrams = 0
  bytes = 0
  touched = 0
  readonly #options: ContenderOptions
  readonly #readKernelDrops: () => number
  readonly #onClosed: () => void
  readonly #garbage: GarbageMeter | undefined
  readonly #timer: NodeJS.Timeout
  #calls = 0
  #opensMs = 0
  #openedMs = 0
  #dropsAtOpening = 0
  #cpuAtOpening = 0
  #closed = false

  constructor(options: ContenderOptions, readKernelDrops: () => number, onClosed: () => void) {
    this.#options = options
    this.#readKernelDrops = readKernelDrops
    this.#onClosed = onClosed
    this.#garbage = options.garbage ? new GarbageMeter() : undefined
    // A source that falls silent does not stop the clock.
    this.#timer = setInterval(() => {
      if (this.#opensMs !== 0) this.#check()
    }, 100)
  }

  /** To be called after each batch, whose datagrams are counted by then. */
  checkSometimes(): void {
    if ((++this.#calls & CALLS_PER_CHECK_MASK) === 0) this.#check()
  }

  #check(): void {
    const now = performance.now()
    if (this.#openedMs === 0) this.#openWhenDue(now)
    else if (now - this.#openedMs >= this.#options.amount * 1000) this.#close(now)
  }

  #openWhenDue(now: number): void {
    if (this.#opensMs === 0) this.#opensMs = now + this.#options.warmUp * 1000
    if (now < this.#opensMs) return
    // What has been counted so far came before the window.
    this.#dropsAtOpening = this.#readKernelDrops()
    this.#garbage?.start()
    this.datagrams = 0
    this.bytes = 0
    this.#cpuAtOpening = cpuSeconds()
    this.#openedMs = now
  }

  #close(now: number): void {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#timer)
    printLine({
      datagrams: this.datagrams,
      bytes: this.bytes,
      seconds: (now - this.#openedMs) / 1000,
      cpuSeconds: cpuSeconds() - this.#cpuAtOpening,
      kernelDrops: this.#readKernelDrops() - this.#dropsAtOpening,
      touched: this.touched,
      ...(this.#garbage === undefined ? {} : { heapBytes: this.#garbage.stop() }),
    })
    this.#onClosed()
  }
}

/** Sends until the time is over or SIGTERM comes, `turn` by `turn` so that signals and sockets are served in between. */
export function untilStopped(seconds: number, onStopped: () => void): () => boolean {
  const endMs = performance.now() + seconds * 1000
  let terminated = false
  let stopped = false
  const stopOnce = (): void => {
    if (!stopped) onStopped()
    stopped = true
  }
  process.once('SIGTERM', () => {
    terminated = true
    stopOnce()
  })
  return () => {
    if (terminated || performance.now() >= endMs) stopOnce()
    return stopped
  }
}

/** The times of round trips, of which there is always one under way. */
export class RoundTrips {
  readonly #timesUs: Float64Array
  readonly #warmUp: number
  #done = 0
  #previousMs = performance.now()

  constructor(options: ContenderOptions) {
    this.#timesUs = new Float64Array(options.amount)
    this.#warmUp = options.warmUp
  }

  /** One clock reading a round trip, as in udp-ping.c. True when it was the last. */
  finish(): boolean {
    const now = performance.now()
    const i = this.#done++ - this.#warmUp
    if (i >= 0) this.#timesUs[i] = (now - this.#previousMs) * 1000
    this.#previousMs = now
    return i + 1 >= this.#timesUs.length
  }

  print(): void {
    const sorted = this.#timesUs.sort()
    const count = sorted.length
    printLine({
      medianUs: sorted[Math.floor(count / 2)],
      p99Us: sorted[Math.floor((count * 99) / 100)],
      count,
      cpuSeconds: cpuSeconds(),
    })
  }
}

export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/**
 * Bytes allocated on the JavaScript heap: what the heap has grown by, plus what every garbage collection has taken away. V8
 * reports the heap's size before and after each collection, so nothing in between is missed.
 */
class GarbageMeter {
  readonly #profiler = new GCProfiler()
  #usedAtStart = 0

  start(): void {
    this.#profiler.start()
    this.#usedAtStart = getHeapStatistics().used_heap_size
  }

  stop(): number {
    let bytes = getHeapStatistics().used_heap_size - this.#usedAtStart
    for (const { beforeGC, afterGC } of this.#profiler.stop().statistics) {
      bytes += beforeGC.heapStatistics.usedHeapSize - afterGC.heapStatistics.usedHeapSize
    }
    return bytes
  }
}

/** To read the clock costs time and a number on the heap, so it is not read at each batch: every 16th is often enough. */
const CALLS_PER_CHECK_MASK = 15

/** As in common.h: longer messages are segmented in software. */
const MAX_COALESCED_BYTES = 65_493
/** UDP_MAX_SEGMENTS, until Linux 6.8 (udp(7), UDP_SEGMENT). */
const MAX_SEGMENTS = 64

/** Datagrams that a source sends before it lets the event loop run: whole messages, and enough of them to fill batches. */
export function datagramsPerTurn(segments: number): number {
  return Math.ceil(4096 / segments) * segments
}
