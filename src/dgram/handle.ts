import { AsyncResource } from 'node:async_hooks'
import {
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  ERRNO,
  EVENT,
  INTEREST,
  encodeSockaddr,
  type Addon,
  type NativeSocket,
} from '../binding/index.js'
import { Endpoint, parseAddress } from '../core/index.js'
import * as k from '../socket/kernel-constants.js'
import { prepareReceiving } from '../socket/receiver.js'
import { resolveOptions } from '../socket/socket-options.js'
import { emptyCounters, type Counters } from '../socket/statistics.js'
import { Delivery, type Recipient } from './delivery.js'
import * as options from './handle-options.js'
import { membership, sourceMembership, type OptionRequest } from './membership.js'
import {
  UV_UDP_IPV6ONLY,
  UV_UDP_REUSEADDR,
  internals,
  type BufferSizeContext,
  type LookupCallback,
  type MessageCallback,
  type SendRequest,
  type SocketState,
  type UdpHandle,
} from './node-internals.js'
import { MAX_PARTS, bytesOf } from './parts.js'
import { Sending, type Sender } from './sending.js'
import { destinationOf } from './zone.js'

/** `dns.lookup`, or what the program gave for it. */
export type Lookup = (name: string, family: number, callback: LookupCallback) => void

/** Without `bind`, which means another thing here. */
const Resource = AsyncResource as unknown as new (
  type: string,
) => Pick<AsyncResource, 'asyncId' | 'emitDestroy' | 'runInAsyncScope'>

/**
 * What lib/dgram.js drives instead of its own `UDP` handle: the same contract, in batches.
 *
 * Like libuv's, it has no descriptor before it is bound, connected or sends; until then options fail with EBADF.
 *
 * It is an async resource: messages come in the context in which the program made the socket.
 */
export class BatchingHandle extends Resource implements UdpHandle, Recipient, Sender {
  onmessage: MessageCallback | undefined
  readonly #addon: Addon
  readonly #family: number
  /** Node's own handle, to go back to until this one is bound. */
  #node: UdpHandle | undefined
  readonly #lookup: Lookup
  #native: NativeSocket | undefined
  /** Of the descriptor. It is another than the socket's where that joined a group of the other family before it was bound (libuv). */
  #openFamily: number
  #delivery: Delivery | undefined
  #sending: Sending | undefined
  #counters: Counters | undefined
  #bound = false
  #closed = false
  #receiving = false
  #ref = true
  #remote: Endpoint | undefined

  constructor(addon: Addon, family: number, node: UdpHandle, lookup: Lookup) {
    super('UDPWRAP')
    this.#addon = addon
    this.#family = family
    this.#openFamily = family
    this.#node = node
    this.#lookup = lookup
  }

  get isBound(): boolean {
    return this.#bound && !this.#closed
  }

  get fd(): number {
    return this.#native?.fd() ?? -ERRNO.EBADF
  }

  /** Names go to Node's lookup; literals go nowhere, whatever lookup the program has given. */
  lookup(address: string | undefined, callback: LookupCallback): void {
    const literal = address || (this.#family === AF_INET ? '127.0.0.1' : '::1')
    const isName = typeof literal !== 'string' || parseAddress(literal) === undefined
    const lookup = this.#lookup // called without a this, as Node does
    if (isName) lookup(literal, this.#family === AF_INET ? 4 : 6, callback)
    else process.nextTick(callback, null, literal)
  }

  bind(address: string, port: number, flags: number): number {
    const endpoint = this.#endpointOf(address, port)
    if (endpoint === undefined) return -ERRNO.EINVAL
    if ((flags & UV_UDP_IPV6ONLY) !== 0 && this.#family !== AF_INET6) return -ERRNO.EINVAL
    const opened = this.#open(this.#family)
    return opened < 0 ? opened : this.#bind(endpoint, flags)
  }

  #bind(endpoint: Endpoint, flags: number): number {
    const set = options.setBindFlags(this.#native, flags)
    if (set < 0) return set
    const result = this.#native!.bind(encodeSockaddr(endpoint, endpoint.family === 'IPv4' ? AF_INET : AF_INET6)!)
    // As uv__udp_bind: what the descriptor's family cannot be bound to is not an address for it.
    if (result < 0) return result === -ERRNO.EAFNOSUPPORT ? -ERRNO.EINVAL : result
    this.#bound = true
    this.#dropNode()
    return result
  }

  /** From where there is no way back: its memory is not needed. */
  #dropNode(): void {
    this.#node?.close()
    this.#node = undefined
  }

  connect(address: string, port: number): number {
    const endpoint = this.#endpointOf(address, port)
    if (endpoint === undefined) return -ERRNO.EINVAL
    const opened = this.#bindImplicitly(this.#family, 0)
    if (opened < 0) return opened
    if (this.#remote !== undefined) return -ERRNO.EISCONN
    const result = this.#native!.connect(encodeSockaddr(endpoint, this.#family)!)
    if (result >= 0) this.#remote = endpoint
    return result
  }

  disconnect(): number {
    if (this.#native === undefined) return -ERRNO.EBADF
    if (this.#remote === undefined) return -ERRNO.ENOTCONN
    this.#sending?.settleFor(this.#remote)
    const result = this.#native.connect(new Uint8Array(Uint16Array.of(AF_UNSPEC, 0, 0, 0, 0, 0, 0, 0).buffer))
    if (result >= 0) this.#remote = undefined
    return result
  }

  /** lib/dgram.js's way: at once, behind what is queued. Returns the bytes sent plus one, 0 when they have to wait, or an error. */
  send(request: SendRequest, list: Uint8Array[], count: number, ...rest: unknown[]): number {
    const connected = typeof rest[0] !== 'number'
    const endpoint = connected ? undefined : this.#endpointOf(String(rest[1]), rest[0] as number)
    if (!connected && endpoint === undefined) return -ERRNO.EINVAL
    if (!connected && this.#remote !== undefined) return -ERRNO.EISCONN
    const opened = this.#bindImplicitly(this.#family, 0)
    if (opened < 0) return opened
    if (count > MAX_PARTS) return -ERRNO.EMSGSIZE
    const payload = bytesOf(list, count)
    const pending = this.sending.sendNow(payload, endpoint)
    if (pending.result !== undefined) return pending.result < 0 ? pending.result : payload.byteLength + 1
    this.sending.whenSettled(pending, () => request.oncomplete?.(pending.result!, payload.byteLength))
    return 0
  }

  recvStart(): number {
    if (this.#native === undefined) return -ERRNO.EBADF
    this.#receiving = true
    return this.#watch()
  }

  recvStop(): number {
    this.#receiving = false
    return this.#watch()
  }

  getsockname(out: object): number {
    return options.readName(this.#native, this.#addon, false, out)
  }

  getpeername(out: object): number {
    return options.readName(this.#native, this.#addon, true, out)
  }

  setBroadcast(on: number): number {
    return options.setInteger(this.#native, k.SOL_SOCKET, k.SO_BROADCAST, on)
  }

  setTTL(ttl: number): number {
    return options.setTtl(this.#native, this.#openFamily, ttl)
  }

  setMulticastTTL(ttl: number): number {
    return options.setMulticastTtl(this.#native, this.#openFamily, ttl)
  }

  setMulticastLoopback(on: number): number {
    return options.setMulticastLoopback(this.#native, this.#openFamily, on)
  }

  setMulticastInterface(address: string): number {
    return options.setMulticastInterface(this.#native, this.#addon, address)
  }

  addMembership(group: string, interfaceAddress?: string): number {
    return this.#changeMembership(membership(this.#addon, 'join', group, interfaceAddress))
  }

  dropMembership(group: string, interfaceAddress?: string): number {
    return this.#changeMembership(membership(this.#addon, 'leave', group, interfaceAddress))
  }

  addSourceSpecificMembership(source: string, group: string, interfaceAddress?: string): number {
    return this.#changeMembership(sourceMembership(this.#addon, 'join', source, group, interfaceAddress))
  }

  dropSourceSpecificMembership(source: string, group: string, interfaceAddress?: string): number {
    return this.#changeMembership(sourceMembership(this.#addon, 'leave', source, group, interfaceAddress))
  }

  bufferSize(size: number, isReceive: boolean, context: BufferSizeContext): number | undefined {
    return options.bufferSize(this.#native, size, isReceive, context)
  }

  getSendQueueSize(): number {
    return this.#sending?.waitingBytes ?? 0
  }

  getSendQueueCount(): number {
    return this.#sending?.waitingDatagrams ?? 0
  }

  ref(): void {
    this.#ref = true
    this.#native?.setRef(true)
  }

  unref(): void {
    this.#ref = false
    this.#native?.setRef(false)
  }

  hasRef(): boolean {
    return this.#ref && !this.#closed
  }

  getAsyncId(): number {
    return this.asyncId()
  }

  /**
   * A descriptor of its own for this socket, for somebody who knows nothing of coalesced messages: from here on the kernel hands over
   * datagrams. Or a negated errno.
   */
  duplicateDescriptor(): number {
    if (this.#native === undefined) return -ERRNO.EBADF
    options.setInteger(this.#native, k.IPPROTO_UDP, k.UDP_GRO, 0)
    this.#deliveryNow().takeWaiting(this.#native)
    return this.#native.duplicate()
  }

  /** Gives Node's handle back, and up. */
  takeNodeHandle(): UdpHandle {
    const node = this.#node!
    this.#node = undefined
    this.#closed = true
    this.#native?.close()
    this.emitDestroy()
    if (!this.#ref) node.unref()
    return node
  }

  /** A descriptor from outside is for Node's own handle, which takes this one's place. */
  open(fd: number): number {
    const node = this.takeNodeHandle()
    const socket = (this as unknown as Record<symbol, Record<symbol, SocketState>>)[internals!.owner]!
    socket[internals!.state]!.handle = node
    return node.open(fd)
  }

  close(callback?: () => void): void {
    if (this.#closed) return
    this.#closed = true
    this.#sending?.end()
    this.#native?.close()
    this.#dropNode()
    this.emitDestroy()
    if (callback) process.nextTick(callback)
  }

  #open(family: number): number {
    if (this.#native !== undefined) return 0
    this.#openFamily = family
    const native = new this.#addon.Socket(family, k.SOCK_DGRAM, 0, onNativeEvent)
    if (native.fd() < 0) return native.fd()
    this.#native = native
    ;(native as OwnedSocket).owner = this
    prepareReceiving(this.#addon, native, DEFAULTS)
    if (!this.#ref) native.setRef(false)
    return 0
  }

  // What delivery and sending ask and tell.

  get closed(): boolean {
    return this.#closed
  }

  get isReceiving(): boolean {
    return this.#receiving
  }

  get isDelivering(): boolean {
    return this.#delivery?.isDelivering === true
  }

  /** The sending half, of a socket that has a descriptor. */
  get sending(): Sending {
    this.#counters ??= emptyCounters()
    return (this.#sending ??= new Sending(this.#addon, this.#native!, this.#family, this.#openFamily, this.#counters, this))
  }

  message(payload: Buffer, from: object): void {
    this.runInAsyncScope(this.#call, this, payload.length, payload, from)
  }

  #call(result: number, payload: Buffer | undefined, from: object | undefined): void {
    this.onmessage?.(result, this, payload, from)
  }

  onDelivered(): void {
    if (this.#sending?.isFlushScheduled === true) this.#sending.flush()
  }

  onInterrupted(): void {
    this.#watch()
  }

  onBlocked(): void {
    this.#watch()
  }

  remoteEndpoint(): Endpoint | undefined {
    return this.#remote
  }

  /** As uv__udp_maybe_deferred_bind. */
  #bindImplicitly(family: number, flags: number): number {
    if (this.#native !== undefined) return 0
    const opened = this.#open(family)
    return opened < 0 ? opened : this.#bind(family === AF_INET ? ANY_IPV4 : ANY_IPV6, flags)
  }

  #watch(): number {
    if (this.#native === undefined || this.#closed) return 0
    return this.#native.poll(
      (this.#receiving && this.#delivery?.isInterrupted !== true ? INTEREST.readable : 0) |
        (this.#sending?.isBlocked === true ? INTEREST.writable : 0),
    )
  }

  /** @internal */
  handleEvent(event: number, value: number): void {
    if (this.#closed) return
    if (event === EVENT.writable) {
      this.#sending!.writable()
      this.#watch()
      return
    }
    const delivery = this.#deliveryNow()
    if (event === EVENT.batch) delivery.handleBatch()
    else if (!delivery.replaceLostMemory() && value !== 0) {
      this.runInAsyncScope(this.#call, this, -value, undefined, undefined)
    }
  }

  #deliveryNow(): Delivery {
    this.#counters ??= emptyCounters()
    return (this.#delivery ??= new Delivery(this.#addon, this.#native!, this.#counters, this))
  }

  #changeMembership(request: OptionRequest | undefined): number {
    if (request === undefined) return -ERRNO.EINVAL
    const opened = this.#bindImplicitly(request.family, UV_UDP_REUSEADDR)
    return opened < 0 ? opened : options.setBytes(this.#native, request)
  }

  #endpointOf(address: string, port: number): Endpoint | undefined {
    return destinationOf(this.#addon, this.#family, address, port)
  }
}

/** One handler for all sockets: an idle one has no closure of its own. */
interface OwnedSocket extends NativeSocket {
  owner?: BatchingHandle
}

function onNativeEvent(this: OwnedSocket, event: number, value: number): void {
  this.owner!.handleEvent(event, value)
}

const DEFAULTS = resolveOptions({})
const ANY_IPV4 = Endpoint.of('0.0.0.0', 0)
const ANY_IPV6 = Endpoint.of('::', 0)
