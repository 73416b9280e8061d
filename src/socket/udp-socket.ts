import { EventEmitter } from 'node:events'
import { AF_INET, type Addon } from '../binding/index.js'
import {
  checkLocalPort,
  checkOptions,
  checkPeerPort,
  checkString,
  closeAndWait,
  closedError,
  followListeners,
  invalidArgType,
  type Endpoint,
  type EndpointLike,
  type Link,
  type Payload,
  type ReceiveBatch,
} from '../core/index.js'
import { ETHERNET_MTU_BYTES, maxPayloadBytes, unfragmentedPayloadBytes } from './datagram-limits.js'
import { selectBackend } from './fallback/backend.js'
import { changeMembership, type GroupOptions } from './groups.js'
import { checkOptionName } from './kernel-options.js'
import type { KernelOptionName, KernelOptionValues } from './option-table.js'
import type { SendOptions } from './send-control.js'
import { notConnected } from './sender.js'
import type { UdpSocketEvents } from './socket-events.js'
import { SocketInsides } from './socket-insides.js'
import type { UdpSocketOptions } from './socket-options.js'
import type { SocketStatistics } from './statistics.js'

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
  readonly #insides: SocketInsides

  /**
   * @param options See {@link UdpSocketOptions}.
   * @throws Misuse; {@link SocketError} of socket(2) or setsockopt(2). Nothing stays open.
   */
  constructor(options: UdpSocketOptions = {}, addon: Addon = selectBackend()) {
    super()
    this.#insides = new SocketInsides(this, options, addon)
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
    const address = checkString('options.address', options.address ?? (this.#isIpv4 ? '0.0.0.0' : '::'))
    return this.#insides.addresses.with(address, port, 'options.address', (endpoint) => this.bindNow(endpoint))
  }

  /** What {@link bind} does once there is nothing to look up. @internal */
  bindNow(endpoint: Endpoint): Endpoint {
    this.#checkOpen()
    this.#insides.addresses.bind(endpoint)
    this.#insides.emitLater('listening')
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
    return this.#insides.addresses.with(address, port, 'peer.address', (endpoint) => {
      this.#insides.usedSender?.settle()
      this.#insides.addresses.connect(endpoint)
      this.#insides.peerChanged()
      this.#insides.emitLater('connect')
      return this.remoteAddress()
    })
  }

  /** Undoes {@link connect}; a bound socket stays bound. @throws `ERR_SOCKET_DGRAM_NOT_CONNECTED`; {@link SocketError}. */
  disconnect(): void {
    this.remoteAddress()
    this.#insides.usedSender?.settle()
    try {
      this.#insides.addresses.disconnect()
    } finally {
      this.#insides.peerChanged()
    }
  }

  /** The local endpoint; port 0 before {@link bind} and the first send. @see getsockname(2) */
  address(): Endpoint {
    this.#checkOpen()
    return this.#insides.addresses.local
  }

  /** The peer of a connected socket. @throws `ERR_SOCKET_DGRAM_NOT_CONNECTED`. */
  remoteAddress(): Endpoint {
    this.#checkOpen()
    const { remote } = this.#insides.addresses
    if (remote === undefined) throw notConnected()
    return remote
  }

  /** Resolves a name with the socket's `lookup`; a literal never touches it. */
  resolve(address: string, port: number): Promise<Endpoint> {
    this.#checkOpen()
    checkString('address', address)
    checkPeerPort('port', port)
    return this.#insides.addresses.with(address, port, 'address', (endpoint) => endpoint)
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
    if (this.#insides.closed) throw closedError('socket')
    return this.#insides.sender.send(payload, endpoint, options)
  }

  /**
   * Reserves room for a datagram in the send slab, to be written in place and queued by {@link commit}. One at a time.
   *
   * @returns A view of `lengthBytes` bytes, with undefined contents, that is ours again after `commit`; undefined when the queue is
   *   full: 'drain' follows.
   */
  reserve(lengthBytes: number, endpoint?: Endpoint | EndpointLike, options?: SendOptions): Buffer | undefined {
    if (this.#insides.closed) throw closedError('socket')
    return this.#insides.sender.reserve(lengthBytes, endpoint, options)
  }

  /**
   * Queues the reserved datagram.
   *
   * @param lengthBytes How much of it was written. Default: all.
   * @throws `ERR_INVALID_STATE` when nothing is reserved.
   */
  commit(lengthBytes?: number): void {
    if (this.#insides.closed) throw closedError('socket')
    this.#insides.sender.commit(lengthBytes)
  }

  /**
   * Reserves room for up to `count` datagrams of `lengthBytes` each, one behind the other, to be queued together by
   * {@link commitRun}: the way with the least work a datagram.
   *
   * @returns A view whose length is a multiple of `lengthBytes`: as many datagrams as have room now, at least one; undefined when the
   *   queue is full: 'drain' follows.
   */
  reserveRun(lengthBytes: number, count: number, endpoint?: Endpoint | EndpointLike, options?: SendOptions): Buffer | undefined {
    this.#checkOpen()
    return this.#insides.sender.reserveRun(lengthBytes, count, endpoint, options)
  }

  /**
   * Queues the first `count` datagrams of the reserved run. Default: all.
   *
   * @throws `ERR_INVALID_STATE` when nothing is reserved.
   */
  commitRun(count?: number): void {
    this.#checkOpen()
    this.#insides.sender.commitRun(count)
  }

  /**
   * Gives a reserved datagram, or run, up: nothing of it is queued. Harmless when nothing is reserved, so that it can stand in a `catch`
   * or `finally`.
   */
  cancel(): void {
    this.#insides.usedSender?.cancel()
  }

  /**
   * Answers datagram `i` of a batch: to its sender, from the address and by the interface that it came to.
   *
   * @throws `ERR_INVALID_STATE` without the option `receivePacketInfo`.
   */
  reply(batch: ReceiveBatch, i: number, payload: Payload): boolean {
    this.#checkOpen()
    return this.#insides.sender.reply(batch, i, payload)
  }

  /** Hands what is queued to the kernel now. False when some of it has to wait: 'drain' follows. */
  flush(): boolean {
    this.#checkOpen()
    return this.#insides.sender.queue.flush()
  }

  /**
   * Joins a multicast group on one interface.
   *
   * @throws Misuse; {@link SocketError}: `ENODEV`, `EADDRINUSE`, `ENOBUFS` beyond net.ipv4.igmp_max_memberships.
   * @see ip(7), RFC 3678
   */
  joinGroup(group: string, options: GroupOptions = {}): void {
    this.#checkOpen()
    const { addon, native, families } = this.#insides.socket
    changeMembership(addon, native, 'join', group, options, families)
  }

  /** Leaves what {@link joinGroup} with the same arguments joined. */
  leaveGroup(group: string, options: GroupOptions = {}): void {
    this.#checkOpen()
    const { addon, native, families } = this.#insides.socket
    changeMembership(addon, native, 'leave', group, options, families)
  }

  /** Sets a kernel option. @throws Misuse; {@link SocketError}; `ERR_FEATURE_UNAVAILABLE_ON_PLATFORM`. */
  setOption<Name extends KernelOptionName>(name: Name, value: KernelOptionValues[Name]): void {
    this.#checkOpen()
    this.#insides.kernelOptions.set(checkOptionName(name), value)
    if (name === 'receiveErrors') {
      this.#insides.receivesErrors = value as boolean
      this.#insides.watch()
    }
  }

  /** The value of a kernel option as the kernel has it now. */
  getOption<Name extends KernelOptionName>(name: Name): KernelOptionValues[Name] {
    this.#checkOpen()
    return this.#insides.kernelOptions.get(checkOptionName(name))
  }

  /**
   * The longest payload that is not fragmented on its way: by the path MTU that the kernel knows for a connected socket's peer, otherwise
   * by the MTU of Ethernet.
   *
   * @param endpoint Its family counts. Default: the peer, or the family of the socket.
   */
  unfragmentedBytes(endpoint?: Endpoint): number {
    this.#checkOpen()
    const { remote } = this.#insides.addresses
    const isPeer = remote !== undefined && (endpoint === undefined || endpoint.equals(remote))
    const mtuBytes = (isPeer ? this.#insides.kernelOptions.tryGet('pathMtuBytes') : undefined) ?? ETHERNET_MTU_BYTES
    return unfragmentedPayloadBytes(mtuBytes, (endpoint ?? remote)?.isIpv4 ?? this.#isIpv4)
  }

  /** The longest UDP payload: 65 507 bytes for an IPv4 socket, 65 527 for IPv6. */
  get maxPayloadBytes(): number {
    return maxPayloadBytes(this.#isIpv4)
  }

  /** Does this socket receive coalesced, does it send coalesced? */
  get offload(): { readonly receive: boolean; readonly send: boolean } {
    return { receive: this.#insides.socket.receiveOffload, send: this.#insides.socket.sendOffload }
  }

  /** What was counted since the socket was opened; a copy. Also of a closed socket. */
  stats(): SocketStatistics {
    return this.#insides.stats()
  }

  /** Stops taking datagrams from the kernel, whose buffer then fills. Listeners stay. */
  pause(): void {
    this.#checkOpen()
    this.#insides.isPaused = true
    this.#insides.watch()
  }

  resume(): void {
    this.#checkOpen()
    this.#insides.isPaused = false
    this.#insides.watch()
  }

  /** Lets the process end although this socket is receiving. */
  unref(): this {
    if (!this.closed) this.#insides.socket.native.setRef(false)
    return this
  }

  ref(): this {
    if (!this.closed) this.#insides.socket.native.setRef(true)
    return this
  }

  get closed(): boolean {
    return this.#insides.closed
  }

  /**
   * Sends what is queued as far as the kernel takes it at once, and closes the descriptor. What does not go is counted as
   * `datagramsDiscarded`; wait for 'drain' first to lose nothing. Harmless to repeat. 'close' follows.
   */
  close(): void {
    this.#insides.close()
  }

  /** `await using`: {@link close}, and wait for 'close'. */
  [Symbol.asyncDispose](): Promise<void> {
    return closeAndWait(this, this.#insides.isOver)
  }

  /**
   * Batches as they come. Each lives until the next step. While the loop's body runs the socket does not receive for it, so that the
   * kernel's buffer is the queue. The loop ends when the socket is closed; leaving it leaves the socket open.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<ReceiveBatch> {
    this.#checkOpen()
    return this.#insides.receiver.consumers.iterate()
  }

  // Receiving follows the listeners. `once` and `prependOnceListener` come through these as well.
  static {
    followListeners(this.prototype, (socket) => socket.#insides.watch())
  }

  get #isIpv4(): boolean {
    return this.#insides.socket.family === AF_INET
  }

  #checkOpen(): void {
    if (this.#insides.closed) throw closedError('socket')
  }
}

const BIND_OPTIONS: ReadonlySet<string> = new Set(['port', 'address'])
