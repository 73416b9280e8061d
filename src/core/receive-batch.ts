import {
  DATAGRAM,
  DATAGRAM_WORDS,
  FLAG,
  RECEIVED_MESSAGE,
  RECEIVED_MESSAGE_WORDS,
  RECEIVE_HEADER,
  RECEIVE_HEADER_WORDS,
} from './batch-layout.js'
import type { Endpoint } from './endpoint.js'
import { outOfRange } from './errors.js'
import { HeldBatch } from './held-batch.js'

/** Turns the address words of a record into endpoints, one object a peer. Each source of batches brings its own. */
export interface EndpointInterner {
  /** The endpoint of the `ADDRESS_WORDS` words at `offset`. */
  endpointAt(words: Uint32Array, offset: number): Endpoint
  /** The address that a datagram was sent to, from a message record at `offset`; undefined when it was not asked for. */
  localAddressAt(words: Uint32Array, offset: number): Endpoint | undefined
}

/** Who lends a batch its memory and gets it back. */
export interface BatchOwner {
  retain(batch: ReceiveBatch): void
  release(batch: ReceiveBatch): void
}

/**
 * Datagrams that arrived together, in the order in which they came.
 *
 * Everything here is a view over one slab of memory that is used again for the next batch: a batch, and every payload taken from
 * it, lives **until the handler returns** (for async iteration: until the next step). Who needs bytes longer takes
 * {@link copy}, or {@link retain}s the whole batch.
 *
 * No method but {@link copy} and {@link receiveTimeNs} allocates in a steady state: payload views are kept with the slab and
 * used again when a datagram of the same size comes to the same place.
 */
export class ReceiveBatch extends HeldBatch {
  /** The memory that all payloads lie in. */
  readonly slab: Buffer
  /** Datagrams in this batch; every `i` below runs from 0 to `count - 1`. */
  count = 0
  /** Payload bytes in this batch. */
  bytes = 0

  /** @internal */ readonly datagramTable: Uint32Array
  /** @internal */ readonly messageTable: Uint32Array
  readonly #views: Buffer[] = []
  readonly #owner: BatchOwner
  #interner: EndpointInterner | undefined
  #messages = 0
  #endpoints: Endpoint[] = []
  #endpointOf: Int32Array // per message, the batch number for which #endpoints holds its endpoint
  #batchNumber = 0
  /** Is its memory out of its owner's hands? */
  #isTaken = false

  /** @internal */
  constructor(slab: Buffer, datagramTable: Uint32Array, messageTable: Uint32Array, owner: BatchOwner) {
    super()
    this.slab = slab
    this.datagramTable = datagramTable
    this.messageTable = messageTable
    this.#owner = owner
    this.#endpointOf = new Int32Array((messageTable.length - RECEIVE_HEADER_WORDS) / RECEIVED_MESSAGE_WORDS)
  }

  /** The bytes of datagram `i`, without copying. The view belongs to the batch. */
  payload(i: number): Buffer {
    const at = this.#at(i)
    const offset = this.datagramTable[at + DATAGRAM.offset]!
    const length = this.datagramTable[at + DATAGRAM.length]!
    const known = this.#views[i]
    if (known !== undefined && known.length === length && known.byteOffset === this.slab.byteOffset + offset) return known
    const view = this.slab.subarray(offset, offset + length)
    this.#views[i] = view
    return view
  }

  /** The bytes of datagram `i` in memory of their own. */
  copy(i: number): Buffer {
    return Buffer.from(this.payload(i))
  }

  /** Where datagram `i` starts in {@link slab}, in bytes. */
  offset(i: number): number {
    return this.datagramTable[this.#at(i) + DATAGRAM.offset]!
  }

  /** Payload bytes of datagram `i` that are here: less than {@link wireLength} when it was truncated. */
  length(i: number): number {
    return this.datagramTable[this.#at(i) + DATAGRAM.length]!
  }

  /** Payload bytes that datagram `i` had on the wire. */
  wireLength(i: number): number {
    return this.datagramTable[this.#at(i) + DATAGRAM.wireLength]!
  }

  /** Was datagram `i` longer than the socket's `maxDatagramBytes`? */
  truncated(i: number): boolean {
    return this.length(i) < this.wireLength(i)
  }

  /** Who sent datagram `i`. */
  endpoint(i: number): Endpoint {
    const message = this.#messageOf(i)
    const known = this.#endpoints[message]
    if (known !== undefined && this.#endpointOf[message] === this.#batchNumber) return known
    const endpoint = this.#interner!.endpointAt(this.messageTable, this.#record(message) + RECEIVED_MESSAGE.source)
    this.#endpoints[message] = endpoint
    this.#endpointOf[message] = this.#batchNumber
    return endpoint
  }

  /** The address that datagram `i` was sent to: ours, or a group's. Undefined without `receivePacketInfo`. */
  destination(i: number): string | undefined {
    return this.#interner!.localAddressAt(this.messageTable, this.#recordOf(i))?.address
  }

  /** Index of the interface that datagram `i` came in by; 0 without `receivePacketInfo`. */
  interfaceIndex(i: number): number {
    return this.messageTable[this.#recordOf(i) + RECEIVED_MESSAGE.interfaceIndex]!
  }

  /** Time to live, or hop limit, that was left in datagram `i`; -1 without `receiveTtl`. */
  ttl(i: number): number {
    return this.#ancillary(i, FLAG.ttl, RECEIVED_MESSAGE.ttl)
  }

  /** The TOS or traffic class byte of datagram `i` (RFC 2474); -1 without `receiveTos`. */
  tos(i: number): number {
    return this.#ancillary(i, FLAG.tos, RECEIVED_MESSAGE.tos)
  }

  /** The ECN codepoint of datagram `i`, 0 to 3 (RFC 3168); -1 without `receiveTos`. */
  ecn(i: number): number {
    const tos = this.tos(i)
    return tos < 0 ? -1 : tos & ECN_MASK
  }

  /**
   * When the kernel received datagram `i`, in nanoseconds since the Unix epoch; undefined without `receiveTimestamp`. A bigint
   * is garbage: the hot path takes {@link receiveSeconds} and {@link receiveNanoseconds}.
   */
  receiveTimeNs(i: number): bigint | undefined {
    const seconds = this.receiveSeconds(i)
    return seconds < 0 ? undefined : BigInt(seconds) * 1_000_000_000n + BigInt(this.receiveNanoseconds(i))
  }

  /** Whole seconds of the kernel receive time; -1 without `receiveTimestamp`. */
  receiveSeconds(i: number): number {
    return this.#ancillary(i, FLAG.time, RECEIVED_MESSAGE.seconds)
  }

  /** Nanoseconds within {@link receiveSeconds}; -1 without `receiveTimestamp`. */
  receiveNanoseconds(i: number): number {
    return this.#ancillary(i, FLAG.time, RECEIVED_MESSAGE.nanoseconds)
  }

  /** Opens the batch that the tables now describe. @internal */
  begin(interner: EndpointInterner): void {
    this.#interner = interner
    this.count = this.messageTable[RECEIVE_HEADER.datagrams]!
    this.bytes = this.messageTable[RECEIVE_HEADER.payloadBytes]!
    this.#messages = this.messageTable[RECEIVE_HEADER.messages]!
    this.#batchNumber = (this.#batchNumber + 1) | 0
    this.lend()
    this.#isTaken = false
  }

  /** Kernel messages in this batch: fewer than datagrams where the kernel coalesced. @internal */
  get messages(): number {
    return this.#messages
  }

  /** The message record of datagram `i`, as an index into {@link messageTable}. @internal */
  recordOf(i: number): number {
    return this.#recordOf(i)
  }

  /** The memory leaves its owner with the batch. */
  protected override taken(): void {
    if (this.#isTaken) return
    this.#isTaken = true
    this.#owner.retain(this)
  }

  protected override end(): void {
    this.count = 0
    this.bytes = 0
    if (!this.#isTaken) return
    this.#isTaken = false
    this.#owner.release(this)
  }

  #ancillary(i: number, flag: number, field: number): number {
    const record = this.#recordOf(i)
    return (this.messageTable[record + RECEIVED_MESSAGE.flags]! & flag) === 0 ? -1 : this.messageTable[record + field]!
  }

  #messageOf(i: number): number {
    return this.datagramTable[this.#at(i) + DATAGRAM.message]!
  }

  #recordOf(i: number): number {
    return this.#record(this.#messageOf(i))
  }

  #record(message: number): number {
    return RECEIVE_HEADER_WORDS + message * RECEIVED_MESSAGE_WORDS
  }

  #at(i: number): number {
    if (!(i >>> 0 === i && i < this.count)) throw outOfRange('i', `>= 0 && < ${this.count} (the batch's count)`, i)
    return i * DATAGRAM_WORDS
  }
}

const ECN_MASK = 0b11
