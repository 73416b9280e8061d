import { EventEmitter } from 'node:events'
import {
  Endpoint,
  checkInteger,
  checkLink,
  checkOneOf,
  checkOptions,
  checkSignal,
  closeAndWait,
  closedError,
  invalidArgType,
  outOfRange,
  randomFill,
  type DatagramBatch,
  type EndpointLike,
  type Link,
  type Timer,
} from '../core/index.js'
import { MemoryPool } from '../fec/index.js'
import { CLASSIC_CHUNK_BYTES } from './classic-codec.js'
import { COMPACT_HEADER_BYTES } from './compact-codec.js'
import { DIGEST_BYTES, ID_BYTES } from './limits.js'
import { MessageSender, chooseChunkBytes, type MessageParameters, type UnkeyedHash } from './message-sender.js'
import { MessageQueue } from './message-queue.js'
import { MessageTable, type TableCounters } from './message-table.js'
import { HASH_NAMES, resolveMessengerOptions, type MessengerOptions, type ResolvedMessengerOptions } from './messenger-options.js'
import { BytePacer } from './pacer.js'
import { ReceiverContext } from './receiver-context.js'
import type { DroppedMessage, ReceivedMessage } from './received-message.js'
import { checkRedundancy, redundantChunksFor, type Redundancy } from './redundancy.js'
import { LossReports } from './loss-reports.js'
import { REPORT_BYTES, isReport, writeReport } from './report-codec.js'
import { MessageError, SendQueue, abortReason, type SendCounters } from './send-queue.js'

export interface MessengerEvents {
  /** A message has arrived whole, with the right digest. */
  message: [message: ReceivedMessage]
  /** A message that had begun to arrive was given up. */
  dropped: [dropped: DroppedMessage]
  /** The link can no longer work: the messenger is closed. */
  error: [error: Error]
  close: []
}

/** How one message is sent. */
export interface SendMessageOptions {
  /** Instead of the messenger's. */
  readonly redundancy?: Redundancy
  /** Instead of the messenger's. Without effect where there is a key. */
  readonly hash?: UnkeyedHash
  /** Milliseconds within which the last chunk must leave; otherwise the promise rejects with `ERR_MESSAGE_DEADLINE`. */
  readonly deadlineMs?: number
  /** Gives the message up, unless its last chunk has left. */
  readonly signal?: AbortSignal
}

/** What a messenger counts. */
export interface MessengerStatistics extends TableCounters, SendCounters {
  /** Messages on their way in, and what they occupy now. */
  messagesPending: number
  stateBytes: number
  /** Messages that wait to be sent. */
  messagesWaiting: number
  bytesWaiting: number
  reportsSent: number
  reportsReceived: number
  /** Reports about messages that nobody here sent, or that contradict themselves. */
  reportsRejected: number
}

/**
 * Sends and receives messages over a link: each arrives whole and right, or not at all.
 *
 * Receiving starts with the first 'message' or 'dropped' listener, or the first step of an async iteration. The link stays its owner's:
 * closing the messenger leaves it open; closing the link closes the messenger.
 */
export class Messenger extends EventEmitter<MessengerEvents> {
  readonly #link: Link
  readonly #options: ResolvedMessengerOptions
  readonly #pool: MemoryPool
  readonly #table: MessageTable
  readonly #queue: SendQueue
  readonly #unread: MessageQueue<ReceivedMessage>
  readonly #losses = new LossReports()
  readonly #counters = { reportsSent: 0, reportsReceived: 0, reportsRejected: 0 }
  readonly #path = { endpoint: undefined as Endpoint | undefined, askedMs: -Infinity, datagramBytes: 0 }
  #timer: Timer | undefined
  #timerMs = Infinity
  #receiving = false
  #closed = false
  #closeEmitted = false
  #checkedEndpoint: Endpoint | undefined

  /** @throws Misuse of `link` or an option: `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`; `ERR_CLOSED` for a closed link. */
  constructor(link: Link, options: MessengerOptions = {}) {
    super()
    this.#link = checkLink('link', link)
    this.#options = resolveMessengerOptions(options)
    if (link.closed) throw closedError('link')
    const { format, hash, key, clock } = this.#options
    this.#pool = new MemoryPool(this.#options.maxStateBytes)
    const machine = { ...this.#options, pool: this.#pool }
    const context = new ReceiverContext({ ...machine, ...(key === undefined ? {} : { key }) } as ConstructorParameters<
      typeof ReceiverContext
    >[0])
    this.#table = new MessageTable(context, this.#options, {
      onMessage: (message) => this.#deliver(message),
      onDropped: (dropped) => void this.emit('dropped', dropped),
      onEnded: (chunk, endpoint, chunkCount, chunksMissing) => this.#report(chunk, endpoint, chunkCount, chunksMissing),
    })
    const sender = new MessageSender({ format, hash, ...(key === undefined ? {} : { key }) })
    const pacer = new BytePacer(this.#options.paceBytesPerSecond, this.#options.burstBytes)
    this.#queue = new SendQueue(link, sender, pacer, clock)
    this.#unread = new MessageQueue(
      this.#options.maxUnreadBytes,
      () => this.#receive(),
      (message) => this.#dropWhole(message, 'unread'),
    )
    ;(this as EventEmitter).on('newListener', (name) => {
      if (name === 'message' || name === 'dropped') this.#receive()
    })
    link.on('drain', this.#onDrain)
    link.on('close', this.#onLinkClose)
    link.on('error', this.#onLinkError)
  }

  /**
   * Sends a message. Its bytes must stay as they are until the promise settles.
   *
   * @param endpoint May be left out where the link has one peer.
   * @returns Resolves when the last chunk has left, as far as the link can tell. Whether it arrives nobody says.
   *   Rejects with a {@link MessageError} (`ERR_MESSAGE_QUEUE_FULL`, `ERR_MESSAGE_DEADLINE`), the signal's reason, or `ERR_CLOSED`.
   * @throws Misuse, at once: a message of no bytes or too many, an unknown option, `ERR_CLOSED`.
   */
  send(message: Uint8Array, endpoint?: Endpoint | EndpointLike, options: SendMessageOptions = NO_OPTIONS): Promise<void> {
    if (this.#closed) throw closedError('messenger')
    if (!(message instanceof Uint8Array)) throw invalidArgType('message', 'an instance of Buffer or Uint8Array', message)
    const { maxMessageBytes, maxQueuedBytes, maxQueuedMessages, clock } = this.#options
    if (message.length < 1 || message.length > maxMessageBytes) {
      throw outOfRange('message.length', `>= 1 && <= ${maxMessageBytes}`, message.length)
    }
    const target = this.#target(endpoint)
    const redundancy = options === NO_OPTIONS ? this.#options.redundancy : this.#checkSendOptions(options)
    const { signal, hash, deadlineMs = Infinity } = options
    if (signal?.aborted) return Promise.reject(abortReason(signal))
    if (this.#queue.messages >= maxQueuedMessages || this.#queue.bytes + message.length > maxQueuedBytes) {
      const waiting = `${this.#queue.messages} messages, ${this.#queue.bytes} bytes`
      return Promise.reject(new MessageError('ERR_MESSAGE_QUEUE_FULL', `Too much waits to be sent already: ${waiting}`))
    }
    if (redundancy === 'adaptive') this.#receive()
    return new Promise((resolve, reject) => {
      this.#queue.add({
        message,
        endpoint: target,
        parameters: () => this.#parameters(message, target, redundancy, hash),
        deadlineMs: deadlineMs === Infinity ? Infinity : clock.nowMs() + deadlineMs,
        signal,
        resolve,
        reject,
      })
    })
  }

  /** What was counted since the messenger was made; a copy. Also of a closed one. */
  stats(): MessengerStatistics {
    const { chunksRejected, messagesDropped, ...counters } = this.#table.counters
    return {
      ...counters,
      chunksRejected: { ...chunksRejected },
      messagesDropped: { ...messagesDropped },
      ...this.#queue.counters,
      ...this.#counters,
      messagesPending: this.#table.messages,
      stateBytes: this.#pool.usedBytes,
      messagesWaiting: this.#queue.messages,
      bytesWaiting: this.#queue.bytes,
    }
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Ends: what waits to be sent is given up, and what has not arrived is forgotten. The link stays open. Harmless to repeat. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#timer?.cancel()
    const link = this.#link
    link.off('batch', this.#onBatch)
    link.off('drain', this.#onDrain)
    link.off('close', this.#onLinkClose)
    link.off('error', this.#onLinkError)
    this.#queue.close()
    this.#table.clear()
    this.#unread.end()
    queueMicrotask(() => {
      this.#closeEmitted = true
      this.emit('close')
    })
  }

  /** `await using`: {@link close}, and wait for 'close'. */
  [Symbol.asyncDispose](): Promise<void> {
    return closeAndWait(this, this.#closeEmitted)
  }

  /**
   * Messages as they come. What comes while the loop's body runs waits, up to `maxUnreadBytes`; beyond that it is dropped and counted
   * ('dropped', `limit`), as is what still waits when the loop is left (`unread`). The loop ends when the messenger is closed.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<ReceivedMessage> {
    if (this.#closed) throw closedError('messenger')
    return this.#unread.iterate()
  }

  #receive(): void {
    if (this.#receiving || this.#closed) return
    this.#receiving = true
    this.#link.on('batch', this.#onBatch)
  }

  readonly #onBatch = (batch: DatagramBatch): void => {
    const { clock, format } = this.#options
    const nowMs = clock.nowMs()
    const wallMicroseconds = clock.wallMicroseconds()
    const table = this.#table
    table.expire(nowMs)
    for (let i = 0; i < batch.count; i++) {
      const datagram = batch.payload(i)
      if (format === 'compact' && isReport(datagram)) this.#takeReport(datagram, batch.endpoint(i))
      else table.receive(datagram, batch.endpoint(i), nowMs, wallMicroseconds)
      // A listener may have closed it.
      if (this.#closed) return
    }
    this.#setTimer(nowMs)
  }

  #setTimer(nowMs: number): void {
    const { deadlineMs } = this.#table
    // A timer that comes too early costs less than one that is moved with every batch.
    if (deadlineMs === Infinity || (this.#timer !== undefined && this.#timerMs <= deadlineMs)) return
    this.#timer?.cancel()
    this.#timerMs = deadlineMs
    this.#timer = this.#options.clock.setTimer(this.#onTimer, Math.max(0, deadlineMs - nowMs))
    // Messages that do not come any more are no reason to stay.
    this.#timer.unref()
  }

  readonly #onTimer = (): void => {
    this.#timer = undefined
    const nowMs = this.#options.clock.nowMs()
    this.#table.expire(nowMs)
    if (!this.#closed) this.#setTimer(nowMs)
  }

  #deliver(message: ReceivedMessage): void {
    this.emit('message', message)
    if (!this.#unread.offer(message, message.bytes.length)) this.#dropWhole(message, 'limit')
  }

  /** A message has arrived, but who iterates does not get it. */
  #dropWhole({ endpoint, id, bytes, chunkCount }: ReceivedMessage, reason: 'limit' | 'unread'): void {
    this.#table.counters.messagesDropped[reason]++
    // 'close' is the last event.
    if (this.#closed) return
    this.emit('dropped', { reason, endpoint, id, messageBytes: bytes.length, chunkCount, chunksReceived: chunkCount })
  }

  #report(chunk: Uint8Array, endpoint: Endpoint, chunkCount: number, chunksMissing: number): void {
    if (!this.#options.reports || this.#closed || this.#link.closed) return
    const room = this.#link.reserve(REPORT_BYTES, endpoint)
    // Reports are never needed: one that finds no room is left out.
    if (room === undefined) return
    writeReport(room, chunk, chunkCount, chunksMissing)
    this.#link.commit()
    this.#counters.reportsSent++
  }

  #takeReport(datagram: Buffer, endpoint: Endpoint): void {
    this.#counters.reportsReceived++
    if (!this.#losses.take(datagram, endpoint)) this.#counters.reportsRejected++
  }

  #checkSendOptions(options: SendMessageOptions): Redundancy {
    checkOptions('options', options, SEND_OPTIONS)
    const { redundancy, hash, deadlineMs, signal } = options
    if (hash !== undefined) checkOneOf('options.hash', hash, HASH_NAMES)
    if (deadlineMs !== undefined) checkInteger('options.deadlineMs', deadlineMs, 0, Number.MAX_SAFE_INTEGER)
    checkSignal('options.signal', signal)
    return redundancy === undefined
      ? this.#options.redundancy
      : checkRedundancy('options.redundancy', redundancy, this.#options.format)
  }

  #target(endpoint: Endpoint | EndpointLike | undefined): Endpoint | undefined {
    if (endpoint === undefined || endpoint === this.#checkedEndpoint) return endpoint as Endpoint | undefined
    const target = Endpoint.from(endpoint)
    this.#checkedEndpoint = target
    return target
  }

  #parameters(
    message: Uint8Array,
    endpoint: Endpoint | undefined,
    redundancy: Redundancy,
    hash: UnkeyedHash | undefined,
  ): MessageParameters {
    const { format, datagramBytes, random, clock } = this.#options
    const id = new Uint8Array(ID_BYTES)
    randomFill(random, id)
    // A random UUID (RFC 9562 section 5.4).
    id[6] = (id[6]! & 0x0f) | 0x40
    id[8] = (id[8]! & 0x3f) | 0x80
    const maxDatagramBytes = datagramBytes ?? this.#chosenDatagramBytes(endpoint)
    const chunkCount =
      format === 'classic'
        ? Math.ceil(message.length / CLASSIC_CHUNK_BYTES)
        : compactChunkCount(message.length + DIGEST_BYTES, maxDatagramBytes - COMPACT_HEADER_BYTES)
    const redundantChunks = redundantChunksFor(redundancy, chunkCount, format, this.#losses.of(endpoint))
    if (redundancy === 'adaptive') this.#losses.expect(id, endpoint)
    const timestampMicroseconds = Math.floor(clock.wallMicroseconds())
    return { id, redundantChunks, timestampMicroseconds, maxDatagramBytes, random, ...(hash === undefined ? {} : { hash }) }
  }

  /** What the link says, which is a system call for some: asked anew every now and then. */
  #chosenDatagramBytes(endpoint: Endpoint | undefined): number {
    const nowMs = this.#options.clock.nowMs()
    const path = this.#path
    if (path.endpoint !== endpoint || nowMs - path.askedMs > ASK_AGAIN_MS) {
      path.endpoint = endpoint
      path.askedMs = nowMs
      path.datagramBytes = Math.min(this.#link.unfragmentedBytes(endpoint), MAX_CHOSEN_DATAGRAM_BYTES)
    }
    return path.datagramBytes
  }

  readonly #onDrain = (): void => this.#queue.resume()
  readonly #onLinkClose = (): void => this.close()
  readonly #onLinkError = (error: Error): void => {
    this.close()
    this.emit('error', error)
  }
}

function compactChunkCount(contentBytes: number, maxChunkBytes: number): number {
  return Math.ceil(contentBytes / chooseChunkBytes(contentBytes, maxChunkBytes))
}

/** A path's MTU changes rarely. */
const ASK_AGAIN_MS = 100
const NO_OPTIONS: SendMessageOptions = {}
const SEND_OPTIONS: ReadonlySet<string> = new Set<keyof SendMessageOptions>(['redundancy', 'hash', 'deadlineMs', 'signal'])
/** On a path without an MTU to speak of (loopback): larger datagrams save nothing more, and lose more at a time. */
const MAX_CHOSEN_DATAGRAM_BYTES = 16_384
