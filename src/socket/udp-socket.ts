import { AsyncResource } from 'node:async_hooks'
import { EventEmitter } from 'node:events'
import {
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  EVENT,
  INTEREST,
  SOCKADDR_IN6_BYTES,
  SocketError,
  decodeSockaddr,
  encodeSockaddr,
  type Addon,
  type NativeSocket,
} from '../binding/index.js'
import {
  Endpoint,
  checkInteger,
  checkLocalPort,
  checkOptions,
  checkPeerPort,
  checkString,
  closedError,
  featureUnavailable,
  invalidArgType,
  invalidArgValue,
  invalidState,
  outOfRange,
  payloadBytes,
  ReceiveBatch,
  throwingLater,
  writePayload,
  type EndpointLike,
  type Link,
  type Payload,
  closeAndWait,
  followListeners,
} from '../core/index.js'
import { literalEndpoint, lookUp } from './endpoint-input.js'
import { selectBackend } from './fallback/backend.js'
import { changeMembership, type GroupOptions } from './groups.js'
import * as k from './kernel-constants.js'
import { KernelOptions, trySetInteger, type SocketFamilies } from './kernel-options.js'
import { KERNEL_OPTION_NAMES, type KernelOptionName, type KernelOptionValues } from './option-table.js'
import { PeerError, isIcmpError } from './peer-error.js'
import { Receiver, prepareReceiving } from './receiver.js'
import { SendControl, type SendOptions } from './send-control.js'
import { MAX_PAYLOAD_BYTES_IPV4 } from './send-batch.js'
import { SendQueue } from './send-queue.js'
import { SocketInsides, type PrivateParts } from './socket-insides.js'
import { resolveOptions, type ResolvedOptions, type UdpSocketOptions } from './socket-options.js'
import { emptyCounters, type Counters, type SocketStatistics } from './statistics.js'

/** The events of a {@link UdpSocket}, with their arguments. */
export interface UdpSocketEvents {
  /** Datagrams have arrived. The batch lives until the handler returns. */
  batch: [batch: ReceiveBatch]
  /** One datagram has arrived; also datagram `i` of `batch`. The payload is a view that lives until the handler returns. */
  datagram: [payload: Buffer, endpoint: Endpoint, batch: ReceiveBatch, i: number]
  /** After `bind`. */
  listening: []
  /** After `connect`. */
  connect: []
  /** There is room in the send queue again: after `send` or `reserve` refused, or `flush` returned false. */
  drain: []
  /** The kernel refused a datagram. Others of the same flush are not concerned. At most {@link MAX_REPORTED_ERRORS} a tick. */
  sendError: [error: SocketError, endpoint: Endpoint | undefined]
  /** The network could not deliver an earlier datagram (ICMP). */
  peerError: [error: PeerError]
  /** The kernel gave less than was asked; the message has the command that would help. Without a listener: a process warning. */
  warning: [message: string]
  /** The socket can no longer receive; it is closed by itself. */
  error: [error: Error]
  close: []
}

/** Where to bind. */
export interface BindOptions {
  /** Default 0: the kernel chooses one. */
  port?: number
  /** A literal, or a name if there is a `lookup`. Default: all addresses (`0.0.0.0` or `::`). */
  address?: string
}

/**
 * A UDP socket that sends and receives in batches.
 *
 * The constructor opens the descriptor. Receiving starts with the first 'batch' or 'datagram' listener, or the first step of an async
 * iteration; before that, and while nobody listens, datagrams wait in the kernel's buffer. A socket keeps the process alive while it
 * receives (see {@link unref}) or while datagrams wait for room in the kernel.
 *
 * Failures: misuse throws at once (`ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_VALUE`, `ERR_CLOSED`, …); a failed
 * system call throws or rejects with a {@link SocketError}; what the network does is an event and a counter in {@link stats}.
 */
export class UdpSocket extends EventEmitter<UdpSocketEvents> implements Link {
  readonly #addon: Addon
  readonly #options: ResolvedOptions
  readonly #native: NativeSocket
  readonly #family: number
  readonly #families: SocketFamilies
  readonly #sendOffload: boolean
  readonly #receiveOffload: boolean
  // Made when they are needed: a socket that waits for its first datagram has none of them.
  #kernelOptionsMade: KernelOptions | undefined
  #statisticsMade: Counters | undefined
  #queueMade: SendQueue | undefined
  #receiverMade: Receiver | undefined
  #controlMade: SendControl | undefined
  /** Events come in the async context in which the program made the socket. */
  readonly #resource = new AsyncResource('GEYSIRSOCKET')
  #remote: Endpoint | undefined
  #bound: Endpoint | undefined
  #closed = false
  #closeEmitted = false
  #stopFollowing: (() => void) | undefined
  #paused = false
  #receiveErrors = false
  #dispatching = false
  #flushScheduled = false
  #checkedEndpoint: Endpoint | undefined
  #sendErrors: [SocketError, Endpoint | undefined][] | undefined
  #rejectPending: Set<(error: Error) => void> | undefined

  /**
   * @param options See {@link UdpSocketOptions}.
   * @throws Misuse; {@link SocketError} of socket(2) or setsockopt(2). Nothing stays open.
   */
  constructor(options: UdpSocketOptions = {}, addon: Addon = selectBackend()) {
    const resolved = resolveOptions(options)
    super()
    this.#addon = addon
    this.#options = resolved
    this.#family = resolved.type === 'udp4' ? AF_INET : AF_INET6
    this.#families = familiesOf(resolved)
    this.#native = new addon.Socket(this.#family, k.SOCK_DGRAM, 0, (event, value) => {
      this.#resource.runInAsyncScope(this.#handleEvent, this, event, value)
    })
    if (this.#native.fd() < 0) throw new SocketError('socket', this.#native.fd())
    try {
      this.#setUp(options)
      this.#sendOffload = this.#prepareSending()
      this.#receiveOffload = prepareReceiving(addon, this.#native, resolved)
    } catch (error) {
      this.#native.close()
      throw error
    }
    this.#followSignal(resolved.signal)
  }

  /**
   * Binds to a local address and port.
   *
   * @returns The local endpoint, with the port that the kernel chose.
   * @throws {@link SocketError}: `EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES`, …; the error of `lookup`.
   * @see bind(2)
   */
  bind(options: BindOptions = {}): Promise<Endpoint> {
    this.#checkOpen()
    checkOptions('options', options, BIND_OPTIONS)
    const port = checkLocalPort('options.port', options.port ?? 0)
    const address = checkString('options.address', options.address ?? (this.#family === AF_INET ? '0.0.0.0' : '::'))
    return this.#withEndpoint(address, port, 'options.address', (endpoint) => this.bindNow(endpoint))
  }

  /** What {@link bind} does once there is nothing to look up. @internal */
  bindNow(endpoint: Endpoint): Endpoint {
    this.#checkOpen()
    const result = this.#native.bind(this.#encode('options.address', endpoint))
    if (result < 0) throw new SocketError('bind', result, endpoint.address, endpoint.port)
    this.#emitLater('listening')
    return this.address()
  }

  /**
   * Sets the peer: datagrams go there by default and come from there only, and ICMP errors are reported.
   *
   * @see connect(2), udp(7)
   */
  connect(peer: EndpointLike): Promise<Endpoint> {
    this.#checkOpen()
    if (typeof peer !== 'object' || (peer as unknown) === null) {
      throw invalidArgType('peer', 'an object with address and port', peer)
    }
    const port = checkPeerPort('peer.port', peer.port)
    const address = checkString('peer.address', peer.address)
    return this.#withEndpoint(address, port, 'peer.address', (endpoint) => {
      this.#settleQueue()
      if (this.#remote === undefined) this.#bound = this.#boundTo()
      const result = this.#native.connect(this.#encode('peer.address', endpoint))
      if (result < 0) throw new SocketError('connect', result, endpoint.address, endpoint.port)
      this.#setRemote(this.#nameOf(true))
      this.#emitLater('connect')
      return this.remoteAddress()
    })
  }

  /** Undoes {@link connect}; a bound socket stays bound. @throws `ERR_SOCKET_DGRAM_NOT_CONNECTED`; {@link SocketError}. */
  disconnect(): void {
    this.remoteAddress()
    this.#settleQueue()
    const result = this.#native.connect(new Uint8Array(Uint16Array.of(AF_UNSPEC, 0, 0, 0, 0, 0, 0, 0).buffer))
    if (result < 0) throw new SocketError('connect', result)
    this.#setRemote(undefined)
    this.#bindAgain()
  }

  /** The local endpoint; port 0 before {@link bind} and the first send. @see getsockname(2) */
  address(): Endpoint {
    this.#checkOpen()
    return this.#nameOf(false)
  }

  /** The peer of a connected socket. @throws `ERR_SOCKET_DGRAM_NOT_CONNECTED`. */
  remoteAddress(): Endpoint {
    this.#checkOpen()
    if (this.#remote === undefined) throw notConnected()
    return this.#remote
  }

  /** Resolves a name with the socket's `lookup`; a literal never touches it. */
  resolve(address: string, port: number): Promise<Endpoint> {
    this.#checkOpen()
    checkString('address', address)
    checkPeerPort('port', port)
    return this.#withEndpoint(address, port, 'address', (endpoint) => endpoint)
  }

  /**
   * Queues a copy of `payload`. It leaves at the end of this tick, when the slab is full, or by {@link flush}.
   *
   * Consecutive datagrams of one size to one endpoint coalesce.
   *
   * @param payload At most 65 507 bytes over IPv4, 65 527 over IPv6. A string is sent as UTF-8.
   * @param endpoint Where to; may be left out on a connected socket.
   * @returns False when the queue is full: **the datagram was not queued**; 'drain' follows.
   * @throws Misuse: among it an address family that this socket cannot reach, and `ERR_SOCKET_DGRAM_NOT_CONNECTED`.
   */
  send(payload: Payload, endpoint?: Endpoint | EndpointLike, options?: SendOptions): boolean {
    const target = this.#target(endpoint)
    const control = options === undefined ? undefined : this.#controlFor(options, target)
    return this.#enqueue(payload, target, control)
  }

  /**
   * Reserves room for a datagram in the send slab, to be written in place and queued by {@link commit}. One at a time.
   *
   * @returns A view of `lengthBytes` bytes, with undefined contents, that is ours again after `commit`; undefined when the queue is
   *   full: 'drain' follows.
   */
  reserve(lengthBytes: number, endpoint?: Endpoint | EndpointLike, options?: SendOptions): Buffer | undefined {
    const target = this.#target(endpoint)
    if (!(lengthBytes >= 0 && lengthBytes <= MAX_PAYLOAD_BYTES_IPV4 && Number.isInteger(lengthBytes))) {
      this.#checkLength('lengthBytes', lengthBytes, target)
    }
    const control = options === undefined ? undefined : this.#controlFor(options, target)
    const batch = this.#queue.makeRoom(lengthBytes)
    return batch && this.#queue.reserve(batch, lengthBytes, 1, target, control)
  }

  /**
   * Queues the reserved datagram.
   *
   * @param lengthBytes How much of it was written. Default: all.
   * @throws `ERR_INVALID_STATE` when nothing is reserved.
   */
  commit(lengthBytes?: number): void {
    if (this.#closed) throw closedError('socket')
    if (lengthBytes !== undefined) checkInteger('lengthBytes', lengthBytes, 0, MAX_PAYLOAD_BYTES_IPV6)
    this.#queue.commit(lengthBytes)
    if (!this.#flushScheduled) this.#scheduleFlush()
  }

  /**
   * Reserves room for up to `count` datagrams of `lengthBytes` each, one behind the other, to be queued together by
   * {@link commitRun}: the way with the least work a datagram.
   *
   * @returns A view whose length is a multiple of `lengthBytes`: as many datagrams as have room now, at least one; undefined when the
   *   queue is full: 'drain' follows.
   */
  reserveRun(lengthBytes: number, count: number, endpoint?: Endpoint | EndpointLike, options?: SendOptions): Buffer | undefined {
    const target = this.#target(endpoint)
    this.#checkLength('lengthBytes', lengthBytes, target)
    if (lengthBytes === 0) throw outOfRange('lengthBytes', '>= 1', lengthBytes)
    checkInteger('count', count, 1, MAX_RUN)
    const control = options === undefined ? undefined : this.#controlFor(options, target)
    const batch = this.#queue.makeRoom(lengthBytes)
    return batch && this.#queue.reserve(batch, lengthBytes, count, target, control)
  }

  /**
   * Queues the first `count` datagrams of the reserved run. Default: all.
   *
   * @throws `ERR_INVALID_STATE` when nothing is reserved.
   */
  commitRun(count?: number): void {
    if (this.#closed) throw closedError('socket')
    if (count !== undefined) checkInteger('count', count, 0, MAX_RUN)
    this.#queue.commitRun(count)
    this.#scheduleFlush()
  }

  /**
   * Answers datagram `i` of a batch: to its sender, from the address and by the interface that it came to.
   *
   * @throws `ERR_INVALID_STATE` without the option `receivePacketInfo`.
   */
  reply(batch: ReceiveBatch, i: number, payload: Payload): boolean {
    this.#checkOpen()
    if (!(batch instanceof ReceiveBatch)) throw invalidArgType('batch', 'an instance of ReceiveBatch', batch)
    const target = batch.endpoint(i)
    if (batch.interfaceIndex(i) === 0) throw invalidState('reply needs the option receivePacketInfo')
    this.#queue.checkNothingReserved()
    this.#control.setReplyTo(batch, i, target.isIpv4)
    return this.#enqueue(payload, target, this.#control)
  }

  /** Hands what is queued to the kernel now. False when some of it has to wait: 'drain' follows. */
  flush(): boolean {
    this.#checkOpen()
    return this.#queue.flush()
  }

  /**
   * Joins a multicast group on one interface.
   *
   * @throws Misuse; {@link SocketError}: `ENODEV`, `EADDRINUSE`, `ENOBUFS` beyond net.ipv4.igmp_max_memberships.
   * @see ip(7), RFC 3678
   */
  joinGroup(group: string, options: GroupOptions = {}): void {
    this.#checkOpen()
    changeMembership(this.#addon, this.#native, 'join', group, options, this.#families)
  }

  /** Leaves what {@link joinGroup} with the same arguments joined. */
  leaveGroup(group: string, options: GroupOptions = {}): void {
    this.#checkOpen()
    changeMembership(this.#addon, this.#native, 'leave', group, options, this.#families)
  }

  /** Sets a kernel option. @throws Misuse; {@link SocketError}; `ERR_FEATURE_UNAVAILABLE_ON_PLATFORM`. */
  setOption<Name extends KernelOptionName>(name: Name, value: KernelOptionValues[Name]): void {
    this.#checkOpen()
    checkOptions('options', { [name]: value }, KERNEL_NAMES)
    this.#kernelOptions.set(name, value)
    if (name === 'receiveErrors') {
      this.#receiveErrors = value as boolean
      this.#watch()
    }
  }

  /** The value of a kernel option as the kernel has it now. */
  getOption<Name extends KernelOptionName>(name: Name): KernelOptionValues[Name] {
    this.#checkOpen()
    checkOptions('options', { [name]: 0 }, KERNEL_NAMES)
    return this.#kernelOptions.get(name)
  }

  /**
   * The longest payload that is not fragmented on its way: by the path MTU that the kernel knows for a connected socket's peer, otherwise
   * by the MTU of Ethernet.
   *
   * @param endpoint Its family counts. Default: the peer, or the family of the socket.
   */
  unfragmentedBytes(endpoint?: Endpoint): number {
    this.#checkOpen()
    const isIpv4 = (endpoint ?? this.#remote)?.isIpv4 ?? this.#family === AF_INET
    const headerBytes = isIpv4 ? HEADER_BYTES_IPV4 : HEADER_BYTES_IPV6
    const isPeer = this.#remote !== undefined && (endpoint === undefined || endpoint.equals(this.#remote))
    const mtuBytes = (isPeer ? this.#kernelOptions.tryGet('pathMtuBytes') : undefined) ?? ETHERNET_MTU_BYTES
    return Math.min(mtuBytes - headerBytes, isIpv4 ? MAX_PAYLOAD_BYTES_IPV4 : MAX_PAYLOAD_BYTES_IPV6)
  }

  /** The longest UDP payload: 65 507 bytes for an IPv4 socket, 65 527 for IPv6. */
  get maxPayloadBytes(): number {
    return this.#family === AF_INET ? MAX_PAYLOAD_BYTES_IPV4 : MAX_PAYLOAD_BYTES_IPV6
  }

  /** Does this socket receive coalesced, does it send coalesced? */
  get offload(): { readonly receive: boolean; readonly send: boolean } {
    return { receive: this.#receiveOffload, send: this.#sendOffload }
  }

  /** What was counted since the socket was opened; a copy. Also of a closed socket. */
  stats(): SocketStatistics {
    const counters = this.#statisticsMade ?? emptyCounters()
    const kernelDrops = this.#closed ? (this.#receiverMade?.drops ?? 0) : this.#receiver.readDrops()
    const { datagramsSent, datagramsFailed, datagramsDiscarded } = counters
    const queuedDatagrams = this.#queueMade?.queuedDatagrams ?? 0
    const queuedBytes = this.#queueMade?.queuedBytes ?? 0
    const datagramsQueued = datagramsSent + datagramsFailed + datagramsDiscarded + queuedDatagrams
    const sendErrors = { ...counters.sendErrors }
    return { ...counters, sendErrors, kernelDrops, datagramsQueued, queuedDatagrams, queuedBytes }
  }

  /** Stops taking datagrams from the kernel, whose buffer then fills. Listeners stay. */
  pause(): void {
    this.#checkOpen()
    this.#paused = true
    this.#watch()
  }

  resume(): void {
    this.#checkOpen()
    this.#paused = false
    this.#watch()
  }

  /** Lets the process end although this socket is receiving. */
  unref(): this {
    if (!this.#closed) this.#native.setRef(false)
    return this
  }

  ref(): this {
    if (!this.#closed) this.#native.setRef(true)
    return this
  }

  get closed(): boolean {
    return this.#closed
  }

  /**
   * Sends what is queued as far as the kernel takes it at once, and closes the descriptor. What does not go is counted as
   * `datagramsDiscarded`; wait for 'drain' first to lose nothing. Harmless to repeat. 'close' follows.
   */
  close(): void {
    if (this.#closed) return
    this.#queueMade?.flush()
    this.#receiver.readDrops()
    this.#closed = true
    this.#queueMade?.discard()
    this.#native.close()
    this.#stopFollowing?.()
    this.#receiver.consumers.end()
    for (const reject of this.#rejectPending ?? []) reject(closedError('socket'))
    this.#rejectPending = undefined
    process.nextTick(() => {
      this.#reportSendErrors()
      this.#closeEmitted = true
      this.emit('close')
    })
  }

  /** `await using`: {@link close}, and wait for 'close'. */
  [Symbol.asyncDispose](): Promise<void> {
    return closeAndWait(this, this.#closeEmitted)
  }

  /**
   * Batches as they come. Each lives until the next step. While the loop's body runs the socket does not receive for it, so that the
   * kernel's buffer is the queue. The loop ends when the socket is closed; leaving it leaves the socket open.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<ReceiveBatch> {
    this.#checkOpen()
    return this.#receiver.consumers.iterate()
  }

  // Receiving follows the listeners. `once` and `prependOnceListener` come through these as well.
  static {
    followListeners(this.prototype, (socket) => socket.#watch())
  }

  #setUp(options: UdpSocketOptions): void {
    if (this.#family === AF_INET6) {
      const value = new Uint8Array(Int32Array.of(this.#options.ipv6Only ? 1 : 0).buffer)
      const result = this.#native.setOption(k.IPPROTO_IPV6, k.IPV6_V6ONLY, value)
      if (result < 0) throw new SocketError('setsockopt', result, undefined, undefined, ' (ipv6Only)')
    }
    for (const name of this.#options.kernel) {
      this.#kernelOptions.set(name, options[name as keyof UdpSocketOptions] as never)
    }
    this.#receiveErrors = options.receiveErrors === true
  }

  #prepareSending(): boolean {
    const { sendOffload, sendOffloadRequired } = this.#options
    // Segment size 0 changes nothing; a kernel without UDP_SEGMENT refuses the option itself.
    const offload = sendOffload && trySetInteger(this.#native, k.IPPROTO_UDP, k.UDP_SEGMENT, 0)
    if (sendOffloadRequired && !offload) throw featureUnavailable('Option sendOffload', 'this kernel has no UDP_SEGMENT')
    return offload
  }

  get #kernelOptions(): KernelOptions {
    const warn = (message: string): void => this.#warn(message)
    return (this.#kernelOptionsMade ??= new KernelOptions(this.#addon, this.#native, this.#families, warn))
  }

  get #statistics(): Counters {
    return (this.#statisticsMade ??= emptyCounters())
  }

  get #queue(): SendQueue {
    return (this.#queueMade ??= this.#makeQueue())
  }

  get #receiver(): Receiver {
    return (this.#receiverMade ??= this.#makeReceiver())
  }

  get #control(): SendControl {
    return (this.#controlMade ??= new SendControl())
  }

  #makeQueue(): SendQueue {
    const { sendQueueBytes, sendQueueDatagrams } = this.#options
    const options = {
      maxBytes: sendQueueBytes,
      maxDatagrams: sendQueueDatagrams,
      offload: this.#sendOffload,
      family: this.#family,
    }
    return new SendQueue(this.#addon, this.#native, options, this.#statistics, new SocketInsides(this, UdpSocket.#private))
  }

  #makeReceiver(): Receiver {
    return new Receiver(this.#addon, this.#native, this.#statistics, new SocketInsides(this, UdpSocket.#private), () =>
      this.#watch(),
    )
  }

  /** For who works for the socket and is not its user. */
  static readonly #private: PrivateParts<UdpSocket> = {
    watch: (socket) => socket.#watch(),
    remote: (socket) => socket.#remote,
    mayBePending: (socket, result) => (socket.#receiveErrors || socket.#remote !== undefined) && isIcmpError(result),
    notePendingError: (socket, result) => socket.#notePendingError(result),
    queueSendError: (socket, error, endpoint) => socket.#queueSendError(error, endpoint),
  }

  #handleEvent(event: number, value: number): void {
    if (event === EVENT.sendFailed) this.#handleLateFailures()
    if (this.#closed) return
    if (event === EVENT.batch) this.#handleBatch()
    else if (event === EVENT.writable) this.#handleWritable()
    else if (event === EVENT.error) this.#handleError(value)
  }

  #handleBatch(): void {
    this.#dispatching = true
    try {
      this.#receiver.handleBatch()
    } finally {
      this.#dispatching = false
      // Not at the next tick: an answer leaves before the loop looks for more.
      if (!this.#closed) this.#queueMade?.flush()
    }
  }

  #handleWritable(): void {
    this.#queue.writable()
    if (!this.#closed) this.#watch()
  }

  #handleLateFailures(): void {
    for (let failure; (failure = this.#native.takeLateSendFailure?.()) !== undefined;) this.#queue.failedLate(failure)
  }

  /** The kernel has an error for this socket: of a peer (ICMP), or, if none is found, its own. */
  #handleError(errno: number): void {
    if (this.#receiver.replaceLostMemory()) return
    const queued = this.#takePeerErrors()
    if (errno === 0 || queued > 0) return
    if (isIcmpError(-errno)) {
      this.#reportPeerError(new PeerError(-errno, this.#remote))
      return
    }
    const error = new SocketError('recvmmsg', -errno)
    this.close()
    this.emit('error', error)
  }

  /** An ICMP error made a send fail, which has passed since. Its peer stands in the error queue, if there is one. */
  #notePendingError(result: number): void {
    process.nextTick(() => {
      if (this.#closed || (this.#receiveErrors && this.#takePeerErrors() > 0)) return
      if (!this.#receiveErrors) this.#reportPeerError(new PeerError(result, this.#remote))
    })
  }

  #takePeerErrors(): number {
    const errors = this.#receiver.takePeerErrors()
    for (const error of errors) this.#reportPeerError(error)
    return errors.length
  }

  #reportPeerError(error: PeerError): void {
    this.#statistics.peerErrors++
    throwingLater(() => this.emit('peerError', error))
  }

  /** Sends fail inside `send` or `flush`, so the event follows in a tick of its own. */
  #queueSendError(error: SocketError, endpoint: Endpoint | undefined): void {
    this.#sendErrors ??= []
    if (this.#closeEmitted || this.#sendErrors.length >= MAX_REPORTED_ERRORS) return
    if (this.#sendErrors.length === 0) process.nextTick(() => this.#reportSendErrors())
    this.#sendErrors.push([error, endpoint])
  }

  #reportSendErrors(): void {
    for (const [error, endpoint] of this.#sendErrors?.splice(0) ?? [])
      throwingLater(() => this.emit('sendError', error, endpoint))
  }

  /** Watches the descriptor for what somebody waits for. */
  #watch(): void {
    if (this.#closed) return
    const listening =
      this.listenerCount('batch') > 0 || this.listenerCount('datagram') > 0 || this.#receiverMade?.hasWaitingConsumer === true
    const errors = this.listenerCount('peerError') > 0 && (this.#receiveErrors || this.#remote !== undefined)
    const interest =
      (listening && !this.#paused ? INTEREST.readable : 0) |
      (this.#queueMade?.isBlocked === true ? INTEREST.writable : 0) |
      (errors ? INTEREST.errors : 0)
    const result = this.#native.poll(interest)
    if (result < 0) throw new SocketError('poll', result)
  }

  #enqueue(payload: Payload, target: Endpoint | undefined, control: SendControl | undefined): boolean {
    const length = payloadBytes(payload)
    if (length > MAX_PAYLOAD_BYTES_IPV4) this.#checkLength('payload.length', length, target)
    const batch = this.#queue.makeRoom(length)
    if (batch === undefined) return false
    writePayload(payload, batch.slab, batch.usedBytes)
    batch.append(length, target, control)
    this.#scheduleFlush()
    return true
  }

  #scheduleFlush(): void {
    if (this.#flushScheduled || this.#dispatching) return
    this.#flushScheduled = true
    process.nextTick(flushAtEndOfTick, this)
  }

  /** @internal */
  flushScheduled(): void {
    this.#flushScheduled = false
    if (!this.#closed) this.#queue.flush()
  }

  /** The endpoint of a send, checked once for as long as the same one is given. */
  #target(given: Endpoint | EndpointLike | undefined): Endpoint | undefined {
    if (this.#closed) throw closedError('socket')
    if (given === undefined) {
      if (this.#remote === undefined) throw notConnected()
      return undefined
    }
    if (given === this.#checkedEndpoint) return given as Endpoint
    const last = this.#checkedEndpoint
    // Datagrams coalesce by the endpoint's identity, so an equal one is as good as the same.
    if (last !== undefined && isSameEndpoint(last, given)) return last
    const target = Endpoint.from(given)
    checkPeerPort('endpoint.port', target.port)
    this.#checkFamily('endpoint', target)
    this.#checkReachable(target)
    this.#checkedEndpoint = target
    return target
  }

  /** A connected socket may send elsewhere, but not one of dgram's. */
  #checkReachable(target: Endpoint): void {
    if (this.#addon.backend !== 'dgram' || this.#remote === undefined || target.equals(this.#remote)) return
    throw featureUnavailable('Sending elsewhere from a connected socket', 'node:dgram refuses it')
  }

  #controlFor(options: SendOptions, target: Endpoint | undefined): SendControl {
    this.#queue.checkNothingReserved()
    this.#control.setOptions(options, (target ?? this.#remote!).isIpv4, this.#addon)
    if (this.#addon.backend === 'dgram' && Object.keys(options).length > 0) {
      throw featureUnavailable('Send options', 'node:dgram sends every datagram of a socket alike')
    }
    return this.#control
  }

  #checkFamily(name: string, endpoint: Endpoint): void {
    if (endpoint.isIpv4 ? this.#families.ipv4 : this.#families.ipv6) return
    throw invalidArgValue(name, endpoint.toString(), `must be ${endpoint.isIpv4 ? 'IPv6' : 'IPv4'}, as this socket is`)
  }

  #checkLength(name: string, length: number, target: Endpoint | undefined): void {
    checkInteger(name, length, 0, MAX_PAYLOAD_BYTES_IPV6)
    const max = (target ?? this.#remote!).isIpv4 ? MAX_PAYLOAD_BYTES_IPV4 : MAX_PAYLOAD_BYTES_IPV6
    if (length > max) throw outOfRange(name, `<= ${max}, the longest UDP payload`, length)
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError('socket')
  }

  #encode(name: string, endpoint: Endpoint): Uint8Array {
    const bytes = encodeSockaddr(endpoint, this.#family)
    if (bytes === undefined) throw invalidArgValue(name, endpoint.toString(), 'must be IPv4, as this socket is')
    return bytes
  }

  #nameOf(peer: boolean): Endpoint {
    const out = new Uint8Array(SOCKADDR_IN6_BYTES)
    const length = this.#native.getName(peer, out)
    if (length < 0) throw new SocketError(peer ? 'getpeername' : 'getsockname', length)
    return decodeSockaddr(out)!
  }

  /** What was sent until now is for the peer of now, also where it has to wait. */
  #settleQueue(): void {
    this.#queueMade?.flush()
    if (this.#remote !== undefined) this.#queueMade?.addressTo(this.#remote)
  }

  /** What the socket is bound to now; undefined before that. */
  #boundTo(): Endpoint | undefined {
    const name = this.#nameOf(false)
    return name.port === 0 ? undefined : name
  }

  /** The kernel lets go of a port that it chose itself when an association ends (__udp_disconnect). */
  #bindAgain(): void {
    if (this.#bound === undefined || this.#nameOf(false).port !== 0) return
    const result = this.#native.bind(this.#encode('address', this.#bound))
    if (result < 0) throw new SocketError('bind', result, this.#bound.address, this.#bound.port)
  }

  #setRemote(remote: Endpoint | undefined): void {
    this.#remote = remote
    this.#checkedEndpoint = undefined
    this.#watch()
  }

  /** Does `use` with the endpoint of a literal at once, and with that of a name when `lookup` has answered. */
  #withEndpoint<T>(address: string, port: number, name: string, use: (endpoint: Endpoint) => T): Promise<T> {
    const literal = literalEndpoint(address, port, () => this.#addon)
    if (literal !== undefined) {
      this.#checkFamily(name, literal)
      return new Promise((resolve) => resolve(use(literal)))
    }
    const { lookup } = this.#options
    if (lookup === undefined) {
      throw invalidArgValue(name, address, 'must be an IPv4 or IPv6 literal, or the socket needs the option lookup')
    }
    return new Promise((resolve, reject) => {
      const pending = (this.#rejectPending ??= new Set())
      pending.add(reject)
      lookUp(lookup, address, lookupFamily(this.#options))
        .then((found) => {
          if (this.#closed) return
          const endpoint = literalEndpoint(found, port, () => this.#addon)
          if (endpoint === undefined) throw invalidArgValue(name, found, 'was resolved to something that is not an address')
          this.#checkFamily(name, endpoint)
          resolve(use(endpoint))
        })
        .catch(reject)
        .finally(() => pending.delete(reject))
    })
  }

  #emitLater(event: 'listening' | 'connect'): void {
    process.nextTick(() => {
      if (!this.#closed) this.emit(event)
    })
  }

  #warn(message: string): void {
    process.nextTick(() => {
      if (!this.emit('warning', message)) process.emitWarning(message, { code: 'GEYSIR_BUFFER_SIZE' })
    })
  }

  #followSignal(signal: AbortSignal | undefined): void {
    if (signal === undefined) return
    const close = (): void => this.close()
    if (signal.aborted) process.nextTick(close)
    else signal.addEventListener('abort', close, { once: true })
    this.#stopFollowing = () => signal.removeEventListener('abort', close)
  }
}

const FAMILIES: Readonly<Record<string, SocketFamilies>> = {
  udp4: { ipv4: true, ipv6: false },
  udp6: { ipv4: true, ipv6: true },
  ipv6Only: { ipv4: false, ipv6: true },
}

function familiesOf({ type, ipv6Only }: ResolvedOptions): SocketFamilies {
  return FAMILIES[ipv6Only ? 'ipv6Only' : type]!
}

function flushAtEndOfTick(socket: UdpSocket): void {
  socket.flushScheduled()
}

function isSameEndpoint(endpoint: Endpoint, given: Endpoint | EndpointLike | null): boolean {
  if (given instanceof Endpoint) return endpoint.equals(given)
  return given?.port === endpoint.port && given.address === endpoint.address
}

function lookupFamily(options: ResolvedOptions): 0 | 4 | 6 {
  if (options.type === 'udp4') return 4
  return options.ipv6Only ? 6 : 0
}

function notConnected(): Error {
  return Object.assign(new Error('Not connected'), { code: 'ERR_SOCKET_DGRAM_NOT_CONNECTED' })
}

const BIND_OPTIONS: ReadonlySet<string> = new Set(['port', 'address'])
const KERNEL_NAMES: ReadonlySet<string> = new Set(KERNEL_OPTION_NAMES)
/** 65 535 less 8 for UDP: the length field of UDP (RFC 768), where IPv6 has no other limit. */
const MAX_PAYLOAD_BYTES_IPV6 = 65_527
/** 20 (RFC 791) or 40 (RFC 8200) bytes of IP, and 8 of UDP (RFC 768). */
const HEADER_BYTES_IPV4 = 28
const HEADER_BYTES_IPV6 = 48
/** RFC 894. */
const ETHERNET_MTU_BYTES = 1500
/** Datagrams of one run; the slab holds fewer of any but the shortest. */
const MAX_RUN = 65_536
/** 'sendError' events in one tick; all of them are counted in `stats().sendErrors`. */
export const MAX_REPORTED_ERRORS = 64
