import { EventEmitter } from 'node:events'
import {
  BatchConsumers,
  DatagramList,
  Endpoint,
  checkInteger,
  checkPeerPort,
  closedError,
  invalidArgType,
  throwingLater,
  type Clock,
  type DatagramBatch,
  type EndpointLike,
  type Link,
  type LinkEvents,
  type LinkStatistics,
  type Payload,
  type Random,
  closeAndWait,
  followListeners,
} from '../../core/index.js'
import { emptyFrameCounters, type FrameCounters, type FrameDecoder, type Framing } from '../framing/framing.js'
import { payloadBuffer } from '../payload.js'
import { NO_ADDRESS, type ByteStream, type StreamSource } from './byte-stream.js'
import { FrameQueue } from './frame-queue.js'

export interface FramedStreamOptions {
  readonly framing: Framing
  readonly maxDatagramBytes: number
  readonly sendQueueBytes: number | undefined
  readonly sendQueueDatagrams: number | undefined
}

/** Beyond those of every link. */
export interface FramedStreamEvents extends LinkEvents {
  /** A stream is open, or has ended. */
  up: [peer: Endpoint]
  down: [peer: Endpoint]
  /** A stream could not be opened; it is tried again. */
  openError: [error: Error]
}

export interface FramedStreamStatistics extends LinkStatistics, FrameCounters {
  /** Streams opened so far. */
  streams: number
  /** Streams that ended because they could not be understood. */
  streamsRefused: number
}

/**
 * Datagrams over byte streams, one stream at a time: what waits while there is none goes with the next one. Reading stops while nobody
 * listens, and writing waits for a slow reader, so that the stream's own flow control does the rest.
 */
export class FramedStream extends EventEmitter<FramedStreamEvents> implements Link {
  readonly #options: FramedStreamOptions
  readonly #clock: Clock
  readonly #source: StreamSource
  readonly #seed: number
  readonly #queue: FrameQueue
  readonly #consumers = new BatchConsumers<DatagramList>(() => this.#watch())
  readonly #frames = emptyFrameCounters()
  readonly #counters = {
    received: 0,
    bytesReceived: 0,
    sent: 0,
    bytesSent: 0,
    discarded: 0,
    refused: 0,
    streams: 0,
    bad: 0,
  }
  #stream: ByteStream | undefined
  #decoder: FrameDecoder | undefined
  #payloads: Buffer[] = []
  #endpoints: Endpoint[] = []
  #isReferenced = true
  #isFlowing = false
  #isFlushScheduled = false
  #drainOwed = false
  #closed = false
  #closeEmitted = false

  constructor(
    options: FramedStreamOptions,
    source: StreamSource,
    surroundings: { readonly clock: Clock; readonly random: Random },
  ) {
    super()
    this.#options = options
    this.#clock = surroundings.clock
    this.#source = source
    this.#seed = surroundings.random.uint32()
    const { framing, sendQueueBytes = DEFAULT_QUEUE_BYTES, sendQueueDatagrams = DEFAULT_QUEUE_DATAGRAMS } = options
    this.#queue = new FrameQueue(framing, sendQueueBytes, sendQueueDatagrams)
  }

  /** Begins to open a stream. Rejects when there can never be one; then the link is closed. */
  async start(): Promise<void> {
    try {
      await this.#source.start({
        opened: (stream) => this.#opened(stream),
        failed: (error) => throwingLater(() => this.emit('openError', error)),
        ended: () => this.close(),
      })
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** The other end of the open stream. */
  get peer(): Endpoint | undefined {
    return this.#stream?.peer
  }

  /** Where others connect to. */
  address(): Endpoint | undefined {
    return this.#source.address()
  }

  unfragmentedBytes(): number {
    this.#checkOpen()
    return this.maxPayloadBytes
  }

  get maxPayloadBytes(): number {
    return Math.min(this.#options.maxDatagramBytes, this.#options.framing.maxPayloadBytes)
  }

  send(payload: Payload, endpoint?: Endpoint | EndpointLike): boolean {
    this.#checkOpen()
    const target = this.#target(endpoint)
    if (!this.#queue.add(payloadBuffer(payload, this.maxPayloadBytes), target)) return this.#refuse()
    this.#scheduleFlush()
    return true
  }

  reserve(lengthBytes: number, endpoint?: Endpoint | EndpointLike): Buffer | undefined {
    this.#checkOpen()
    checkInteger('lengthBytes', lengthBytes, 0, this.maxPayloadBytes)
    const room = this.#queue.reserve(lengthBytes, this.#target(endpoint))
    if (room === undefined) this.#refuse()
    return room
  }

  commit(lengthBytes?: number): void {
    this.#checkOpen()
    if (lengthBytes !== undefined) checkInteger('lengthBytes', lengthBytes, 0, this.maxPayloadBytes)
    this.#queue.commit(lengthBytes)
    this.#scheduleFlush()
  }

  cancel(): void {
    this.#queue.cancel()
  }

  flush(): boolean {
    this.#checkOpen()
    this.#write()
    if (this.#queue.isEmpty) return true
    this.#drainOwed = true
    return false
  }

  stats(): FramedStreamStatistics {
    const { received, bytesReceived, sent, bytesSent, discarded, refused, streams, bad } = this.#counters
    const { datagrams: queuedDatagrams, payloadBytes: queuedBytes } = this.#queue
    const datagramsQueued = sent + discarded + queuedDatagrams
    return {
      datagramsReceived: received,
      bytesReceived,
      datagramsQueued,
      datagramsSent: sent,
      bytesSent,
      datagramsFailed: 0,
      datagramsDiscarded: discarded,
      datagramsRefused: refused,
      queuedDatagrams,
      queuedBytes,
      ...sumOf(this.#frames, this.#decoder?.counters),
      streams,
      streamsRefused: bad,
    }
  }

  get closed(): boolean {
    return this.#closed
  }

  close(): void {
    if (this.#closed) return
    this.#write()
    this.#closed = true
    this.#source.close()
    this.#counters.discarded += this.#queue.discard()
    const stream = this.#stream
    if (stream !== undefined) this.#end(stream)
    this.#consumers.end()
    process.nextTick(() => {
      this.#closeEmitted = true
      this.emit('close')
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return closeAndWait(this, this.#closeEmitted)
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<DatagramBatch> {
    this.#checkOpen()
    return this.#consumers.iterate()
  }

  ref(): this {
    this.#setReferenced(true)
    return this
  }

  unref(): this {
    this.#setReferenced(false)
    return this
  }

  static {
    followListeners(FramedStream.prototype, (stream) => stream.#watch())
  }

  #opened(stream: ByteStream): void {
    if (this.#closed) {
      stream.destroy()
      return
    }
    // The newest counts: the one before may be dead without anybody having noticed.
    const before = this.#stream
    if (before !== undefined) this.#lost(before)
    before?.destroy()
    this.#stream = stream
    this.#isFlowing = false
    this.#counters.streams++
    const limits = { maxDatagramBytes: this.maxPayloadBytes, seed: this.#seed }
    this.#decoder = this.#options.framing.decoder((payload, endpoint) => {
      this.#payloads.push(payload)
      this.#endpoints.push(endpoint ?? stream.peer)
    }, limits)
    const onEnd = (): void => {
      stream.destroy()
      if (this.#stream === stream) {
        this.#lost(stream)
        this.#source.lost()
      }
    }
    for (const end of new Set([stream.readable, stream.writable])) end.on('error', onEnd).on('close', onEnd)
    stream.readable.on('end', onEnd)
    stream.readable.on('data', (chunk: Buffer | string) => this.#read(stream, chunk))
    stream.readable.pause()
    stream.writable.on('drain', () => this.#unblock(stream))
    if (!this.#isReferenced) stream.unref()
    throwingLater(() => this.emit('up', stream.peer))
    this.#watch()
    if (!this.#closed) this.#unblock(stream)
  }

  #lost(stream: ByteStream): void {
    this.#stream = undefined
    this.#decoder?.end()
    Object.assign(this.#frames, sumOf(this.#frames, this.#decoder?.counters))
    this.#decoder = undefined
    if (!this.#closed) throwingLater(() => this.emit('down', stream.peer))
  }

  /** Lets the stream take what it was given, but not for ever. */
  #end(stream: ByteStream): void {
    this.#lost(stream)
    stream.writable.end()
    const timer = this.#clock.setTimer(() => stream.destroy(), CLOSE_TIMEOUT_MS)
    timer.unref()
    stream.writable.once('finish', () => {
      timer.cancel()
      stream.destroy()
    })
  }

  #read(stream: ByteStream, chunk: Buffer | string): void {
    if (this.#stream !== stream) return
    const isUnderstood = this.#decoder!.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)
    this.#deliver()
    if (isUnderstood || this.#stream !== stream) return
    this.#counters.bad++
    stream.destroy()
  }

  #deliver(): void {
    if (this.#payloads.length === 0) return
    const batch = new DatagramList(this.#payloads, this.#endpoints)
    this.#payloads = []
    this.#endpoints = []
    this.#counters.received += batch.count
    this.#counters.bytesReceived += batch.bytes
    throwingLater(() => this.emit('batch', batch))
    if (this.#consumers.isWaiting) this.#consumers.offer(batch)
    batch.finish()
  }

  /** Reads while somebody listens. */
  #watch(): void {
    const stream = this.#stream
    if (stream === undefined || this.#closed) return
    const flow = this.listenerCount('batch') > 0 || this.#consumers.isWaiting
    if (flow === this.#isFlowing) return
    this.#isFlowing = flow
    if (flow) stream.readable.resume()
    else stream.readable.pause()
  }

  #scheduleFlush(): void {
    if (this.#isFlushScheduled) return
    this.#isFlushScheduled = true
    process.nextTick(() => {
      this.#isFlushScheduled = false
      if (this.#closed) return
      this.#write()
      this.#tellDrain()
    })
  }

  /** Gives the stream as much as it takes at once. What it has taken counts as sent, as with any network. */
  #write(): void {
    const stream = this.#stream
    while (stream !== undefined && stream === this.#stream && !stream.writable.writableNeedDrain) {
      const chunk = this.#queue.take()
      if (chunk === undefined) return
      this.#counters.sent += chunk.datagrams
      this.#counters.bytesSent += chunk.payloadBytes
      const bytes = stream.sharesMemory ? Buffer.from(chunk.bytes) : chunk.bytes
      stream.writable.write(bytes, () => this.#queue.done(chunk))
    }
  }

  #unblock(stream: ByteStream): void {
    if (this.#stream !== stream || this.#closed) return
    this.#write()
    this.#tellDrain()
  }

  #tellDrain(): void {
    if (!this.#drainOwed || !this.#queue.isEmpty) return
    this.#drainOwed = false
    throwingLater(() => this.emit('drain'))
  }

  #target(endpoint: Endpoint | EndpointLike | undefined): Endpoint | undefined {
    if (!this.#options.framing.isAddressed) {
      // There is one peer, whose endpoint may have changed with its stream, and who may have none.
      if (endpoint !== undefined && endpoint !== NO_ADDRESS) checkPeerPort('endpoint.port', Endpoint.from(endpoint).port)
      return undefined
    }
    if (endpoint === undefined) throw invalidArgType('endpoint', 'an Endpoint: this framing carries many peers', endpoint)
    const target = Endpoint.from(endpoint)
    checkPeerPort('endpoint.port', target.port)
    return target
  }

  #refuse(): false {
    this.#counters.refused++
    this.#drainOwed = true
    return false
  }

  #setReferenced(isReferenced: boolean): void {
    if (this.#closed) return
    this.#isReferenced = isReferenced
    for (const it of [this.#source, this.#stream]) {
      if (isReferenced) it?.ref()
      else it?.unref()
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError('link')
  }
}

function sumOf(a: FrameCounters, b: FrameCounters | undefined): FrameCounters {
  return {
    malformed: a.malformed + (b?.malformed ?? 0),
    oversized: a.oversized + (b?.oversized ?? 0),
    incomplete: a.incomplete + (b?.incomplete ?? 0),
    skippedBytes: a.skippedBytes + (b?.skippedBytes ?? 0),
  }
}

const DEFAULT_QUEUE_BYTES = 4 << 20
const DEFAULT_QUEUE_DATAGRAMS = 65_536
/** How long a closed link's stream may take to deliver what it was given. */
const CLOSE_TIMEOUT_MS = 2000
