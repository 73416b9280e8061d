import { ERRNO, SocketError, readSockaddr, writeSockaddr, type Addon, type NativeSocket } from '../binding/index.js'
import { Endpoint, OUTGOING_MESSAGE, OUTGOING_MESSAGE_WORDS, invalidArgValue, invalidState } from '../core/index.js'
import { OffloadRoutes } from './offload-routes.js'
import { SendBatch, copyMessage } from './send-batch.js'
import type { SendControl } from './send-control.js'
import type { SocketStatistics } from './statistics.js'

export interface SendQueueOptions {
  readonly maxBytes: number
  readonly maxDatagrams: number
  readonly offload: boolean
  /** The family of the socket, AF_INET or AF_INET6. */
  readonly family: number
}

/** What a send queue tells its socket. */
export interface SendQueueOwner {
  /** The kernel's send buffer is full: call {@link SendQueue.writable} when it is not. */
  onBlocked(): void
  /** There is room again after a refusal or an incomplete flush. */
  onDrain(): void
  /** The kernel refused a datagram to `endpoint`. */
  onSendError(error: SocketError, endpoint: Endpoint | undefined): void
  /**
   * A send failed with `result`: may the kernel only have delivered, by failing it, an ICMP error that an earlier datagram met?
   * Such an error is gone with its delivery, so that the same send can be tried again.
   */
  mayBePending(result: number): boolean
  /** It was one: the same send passed at the next try. */
  onPendingError(result: number): void
  /** The peer of a connected socket. */
  remoteEndpoint(): Endpoint | undefined
}

/**
 * Datagrams on their way out: written into a slab, described by messages, handed to the kernel a batch at a time.
 *
 * Neighbours with the same destination, ancillary data and size, written one behind the other, become one message that the kernel
 * cuts (UDP_SEGMENT); the last of them may be shorter. Everything else is a message of its own.
 */
export class SendQueue {
  readonly #native: NativeSocket
  readonly #options: SendQueueOptions
  readonly #owner: SendQueueOwner
  readonly #statistics: SocketStatistics
  readonly #routes: OffloadRoutes
  /** In order; the last one is being filled. */
  readonly #batches: SendBatch[] = []
  #spare: SendBatch | undefined
  #splitTable: Uint32Array | undefined
  #blocked = false
  #drainOwed = false
  #refusedOffload = 0

  // The message that a datagram may still join: the last one of the last batch.
  #joinable = false
  #endpoint: Endpoint | undefined
  #controlled = false
  #segmentBytes = 0
  #segments = 0
  #longestSegment = 0

  // What reserve() promised and commit() will queue.
  #reservedBytes = -1
  #reservedEndpoint: Endpoint | undefined
  #reservedControl: SendControl | undefined

  constructor(
    addon: Addon,
    native: NativeSocket,
    options: SendQueueOptions,
    statistics: SocketStatistics,
    owner: SendQueueOwner,
  ) {
    this.#native = native
    this.#options = options
    this.#statistics = statistics
    this.#owner = owner
    this.#routes = OffloadRoutes.of(addon)
  }

  /** Are neighbours coalesced? */
  get offload(): boolean {
    return this.#options.offload
  }

  /** Does the kernel's send buffer have no room? */
  get isBlocked(): boolean {
    return this.#blocked
  }

  /** Room for a datagram at the end of the queue; undefined when the queue is full. */
  makeRoom(lengthBytes: number): SendBatch | undefined {
    if (this.#reservedBytes >= 0) throw invalidState('the reserved datagram must be committed first')
    const last = this.#batches[this.#batches.length - 1]
    const statistics = this.#statistics
    if (
      last !== undefined &&
      last.hasRoom(lengthBytes) &&
      statistics.queuedDatagrams < this.#options.maxDatagrams &&
      statistics.queuedBytes + lengthBytes <= this.#options.maxBytes
    ) {
      return last
    }
    return this.#makeRoomSlowly(lengthBytes)
  }

  /** Queues the `lengthBytes` that were written at the place {@link makeRoom} gave. */
  append(batch: SendBatch, lengthBytes: number, endpoint: Endpoint | undefined, control: SendControl | undefined): void {
    if (!this.#join(batch, lengthBytes, endpoint, control)) this.#begin(batch, lengthBytes, endpoint, control)
    batch.usedBytes += lengthBytes
    batch.datagrams++
    this.#statistics.datagramsQueued++
    this.#statistics.queuedDatagrams++
    this.#statistics.queuedBytes += lengthBytes
  }

  reserve(batch: SendBatch, lengthBytes: number, endpoint: Endpoint | undefined, control: SendControl | undefined): Buffer {
    this.#reservedBytes = lengthBytes
    this.#reservedEndpoint = endpoint
    this.#reservedControl = control
    return batch.viewOf(lengthBytes)
  }

  commit(lengthBytes: number | undefined): void {
    const reserved = this.#reservedBytes
    if (reserved < 0) throw invalidState('nothing is reserved')
    const length = lengthBytes ?? reserved
    if (length > reserved) throw invalidArgValue('lengthBytes', length, `must be at most the ${reserved} that were reserved`)
    this.#reservedBytes = -1
    this.append(this.#batches[this.#batches.length - 1]!, length, this.#reservedEndpoint, this.#reservedControl)
  }

  /** Hands the queue to the kernel. False when some of it has to wait for {@link writable}. */
  flush(): boolean {
    while (!this.#blocked && this.#batches.length > 0 && this.#batches[0]!.unsent > 0) {
      if (this.#sendFirst()) this.#recycleFirst()
    }
    if (this.#blocked) this.#drainOwed = true
    return !this.#blocked
  }

  /** The kernel takes datagrams again. */
  writable(): void {
    this.#blocked = false
    if (this.flush() && this.#drainOwed) {
      this.#drainOwed = false
      this.#owner.onDrain()
    }
  }

  /** Forgets what is queued, counted. */
  discard(): void {
    const statistics = this.#statistics
    statistics.datagramsDiscarded += statistics.queuedDatagrams
    statistics.queuedDatagrams = 0
    statistics.queuedBytes = 0
    this.#batches.length = 0
    this.#spare = undefined
    this.#joinable = false
    this.#reservedBytes = -1
  }

  #makeRoomSlowly(lengthBytes: number): SendBatch | undefined {
    if (this.#statistics.queuedDatagrams > 0) this.flush()
    const { queuedBytes, queuedDatagrams } = this.#statistics
    if (queuedDatagrams >= this.#options.maxDatagrams || queuedBytes + lengthBytes > this.#options.maxBytes) {
      // A limit smaller than this one datagram cannot be waited for.
      if (queuedDatagrams > 0) {
        this.#statistics.datagramsRefused++
        this.#drainOwed = true
        return undefined
      }
    }
    const last = this.#batches[this.#batches.length - 1]
    if (last?.hasRoom(lengthBytes)) return last
    this.#joinable = false
    const batch = this.#spare ?? new SendBatch(SEND_SLAB_BYTES)
    this.#spare = undefined
    this.#batches.push(batch)
    return batch
  }

  /** Lets a datagram be one more segment of the last message, if it fits there. */
  #join(batch: SendBatch, lengthBytes: number, endpoint: Endpoint | undefined, control: SendControl | undefined): boolean {
    if (!this.#joinable || endpoint !== this.#endpoint || lengthBytes > this.#segmentBytes || lengthBytes === 0) return false
    const { table } = batch
    const at = (batch.messages - 1) * OUTGOING_MESSAGE_WORDS
    if (control === undefined ? this.#controlled : !(this.#controlled && control.equalsAt(table, at))) return false
    const total = table[at + OUTGOING_MESSAGE.length]! + lengthBytes
    if (total > MAX_COALESCED_BYTES || this.#segmentBytes > this.#longestSegment) return false
    table[at + OUTGOING_MESSAGE.length] = total
    table[at + OUTGOING_MESSAGE.segmentBytes] = this.#segmentBytes
    table[at + OUTGOING_MESSAGE.datagrams] = ++this.#segments
    this.#joinable = lengthBytes === this.#segmentBytes && this.#segments < MAX_SEGMENTS_SENT
    return true
  }

  #begin(batch: SendBatch, lengthBytes: number, endpoint: Endpoint | undefined, control: SendControl | undefined): void {
    const { table } = batch
    const at = batch.messages * OUTGOING_MESSAGE_WORDS
    table[at + OUTGOING_MESSAGE.offset] = batch.usedBytes
    table[at + OUTGOING_MESSAGE.length] = lengthBytes
    table[at + OUTGOING_MESSAGE.segmentBytes] = 0
    table[at + OUTGOING_MESSAGE.datagrams] = 1
    table[at + OUTGOING_MESSAGE.destinationBytes] =
      endpoint === undefined ? 0 : writeSockaddr(table, at + OUTGOING_MESSAGE.destination, endpoint, this.#options.family)
    if (control === undefined) table[at + OUTGOING_MESSAGE.flags] = 0
    else control.writeTo(table, at)
    batch.messages++

    this.#joinable = this.#options.offload
    this.#controlled = control !== undefined
    this.#segmentBytes = lengthBytes
    this.#segments = 1
    if (endpoint !== this.#endpoint || endpoint === undefined || this.#longestSegment !== Infinity) {
      this.#endpoint = endpoint
      this.#longestSegment = this.#routes.maxSegmentBytes(endpoint ?? this.#owner.remoteEndpoint())
    }
  }

  /** Sends the first batch. True when all of it is gone, false when the kernel takes no more for now. */
  #sendFirst(): boolean {
    const batch = this.#batches[0]!
    while (batch.unsent > 0) {
      if (batch.splitNext) {
        if (!this.#sendSplit(batch)) return false
        continue
      }
      const result = this.#trySend(batch, batch.table, batch.sent, batch.unsent)
      if (result > 0) {
        this.#statistics.batchesSent++
        this.#countSent(batch, result)
      } else if (result === -ERRNO.EAGAIN) {
        this.#block()
        return false
      } else if (batch.field(batch.sent, OUTGOING_MESSAGE.datagrams) > 1) {
        batch.splitNext = true
        this.#refusedOffload = result
      } else {
        this.#countFailed(batch.table, SendBatch.at(batch.sent), result)
        batch.sent++
      }
    }
    return true
  }

  /**
   * Sends the datagrams of the first unsent message one by one: the kernel refused them together, and what is wrong with one of
   * them must not cost the others. False when the kernel takes no more for now; the message then holds what is left.
   */
  #sendSplit(batch: SendBatch): boolean {
    const at = SendBatch.at(batch.sent)
    const { table } = batch
    const single = (this.#splitTable ??= new Uint32Array(OUTGOING_MESSAGE_WORDS))
    const segmentBytes = table[at + OUTGOING_MESSAGE.segmentBytes]!
    let passed = 0
    while (table[at + OUTGOING_MESSAGE.datagrams]! > 0) {
      const length = Math.min(segmentBytes, table[at + OUTGOING_MESSAGE.length]!)
      copyMessage(table, at, single, 0)
      single[OUTGOING_MESSAGE.length] = length
      single[OUTGOING_MESSAGE.segmentBytes] = 0
      const result = this.#trySend(batch, single, 0, 1)
      if (result === -ERRNO.EAGAIN) {
        this.#rememberRefusal(table, at, segmentBytes, passed)
        this.#block()
        return false
      }
      if (result > 0) {
        passed++
        this.#countPassed(1, length)
      } else {
        this.#countFailed(single, 0, result)
      }
      table[at + OUTGOING_MESSAGE.offset]! += length
      table[at + OUTGOING_MESSAGE.length]! -= length
      table[at + OUTGOING_MESSAGE.datagrams]! -= 1
    }
    this.#rememberRefusal(table, at, segmentBytes, passed)
    batch.splitNext = false
    batch.sent++
    return true
  }

  /** One sendmmsg(2), again where it was interrupted or failed for what an earlier datagram met. */
  #trySend(batch: SendBatch, table: Uint32Array, first: number, count: number): number {
    let pending = 0
    for (let tries = 0; ; tries++) {
      const result = this.#native.send(batch.slab, table, first, count)
      if (result > 0 || result === -ERRNO.EAGAIN) {
        if (pending !== 0) this.#owner.onPendingError(pending)
        return result
      }
      if (tries >= MAX_TRIES || !(result === -ERRNO.EINTR || this.#owner.mayBePending(result))) return result
      if (result !== -ERRNO.EINTR) pending = result
    }
  }

  /** Only datagrams that passed one by one prove that it was the segmentation that the kernel refused. */
  #rememberRefusal(table: Uint32Array, at: number, segmentBytes: number, passed: number): void {
    const refused = this.#refusedOffload
    if (passed === 0 || !SEGMENTATION_ERRORS.has(refused)) return
    this.#refusedOffload = 0
    this.#statistics.offloadFallbacks++
    const endpoint = this.#destinationOf(table, at)
    if (endpoint) this.#routes.refuse(endpoint, segmentBytes, refused === -ERRNO.EIO)
    this.#longestSegment = this.#routes.maxSegmentBytes(this.#endpoint ?? this.#owner.remoteEndpoint())
  }

  #block(): void {
    this.#blocked = true
    this.#joinable = false
    this.#statistics.wouldBlock++
    this.#owner.onBlocked()
  }

  #recycleFirst(): void {
    const batch = this.#batches[0]!
    this.#joinable = false
    if (this.#batches.length > 1) {
      this.#batches.shift()
      this.#spare ??= batch
    }
    batch.reset(this.#reservedBytes >= 0 && batch === this.#batches[0])
  }

  #countSent(batch: SendBatch, messages: number): void {
    let datagrams = 0
    let bytes = 0
    for (const end = batch.sent + messages; batch.sent < end; batch.sent++) {
      const inMessage = batch.field(batch.sent, OUTGOING_MESSAGE.datagrams)
      datagrams += inMessage
      bytes += batch.field(batch.sent, OUTGOING_MESSAGE.length)
      if (inMessage > 1) {
        this.#statistics.coalescedSends++
        this.#statistics.segmentsSent += inMessage
      }
    }
    this.#countPassed(datagrams, bytes)
  }

  #countPassed(datagrams: number, bytes: number): void {
    this.#leaveQueue(datagrams, bytes)
    this.#statistics.datagramsSent += datagrams
    this.#statistics.bytesSent += bytes
  }

  /** The kernel refused a message of one datagram. */
  #countFailed(table: Uint32Array, at: number, result: number): void {
    this.#leaveQueue(1, table[at + OUTGOING_MESSAGE.length]!)
    const endpoint = this.#destinationOf(table, at)
    const error = new SocketError('sendmmsg', result, endpoint?.address, endpoint?.port)
    const { sendErrors } = this.#statistics
    sendErrors[error.code] = (sendErrors[error.code] ?? 0) + 1
    this.#statistics.datagramsFailed++
    this.#owner.onSendError(error, endpoint)
  }

  #leaveQueue(datagrams: number, bytes: number): void {
    this.#statistics.queuedDatagrams -= datagrams
    this.#statistics.queuedBytes -= bytes
  }

  #destinationOf(table: Uint32Array, at: number): Endpoint | undefined {
    if (table[at + OUTGOING_MESSAGE.destinationBytes] === 0) return this.#owner.remoteEndpoint()
    return readSockaddr(table, at + OUTGOING_MESSAGE.destination)
  }
}

/** Eight full coalesced messages: enough to share a system call's cost, small enough to stay in the cache. */
export const SEND_SLAB_BYTES = 8 * 65_536
/** `UDP_MAX_SEGMENTS` of every kernel that segments (128 since 6.9), and what a receiver's UDP_GRO buffer holds. */
const MAX_SEGMENTS_SENT = 64
/** The longest UDP payload over IPv4: 65 535 less 20 for IP and 8 for UDP. A coalesced message counts as one packet at first. */
export const MAX_COALESCED_BYTES = 65_507
/** Times that a send is tried again after an error that may not be its own, before it is called a failure itself. */
const MAX_TRIES = 2
/** What a refused UDP_SEGMENT looks like: no checksum offload at the device; a segment over the path MTU, old kernel and new. */
const SEGMENTATION_ERRORS: ReadonlySet<number> = new Set([-ERRNO.EIO, -ERRNO.EINVAL, -ERRNO.EMSGSIZE])
