import { EndpointTable, type Addon, type NativeSocket } from '../binding/index.js'
import {
  BatchConsumers,
  RECEIVE_HEADER,
  RECEIVED_MESSAGE,
  RECEIVED_MESSAGE_WORDS,
  RECEIVE_HEADER_WORDS,
  featureUnavailable,
  throwLater,
  type Endpoint,
  type ReceiveBatch,
} from '../core/index.js'
import * as k from './kernel-constants.js'
import { readKernelDrops, trySetInteger } from './kernel-options.js'
import { readErrorQueue, type PeerError } from './peer-error.js'
import { ReceivePool, strideOf } from './receive-pool.js'
import { MAX_TURN_MICROSECONDS, slotPlan, type ResolvedOptions } from './socket-options.js'
import { WrappingCounter, type Counters } from './statistics.js'

/** Who gets what a {@link Receiver} receives. */
export interface ReceiverOwner {
  readonly closed: boolean
  /** Hands a batch to its listeners. */
  emitBatch(batch: ReceiveBatch): void
  hasDatagramListener(): boolean
  emitDatagram(payload: Buffer, endpoint: Endpoint, batch: ReceiveBatch, i: number): void
  /** Somebody waits for batches, or nobody does any more. */
  onConsumersChange(): void
}

/**
 * Divides the slab for a socket, and asks the kernel for what every receiver wants. Returns: does it hand over coalesced datagrams?
 *
 * @throws `ERR_FEATURE_UNAVAILABLE_ON_PLATFORM` when `receiveOffload` was demanded.
 */
export function prepareReceiving(addon: Addon, native: NativeSocket, options: ResolvedOptions): boolean {
  ReceivePool.of(addon)
  // Without it the counter can still be asked for (readDrops); with it, it cannot wrap unseen.
  trySetInteger(native, k.SOL_SOCKET, k.SO_RXQ_OVFL, 1)
  const offload = options.receiveOffload && trySetInteger(native, k.IPPROTO_UDP, k.UDP_GRO, 1)
  if (options.receiveOffloadRequired && !offload) {
    throw featureUnavailable('Option receiveOffload', 'this kernel has no UDP_GRO')
  }
  const { slotBytes, slots } = slotPlan(options, offload)
  native.setSlots(slotBytes, strideOf(slotBytes), slots)
  native.setTurn(options.spinMicroseconds * 1000, MAX_TURN_MICROSECONDS * 1000)
  return offload
}

/** The receiving half of a socket for which {@link prepareReceiving} was called: it opens and counts batches, and hands them out. */
export class Receiver {
  readonly #native: NativeSocket
  readonly #statistics: Counters
  readonly #owner: ReceiverOwner
  readonly #pool: ReceivePool
  #consumers: BatchConsumers<ReceiveBatch> | undefined
  /** Made when something arrives: an idle socket needs none. */
  #endpoints: EndpointTable | undefined
  readonly #drops = new WrappingCounter()

  constructor(addon: Addon, native: NativeSocket, statistics: Counters, owner: ReceiverOwner) {
    this.#native = native
    this.#statistics = statistics
    this.#owner = owner
    this.#pool = ReceivePool.of(addon)
  }

  get consumers(): BatchConsumers<ReceiveBatch> {
    return (this.#consumers ??= new BatchConsumers(() => this.#owner.onConsumersChange()))
  }

  get hasWaitingConsumer(): boolean {
    return this.#consumers?.isWaiting === true
  }

  /** The addon has filled the current batch. */
  handleBatch(): void {
    const batch = this.#pool.current
    this.#endpoints ??= new EndpointTable()
    batch.begin(this.#endpoints)
    this.#count(batch)
    const { count } = batch
    try {
      this.#owner.emitBatch(batch)
    } catch (error) {
      throwLater(error)
    }
    if (this.#owner.hasDatagramListener()) this.#emitEach(batch, count)
    if (this.hasWaitingConsumer) this.consumers.offer(batch)
    this.#pool.finish(batch)
  }

  /** Takes new memory where the user transferred the old one away. True if that is why receiving failed. */
  replaceLostMemory(): boolean {
    return this.#pool.replaceLost()
  }

  /** Empties the error queue as far as a turn's budget goes. Not while a batch is open: it uses the same memory. */
  takePeerErrors(): PeerError[] {
    const errors: PeerError[] = []
    for (let i = 0; i < MAX_ERROR_BATCHES; i++) {
      const more = readErrorQueue(this.#native, this.#pool.current)
      if (more === undefined) break
      errors.push(...more)
    }
    return errors
  }

  /** Datagrams that the kernel dropped until now. */
  readDrops(): number {
    const reading = readKernelDrops(this.#native)
    if (reading !== undefined) this.#drops.update(reading)
    return this.#drops.total
  }

  get drops(): number {
    return this.#drops.total
  }

  /** @param count Of the batch as it came: a listener may have given it back, and what is lost by that is counted. */
  #emitEach(batch: ReceiveBatch, count: number): void {
    for (let i = 0; i < count; i++) {
      if (this.#owner.closed || batch.count === 0) {
        this.#statistics.datagramsAfterClose += count - i
        return
      }
      try {
        this.#owner.emitDatagram(batch.payload(i), batch.endpoint(i), batch, i)
      } catch (error) {
        throwLater(error)
      }
    }
  }

  #count(batch: ReceiveBatch): void {
    const statistics = this.#statistics
    const header = batch.messageTable
    statistics.batchesReceived++
    statistics.datagramsReceived += batch.count
    statistics.bytesReceived += batch.bytes
    statistics.truncated += header[RECEIVE_HEADER.truncated]!
    statistics.overflowed += header[RECEIVE_HEADER.overflow]!
    if (header[RECEIVE_HEADER.hasKernelDrops] === 1) this.#drops.update(header[RECEIVE_HEADER.kernelDrops]!)
    if (batch.count > batch.messages) statistics.segmentsReceived += countSegments(batch)
  }
}

/** Datagrams of this batch that shared a message. */
function countSegments(batch: ReceiveBatch): number {
  let alone = 0
  for (let message = 0; message < batch.messages; message++) {
    const at = RECEIVE_HEADER_WORDS + message * RECEIVED_MESSAGE_WORDS
    if (batch.messageTable[at + RECEIVED_MESSAGE.segmentBytes] === 0) alone++
  }
  return batch.count - alone
}

/** A flood of ICMP errors must not hold up the loop. */
const MAX_ERROR_BATCHES = 16
