import { EventEmitter } from 'node:events'
import {
  BatchConsumers,
  DatagramList,
  Endpoint,
  checkInteger,
  checkPeerPort,
  closedError,
  invalidArgValue,
  outOfRange,
  payloadBytes,
  throwingLater,
  type DatagramBatch,
  type EndpointLike,
  type Link,
  type LinkEvents,
  type Payload,
  closeAndWait,
  followListeners,
} from '../core/index.js'
import type { ScheduledEvent } from './event-queue.js'
import type { ResolvedLinkOptions } from './link-options.js'
import { emptyLinkStatistics, type SimulatedLinkStatistics } from './link-statistics.js'
import type { DropReason } from './network-statistics.js'
import { Packet, type PacketOrigin } from './packet.js'
import type { PayloadMemory } from './payload-memory.js'
import { HANDED_OVER, SendQueue, type HandedOver } from './send-queue.js'
import type { VirtualClock } from './virtual-clock.js'

/** The events of a {@link SimulatedLink}, with their arguments. */
export interface SimulatedLinkEvents extends LinkEvents {
  /** A datagram was dropped on its way because no more than `unfragmentedBytes` pass; longer ones fail from now on. */
  tooBig: [endpoint: Endpoint, unfragmentedBytes: number]
}

/** What a link needs of its host. */
export interface LinkHost {
  readonly networkClock: VirtualClock
  readonly memory: PayloadMemory
  readonly isPaused: boolean
  /** Sends a packet; returns when it has left the host's device. */
  transmit(packet: Packet): number
  /** The longest payload that the host knows to pass in one piece, and whether longer ones are refused. */
  pathLimit(endpoint: Endpoint): { unfragmentedBytes: number; refusesLonger: boolean }
  countDelivered(packet: Packet): void
  countDropped(packet: Packet, reason: DropReason): void
  join(link: SimulatedLink, group: string): void
  leave(link: SimulatedLink, group: string): void
  unbind(link: SimulatedLink): void
}

/** A UDP socket of a simulated host, bound and, if it was given a peer, connected. Made by `SimulatedHost.openLink`. */
export class SimulatedLink extends EventEmitter<SimulatedLinkEvents> implements Link, PacketOrigin {
  readonly maxPayloadBytes: number
  readonly multicastLoopback: boolean
  readonly #host: LinkHost
  readonly #options: ResolvedLinkOptions
  readonly #counters: SimulatedLinkStatistics = emptyLinkStatistics()
  readonly #queue: SendQueue
  readonly #consumers = new BatchConsumers<DatagramList>(() => this.#receiveLater())
  readonly #groups = new Set<string>()
  #received: Packet[] = []
  #receivedBytes = 0
  #inDeviceBytes = 0
  #isFlushScheduled = false
  #isReceiveScheduled = false
  #closed = false
  #closeEmitted = false
  #checkedEndpoint: Endpoint | undefined
  #sendErrors: [Error, Endpoint][] = []

  /** @internal */
  constructor(host: LinkHost, options: ResolvedLinkOptions) {
    super()
    this.#host = host
    this.#options = options
    this.multicastLoopback = options.multicastLoopback
    this.maxPayloadBytes = options.local.isIpv4 ? MAX_PAYLOAD_BYTES_IPV4 : MAX_PAYLOAD_BYTES_IPV6
    const { sendQueueBytes, sendQueueDatagrams } = options
    this.#queue = new SendQueue(host.memory, sendQueueBytes, sendQueueDatagrams, this.#counters, {
      handOver: (payload, endpoint) => this.#handOver(payload, endpoint),
      onDrain: () => throwingLater(() => this.emit('drain')),
    })
  }

  /** Where others reach this link. @throws `ERR_CLOSED`. */
  address(): Endpoint {
    this.#checkOpen()
    return this.#options.local
  }

  unfragmentedBytes(endpoint?: Endpoint): number {
    this.#checkOpen()
    return this.#host.pathLimit(endpoint ?? this.#options.peer ?? this.#options.local).unfragmentedBytes
  }

  send(payload: Payload, endpoint?: Endpoint | EndpointLike): boolean {
    const target = this.#target(endpoint)
    const length = payloadBytes(payload)
    if (length > this.maxPayloadBytes) throw outOfRange('payload.length', `<= ${this.maxPayloadBytes}`, length)
    if (!this.#queue.send(payload, length, target)) return false
    this.#flushLater()
    return true
  }

  reserve(lengthBytes: number, endpoint?: Endpoint | EndpointLike): Buffer | undefined {
    const target = this.#target(endpoint)
    checkInteger('lengthBytes', lengthBytes, 0, this.maxPayloadBytes)
    return this.#queue.reserve(lengthBytes, target)
  }

  commit(lengthBytes?: number): void {
    this.#checkOpen()
    if (lengthBytes !== undefined) checkInteger('lengthBytes', lengthBytes, 0, this.maxPayloadBytes)
    this.#queue.commit(lengthBytes)
    this.#flushLater()
  }

  cancel(): void {
    this.#queue.cancel()
  }

  flush(): boolean {
    this.#checkOpen()
    return this.#queue.flush()
  }

  /** Receives what is sent to a multicast group and this link's port. @throws Misuse. */
  joinGroup(group: string): void {
    const address = this.#checkGroup(group)
    if (this.#groups.has(address)) throw invalidArgValue('group', group, 'must not be joined already')
    this.#groups.add(address)
    this.#host.join(this, address)
  }

  leaveGroup(group: string): void {
    const address = this.#checkGroup(group)
    if (!this.#groups.delete(address)) throw invalidArgValue('group', group, 'must be joined')
    this.#host.leave(this, address)
  }

  stats(): SimulatedLinkStatistics {
    return { ...this.#counters }
  }

  get closed(): boolean {
    return this.#closed
  }

  close(): void {
    if (this.#closed) return
    this.#queue.flush()
    this.#end()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return closeAndWait(this, this.#closeEmitted)
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<DatagramBatch> {
    this.#checkOpen()
    return this.#consumers.iterate()
  }

  /** There is no process here to keep alive. */
  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  // Receiving follows the listeners. `once` and `prependOnceListener` come through these as well.
  static {
    followListeners(this.prototype, (link) => link.#receiveLater())
  }

  /** @internal */
  get options(): ResolvedLinkOptions {
    return this.#options
  }

  /** @internal */
  isMemberOf(group: string): boolean {
    return this.#groups.has(group)
  }

  /** A packet has arrived. @internal */
  receive(packet: Packet): void {
    const bytes = packet.payload.length + RECEIVE_OVERHEAD_BYTES
    if (this.#receivedBytes > 0 && this.#receivedBytes + bytes > this.#options.receiveBufferBytes) {
      this.#counters.receiveBufferDrops++
      this.#host.countDropped(packet, 'receiveBufferFull')
      return
    }
    this.#received.push(packet)
    this.#receivedBytes += bytes
    if (this.#isReceiveScheduled) return
    // What else arrives at this moment comes in the same batch.
    const { networkClock } = this.#host
    if (networkClock.nextTimeMs > networkClock.nowMs()) this.#dispatch()
    else this.#receiveLater()
  }

  /** The host runs again. @internal */
  resumed(): void {
    this.#queue.unblocked()
    this.#receiveLater()
  }

  /** The host has stopped without warning: nothing leaves any more. @internal */
  cutOff(): void {
    if (!this.#closed) this.#end()
  }

  onTooBig(endpoint: Endpoint, payloadBytes: number): void {
    if (!this.#closed) throwingLater(() => this.emit('tooBig', endpoint, payloadBytes))
  }

  #end(): void {
    this.#closed = true
    this.#queue.discard()
    for (const group of this.#groups) this.#host.leave(this, group)
    this.#groups.clear()
    this.#host.unbind(this)
    for (const packet of this.#received.splice(0)) this.#host.countDropped(packet, 'linkClosed')
    this.#receivedBytes = 0
    this.#consumers.end()
    // Behind the errors of what was sent before.
    this.#host.networkClock.defer(() => {
      this.#closeEmitted = true
      throwingLater(() => this.emit('close'))
    })
  }

  #handOver(payload: Buffer, endpoint: Endpoint): HandedOver {
    const host = this.#host
    if (host.isPaused) return HANDED_OVER.blocked
    const { length } = payload
    if (this.#inDeviceBytes > 0 && this.#inDeviceBytes + length > this.#options.sendBufferBytes) return HANDED_OVER.blocked
    if (length > MIN_LIMITED_BYTES) {
      const { unfragmentedBytes, refusesLonger } = host.pathLimit(endpoint)
      if (refusesLonger && length > unfragmentedBytes) {
        this.#reportSendError(messageTooLong(endpoint), endpoint)
        return HANDED_OVER.failed
      }
    }
    const leavesMs = host.transmit(new Packet(payload, this.#options.local, endpoint, this))
    if (leavesMs > host.networkClock.nowMs()) {
      this.#inDeviceBytes += length
      host.networkClock.schedule(leavesMs, new DeviceEvent(() => this.#onLeft(length)))
    }
    return HANDED_OVER.sent
  }

  #onLeft(bytes: number): void {
    this.#inDeviceBytes -= bytes
    if (!this.#closed && !this.#queue.isEmpty) this.#queue.unblocked()
  }

  readonly #flushTask = (): void => {
    this.#isFlushScheduled = false
    if (!this.#closed) this.#queue.flush()
  }

  #flushLater(): void {
    if (this.#isFlushScheduled) return
    this.#isFlushScheduled = true
    this.#host.networkClock.defer(this.#flushTask)
  }

  readonly #receiveEvent: ScheduledEvent = new DeviceEvent(() => {
    this.#isReceiveScheduled = false
    this.#dispatch()
  })

  #receiveLater(): void {
    if (this.#isReceiveScheduled || this.#received.length === 0 || !this.#isListening) return
    this.#isReceiveScheduled = true
    const { networkClock } = this.#host
    networkClock.schedule(networkClock.nowMs(), this.#receiveEvent)
  }

  get #isListening(): boolean {
    return !this.#closed && (this.listenerCount('batch') > 0 || this.#consumers.isWaiting)
  }

  #dispatch(): void {
    while (this.#received.length > 0 && this.#isListening && !this.#host.isPaused) {
      this.#dispatchBatch(this.#takeReceived())
    }
  }

  #takeReceived(): readonly Packet[] {
    const received = this.#received
    if (received.length > this.#options.maxBatchDatagrams) return received.splice(0, this.#options.maxBatchDatagrams)
    this.#received = []
    return received
  }

  #dispatchBatch(packets: readonly Packet[]): void {
    const payloads: Buffer[] = []
    const endpoints: Endpoint[] = []
    for (const packet of packets) {
      payloads.push(packet.payload)
      endpoints.push(packet.source)
      this.#receivedBytes -= packet.payload.length + RECEIVE_OVERHEAD_BYTES
      this.#counters.bytesReceived += packet.payload.length
      this.#host.countDelivered(packet)
    }
    this.#counters.datagramsReceived += packets.length
    const batch = new DatagramList(payloads, endpoints, POISON)
    throwingLater(() => this.emit('batch', batch))
    if (this.#consumers.isWaiting) this.#consumers.offer(batch)
    batch.finish()
  }

  #reportSendError(error: Error, endpoint: Endpoint): void {
    if (this.#sendErrors.length >= MAX_REPORTED_ERRORS) return
    if (this.#sendErrors.length === 0) this.#host.networkClock.defer(() => this.#reportSendErrors())
    this.#sendErrors.push([error, endpoint])
  }

  #reportSendErrors(): void {
    for (const [error, endpoint] of this.#sendErrors.splice(0)) throwingLater(() => this.emit('sendError', error, endpoint))
  }

  /** The endpoint of a send, checked once for as long as the same one is given. */
  #target(given: Endpoint | EndpointLike | undefined): Endpoint {
    this.#checkOpen()
    if (given === undefined) {
      if (this.#options.peer === undefined) throw notConnected()
      return this.#options.peer
    }
    if (given === this.#checkedEndpoint) return given as Endpoint
    const target = Endpoint.from(given)
    checkPeerPort('endpoint.port', target.port)
    if (target.family !== this.#options.local.family) {
      throw invalidArgValue('endpoint', target.toString(), `must be ${this.#options.local.family}, as this link is`)
    }
    this.#checkedEndpoint = target
    return target
  }

  #checkGroup(group: string): string {
    this.#checkOpen()
    const endpoint = Endpoint.of(group, 0, 'group')
    if (endpoint.isMulticast && endpoint.family === this.#options.local.family) return endpoint.address
    throw invalidArgValue('group', group, `must be a multicast address of ${this.#options.local.family}`)
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError('link')
  }
}

class DeviceEvent implements ScheduledEvent {
  readonly keepsBusy = true
  readonly isCancelled = false

  constructor(readonly fire: () => void) {}
}

function notConnected(): Error {
  return Object.assign(new Error('Not connected'), { code: 'ERR_SOCKET_DGRAM_NOT_CONNECTED' })
}

/** As the kernel's, which knows the path's MTU by now. */
function messageTooLong({ address, port }: Endpoint): Error {
  const details = { code: 'EMSGSIZE', errno: -90, syscall: 'send', address, port }
  return Object.assign(new Error(`send EMSGSIZE ${address}:${port}`), details)
}

/** 65 535 less 20 for IPv4 and 8 for UDP; IPv6's length field does not count its header. */
export const MAX_PAYLOAD_BYTES_IPV4 = 65_507
export const MAX_PAYLOAD_BYTES_IPV6 = 65_527
/** What a kernel needs besides the payload, about: so that empty datagrams fill a buffer as well. */
const RECEIVE_OVERHEAD_BYTES = 256
/** No path's MTU is so small that shorter payloads need a look at it. */
const MIN_LIMITED_BYTES = 500
/** 'sendError' events in one tick; all of them are counted. */
const MAX_REPORTED_ERRORS = 64
/** What a view reads that outlived its batch. */
const POISON = 0xdb
