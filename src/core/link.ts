import type { Endpoint, EndpointLike } from './endpoint.js'
import type { Payload } from './payload.js'

/**
 * The contract of everything that carries datagrams: a UDP socket, the kinds of UDP link, a byte stream that frames datagrams, a
 * simulated network. Protocols know this and nothing below it.
 *
 * Every implementation passes the suite of `geysir/testing`.
 */
export interface Link {
  readonly on: LinkListening<this>
  readonly once: LinkListening<this>
  readonly off: LinkListening<this>

  /**
   * The longest payload, in bytes, that reaches `endpoint` (or anybody) in one piece, as far as is known here. More may be sent up to
   * {@link maxPayloadBytes}, and is then cut into fragments on its way, of which each can be lost.
   */
  unfragmentedBytes(endpoint?: Endpoint): number

  /** The longest payload, in bytes, that `send` takes at all. */
  readonly maxPayloadBytes: number

  /**
   * Queues a copy of `payload`. It leaves at the end of this tick, or by {@link flush}.
   *
   * @param endpoint May be left out where the link has one peer; elsewhere that is `ERR_SOCKET_DGRAM_NOT_CONNECTED`.
   * @returns False when the queue is full: **the datagram was not queued**; 'drain' follows.
   * @throws Misuse: `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_OUT_OF_RANGE`, and `ERR_INVALID_STATE` between `reserve` and
   *   `commit` or `cancel`. What the network does is never an exception.
   */
  send(payload: Payload, endpoint?: Endpoint | EndpointLike): boolean

  /**
   * Room for a datagram in the send memory, to be written in place and queued by {@link commit}, or given up by {@link cancel}. One at a time:
   * until then `send` and `reserve` throw `ERR_INVALID_STATE`, while {@link flush} sends what was queued before. {@link close} forgets
   * it.
   *
   * @returns A view of `lengthBytes` bytes that is the link's again after `commit` or `cancel`; undefined when the queue is full: 'drain' follows.
   */
  reserve(lengthBytes: number, endpoint?: Endpoint | EndpointLike): Buffer | undefined

  /**
   * Queues the first `lengthBytes` bytes (default: all) of the reserved datagram.
   *
   * @throws `ERR_INVALID_STATE` without one; misuse, which leaves it reserved: among it `ERR_INVALID_ARG_VALUE` for more than was
   *   reserved.
   */
  commit(lengthBytes?: number): void

  /**
   * Gives up what is reserved: nothing of it is queued. Harmless when nothing is, so that it can stand in a `catch` or a `finally` around
   * what writes the datagram.
   */
  cancel(): void

  /** Sends what is queued now. False when some of it has to wait: 'drain' follows. */
  flush(): boolean

  /** What was counted since the link was opened; a copy. Also of a closed link. */
  stats(): LinkStatistics

  readonly closed: boolean

  /**
   * Sends what is queued as far as that goes at once, counts the rest as discarded, and ends. Harmless to repeat. 'close' follows, once,
   * when the running code has returned; no other event comes but the 'sendError's of before. Afterwards `send`, `reserve`, `commit`,
   * `flush`, `unfragmentedBytes` and iterating throw `ERR_CLOSED`; everything else is harmless.
   */
  close(): void

  /** {@link close}, and wait for 'close'. */
  [Symbol.asyncDispose](): Promise<void>

  /** Batches as they come; each lives until the next step. Ends when the link is closed; leaving it leaves the link open. */
  [Symbol.asyncIterator](): AsyncIterableIterator<DatagramBatch>

  /** May the link alone keep the process alive while somebody listens? It does until `unref`. */
  ref(): this
  unref(): this
}

/** Adds or removes a listener of {@link LinkEvents}. One signature an event: a class with more events of its own fits it, too. */
export interface LinkListening<Self> {
  (event: 'batch', listener: (...args: LinkEvents['batch']) => void): Self
  (event: 'drain', listener: (...args: LinkEvents['drain']) => void): Self
  (event: 'sendError', listener: (...args: LinkEvents['sendError']) => void): Self
  (event: 'error', listener: (...args: LinkEvents['error']) => void): Self
  (event: 'close', listener: (...args: LinkEvents['close']) => void): Self
}

/**
 * The events of a {@link Link}, with their arguments. What a listener throws is an uncaught exception, and costs the link nothing: the
 * next event comes as if nothing had happened.
 */
export interface LinkEvents {
  /** Datagrams have arrived. The batch lives until the handler returns. */
  batch: [batch: DatagramBatch]
  /** There is room in the send queue again: after `send` or `reserve` refused, or `flush` returned false. */
  drain: []
  /** A datagram could not be sent. Others are not concerned. */
  sendError: [error: Error, endpoint: Endpoint | undefined]
  /** The link can no longer work; it is closed by itself: {@link Link.closed} is true already, and 'close' follows. */
  error: [error: Error]
  close: []
}

/**
 * Datagrams that arrived together, in the order in which they came.
 *
 * A batch, and every payload taken from it, lives until the handler returns (in an iteration: until the next step), unless it is
 * retained.
 */
export interface DatagramBatch {
  /** Datagrams in this batch; every `i` below runs from 0 to `count - 1`. */
  readonly count: number
  /** Payload bytes in this batch. */
  readonly bytes: number
  /** The bytes of datagram `i`, without copying. The view belongs to the batch. */
  payload(i: number): Buffer
  /** The bytes of datagram `i` in memory of their own. */
  copy(i: number): Buffer
  /** Was datagram `i` cut, because it was longer than what its receiver was opened for? */
  truncated(i: number): boolean
  /** Who sent datagram `i`. The same peer is usually the same object. */
  endpoint(i: number): Endpoint
  /** Keeps the batch until {@link release}. @throws `ERR_INVALID_STATE` when nobody has it any more, or the second time. */
  retain(): this
  release(): void
}

/** What every link counts. `datagramsQueued = datagramsSent + datagramsFailed + datagramsDiscarded + queuedDatagrams`. */
export interface LinkStatistics {
  datagramsReceived: number
  bytesReceived: number
  /** Datagrams accepted by `send` and `commit`. */
  datagramsQueued: number
  /** Datagrams handed to what carries them, and their payload bytes. */
  datagramsSent: number
  bytesSent: number
  /** Datagrams that could not be sent. */
  datagramsFailed: number
  /** Datagrams still queued when the link was closed. */
  datagramsDiscarded: number
  /** Datagrams that `send` or `reserve` refused because the queue was full. */
  datagramsRefused: number
  queuedDatagrams: number
  queuedBytes: number
}
