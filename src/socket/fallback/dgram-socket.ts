import dgram, { type RemoteInfo, type Socket, type SocketOptions } from 'node:dgram'
import {
  AF_INET,
  AF_INET6,
  ERRNO,
  EVENT,
  INTEREST,
  decodeSockaddr,
  encodeSockaddr,
  readSockaddr,
  type LateSendFailure,
  type NativeEventHandler,
  type NativeSocket,
} from '../../binding/index.js'
import { MAX_MESSAGES_PER_CALL, OUTGOING_MESSAGE, OUTGOING_MESSAGE_WORDS, type Endpoint } from '../../core/index.js'
import * as k from '../kernel-constants.js'
import { isIcmpError } from '../peer-error.js'
import { Inbox, endpointOf, type ReceiveTables } from './inbox.js'
import { interfaceName, isBroadcast } from './interfaces.js'
import { DgramOptions, attempt } from './options.js'

/**
 * The addon's socket on a `node:dgram` one.
 *
 * Two things differ in kind. dgram's socket exists only once it is bound: options wait until then. And dgram says later whether a
 * datagram could be sent: `send` takes it, and {@link EVENT.sendFailed} takes that back.
 *
 * Binding and connecting are synchronous, as the contract has them, because dgram's are once the name needs no lookup.
 */
export class DgramSocket implements NativeSocket {
  readonly #domain: number
  readonly #onEvent: NativeEventHandler
  #tables: () => ReceiveTables
  readonly #options: DgramOptions
  readonly #inbox: Inbox
  #socket: Socket | undefined
  #peer: Endpoint | undefined
  #interest = 0
  #isRef = true
  #isClosed = false
  #dispatchScheduled = false
  #wantsWritable = false
  /** Sends that dgram has not answered yet. */
  #unanswered = 0
  readonly #failures: LateSendFailure[] = []

  constructor(domain: number, onEvent: NativeEventHandler, tables: () => ReceiveTables) {
    this.#domain = domain
    this.#onEvent = onEvent
    this.#tables = tables
    this.#options = new DgramOptions(domain)
    this.#inbox = new Inbox(domain)
  }

  fd(): number {
    if (this.#isClosed) return -ERRNO.EBADF
    return this.#domain === AF_INET6 && !hasIpv6() ? -ERRNO.EAFNOSUPPORT : NO_DESCRIPTOR
  }

  setMemory(slab: Uint8Array, datagrams: Uint32Array, messages: Uint32Array): void {
    this.#tables = () => ({ slab, datagrams, messages })
  }

  /** dgram gives its descriptor to nobody. */
  duplicate(): number {
    return -ERRNO.EOPNOTSUPP
  }

  bind(address: Uint8Array): number {
    if (this.#isClosed) return -ERRNO.EBADF
    if (this.#socket !== undefined) return -ERRNO.EINVAL
    return this.#open(decodeSockaddr(address)!)
  }

  connect(address: Uint8Array): number {
    if (this.#isClosed) return -ERRNO.EBADF
    const peer = decodeSockaddr(address)
    if (peer === undefined) return this.#disconnect()
    const result = this.#openIfNeeded()
    if (result < 0) return result
    const before = this.#peer
    if (before !== undefined) this.#socket!.disconnect()
    if (this.#connectTo(peer)) return 0
    if (before !== undefined) this.#connectTo(before)
    // dgram says why in a tick, and connect(2) has hardly other reasons.
    return isBroadcast(peer) ? -ERRNO.EACCES : -ERRNO.ENETUNREACH
  }

  #connectTo(peer: Endpoint): boolean {
    const socket = this.#socket!
    socket.connect(peer.port, addressOf(peer), ignore)
    const connected = succeeds(() => socket.remoteAddress())
    this.#peer = connected ? peer : undefined
    return connected
  }

  getName(ofPeer: boolean, out: Uint8Array): number {
    if (this.#isClosed) return -ERRNO.EBADF
    let name = endpointOf(this.#domain === AF_INET ? '0.0.0.0' : '::', 0)
    if (ofPeer) {
      if (this.#peer === undefined) return -ERRNO.ENOTCONN
      const { address, port } = this.#socket!.remoteAddress()
      name = endpointOf(address, port)
    } else if (this.#socket !== undefined) {
      const { address, port } = this.#socket.address()
      name = endpointOf(address, port)
    }
    const bytes = encodeSockaddr(name, this.#domain)!
    out.set(bytes)
    return bytes.length
  }

  setOption(level: number, name: number, value: Uint8Array): number {
    return this.#isClosed ? -ERRNO.EBADF : this.#options.set(this.#socket, level, name, value)
  }

  getOption(level: number, name: number, out: Uint8Array): number {
    return this.#isClosed ? -ERRNO.EBADF : this.#options.get(this.#socket, level, name, out)
  }

  poll(interest: number): number {
    if (this.#isClosed) return -ERRNO.EBADF
    this.#interest = interest
    this.#updateRef()
    this.#scheduleDispatch()
    return 0
  }

  setSlots(slotBytes: number, strideBytes: number, slots: number): number {
    if (slots > MAX_MESSAGES_PER_CALL || slotBytes > strideBytes) return -ERRNO.EINVAL
    Object.assign(this.#inbox, { slotBytes, strideBytes, slots })
    return 0
  }

  setTurn(): void {
    // dgram has a turn of its own, which nobody can set.
  }

  receive(flags: number): number {
    if (this.#isClosed) return -ERRNO.EBADF
    return (flags & k.MSG_ERRQUEUE) === 0 ? this.#inbox.receive(this.#tables()) : -ERRNO.EAGAIN
  }

  send(slab: Uint8Array, messages: Uint32Array, first: number, count: number): number {
    if (this.#isClosed) return -ERRNO.EBADF
    const result = this.#openIfNeeded()
    if (result < 0) return result
    for (let i = 0; i < count; i++) {
      if (this.#isFull()) {
        this.#wantsWritable = true
        return i > 0 ? i : -ERRNO.EAGAIN
      }
      const sent = this.#sendMessage(slab, messages, (first + i) * OUTGOING_MESSAGE_WORDS)
      if (sent < 0) return i > 0 ? i : sent
    }
    return count
  }

  takeLateSendFailure(): LateSendFailure | undefined {
    return this.#failures.shift()
  }

  setRef(ref: boolean): void {
    this.#isRef = ref
    this.#updateRef()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#interest = INTEREST.none
    this.#inbox.clear()
    this.#socket?.close()
    this.#socket = undefined
  }

  #openIfNeeded(): number {
    if (this.#socket !== undefined) return 0
    return this.#open(endpointOf(this.#domain === AF_INET ? '0.0.0.0' : '::', 0))
  }

  #open(local: Endpoint): number {
    const options = this.#options
    const socketOptions: SocketOptions = {
      type: this.#domain === AF_INET ? 'udp4' : 'udp6',
      ipv6Only: options.ipv6Only,
      reuseAddr: options.reuseAddress,
      ...(options.reusePort ? { reusePort: true } : {}),
      // Everything is a literal here. That it is answered at once makes dgram bind, connect and send at once.
      lookup: (address, _options, callback) => callback(null, address, this.#domain === AF_INET ? 4 : 6),
    }
    const socket = dgram.createSocket(socketOptions)
    let failed = 0
    socket.on('error', (error) => (failed = errnoOf(error)))
    // Not shared with a cluster's other workers: that would have to be asked of the primary.
    socket.bind({ port: local.port, address: addressOf(local), exclusive: true })
    if (failed === 0 && !succeeds(() => socket.address())) failed = -ERRNO.EOPNOTSUPP
    failed ||= options.applyTo(socket)
    if (failed < 0) {
      socket.close()
      return failed
    }
    socket.removeAllListeners('error')
    socket.on('error', (error) => this.#dispatch(EVENT.error, -errnoOf(error)))
    socket.on('message', (payload, from) => this.#handleMessage(payload, from))
    this.#socket = socket
    this.#updateRef()
    return 0
  }

  #disconnect(): number {
    const socket = this.#socket
    if (socket === undefined || this.#peer === undefined) return 0
    const { address, port } = socket.address()
    this.#peer = undefined
    const result = attempt(() => socket.disconnect())
    if (result < 0 || socket.address().port !== 0) return result
    // The kernel has let go of a port that it chose itself (__udp_disconnect), and dgram binds a socket once: another one takes it.
    socket.close()
    this.#socket = undefined
    return this.#open(endpointOf(address, port))
  }

  #sendMessage(slab: Uint8Array, messages: Uint32Array, at: number): number {
    const offset = messages[at + OUTGOING_MESSAGE.offset]!
    // dgram may keep it beyond this call, and the slab is written again.
    const payload = Buffer.from(slab.subarray(offset, offset + messages[at + OUTGOING_MESSAGE.length]!))
    const given = messages[at + OUTGOING_MESSAGE.destinationBytes]! > 0
    const destination = given ? readSockaddr(messages, at + OUTGOING_MESSAGE.destination) : undefined
    // dgram refuses an address on a connected socket, even that of its peer.
    if (this.#peer !== undefined && destination !== undefined && !destination.equals(this.#peer)) return -ERRNO.EISCONN
    this.#sendPayload(payload, this.#peer === undefined ? destination : undefined, 0)
    return 0
  }

  #sendPayload(payload: Buffer, destination: Endpoint | undefined, tries: number): void {
    const onSent = (error: Error | null): void => this.#handleSent(error, payload, destination, tries)
    this.#unanswered++
    if (destination === undefined) this.#socket!.send(payload, onSent)
    else this.#socket!.send(payload, destination.port, addressOf(destination), onSent)
  }

  #handleSent(error: Error | null, payload: Buffer, destination: Endpoint | undefined, tries: number): void {
    this.#unanswered--
    if (error !== null) {
      const result = errnoOf(error)
      // What an earlier datagram met fails this one, once; it is reported as what it is, and this one tried again.
      if (!this.#isClosed && this.#peer !== undefined && destination === undefined && isIcmpError(result) && tries === 0) {
        this.#sendPayload(payload, destination, tries + 1)
        if (result !== -ERRNO.EMSGSIZE && result !== -ERRNO.EACCES) this.#dispatch(EVENT.error, -result)
      } else {
        this.#failures.push({ result, lengthBytes: payload.length, destination: destination ?? this.#peer })
        // Also of a closed socket: what it could not send is told before 'close'.
        this.#onEvent.call(this, EVENT.sendFailed, 0)
      }
    }
    if (this.#isClosed || !this.#wantsWritable || this.#isFull()) return
    this.#wantsWritable = false
    if ((this.#interest & INTEREST.writable) !== 0) this.#dispatch(EVENT.writable, 0)
  }

  /** dgram queues without a bound. */
  #isFull(): boolean {
    return this.#unanswered >= MAX_UNANSWERED && (this.#socket!.getSendQueueCount?.() ?? this.#unanswered) >= MAX_QUEUED
  }

  #handleMessage(payload: Buffer, from: RemoteInfo): void {
    if (this.#isClosed) return
    this.#inbox.add(payload, from, this.#receiveBufferBytes())
    this.#scheduleDispatch()
  }

  /** As long as the kernel's own buffer: together they hold twice as much. */
  #receiveBufferBytes(): number {
    const out = new Uint8Array(4)
    this.#options.get(undefined, k.SOL_SOCKET, k.SO_RCVBUF, out)
    return new DataView(out.buffer).getInt32(0, LITTLE)
  }

  /** dgram has a callback a datagram; after all of a turn of the event loop, they are a batch. */
  #scheduleDispatch(): void {
    if (this.#dispatchScheduled || !this.#isReading || this.#inbox.isEmpty) return
    this.#dispatchScheduled = true
    const immediate = setImmediate(() => this.#dispatchBatch())
    if (!this.#isRef) immediate.unref()
  }

  #dispatchBatch(): void {
    this.#dispatchScheduled = false
    if (!this.#isReading) return
    const received = this.#inbox.receive(this.#tables())
    if (received === -ERRNO.EAGAIN) return
    try {
      if (received > 0) this.#dispatch(EVENT.batch, received)
      else this.#dispatch(EVENT.error, -received)
    } finally {
      this.#scheduleDispatch()
    }
  }

  get #isReading(): boolean {
    return (this.#interest & INTEREST.readable) !== 0
  }

  #dispatch(event: number, value: number): void {
    if (!this.#isClosed) this.#onEvent.call(this, event, value)
  }

  /** A dgram socket reads as long as it is open; only one that somebody waits for keeps the process alive. */
  #updateRef(): void {
    if (this.#isRef && this.#interest !== INTEREST.none) this.#socket?.ref()
    else this.#socket?.unref()
  }
}

/** dgram has no other way to ask whether a socket is bound, or connected, than to ask for the address. */
function succeeds(ask: () => unknown): boolean {
  try {
    ask()
    return true
  } catch {
    return false
  }
}

/** dgram wants the zone of an address by the name of its interface. */
function addressOf(endpoint: Endpoint): string {
  if (endpoint.scopeId === 0) return endpoint.address
  return endpoint.address.replace(/%.*/, `%${interfaceName(endpoint.scopeId) ?? endpoint.scopeId}`)
}

function errnoOf(error: Error): number {
  const { errno } = error as { errno?: unknown }
  return typeof errno === 'number' ? errno : -ERRNO.EIO
}

let ipv6: boolean | undefined

/** Can an IPv6 socket be bound? Tried once. */
function hasIpv6(): boolean {
  if (ipv6 === undefined) {
    const probe = dgram.createSocket({ type: 'udp6', lookup: (address, _options, callback) => callback(null, address, 6) })
    let failed = false
    probe.on('error', () => (failed = true))
    probe.bind({ port: 0, address: '::', exclusive: true })
    ipv6 = !failed
    probe.close()
  }
  return ipv6
}

function ignore(): void {
  // The same is seen at once by asking for the peer.
}

const LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1
/** There is one, but Node does not tell it. */
const NO_DESCRIPTOR = 0
/** Sends that dgram holds because the kernel had no room; and how many may be unanswered before it is asked. */
const MAX_QUEUED = 64
const MAX_UNANSWERED = 1024
