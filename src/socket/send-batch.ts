import { writeSockaddr } from '../binding/index.js'
import { MAX_MESSAGES_PER_CALL, OUTGOING_MESSAGE, OUTGOING_MESSAGE_WORDS, type Endpoint } from '../core/index.js'
import type { SendControl } from './send-control.js'

/** What a batch needs to know to address and coalesce. */
export interface SendBatchPolicy {
  /** AF_INET or AF_INET6. */
  readonly family: number
  /** The longest segment to coalesce on the way to `endpoint`; 0 for none. */
  longestSegment(endpoint: Endpoint | undefined): number
}

/**
 * A slab of payloads waiting to be sent, and the table of messages over it. It is filled from the front and, once all of it is sent,
 * filled again.
 *
 * Neighbours with the same destination, ancillary data and size, written one behind the other, become one message that the kernel
 * cuts (UDP_SEGMENT); the last of them may be shorter. Everything else is a message of its own.
 */
export class SendBatch {
  readonly slab: Buffer
  readonly table = new Uint32Array(MAX_MESSAGES * OUTGOING_MESSAGE_WORDS)
  /** Messages in the table, and how many of them are sent. */
  messages = 0
  sent = 0
  /** Where the next payload goes, and how many were written since the slab was empty. */
  usedBytes = 0
  datagrams = 0
  /** The first unsent message was refused as a whole: send its datagrams one by one. */
  splitNext = false
  readonly #policy: SendBatchPolicy
  readonly #capacityBytes: number
  #limitBytes: number
  #limitDatagrams = 0

  // The last message, while datagrams may still join it. Its size and count are written to the table by seal().
  #endpoint: Endpoint | undefined
  #controlled = false
  #segmentBytes = 0
  #segments = 0
  #joinsLeft = 0

  // Views that were handed out, by the number of the datagram in the slab, with their places.
  readonly #views: Buffer[] = []
  readonly #viewOffsets: number[] = []
  readonly #viewLengths: number[] = []

  constructor(slabBytes: number, policy: SendBatchPolicy) {
    this.slab = Buffer.allocUnsafeSlow(slabBytes)
    this.#capacityBytes = slabBytes
    this.#limitBytes = slabBytes
    this.#policy = policy
  }

  /** Sets how much more may be written, apart from the slab's own limits. */
  allow(bytes: number, datagrams: number): void {
    this.#limitBytes = Math.min(this.#capacityBytes, this.usedBytes + bytes)
    this.#limitDatagrams = this.datagrams + datagrams
  }

  hasRoom(lengthBytes: number): boolean {
    return (
      this.usedBytes + lengthBytes <= this.#limitBytes &&
      this.messages < MAX_MESSAGES &&
      this.datagrams < this.#limitDatagrams &&
      !this.isLost
    )
  }

  /** How many datagrams of this length have room. */
  roomFor(lengthBytes: number): number {
    const byBytes = lengthBytes === 0 ? Infinity : Math.floor((this.#limitBytes - this.usedBytes) / lengthBytes)
    return Math.min(byBytes, this.#limitDatagrams - this.datagrams, MAX_MESSAGES - this.messages)
  }

  get unsent(): number {
    return this.messages - this.sent
  }

  /** The place of the next datagram, as a view that is kept with the slab and reused for the same place and size. */
  nextView(lengthBytes: number): Buffer {
    const i = this.datagrams
    if (this.#viewOffsets[i] === this.usedBytes && this.#viewLengths[i] === lengthBytes) return this.#views[i]!
    const view = this.slab.subarray(this.usedBytes, this.usedBytes + lengthBytes)
    this.#views[i] = view
    this.#viewOffsets[i] = this.usedBytes
    this.#viewLengths[i] = lengthBytes
    return view
  }

  /** Queues the `lengthBytes` that were written at {@link usedBytes}. */
  append(lengthBytes: number, endpoint: Endpoint | undefined, control: SendControl | undefined): void {
    if (
      this.#joinsLeft > 0 &&
      endpoint === this.#endpoint &&
      lengthBytes === this.#segmentBytes &&
      control === undefined &&
      !this.#controlled
    ) {
      this.#segments++
      if (--this.#joinsLeft === 0) this.#completeMessage(lengthBytes)
    } else if (!this.#join(lengthBytes, endpoint, control)) {
      this.#begin(lengthBytes, endpoint, control)
    }
    this.usedBytes += lengthBytes
    this.datagrams++
  }

  /** Completes the table. Nothing joins the last message any more. */
  seal(): void {
    this.#joinsLeft = 0
    if (this.#segments === 0) return
    const at = (this.messages - 1) * OUTGOING_MESSAGE_WORDS
    this.table[at + OUTGOING_MESSAGE.length] = this.usedBytes - this.table[at + OUTGOING_MESSAGE.offset]!
    this.table[at + OUTGOING_MESSAGE.datagrams] = this.#segments
    if (this.#segments > 1) this.table[at + OUTGOING_MESSAGE.segmentBytes] = this.#segmentBytes
    this.#segments = 0
  }

  /** Gives every unsent message that has no destination of its own this one. */
  addressTo(endpoint: Endpoint): void {
    this.seal()
    for (let message = this.sent; message < this.messages; message++) {
      const at = message * OUTGOING_MESSAGE_WORDS
      if (this.table[at + OUTGOING_MESSAGE.destinationBytes] !== 0) continue
      this.table[at + OUTGOING_MESSAGE.destinationBytes] = writeSockaddr(
        this.table,
        at + OUTGOING_MESSAGE.destination,
        endpoint,
        this.#policy.family,
      )
    }
  }

  /** Was its memory transferred away (postMessage, structuredClone)? */
  get isLost(): boolean {
    return this.slab.length === 0
  }

  /** Empties the batch. With `keepPlace` it goes on behind what was used: there lies a datagram that is reserved. */
  reset(keepPlace: boolean): void {
    this.messages = 0
    this.sent = 0
    this.splitNext = false
    this.#limitBytes = 0
    this.#limitDatagrams = 0
    this.#joinsLeft = 0
    this.#segments = 0
    if (keepPlace) return
    this.usedBytes = 0
    this.datagrams = 0
  }

  field(message: number, field: number): number {
    return this.table[message * OUTGOING_MESSAGE_WORDS + field]!
  }

  /** Index of the table word where message `i` begins. */
  static at(message: number): number {
    return message * OUTGOING_MESSAGE_WORDS
  }

  /** The rarer ways to join: a shorter last segment, or the same ancillary data. */
  #join(lengthBytes: number, endpoint: Endpoint | undefined, control: SendControl | undefined): boolean {
    if (this.#joinsLeft === 0 || endpoint !== this.#endpoint || lengthBytes > this.#segmentBytes || lengthBytes === 0)
      return false
    const at = (this.messages - 1) * OUTGOING_MESSAGE_WORDS
    const sameControl = control === undefined ? !this.#controlled : this.#controlled && control.equalsAt(this.table, at)
    if (!sameControl) return false
    this.#segments++
    this.#joinsLeft = lengthBytes === this.#segmentBytes ? this.#joinsLeft - 1 : 0
    if (this.#joinsLeft === 0) this.#completeMessage(lengthBytes)
    return true
  }

  /** Behind a coalesced message, the rest of the slab may only hold a runt, which costs the kernel as much as a full one. */
  #completeMessage(lastBytes: number): void {
    const used = this.usedBytes + lastBytes
    if (used + MAX_COALESCED_BYTES > this.#capacityBytes) this.#limitBytes = used
  }

  #begin(lengthBytes: number, endpoint: Endpoint | undefined, control: SendControl | undefined): void {
    this.seal()
    const { table } = this
    const at = this.messages * OUTGOING_MESSAGE_WORDS
    table[at + OUTGOING_MESSAGE.offset] = this.usedBytes
    table[at + OUTGOING_MESSAGE.segmentBytes] = 0
    table[at + OUTGOING_MESSAGE.destinationBytes] =
      endpoint === undefined ? 0 : writeSockaddr(table, at + OUTGOING_MESSAGE.destination, endpoint, this.#policy.family)
    if (control === undefined) table[at + OUTGOING_MESSAGE.flags] = 0
    else control.writeTo(table, at)
    this.messages++

    this.#endpoint = endpoint
    this.#controlled = control !== undefined
    this.#segmentBytes = lengthBytes
    this.#segments = 1
    this.#joinsLeft = this.#joinsFor(lengthBytes, endpoint)
  }

  /** How many datagrams of this size may follow the first one in its message. */
  #joinsFor(lengthBytes: number, endpoint: Endpoint | undefined): number {
    if (lengthBytes === 0 || lengthBytes > MAX_COALESCED_BYTES / 2) return 0
    if (lengthBytes > this.#policy.longestSegment(endpoint)) return 0
    return Math.min(MAX_SEGMENTS_SENT, Math.floor(MAX_COALESCED_BYTES / lengthBytes)) - 1
  }
}

/** Makes the message at `toAt` of one table a copy of that at `fromAt` of another, addressing and ancillary data included. */
export function copyMessage(from: Uint32Array, fromAt: number, to: Uint32Array, toAt: number): void {
  for (let i = 0; i < OUTGOING_MESSAGE_WORDS; i++) to[toAt + i] = from[fromAt + i]!
}

/** One system call takes this many; half the addon's limit keeps a flush short when nothing coalesces. */
const MAX_MESSAGES = MAX_MESSAGES_PER_CALL / 2
/** `UDP_MAX_SEGMENTS` of every kernel that segments (128 since 6.9), and what a receiver's UDP_GRO buffer holds. */
const MAX_SEGMENTS_SENT = 64
/**
 * The longest coalesced message. It must leave room for all its headers below a device's `gso_max_size` (65 536, ip-link(8)): 14 for
 * Ethernet, 40 for IPv6, 8 for UDP, and some for VLAN tags. A longer one is segmented in software, at a twelfth of the rate.
 */
const MAX_COALESCED_BYTES = 65_460
