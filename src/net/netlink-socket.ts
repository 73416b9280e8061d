import { ERRNO, EVENT, INTEREST, SocketError, type Addon, type NativeSocket } from '../binding/index.js'
import {
  DATAGRAM,
  DATAGRAM_WORDS,
  OUTGOING_MESSAGE,
  OUTGOING_MESSAGE_WORDS,
  RECEIVED_MESSAGE,
  RECEIVED_MESSAGE_WORDS,
  RECEIVE_HEADER,
  RECEIVE_HEADER_WORDS,
} from '../core/index.js'
import * as k from '../socket/kernel-constants.js'
import * as n from './netlink-constants.js'
import { LITTLE_ENDIAN } from './netlink-message.js'
import { encodeNetlinkAddress } from './rtnetlink-encoder.js'

/** A datagram of the kernel's: did it come by itself, by a multicast group, or is it an answer? The bytes are lent for the call. */
export type NetlinkVisitor = (bytes: Uint8Array, isEvent: boolean) => void

/** What is to be known about a receive: how it went, and whether something was lost. */
export type ReceiveOutcome = 'received' | 'empty' | 'lost' | SocketError

/**
 * A NETLINK_ROUTE socket. It receives into memory of its own, never into the thread's slab: it is read at any time, also while
 * somebody holds views of a batch. Whatever it receives is decoded before anybody's handler runs, so all of a thread share that memory.
 */
export class NetlinkSocket {
  /** Messages that other processes sent us: only the kernel is believed. */
  foreign = 0
  readonly #native: NativeSocket
  readonly #addon: Addon
  readonly #visit: NetlinkVisitor
  readonly #onEvent = (event: number, value: number): void => this.#handleEvent(event, value)
  #memory: NetlinkMemory
  #watcher: ((outcome: ReceiveOutcome) => void) | undefined

  /** @throws {@link SocketError} of socket(2), bind(2); nothing stays open. */
  constructor(addon: Addon, groups: number, visit: NetlinkVisitor) {
    this.#addon = addon
    this.#visit = visit
    this.#memory = NetlinkMemory.of(addon)
    this.#native = new addon.Socket(n.AF_NETLINK, n.SOCK_RAW, n.NETLINK_ROUTE, this.#onEvent)
    if (this.#native.fd() < 0) throw new SocketError('socket', this.#native.fd())
    const bound = this.#native.bind(encodeNetlinkAddress(groups))
    if (bound < 0) {
      this.#native.close()
      throw new SocketError('bind', bound)
    }
    this.#useMemory()
    // Where it is refused, a dump of routes brings all tables.
    this.#native.setOption(n.SOL_NETLINK, n.NETLINK_GET_STRICT_CHK, int32(1))
  }

  /** As much as is allowed; less only means that a burst is lost earlier, and then dumped. @see socket(7) */
  setReceiveBuffer(bytes: number): void {
    const forced = this.#native.setOption(k.SOL_SOCKET, k.SO_RCVBUFFORCE, int32(bytes))
    if (forced < 0) this.#native.setOption(k.SOL_SOCKET, k.SO_RCVBUF, int32(bytes))
  }

  /** Sends a request to the kernel. Returns 0 or a negated errno. */
  request(message: Uint8Array): number {
    const record = new Uint32Array(OUTGOING_MESSAGE_WORDS)
    record[OUTGOING_MESSAGE.length] = message.length
    const sent = this.#native.send(message, record, 0, 1)
    return sent < 0 ? sent : 0
  }

  /** One batch, now. */
  receive(): ReceiveOutcome {
    const received = this.#native.receive(0)
    if (received > 0) return this.#visitBatch()
    if (received === 0 || received === -ERRNO.EAGAIN) return 'empty'
    if (received === -ERRNO.EINTR) return 'received'
    return received === -ERRNO.ENOBUFS ? 'lost' : new SocketError('recvmmsg', received)
  }

  /** Calls `watcher` after each batch that comes by itself, and for what else happens to the socket. */
  watch(watcher: (outcome: ReceiveOutcome) => void): void {
    this.#watcher = watcher
    const result = this.#native.poll(INTEREST.readable)
    if (result < 0) throw new SocketError('poll', result)
  }

  setRef(ref: boolean): void {
    this.#native.setRef(ref)
  }

  close(): void {
    this.#watcher = undefined
    this.#native.close()
  }

  #handleEvent(event: number, value: number): void {
    if (event === EVENT.batch) this.#watcher?.(this.#visitBatch())
    else if (event === EVENT.error && value === ERRNO.ENOBUFS) this.#watcher?.('lost')
    else if (event === EVENT.error && value !== 0) this.#watcher?.(new SocketError('recvmmsg', -value))
  }

  #visitBatch(): 'received' | 'lost' {
    const { slab, datagrams, messages } = this.#memory
    const count = messages[RECEIVE_HEADER.messages]!
    const truncated = messages[RECEIVE_HEADER.truncated]!
    for (let i = 0; i < count; i++) {
      const source = RECEIVE_HEADER_WORDS + i * RECEIVED_MESSAGE_WORDS + RECEIVED_MESSAGE.source
      // struct sockaddr_nl: family and padding, port (0 is the kernel), groups.
      if (messages[source + 1] !== 0) {
        this.foreign++
        continue
      }
      const at = i * DATAGRAM_WORDS
      const offset = datagrams[at + DATAGRAM.offset]!
      const isEvent = messages[source + 2] !== 0
      this.#visit(slab.subarray(offset, offset + datagrams[at + DATAGRAM.length]!), isEvent)
    }
    if (truncated === 0) return 'received'
    this.#memory = NetlinkMemory.larger(this.#addon)
    this.#useMemory()
    return 'lost'
  }

  #useMemory(): void {
    const { slab, datagrams, messages, slotBytes } = this.#memory
    this.#native.setMemory(slab, datagrams, messages)
    this.#native.setSlots(slotBytes, slotBytes, SLOTS)
  }
}

/** Where the netlink sockets of a thread receive. */
class NetlinkMemory {
  static of(addon: Addon): NetlinkMemory {
    let memory = memories.get(addon)
    if (memory === undefined) {
      memory = new NetlinkMemory(SLOT_BYTES)
      memories.set(addon, memory)
    }
    return memory
  }

  /** For a message that did not fit. */
  static larger(addon: Addon): NetlinkMemory {
    const memory = new NetlinkMemory(Math.min(NetlinkMemory.of(addon).slotBytes * 2, MAX_SLOT_BYTES))
    memories.set(addon, memory)
    return memory
  }

  readonly slab: Uint8Array
  readonly datagrams = new Uint32Array(SLOTS * DATAGRAM_WORDS)
  readonly messages = new Uint32Array(RECEIVE_HEADER_WORDS + SLOTS * RECEIVED_MESSAGE_WORDS)

  private constructor(readonly slotBytes: number) {
    this.slab = Buffer.allocUnsafeSlow(SLOTS * slotBytes)
  }
}

const memories = new WeakMap<Addon, NetlinkMemory>()

function int32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setInt32(0, value, LITTLE_ENDIAN)
  return bytes
}

const SLOTS = 8
/** The kernel fills up to 32 KiB a message of a dump, if it is received into as much (netlink_recvmsg, netlink_dump). */
const SLOT_BYTES = 32_768
/** Longer than any message: the length of an attribute is 16 bits. */
const MAX_SLOT_BYTES = 1 << 20
