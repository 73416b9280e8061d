import { EventEmitter } from 'node:events'
import {
  BatchConsumers,
  checkInteger,
  closedError,
  invalidState,
  outOfRange,
  payloadBytes,
  throwingLater,
  writePayload,
  type DatagramBatch,
  type Endpoint,
  type EndpointLike,
  type Link,
  type Payload,
  type OwnedBatch,
  closeAndWait,
  followListeners,
} from '../core/index.js'
import { DATAGRAM_TYPE, HEADER_BYTES, writeHeader } from './header.js'
import type { IncomingRequest } from './incoming-request.js'
import type { KindLinkEvents, KindLinkStatistics } from './link-events.js'
import { linkStatistics } from './link-statistics.js'
import type { DatagramSocket, DatagramSource, SourceOptions, Surroundings } from './platform.js'
import { LinkInbox, type Inspect } from './link-inbox.js'
import type { ResolvedCommon } from './options/link-options.js'
import { planRequest, type RequestOptions } from './request-options.js'
import { Requests, type RequestPlan } from './requests.js'

/** What all kinds have in common, as they resolved it. */
export type BaseOptions = Pick<ResolvedCommon, 'header' | 'requestTimeoutMs' | 'requestRetryMs' | 'maxPendingRequests'> & {
  readonly role: 'client' | 'server'
}

interface Input {
  readonly source: DatagramSource
  readonly inspect: Inspect | undefined
  /** Received from also while nobody listens. */
  readonly always: boolean
  readonly onBatch: (batch: DatagramBatch) => void
  isReceiving: boolean
}

/** What a link sends by: any other link, or a socket that takes a source address. */
type Output = Link & Pick<DatagramSocket, 'send' | 'reserve'>

/** Nobody to send to is known now. */
export const NOBODY = Symbol('nobody')

/**
 * What every kind of link does with the links below it (sockets, mostly): headers, requests, events, statistics, the end. A kind says
 * where things go ({@link target}), what it receives from ({@link addInput}) and what it thinks of a datagram ({@link Inspect}).
 */
export abstract class BaseLink extends EventEmitter<KindLinkEvents> implements Link {
  readonly role: 'client' | 'server'
  /** Does every datagram begin with the header? */
  readonly header: boolean
  protected readonly surroundings: Surroundings
  protected readonly requests: Requests
  /** The number by which others know this link, and this link its own copies. */
  protected readonly senderId: number
  readonly #options: BaseOptions
  readonly #output: Output
  readonly #inputs: Input[] = []
  readonly #carriers = new Set<Link | DatagramSource>()
  readonly #consumers = new BatchConsumers<OwnedBatch>(() => this.watch())
  readonly #inbox: LinkInbox
  #refused = 0
  #drainOwed = false
  #wasHeard = false
  #closed = false
  #closeEmitted = false
  #peerErrorsWatched = false

  protected constructor(options: BaseOptions, surroundings: Surroundings, output: Output) {
    super()
    this.role = options.role
    this.header = options.header
    this.surroundings = surroundings
    this.senderId = surroundings.random.uint32() || 1
    this.#options = options
    this.#output = output
    this.requests = new Requests({
      ...surroundings,
      maxPending: options.maxPendingRequests,
      transmit: (plan, correlation) => this.#sendRequest(plan, correlation),
      onPendingChange: () => this.watch(),
      onTimeOut: (plan) => {
        if (plan.endpoint === undefined) this.requestTimedOut?.()
      },
    })
    this.#inbox = this.#makeInbox()
    this.#own(output)
    output.on('drain', () => this.#emitDrain())
    output.on('sendError', (error, endpoint) => this.tell('sendError', error, endpoint))
    output.on('error', (error) => {
      this.close()
      this.emit('error', error)
    })
  }

  // What a kind decides.

  /** Where a datagram goes: undefined: to the output's own peer. @throws Misuse. */
  protected abstract target(endpoint: Endpoint | EndpointLike | undefined): Endpoint | undefined | typeof NOBODY

  /** Where the response to a request goes. */
  protected abstract responseTarget(request: IncomingRequest): Endpoint | undefined

  /** Where from a datagram to `target` leaves, of a kind that has a choice. */
  protected sourceFor?(target: Endpoint | undefined): SourceOptions | undefined

  /** A status message, of a kind that has some. */
  protected heardStatus?(payload: Buffer, sender: number, endpoint: Endpoint): void

  /** Does the link receive until the first listener comes, although nobody listens? */
  protected get receivesUntilHeard(): boolean {
    return false
  }

  /** A request that named nobody was not answered. */
  protected requestTimedOut?(): void

  protected beforeClose(): void {}

  // What a link does.

  unfragmentedBytes(endpoint?: Endpoint): number {
    this.checkOpen()
    return this.#output.unfragmentedBytes(endpoint) - this.#headerBytes
  }

  get maxPayloadBytes(): number {
    return this.#output.maxPayloadBytes - this.#headerBytes
  }

  send(payload: Payload, endpoint?: Endpoint | EndpointLike): boolean {
    this.checkOpen()
    const target = this.target(endpoint)
    if (target === NOBODY) return this.#refuse(payload)
    return this.sendPayload(payload, target)
  }

  reserve(lengthBytes: number, endpoint?: Endpoint | EndpointLike): Buffer | undefined {
    this.checkOpen()
    const target = this.target(endpoint)
    if (target === NOBODY) {
      this.#checkLength('lengthBytes', lengthBytes)
      this.#refuse('')
      return undefined
    }
    if (!this.header) return this.#output.reserve(lengthBytes, target, this.sourceFor?.(target))
    this.#checkLength('lengthBytes', lengthBytes)
    const room = this.#output.reserve(HEADER_BYTES + lengthBytes, target, this.sourceFor?.(target))
    if (room === undefined) return undefined
    writeHeader(room, DATAGRAM_TYPE.datagram, this.senderId)
    return room.subarray(HEADER_BYTES)
  }

  commit(lengthBytes?: number): void {
    this.checkOpen()
    if (lengthBytes === undefined || !this.header) return this.#output.commit(lengthBytes)
    this.#checkLength('lengthBytes', lengthBytes)
    this.#output.commit(HEADER_BYTES + lengthBytes)
  }

  cancel(): void {
    this.#output.cancel()
  }

  flush(): boolean {
    this.checkOpen()
    return this.#output.flush()
  }

  /**
   * Sends a request and waits for its response, which is matched by the header. It is repeated until it is answered, so a server may get
   * it more than once: `sender` and `correlation` tell.
   *
   * @returns The response, in memory of its own. Rejects with `ETIMEDOUT`, `ABORT_ERR`, `ERR_CLOSED`, or `ENOBUFS` when
   *   `maxPendingRequests` wait already.
   * @throws Misuse; `ERR_INVALID_STATE` on a raw link, which cannot match anything.
   */
  request(payload: Payload, options: RequestOptions = {}): Promise<Buffer> {
    this.checkOpen()
    if (!this.header) throw invalidState('request needs the option header: a raw link cannot match responses')
    const plan = planRequest(payload, options, this.#options, this.maxPayloadBytes)
    if (options.endpoint !== undefined || this.role === 'server') this.target(options.endpoint)
    return this.requests.start(plan)
  }

  stats(): KindLinkStatistics {
    const { counters } = this.#inbox
    return linkStatistics(this.#output.stats(), counters, this.requests.counters, this.#headerBytes, this.#refused)
  }

  get closed(): boolean {
    return this.#closed
  }

  close(): void {
    if (this.#closed) return
    this.beforeClose()
    this.#closed = true
    for (const carrier of this.#carriers) carrier.close()
    this.requests.end(closedError('link'))
    this.#consumers.end()
    process.nextTick(() => {
      this.#closeEmitted = true
      this.emit('close')
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return closeAndWait(this, this.#closeEmitted)
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<DatagramBatch> {
    this.checkOpen()
    return this.#consumers.iterate()
  }

  ref(): this {
    if (!this.#closed) for (const carrier of this.#carriers) carrier.ref()
    return this
  }

  unref(): this {
    if (!this.#closed) for (const carrier of this.#carriers) carrier.unref()
    return this
  }

  // Receiving follows the listeners. `once` and `prependOnceListener` come through these as well.
  static {
    followListeners(BaseLink.prototype, (link) => link.watch())
  }

  // What a kind uses.

  protected checkOpen(): void {
    if (this.#closed) throw closedError('link')
  }

  /** Receives from `source`. Every datagram passes `inspect`, if it is given; with `always`, also while nobody listens. */
  protected addInput(source: Link | DatagramSource, inspect?: Inspect, always = false): void {
    this.#own(source)
    const input: Input = {
      source,
      inspect,
      always,
      onBatch: (batch) => this.#inbox.receive(batch as OwnedBatch, inspect),
      isReceiving: false,
    }
    this.#inputs.push(input)
    this.watch()
  }

  /** Receives as long as somebody wants something. */
  protected watch(): void {
    if (this.#closed) return
    const isHeard = this.isHeard
    if (isHeard) this.#wasHeard = true
    const isWanted = isHeard || this.requests.pending > 0 || (this.receivesUntilHeard && !this.#wasHeard)
    for (const input of this.#inputs) {
      const receive = isWanted || input.always
      if (receive === input.isReceiving) continue
      input.isReceiving = receive
      if (receive) input.source.on('batch', input.onBatch)
      else input.source.off('batch', input.onBatch)
    }
    this.#watchPeerErrors()
  }

  /** Does somebody listen to datagrams? */
  protected get isHeard(): boolean {
    return DATAGRAM_EVENTS.some((event) => this.listenerCount(event) > 0) || this.#consumers.isWaiting
  }

  /** Sends as the link is: raw, or with a header. */
  protected sendPayload(payload: Payload, target: Endpoint | undefined): boolean {
    if (this.header) return this.sendTyped(DATAGRAM_TYPE.datagram, payload, target)
    return this.#output.send(payload, target, this.sourceFor?.(target))
  }

  /** Sends with a header, whatever the link is. `target` undefined: the output's own peer. */
  protected sendTyped(type: number, payload: Payload, target: Endpoint | undefined, addressee = 0, correlation = 0): boolean {
    const length = payloadBytes(payload)
    if (length > this.#output.maxPayloadBytes - HEADER_BYTES) this.#checkLength('payload.length', length)
    const room = this.#output.reserve(HEADER_BYTES + length, target, this.sourceFor?.(target))
    if (room === undefined) return false
    writeHeader(room, type, this.senderId, addressee, correlation)
    writePayload(payload, room, HEADER_BYTES)
    this.#output.commit()
    return true
  }

  /** Somebody to send to is there again. */
  protected targetFound(): void {
    this.requests.repeatAll()
    if (this.#drainOwed) this.#emitDrain()
  }

  protected countForeign(): void {
    this.#inbox.counters.foreign++
  }

  /** Calls listeners. What they throw costs nobody else the event. */
  protected tell<Name extends keyof KindLinkEvents>(name: Name, ...args: KindLinkEvents[Name]): void {
    throwingLater(() => (this as EventEmitter).emit(name, ...args))
  }

  get #headerBytes(): number {
    return this.header ? HEADER_BYTES : 0
  }

  #makeInbox(): LinkInbox {
    return new LinkInbox({
      isServer: this.role === 'server',
      hasHeader: this.header,
      senderId: this.senderId,
      respond: (payload, request) => this.#sendResponse(payload, request),
      isClosed: () => this.#closed,
      isHeard: () => this.isHeard,
      hasListener: (event) => this.listenerCount(event) > 0,
      tell: (name, ...args) => this.tell(name, ...args),
      offer: (batch) => {
        if (this.#consumers.isWaiting) this.#consumers.offer(batch)
      },
      answered: (correlation, payload, from) => this.requests.answered(correlation, payload, from),
      heardStatus: (payload, sender, endpoint) => {
        this.heardStatus?.(payload, sender, endpoint)
        return this.heardStatus !== undefined
      },
    })
  }

  #own(carrier: Link | DatagramSource): void {
    if (this.#carriers.has(carrier)) return
    this.#carriers.add(carrier)
    carrier.on('close', () => this.close())
  }

  /** ICMP errors are a UDP socket's; it looks for them only where somebody listens. */
  #watchPeerErrors(): void {
    if (this.#peerErrorsWatched || this.listenerCount('peerError') === 0) return
    this.#peerErrorsWatched = true
    for (const carrier of this.#carriers) {
      ;(carrier as unknown as EventEmitter).on('peerError', (error: Error) => this.tell('peerError', error))
    }
  }

  #sendRequest(plan: RequestPlan, correlation: number): boolean {
    if (this.#closed) return false
    const target = this.target(plan.endpoint)
    if (target === NOBODY) return false
    return this.sendTyped(DATAGRAM_TYPE.request, plan.payload, target, 0, correlation)
  }

  #sendResponse(payload: Payload, request: IncomingRequest): boolean {
    this.checkOpen()
    const target = this.responseTarget(request)
    if (!this.header) return this.sendPayload(payload, target)
    return this.sendTyped(DATAGRAM_TYPE.response, payload, target, request.sender, request.correlation)
  }

  #refuse(payload: Payload): false {
    this.#checkLength('payload.length', payloadBytes(payload))
    this.#refused++
    this.#drainOwed = true
    return false
  }

  #emitDrain(): void {
    this.#drainOwed = false
    if (!this.#closed) this.tell('drain')
  }

  #checkLength(name: string, length: number): void {
    checkInteger(name, length, 0, Number.MAX_SAFE_INTEGER)
    if (length > this.maxPayloadBytes)
      throw outOfRange(name, `<= ${this.maxPayloadBytes}, the longest payload of this link`, length)
  }
}

const DATAGRAM_EVENTS = ['batch', 'announce', 'request', 'response'] as const
