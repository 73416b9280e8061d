import { ERRNO, SocketError, readSockaddr, type Addon, type LateSendFailure, type NativeSocket } from '../binding/index.js'
import { Endpoint, OUTGOING_MESSAGE, OUTGOING_MESSAGE_WORDS, invalidArgValue, invalidState } from '../core/index.js'
import { OffloadRoutes } from './offload-routes.js'
import { SendBatch, copyMessage, type SendBatchPolicy } from './send-batch.js'
import { sendMessages } from './send-call.js'
import type { SendControl } from './send-control.js'
import type { SendQueueOptions, SendQueueOwner } from './send-queue-owner.js'
import type { Counters } from './statistics.js'

/** Datagrams on their way out: written into batches, handed to the kernel a batch at a time, bounded and counted. */
export class SendQueue {
  readonly #native: NativeSocket
  readonly #options: SendQueueOptions
  readonly #owner: SendQueueOwner
  readonly #statistics: Counters
  readonly #routes: OffloadRoutes
  readonly #policy: SendBatchPolicy
  readonly #maxBytes: number
  readonly #maxDatagrams: number
  /** In order; the last one is being filled. */
  readonly #batches: SendBatch[] = []
  #filling: SendBatch | undefined
  #spare: SendBatch | undefined
  #splitTable: Uint32Array | undefined
  #blocked = false
  #drainOwed = false
  #refusedOffload = 0
  // Counted when the batch that is being filled is looked at: see #count().
  #queuedDatagrams = 0
  #queuedBytes = 0
  #countedDatagrams = 0
  #countedBytes = 0

  // What reserve() promised and commit() will queue.
  #reservedBytes = NOTHING_RESERVED
  #reservedCount = 0
  #reservedEndpoint: Endpoint | undefined
  #reservedControl: SendControl | undefined

  constructor(addon: Addon, native: NativeSocket, options: SendQueueOptions, statistics: Counters, owner: SendQueueOwner) {
    this.#native = native
    this.#options = options
    this.#statistics = statistics
    this.#owner = owner
    this.#routes = OffloadRoutes.of(addon)
    this.#maxBytes = options.maxBytes
    this.#maxDatagrams = options.maxDatagrams
    this.#policy = {
      family: options.family,
      longestSegment: (endpoint) => (options.offload ? this.#routes.maxSegmentBytes(endpoint ?? owner.remoteEndpoint()) : 0),
    }
  }

  /** Are neighbours coalesced? */
  get offload(): boolean {
    return this.#options.offload
  }

  /** Does the kernel's send buffer have no room? */
  get isBlocked(): boolean {
    return this.#blocked
  }

  get queuedDatagrams(): number {
    this.#count()
    return this.#queuedDatagrams
  }

  get queuedBytes(): number {
    this.#count()
    return this.#queuedBytes
  }

  /** @throws `ERR_INVALID_STATE` between {@link reserve} and {@link commit}: one datagram at a time. */
  checkNothingReserved(): void {
    if (this.#reservedBytes !== NOTHING_RESERVED) throw invalidState('the reserved datagram must be committed or cancelled first')
  }

  /** A batch whose next place has room for a datagram; undefined when the queue is full. */
  makeRoom(lengthBytes: number): SendBatch | undefined {
    this.checkNothingReserved()
    const batch = this.#filling
    return batch?.hasRoom(lengthBytes) ? batch : this.#makeRoomSlowly(lengthBytes)
  }

  /** Promises the next place for up to `count` datagrams of `lengthBytes`, one behind the other, and returns a view of it. */
  reserve(
    batch: SendBatch,
    lengthBytes: number,
    count: number,
    endpoint: Endpoint | undefined,
    control: SendControl | undefined,
  ): Buffer {
    this.#reservedBytes = lengthBytes
    this.#reservedEndpoint = endpoint
    this.#reservedControl = control
    this.#reservedCount = count === 1 ? 1 : Math.min(count, batch.roomFor(lengthBytes))
    return batch.nextView(lengthBytes * this.#reservedCount)
  }

  /** Queues a reserved datagram, of which `lengthBytes` were written. */
  commit(lengthBytes: number | undefined): void {
    const reserved = this.#reservation()
    const length = lengthBytes ?? reserved
    if (length > reserved) {
      throw invalidArgValue('lengthBytes', length, `must be at most the ${reserved} that were reserved`)
    }
    this.#reservedBytes = NOTHING_RESERVED
    this.#filling!.append(length, this.#reservedEndpoint, this.#reservedControl)
  }

  /** Queues the first `count` datagrams of a reserved run. */
  commitRun(count: number | undefined): void {
    const length = this.#reservation()
    const reserved = this.#reservedCount
    if (count !== undefined && count > reserved) {
      throw invalidArgValue('count', count, `must be at most the ${reserved} that were reserved`)
    }
    this.#reservedBytes = NOTHING_RESERVED
    for (let i = count ?? reserved; i > 0; i--) this.#filling!.append(length, this.#reservedEndpoint, this.#reservedControl)
  }

  /** Forgets what is reserved, if something is: its place is the next datagram's. */
  cancel(): void {
    this.#reservedBytes = NOTHING_RESERVED
  }

  /** Hands the queue to the kernel. False when some of it has to wait for {@link writable}. */
  flush(): boolean {
    this.#count()
    while (!this.#blocked && (this.#batches.length > 1 || (this.#batches[0]?.unsent ?? 0) > 0)) {
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

  /** What waits for the connected peer of now still goes there when the socket is connected to another one. */
  addressTo(endpoint: Endpoint): void {
    for (const batch of this.#batches) batch.addressTo(endpoint)
    this.#reservedEndpoint ??= endpoint
  }

  /** Forgets what is queued, counted. */
  discard(): void {
    this.#count()
    this.#statistics.datagramsDiscarded += this.#queuedDatagrams
    this.#queuedDatagrams = 0
    this.#queuedBytes = 0
    this.#batches.length = 0
    this.#filling = undefined
    this.#spare = undefined
    this.#reservedBytes = NOTHING_RESERVED
  }

  #makeRoomSlowly(lengthBytes: number): SendBatch | undefined {
    this.flush()
    // Emptied but not at its start: what was reserved behind it was given up.
    const filling = this.#filling
    if (filling?.unsent === 0 && filling === this.#batches[0]) this.#recycleFirst()
    const datagrams = this.#maxDatagrams - this.#queuedDatagrams
    const bytes = this.#maxBytes - this.#queuedBytes
    if (datagrams >= 1 && bytes >= lengthBytes) return this.#batchFor(lengthBytes, bytes, datagrams)
    // An empty queue takes one datagram that is longer than its limit: there would be nothing to wait for.
    if (this.#queuedDatagrams === 0) return this.#batchFor(lengthBytes, lengthBytes, 1)
    this.#statistics.datagramsRefused++
    this.#drainOwed = true
    return undefined
  }

  #batchFor(lengthBytes: number, bytes: number, datagrams: number): SendBatch {
    this.#filling?.allow(bytes, datagrams)
    if (this.#filling?.hasRoom(lengthBytes)) return this.#filling
    this.#count()
    const batch = this.#spare ?? new SendBatch(SEND_SLAB_BYTES, this.#policy)
    this.#spare = undefined
    this.#batches.push(batch)
    this.#filling = batch
    this.#restartCount()
    batch.allow(bytes, datagrams)
    return batch
  }

  /** Takes what was written since the last time into the queue's depth: once a flush instead of once a datagram. */
  #count(): void {
    if (this.#filling === undefined) return
    this.#queuedDatagrams += this.#filling.datagrams - this.#countedDatagrams
    this.#queuedBytes += this.#filling.usedBytes - this.#countedBytes
    this.#restartCount()
  }

  #restartCount(): void {
    this.#countedDatagrams = this.#filling?.datagrams ?? 0
    this.#countedBytes = this.#filling?.usedBytes ?? 0
  }

  #reservation(): number {
    if (this.#reservedBytes === NOTHING_RESERVED) throw invalidState('nothing is reserved')
    return this.#reservedBytes
  }

  /** Sends the first batch. True when all of it is gone, false when the kernel takes no more for now. */
  #sendFirst(): boolean {
    const batch = this.#batches[0]!
    batch.seal()
    if (batch.isLost) {
      this.#failAll(batch)
      return true
    }
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
        // What an earlier datagram met fails the next one, and not the others that happen to travel with it.
        if (result === -ERRNO.ECONNREFUSED) this.#failFirstSegment(batch, result)
      } else {
        const at = SendBatch.at(batch.sent)
        this.#countFailed(batch.table, at, result, batch.table[at + OUTGOING_MESSAGE.length]!)
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
        this.#countFailed(single, 0, result, length)
      }
      this.#dropSegment(table, at, length)
    }
    this.#rememberRefusal(table, at, segmentBytes, passed)
    batch.splitNext = false
    batch.sent++
    return true
  }

  #failFirstSegment(batch: SendBatch, result: number): void {
    const at = SendBatch.at(batch.sent)
    const length = batch.table[at + OUTGOING_MESSAGE.segmentBytes]!
    this.#countFailed(batch.table, at, result, length)
    this.#dropSegment(batch.table, at, length)
  }

  #dropSegment(table: Uint32Array, at: number, length: number): void {
    table[at + OUTGOING_MESSAGE.offset]! += length
    table[at + OUTGOING_MESSAGE.length]! -= length
    table[at + OUTGOING_MESSAGE.datagrams]! -= 1
  }

  #trySend(batch: SendBatch, table: Uint32Array, first: number, count: number): number {
    return sendMessages(this.#native, this.#owner, batch.slab, table, first, count)
  }

  /** Only datagrams that passed one by one prove that it was the segmentation that the kernel refused. */
  #rememberRefusal(table: Uint32Array, at: number, segmentBytes: number, passed: number): void {
    const refused = this.#refusedOffload
    if (passed === 0 || !SEGMENTATION_ERRORS.has(refused)) return
    this.#refusedOffload = 0
    this.#statistics.offloadFallbacks++
    const endpoint = this.#destinationOf(table, at)
    if (endpoint) this.#routes.refuse(endpoint, segmentBytes, refused === -ERRNO.EIO)
  }

  #block(): void {
    this.#blocked = true
    this.#statistics.wouldBlock++
    this.#owner.onBlocked()
  }

  /** The payloads are gone with the memory that their user transferred away. */
  #failAll(batch: SendBatch): void {
    for (; batch.unsent > 0; batch.sent++) {
      const at = SendBatch.at(batch.sent)
      for (let i = batch.table[at + OUTGOING_MESSAGE.datagrams]!; i > 0; i--) this.#countFailed(batch.table, at, -ERRNO.EFAULT, 0)
      this.#leaveQueue(0, batch.table[at + OUTGOING_MESSAGE.length]!)
    }
  }

  #recycleFirst(): void {
    const batch = this.#batches[0]!
    const isReserved = batch === this.#filling && this.#reservedBytes !== NOTHING_RESERVED
    if (batch.isLost && !isReserved) {
      this.#batches.shift()
      if (batch === this.#filling) this.#filling = undefined
      return
    }
    if (batch !== this.#filling) {
      this.#batches.shift()
      this.#spare ??= batch
    }
    batch.reset(isReserved)
    if (batch === this.#filling) this.#restartCount()
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
    this.#owner.onSettled?.(datagrams, 0)
  }

  /** The kernel refused a message of one datagram. */
  #countFailed(table: Uint32Array, at: number, result: number, lengthBytes: number): void {
    this.#leaveQueue(1, lengthBytes)
    this.#countError(result, this.#destinationOf(table, at))
    this.#owner.onSettled?.(1, result)
  }

  /** What was counted as sent has failed after all. */
  failedLate({ result, lengthBytes, destination }: LateSendFailure): void {
    this.#statistics.datagramsSent--
    this.#statistics.bytesSent -= lengthBytes
    this.#countError(result, destination)
  }

  #countError(result: number, endpoint: Endpoint | undefined): void {
    const error = new SocketError('sendmmsg', result, endpoint?.address, endpoint?.port)
    const { sendErrors } = this.#statistics
    sendErrors[error.code] = (sendErrors[error.code] ?? 0) + 1
    this.#statistics.datagramsFailed++
    this.#owner.onSendError(error, endpoint)
  }

  #leaveQueue(datagrams: number, bytes: number): void {
    this.#queuedDatagrams -= datagrams
    this.#queuedBytes -= bytes
  }

  #destinationOf(table: Uint32Array, at: number): Endpoint | undefined {
    if (table[at + OUTGOING_MESSAGE.destinationBytes] === 0) return this.#owner.remoteEndpoint()
    return readSockaddr(table, at + OUTGOING_MESSAGE.destination)
  }
}

/** Eight full coalesced messages: enough to share a system call's cost, small enough to stay in the cache. */
export const SEND_SLAB_BYTES = 8 * 65_536
/** What a refused UDP_SEGMENT looks like: no checksum offload at the device; a segment over the path MTU, old kernel and new. */
const SEGMENTATION_ERRORS: ReadonlySet<number> = new Set([-ERRNO.EIO, -ERRNO.EINVAL, -ERRNO.EMSGSIZE])
const NOTHING_RESERVED = -1
