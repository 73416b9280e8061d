import { AsyncResource } from 'node:async_hooks'
import type { EventEmitter } from 'node:events'
import { EVENT, INTEREST, SocketError, type Addon } from '../binding/index.js'
import { closedError, obeySignal, type Endpoint, type ReceiveBatch } from '../core/index.js'
import { SocketAddresses } from './addresses.js'
import { ErrorReports, type ReportingSocket } from './error-reports.js'
import { KernelOptions } from './kernel-options.js'
import { openDescriptor, prepareSocket, type OpenSocket } from './open-socket.js'
import { PeerError, isIcmpError } from './peer-error.js'
import { Receiver, type ReceiverOwner } from './receiver.js'
import type { SendQueueOwner } from './send-queue-owner.js'
import { Sender } from './sender.js'
import type { UdpSocketEvents } from './socket-events.js'
import { resolveOptions, type UdpSocketOptions } from './socket-options.js'
import { emptyCounters, statisticsOf, type Counters, type SocketStatistics } from './statistics.js'

/** The `UdpSocket`. What ends it calls its `close`, which a subclass may have extended. */
type ClosableEmitter = EventEmitter<UdpSocketEvents> & { close(): void }

/**
 * What a `UdpSocket` shows to its parts and not to its user: it opens the descriptor, joins the halves to it, turns what the addon says
 * into events, and ends it all.
 */
export class SocketInsides implements ReceiverOwner, SendQueueOwner, ReportingSocket {
  readonly socket: OpenSocket
  readonly addresses: SocketAddresses
  closed = false
  /** Has 'close' been told? */
  isOver = false
  isPaused = false
  receivesErrors: boolean
  readonly #emitter: ClosableEmitter
  /** Events come in the async context in which the program made the socket. */
  readonly #resource = new AsyncResource('GEYSIRSOCKET')
  readonly #letGo: () => void
  // Made when they are needed: a socket that waits for its first datagram has none of them.
  #kernelOptions: KernelOptions | undefined
  #statistics: Counters | undefined
  #sender: Sender | undefined
  #receiver: Receiver | undefined
  #reports: ErrorReports | undefined

  /** @throws Misuse; {@link SocketError}. Nothing stays open. */
  constructor(emitter: ClosableEmitter, options: UdpSocketOptions, addon: Addon) {
    const resolved = resolveOptions(options)
    this.#emitter = emitter
    const descriptor = openDescriptor(addon, resolved, (event, value) => {
      this.#resource.runInAsyncScope(this.#handleEvent, this, event, value)
    })
    this.socket = prepareSocket(descriptor, () => {
      const kernelOptions = resolved.kernel.length === 0 ? undefined : this.#makeKernelOptions(descriptor)
      for (const name of resolved.kernel) kernelOptions?.set(name, options[name as keyof UdpSocketOptions] as never)
    })
    this.addresses = new SocketAddresses(this.socket)
    this.receivesErrors = options.receiveErrors === true
    this.#letGo = obeySignal(resolved.signal, () => this.#emitter.close())
  }

  checkOpen(): void {
    if (this.closed) throw closedError('socket')
  }

  get kernelOptions(): KernelOptions {
    return this.#kernelOptions ?? this.#makeKernelOptions(this.socket)
  }

  get sender(): Sender {
    return (this.#sender ??= new Sender(this.socket, this.addresses, this.#counters, this))
  }

  get receiver(): Receiver {
    return (this.#receiver ??= new Receiver(this.socket.addon, this.socket.native, this.#counters, this))
  }

  /** The sending half of a socket that has sent. */
  get usedSender(): Sender | undefined {
    return this.#sender
  }

  stats(): SocketStatistics {
    const kernelDrops = this.closed ? (this.#receiver?.drops ?? 0) : this.receiver.readDrops()
    return statisticsOf(this.#statistics ?? emptyCounters(), kernelDrops, this.#sender?.queue)
  }

  /** Watches the descriptor for what somebody waits for. */
  watch(): void {
    if (this.closed) return
    const emitter = this.#emitter
    const listening =
      emitter.listenerCount('batch') > 0 || emitter.listenerCount('datagram') > 0 || this.#receiver?.hasWaitingConsumer === true
    const errors = emitter.listenerCount('peerError') > 0 && (this.receivesErrors || this.remote !== undefined)
    const interest =
      (listening && !this.isPaused ? INTEREST.readable : 0) |
      (this.#sender?.queue.isBlocked === true ? INTEREST.writable : 0) |
      (errors ? INTEREST.errors : 0)
    const result = this.socket.native.poll(interest)
    if (result < 0) throw new SocketError('poll', result)
  }

  peerChanged(): void {
    this.#sender?.peerChanged()
    this.watch()
  }

  emitLater(event: 'listening' | 'connect'): void {
    process.nextTick(() => {
      if (!this.closed) this.#emitter.emit(event)
    })
  }

  close(): void {
    if (this.closed) return
    this.#sender?.queue.flush()
    this.receiver.readDrops()
    this.closed = true
    this.#sender?.queue.discard()
    this.socket.native.close()
    this.#letGo()
    this.receiver.consumers.end()
    this.addresses.close()
    process.nextTick(() => {
      this.#reports?.reportSendErrors()
      this.isOver = true
      this.#emitter.emit('close')
    })
  }

  // What receiver, queue and reports ask and tell.

  emitBatch(batch: ReceiveBatch): void {
    this.#emitter.emit('batch', batch)
  }

  hasDatagramListener(): boolean {
    return this.#emitter.listenerCount('datagram') > 0
  }

  emitDatagram(payload: Buffer, endpoint: Endpoint, batch: ReceiveBatch, i: number): void {
    this.#emitter.emit('datagram', payload, endpoint, batch, i)
  }

  onConsumersChange(): void {
    this.watch()
  }

  onBlocked(): void {
    this.watch()
  }

  onDrain(): void {
    this.#emitter.emit('drain')
  }

  onSendError(error: SocketError, endpoint: Endpoint | undefined): void {
    this.#reporting.queueSendError(error, endpoint)
  }

  mayBePending(result: number): boolean {
    return (this.receivesErrors || this.remote !== undefined) && isIcmpError(result)
  }

  onPendingError(result: number): void {
    this.#reporting.notePendingError(result)
  }

  remoteEndpoint(): Endpoint | undefined {
    return this.remote
  }

  get remote(): Endpoint | undefined {
    return this.addresses.remote
  }

  readPeerErrors(): PeerError[] {
    return this.receiver.takePeerErrors()
  }

  emitSendError(error: SocketError, endpoint: Endpoint | undefined): void {
    this.#emitter.emit('sendError', error, endpoint)
  }

  emitPeerError(error: PeerError): void {
    this.#counters.peerErrors++
    this.#emitter.emit('peerError', error)
  }

  get #counters(): Counters {
    return (this.#statistics ??= emptyCounters())
  }

  get #reporting(): ErrorReports {
    return (this.#reports ??= new ErrorReports(this))
  }

  #makeKernelOptions({ addon, native, families }: Pick<OpenSocket, 'addon' | 'native' | 'families'>): KernelOptions {
    return (this.#kernelOptions = new KernelOptions(addon, native, families, (message) => this.#warn(message)))
  }

  #handleEvent(event: number, value: number): void {
    if (event === EVENT.sendFailed) this.#handleLateFailures()
    if (this.closed) return
    if (event === EVENT.batch) this.#handleBatch()
    else if (event === EVENT.writable) this.#handleWritable()
    else if (event === EVENT.error) this.#handleError(value)
  }

  #handleBatch(): void {
    this.#sender?.hold()
    try {
      this.receiver.handleBatch()
    } finally {
      // Not at the next tick: an answer leaves before the loop looks for more.
      this.#sender?.releaseAndFlush()
    }
  }

  #handleWritable(): void {
    this.sender.queue.writable()
    this.watch()
  }

  #handleLateFailures(): void {
    const { native } = this.socket
    for (let failure; (failure = native.takeLateSendFailure?.()) !== undefined;) this.sender.queue.failedLate(failure)
  }

  /** The kernel has an error for this socket: of a peer (ICMP), or, if none is found, its own. */
  #handleError(errno: number): void {
    if (this.receiver.replaceLostMemory()) return
    const queued = this.#reporting.takePeerErrors()
    if (errno === 0 || queued > 0) return
    if (isIcmpError(-errno)) {
      this.#reporting.reportPeerError(new PeerError(-errno, this.remote))
      return
    }
    const error = new SocketError('recvmmsg', -errno)
    this.#emitter.close()
    this.#emitter.emit('error', error)
  }

  #warn(message: string): void {
    process.nextTick(() => {
      if (!this.#emitter.emit('warning', message)) process.emitWarning(message, { code: 'GEYSIR_BUFFER_SIZE' })
    })
  }
}
