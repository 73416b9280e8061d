/**
 * The typed contract of the addon, as `native/` keeps it. Results are numbers: >= 0, or a negated errno.
 */

import {
  ADDRESS_WORDS,
  DATAGRAM_WORDS,
  MAX_MESSAGES_PER_CALL,
  OUTGOING_MESSAGE_WORDS,
  RECEIVED_MESSAGE_WORDS,
  RECEIVE_HEADER_WORDS,
  type Endpoint,
} from '../core/index.js'

export interface NativeSocket {
  /** The descriptor, or the negated errno of a failed socket(2); EBADF after `close`. */
  fd(): number
  bind(address: Uint8Array): number
  connect(address: Uint8Array): number
  /** Writes the local (or the peer's) sockaddr and returns its length. */
  getName(ofPeer: boolean, out: Uint8Array): number
  setOption(level: number, name: number, value: Uint8Array): number
  /** Writes the value and returns its length. */
  getOption(level: number, name: number, out: Uint8Array): number
  /** Watches the descriptor: a mask of {@link INTEREST}. While it is not 0 the socket is kept from collection. */
  poll(interest: number): number
  /** How a batch divides the slab: `slots` of `slotBytes`, `strideBytes` apart. */
  setSlots(slotBytes: number, strideBytes: number, slots: number): number
  /** Where this socket receives from now on, instead of where the thread does; as {@link Addon.setReceiveTables}. */
  setMemory(slab: Uint8Array, datagrams: Uint32Array, messages: Uint32Array): void
  /**
   * After a batch, looks for the next one for up to `spinNs` before it goes back to the event loop, and does so for up to `turnNs` in
   * all. A socket that looks in vain does it more and more rarely. 0 (the default): one batch a turn.
   */
  setTurn(spinNs: number, turnNs: number): void
  /** Receives a batch now, with flags for recvmmsg(2); the tables then describe it. */
  receive(flags: number): number
  /** Sends messages `first` to `first + count - 1` of the table and returns how many the kernel took. */
  send(slab: Uint8Array, messages: Uint32Array, first: number, count: number): number
  /** A descriptor of its own for the same socket; the caller closes it. */
  duplicate(): number
  /** Of a stand-in that learns later what became of a datagram: what {@link EVENT.sendFailed} announced, one at a time. */
  takeLateSendFailure?(): LateSendFailure | undefined
  setRef(ref: boolean): void
  close(): void
}

/** A datagram that `send` took, and that could not be sent after all. */
export interface LateSendFailure {
  /** The negated errno. */
  readonly result: number
  readonly lengthBytes: number
  readonly destination: Endpoint | undefined
}

/**
 * Called on its socket with one of {@link EVENT} and its value: the number of messages that the tables describe, nothing, or an errno
 * (0 when the kernel only said "look at the error queue").
 */
export type NativeEventHandler = (this: NativeSocket, event: number, value: number) => void

export interface NativeInterfaceEntry {
  name: string
  index: number
  flags: number
  /** Raw sockaddrs, or null. */
  address: Uint8Array | null
  netmask: Uint8Array | null
  broadcast: Uint8Array | null
}

export interface NativeLayout {
  datagramWords: number
  receiveHeaderWords: number
  receivedMessageWords: number
  outgoingMessageWords: number
  addressBytes: number
  maxMessagesPerCall: number
  pointerBytes: number
  groupRequestAddressOffset: number
  groupSourceRequestSourceOffset: number
  groupSourceRequestBytes: number
}

/**
 * For each of the first `count` pairs (i, j): block i of `into` becomes itself XOR block j of `from`, blocks of `blockBytes` bytes one
 * behind the other. The last block of either may be short: what is missing of `from` counts as zero, what is missing of `into` is left
 * out. Pairs with one i, one after the other, are done together.
 *
 * @throws RangeError, before anything is written, when a block begins outside its memory.
 */
export type XorBlocks = (into: Uint8Array, from: Uint8Array, blockBytes: number, pairs: Uint32Array, count: number) => void

/**
 * For each of the first `count` pairs (i, m): block i of `into` becomes itself XOR the blocks of `from` that row m of `masks` covers. A row
 * is `wordsPerRow` words; its bit `first + j` (bit 0 the lowest of the first word) is for block j. Bits without a block are left out, and so
 * are those that are not set in `among`, where it is given. `into` and `from` are different memory; short blocks are as in {@link XorBlocks}.
 *
 * @throws RangeError, before anything is written, when a block or a row is outside its memory.
 */
export type XorMasked = (
  into: Uint8Array,
  from: Uint8Array,
  blockBytes: number,
  masks: Uint32Array,
  wordsPerRow: number,
  pairs: Uint32Array,
  count: number,
  first: number,
  among: Uint32Array | undefined,
) => void

export interface Addon {
  /** Set where it is no addon but stands in for one, on Node's own dgram. */
  readonly backend?: 'dgram'
  readonly Socket: new (domain: number, type: number, protocol: number, onEvent: NativeEventHandler) => NativeSocket
  /** Where every socket of this thread receives that has no memory of its own. The addon looks the memory up at each use and survives its detaching. */
  setReceiveTables(slab: Uint8Array, datagrams: Uint32Array, messages: Uint32Array): void
  /** getifaddrs(3), or a negated errno. */
  interfaces(): NativeInterfaceEntry[] | number
  /** Not of a stand-in. */
  readonly xorBlocks?: XorBlocks
  readonly xorMasked?: XorMasked
  readonly layout: NativeLayout
}

/** The records of batches, as this side reads and writes them. */
export const RECORD_LAYOUT = {
  datagramWords: DATAGRAM_WORDS,
  receiveHeaderWords: RECEIVE_HEADER_WORDS,
  receivedMessageWords: RECEIVED_MESSAGE_WORDS,
  outgoingMessageWords: OUTGOING_MESSAGE_WORDS,
  addressBytes: ADDRESS_WORDS * 4,
  maxMessagesPerCall: MAX_MESSAGES_PER_CALL,
} as const

/** The events of {@link NativeEventHandler}; `native/socket.h` has the same numbers, but for `sendFailed`, which only stand-ins have. */
export const EVENT = { batch: 1, writable: 2, error: 3, sendFailed: 4 } as const

/** What {@link NativeSocket.poll} watches (uv_poll's mask). Errors come with the others too. */
export const INTEREST = { none: 0, readable: 1, writable: 2, errors: 4 } as const
