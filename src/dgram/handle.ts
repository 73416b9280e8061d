import { AsyncResource } from 'node:async_hooks'
import { getSystemErrorMap } from 'node:util'
import {
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  ERRNO,
  EVENT,
  INTEREST,
  SOCKADDR_IN6_BYTES,
  decodeSockaddr,
  encodeSockaddr,
  type Addon,
  type NativeSocket,
} from '../binding/index.js'
import { Endpoint, parseAddress, type ReceiveBatch } from '../core/index.js'
import { KernelOptions } from '../socket/kernel-options.js'
import * as k from '../socket/kernel-constants.js'
import { Receiver, type ReceiverOwner } from '../socket/receiver.js'
import { SendQueue, type SendQueueOwner } from '../socket/send-queue.js'
import { resolveOptions } from '../socket/socket-options.js'
import { emptyCounters, type Counters } from '../socket/statistics.js'
import { destination } from './destinations.js'
import { membership, sourceMembership } from './membership.js'
import { copyMessage } from './message-memory.js'
import {
  UV_UDP_IPV6ONLY,
  UV_UDP_REUSEADDR,
  UV_UDP_REUSEPORT,
  internals,
  runTicks,
  type BufferSizeContext,
  type LookupCallback,
  type MessageCallback,
  type SendRequest,
  type SocketState,
  type UdpHandle,
} from './node-internals.js'
import { zonedAddress, zonedText } from './zone.js'

/** A datagram on its way, and what became of it. */
export class PendingSend {
  /** The negated errno, or 0; undefined until the kernel has decided. */
  result: number | undefined
  /** Called when the result is there, by who could not wait for it. */
  onResult: (() => void) | undefined
}

/**
 * What lib/dgram.js drives instead of its own `UDP` handle: the same contract, in batches.
 *
 * Like libuv's, it has no descriptor before it is bound, connected or sends; until then options fail with EBADF.
 */
export class BatchingHandle implements UdpHandle, ReceiverOwner, SendQueueOwner {
  onmessage: MessageCallback | undefined
  readonly #addon: Addon
  readonly #family: number
  /** Node's own handle: for its lookup, and to go back to until this one is bound. */
  readonly #node: UdpHandle
  readonly #asyncId: number
  #native: NativeSocket | undefined
  /** Of the descriptor. It is another than the socket's where that joined a group of the other family before it was bound (libuv). */
  #openFamily: number
  #options!: KernelOptions
  #receiver!: Receiver
  /** Made by the first send: a socket that only listens needs none. */
  #queue: SendQueue | undefined
  #counters!: Counters
  #bound = false
  #closed = false
  #receiving = false
  #ref = true
  #remote: Endpoint | undefined
  #pending: PendingSend[] = []
  #settledCount = 0
  /** Sends of this tick: payload, endpoint and pending send of each, in turn. */
  #deferred: (Uint8Array | string | Endpoint | PendingSend)[] = []
  #lastAddress: string | undefined
  #lastPort = 0
  #lastEndpoint: Endpoint | undefined
  #flushScheduled = false
  #owes = false
  #delivering = false
  /** Its context is that of the program where it made the socket: messages come in it. */
  readonly #resource = new AsyncResource('UDPWRAP')
  /** A batch whose delivery an exception interrupted. */
  #interrupted: { batch: ReceiveBatch; next: number } | undefined
  readonly #onEvent = (event: number, value: number): void => this.#handleEvent(event, value)

  constructor(addon: Addon, family: number, node: UdpHandle) {
    this.#addon = addon
    this.#family = family
    this.#openFamily = family
    this.#node = node
    this.#asyncId = node.getAsyncId()
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
    if (typeof literal !== 'string' || parseAddress(literal) === undefined) this.#node.lookup(address, callback)
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
    if ((flags & UV_UDP_REUSEADDR) !== 0) {
      const result = this.#set(k.SOL_SOCKET, k.SO_REUSEADDR, 1)
      if (result < 0) return result
    }
    if ((flags & UV_UDP_REUSEPORT) !== 0) {
      const result = this.#set(k.SOL_SOCKET, k.SO_REUSEPORT, 1)
      if (result < 0) return result
    }
    if ((flags & UV_UDP_IPV6ONLY) !== 0) {
      const result = this.#set(k.IPPROTO_IPV6, k.IPV6_V6ONLY, 1)
      if (result < 0) return result
    }
    const result = this.#native!.bind(encodeSockaddr(endpoint, endpoint.family === 'IPv4' ? AF_INET : AF_INET6)!)
    // As uv__udp_bind: what the descriptor's family cannot be bound to is not an address for it.
    if (result < 0) return result === -ERRNO.EAFNOSUPPORT ? -ERRNO.EINVAL : result
    this.#bound = true
    this.#node.close() // from here on there is no way back, and its memory is not needed
    return result
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
    this.#queue?.flush()
    this.#queue?.addressTo(this.#remote)
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
    const pending = new PendingSend()
    this.enqueue(payload, endpoint, pending)
    // Not flush(): what was sent after this, to literals, waits for a tick that comes after this one.
    flushOwing()
    this.#queue?.flush()
    if (pending.result !== undefined) return pending.result < 0 ? pending.result : payload.byteLength + 1
    this.whenSettled(pending, () => request.oncomplete?.(pending.result!, payload.byteLength))
    return 0
  }

  /** Calls `done`, in the async context of now, when the kernel has taken or refused the datagram. */
  whenSettled(pending: PendingSend, done: () => void): void {
    const resource = new AsyncResource('UDPSENDWRAP')
    pending.onResult = () => resource.runInAsyncScope(done)
  }

  /** The endpoint of a literal destination of this socket's family, undefined for anything else. No address means this host. */
  destination(address: string | undefined, port: number): Endpoint | undefined {
    // Most programs send to one destination, or a few in turn.
    if (port === this.#lastPort && address === this.#lastAddress) return this.#lastEndpoint
    const endpoint = destination(address ?? (this.#family === AF_INET ? '127.0.0.1' : '::1'), port)
    if (endpoint === undefined || (endpoint.family === 'IPv4') !== (this.#family === AF_INET)) return undefined
    this.#lastPort = port
    this.#lastAddress = address
    this.#lastEndpoint = endpoint
    return endpoint
  }

  /**
   * Takes a datagram for the end of the tick; what becomes of it is in `pending` then. Returns its bytes.
   *
   * Node reads a payload when its lookup is done, in the next tick, and so do we: a change until then is sent. To a connected peer
   * it sends within the call: we, the first of a tick, so that an error that an earlier datagram met fails the send that it fails
   * with Node; the others are copied.
   */
  queue(payload: Uint8Array | string, endpoint: Endpoint | undefined, pending: PendingSend): number {
    if (endpoint !== undefined) {
      this.#deferred.push(payload, endpoint, pending)
      return typeof payload === 'string' ? Buffer.byteLength(payload) : payload.byteLength
    }
    const isFirst = !this.#flushScheduled
    if (isFirst) flushOwing()
    this.#queueDeferred()
    const bytes = this.enqueue(payload, undefined, pending)
    if (isFirst) this.#queue?.flush()
    else this.#owe()
    this.scheduleFlush()
    return bytes
  }

  /** Queues a copy of `payload` now. */
  enqueue(payload: Uint8Array | string, endpoint: Endpoint | undefined, pending: PendingSend): number {
    const bytes = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.byteLength
    const batch = bytes > MAX_PAYLOAD_BYTES ? undefined : this.#sendQueue().makeRoom(bytes)
    if (batch === undefined) {
      pending.result = -ERRNO.EMSGSIZE
      return bytes
    }
    if (typeof payload === 'string') batch.slab.write(payload, batch.usedBytes)
    else batch.slab.set(payload, batch.usedBytes)
    batch.append(bytes, endpoint, undefined)
    this.#pending.push(pending)
    return bytes
  }

  flush(): void {
    this.#flushScheduled = false
    flushOwing()
    if (this.#closed) return
    this.#queueDeferred()
    this.#queue?.flush()
  }

  /** What Node would have sent within the call leaves before anything that is sent later, whatever socket sends it. */
  #owe(): void {
    if (this.#owes) return
    this.#owes = true
    owing.push(this)
  }

  payDebt(): void {
    this.#owes = false
    if (!this.#closed) this.#queue?.flush()
  }

  /** Sends nobody waits for leave with the tick; those of a batch that is being delivered, with the batch. */
  scheduleFlush(): void {
    if (this.#flushScheduled) return
    this.#flushScheduled = true
    if (!this.#delivering) process.nextTick(flushLater, this)
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
    return this.#name(false, out)
  }

  getpeername(out: object): number {
    return this.#name(true, out)
  }

  setBroadcast(on: number): number {
    return this.#set(k.SOL_SOCKET, k.SO_BROADCAST, on)
  }

  setTTL(ttl: number): number {
    if ((ttl | 0) < 1 || (ttl | 0) > 255) return -ERRNO.EINVAL
    return this.#set(...this.#leveled([k.IPPROTO_IP, k.IP_TTL], [k.IPPROTO_IPV6, k.IPV6_UNICAST_HOPS]), ttl)
  }

  setMulticastTTL(ttl: number): number {
    if ((ttl | 0) < 0 || (ttl | 0) > 255) return -ERRNO.EINVAL
    return this.#set(...this.#leveled([k.IPPROTO_IP, k.IP_MULTICAST_TTL], [k.IPPROTO_IPV6, k.IPV6_MULTICAST_HOPS]), ttl)
  }

  setMulticastLoopback(on: number): number {
    return this.#set(...this.#leveled([k.IPPROTO_IP, k.IP_MULTICAST_LOOP], [k.IPPROTO_IPV6, k.IPV6_MULTICAST_LOOP]), on)
  }

  setMulticastInterface(address: string): number {
    const endpoint = zonedAddress(this.#addon, address)
    if (endpoint === undefined) return -ERRNO.EINVAL
    if (endpoint.family === 'IPv4') {
      const word = encodeSockaddr(endpoint, AF_INET)!.subarray(4, 8)
      return this.#setBytes(k.IPPROTO_IP, k.IP_MULTICAST_IF, word)
    }
    return this.#set(k.IPPROTO_IPV6, k.IPV6_MULTICAST_IF, endpoint.scopeId)
  }

  addMembership(group: string, interfaceAddress?: string): number {
    return this.#changeMembership('join', group, interfaceAddress)
  }

  dropMembership(group: string, interfaceAddress?: string): number {
    return this.#changeMembership('leave', group, interfaceAddress)
  }

  addSourceSpecificMembership(source: string, group: string, interfaceAddress?: string): number {
    return this.#changeSourceMembership('join', source, group, interfaceAddress)
  }

  dropSourceSpecificMembership(source: string, group: string, interfaceAddress?: string): number {
    return this.#changeSourceMembership('leave', source, group, interfaceAddress)
  }

  bufferSize(size: number, isReceive: boolean, context: BufferSizeContext): number | undefined {
    const option = isReceive ? k.SO_RCVBUF : k.SO_SNDBUF
    const out = Buffer.alloc(4)
    const result =
      size > 0x7fff_ffff
        ? -ERRNO.EINVAL
        : this.#native === undefined
          ? -ERRNO.EBADF
          : size === 0
            ? this.#native.getOption(k.SOL_SOCKET, option, out)
            : this.#set(k.SOL_SOCKET, option, size)
    if (result >= 0) return size === 0 ? new Int32Array(Uint8Array.from(out).buffer)[0]! : size
    const [code, message] = getSystemErrorMap().get(result) ?? ['UNKNOWN', 'unknown error']
    Object.assign(context, { errno: result, code, message, syscall: isReceive ? 'uv_recv_buffer_size' : 'uv_send_buffer_size' })
    return undefined
  }

  /** As libuv counts: what the kernel would not take yet. */
  getSendQueueSize(): number {
    return this.#queue?.isBlocked ? this.#queue.queuedBytes : 0
  }

  getSendQueueCount(): number {
    return this.#queue?.isBlocked ? this.#queue.queuedDatagrams : 0
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
    return this.#asyncId
  }

  /** Gives Node's handle back, and up. */
  takeNodeHandle(): UdpHandle {
    this.#closed = true
    this.#native?.close()
    if (!this.#ref) this.#node.unref()
    return this.#node
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
    if (this.#native !== undefined) {
      // A send of a connected socket would have left inside the call; others wait for their lookup, and are lost with the handle.
      if (this.#remote !== undefined) this.#queue?.flush()
      this.#queue?.discard()
      this.#native.close()
    }
    for (const pending of this.#pending.slice(this.#settledCount)) {
      if (pending.onResult === undefined) continue
      pending.result = -ERRNO.ECANCELED
      process.nextTick(pending.onResult)
    }
    this.#pending = []
    if (!this.#bound) this.#node.close()
    if (callback) process.nextTick(callback)
  }

  #open(family: number): number {
    if (this.#native !== undefined) return 0
    this.#openFamily = family
    const native = new this.#addon.Socket(family, k.SOCK_DGRAM, 0, this.#onEvent)
    if (native.fd() < 0) return native.fd()
    this.#native = native
    this.#options = new KernelOptions(this.#addon, native, family === AF_INET6 ? DUAL_STACK : IPV4_ONLY, ignore)
    this.#counters = emptyCounters()
    this.#receiver = new Receiver(this.#addon, native, DEFAULTS, this.#options, this.#counters, this, ignore)
    if (!this.#ref) native.setRef(false)
    return 0
  }

  #sendQueue(): SendQueue {
    if (this.#queue === undefined) {
      const offload = this.#options.trySetInteger(k.IPPROTO_UDP, k.UDP_SEGMENT, 0)
      // Node's queue has no bound, and a drop-in cannot refuse what it takes.
      const options = { maxBytes: UNBOUNDED, maxDatagrams: UNBOUNDED, offload, family: this.#openFamily }
      this.#queue = new SendQueue(this.#addon, this.#native!, options, this.#counters, this)
    }
    return this.#queue
  }

  // What the receiver asks and tells.

  get closed(): boolean {
    return this.#closed
  }

  emitBatch(batch: ReceiveBatch): void {
    this.#resource.runInAsyncScope(() => this.#deliver(batch, 0))
  }

  hasDatagramListener(): boolean {
    return false
  }

  emitDatagram(): void {
    // Messages are delivered by emitBatch.
  }

  // What the send queue asks and tells.

  onBlocked(): void {
    this.#watch()
  }

  onDrain(): void {
    // Node tells nobody.
  }

  onSendError(): void {
    // Every send hears of itself: see onSettled.
  }

  /** As with Node, an error of an earlier datagram fails the next send of a connected socket. */
  mayBePending(): boolean {
    return false
  }

  onPendingError(): void {
    // There is none.
  }

  remoteEndpoint(): Endpoint | undefined {
    return this.#remote
  }

  onSettled(datagrams: number, result: number): void {
    const end = this.#settledCount + datagrams
    for (let i = this.#settledCount; i < end; i++) {
      const pending = this.#pending[i]!
      pending.result = result
      if (pending.onResult !== undefined) process.nextTick(pending.onResult)
    }
    this.#settledCount = end
    if (end === this.#pending.length) {
      this.#pending.length = 0
      this.#settledCount = 0
    } else if (end > MAX_SETTLED_KEPT) {
      this.#pending = this.#pending.slice(end)
      this.#settledCount = 0
    }
  }

  #queueDeferred(): void {
    if (this.#deferred.length === 0) return
    const deferred = this.#deferred
    this.#deferred = []
    for (let i = 0; i < deferred.length; i += 3) {
      this.enqueue(deferred[i] as Uint8Array | string, deferred[i + 1] as Endpoint, deferred[i + 2] as PendingSend)
    }
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
      (this.#receiving && this.#interrupted === undefined ? INTEREST.readable : 0) |
        (this.#queue?.isBlocked ? INTEREST.writable : 0),
    )
  }

  #handleEvent(event: number, value: number): void {
    if (this.#closed) return
    if (event === EVENT.batch) this.#receiver.handleBatch()
    else if (event === EVENT.writable) {
      this.#queue!.writable()
      this.#watch()
    } else if (!this.#receiver.replaceLostMemory() && value !== 0) {
      this.#resource.runInAsyncScope(() => this.onmessage?.(-value, this, undefined, undefined))
    }
  }

  /** Each message as Node delivers it: by itself, with what its listener scheduled run before the next one. */
  #deliver(batch: ReceiveBatch, first: number): void {
    let next = first
    this.#delivering = true
    try {
      while (next < batch.count && !this.#closed && this.#receiving) {
        const endpoint = batch.endpoint(next)
        const message = copyMessage(batch.payload(next))
        const address = endpoint.scopeId === 0 ? endpoint.address : zonedText(this.#addon, endpoint)
        next++
        this.onmessage?.(message.length, this, message, { address, family: endpoint.family, port: endpoint.port, size: 0 })
        runTicks()
      }
      next = batch.count
    } finally {
      this.#delivering = false
      if (this.#flushScheduled) this.flush()
      // An exception goes up to be an uncaught one; the messages behind it wait until that is dealt with.
      if (next < batch.count && !this.#closed) this.#interrupt(batch, next)
    }
  }

  #interrupt(batch: ReceiveBatch, next: number): void {
    if (!batch.isRetained) batch.retain()
    this.#interrupted = { batch, next }
    this.#watch()
    setImmediate(() => this.#resume())
  }

  #resume(): void {
    const { batch, next } = this.#interrupted!
    this.#interrupted = undefined
    try {
      this.#resource.runInAsyncScope(() => this.#deliver(batch, next))
    } finally {
      if (this.#interrupted === undefined) {
        batch.release()
        this.#watch()
      }
    }
  }

  #name(ofPeer: boolean, out: object): number {
    if (this.#native === undefined) return -ERRNO.EBADF
    const bytes = new Uint8Array(SOCKADDR_IN6_BYTES)
    const length = this.#native.getName(ofPeer, bytes)
    if (length < 0) return length
    const endpoint = decodeSockaddr(bytes)!
    Object.assign(out, { address: zonedText(this.#addon, endpoint), family: endpoint.family, port: endpoint.port })
    return 0
  }

  #changeMembership(action: 'join' | 'leave', group: string, interfaceAddress: string | undefined): number {
    const request = membership(this.#addon, action, group, interfaceAddress)
    if (request === undefined) return -ERRNO.EINVAL
    const opened = this.#bindImplicitly(request.family, UV_UDP_REUSEADDR)
    return opened < 0 ? opened : this.#setBytes(request.level, request.name, request.value)
  }

  #changeSourceMembership(action: 'join' | 'leave', source: string, group: string, interfaceAddress: string | undefined): number {
    const request = sourceMembership(this.#addon, action, source, group, interfaceAddress)
    if (request === undefined) return -ERRNO.EINVAL
    const opened = this.#bindImplicitly(request.family, UV_UDP_REUSEADDR)
    return opened < 0 ? opened : this.#setBytes(request.level, request.name, request.value)
  }

  #endpointOf(address: string, port: number): Endpoint | undefined {
    const endpoint = zonedAddress(this.#addon, address)
    if (endpoint === undefined || (endpoint.family === 'IPv4') !== (this.#family === AF_INET)) return undefined
    // As v8::Value::Uint32Value and htons: what is no number throws, what is too large is cut.
    return endpoint.withPort((+port >>> 0) & 0xffff)
  }

  #leveled(ipv4: [number, number], ipv6: [number, number]): [number, number] {
    return this.#openFamily === AF_INET ? ipv4 : ipv6
  }

  #set(level: number, name: number, value: number): number {
    return this.#setBytes(level, name, new Uint8Array(Int32Array.of(value).buffer))
  }

  #setBytes(level: number, name: number, value: Uint8Array): number {
    return this.#native === undefined ? -ERRNO.EBADF : this.#native.setOption(level, name, value)
  }
}

/** One payload of what lib/dgram.js hands over: views of any kind. */
function bytesOf(list: readonly ArrayBufferView[], count: number): Uint8Array {
  const views = list.slice(0, count).map((view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength))
  return count === 1 ? views[0]! : Buffer.concat(views)
}

/** Connected sockets that have queued in this tick what Node would have sent, in order. */
const owing: BatchingHandle[] = []

function flushOwing(): void {
  if (owing.length === 0) return
  for (const handle of owing.splice(0)) handle.payDebt()
}

function flushLater(handle: BatchingHandle): void {
  handle.flush()
}

function ignore(): void {
  // A drop-in warns of nothing, and nobody iterates.
}

const DEFAULTS = resolveOptions({})
const ANY_IPV4 = Endpoint.of('0.0.0.0', 0)
const ANY_IPV6 = Endpoint.of('::', 0)
const DUAL_STACK = { ipv4: true, ipv6: true }
const IPV4_ONLY = { ipv4: true, ipv6: false }
const UNBOUNDED = Number.MAX_SAFE_INTEGER
const MAX_PAYLOAD_BYTES = 65_527
/** UIO_MAXIOV: sendmsg(2) takes no more parts. */
export const MAX_PARTS = 1024
/** Entries of the list of pending sends that may be done before it is cut. */
const MAX_SETTLED_KEPT = 4096
