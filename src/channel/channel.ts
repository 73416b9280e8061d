import { EventEmitter } from 'node:events'
import {
  checkFunction,
  checkInteger,
  closedError,
  invalidArgValue,
  invalidState,
  outOfRange,
  payloadBytes,
  throwingLater,
  writePayload,
  type Endpoint,
  type Payload,
} from '../core/index.js'
import { MAX_DATAGRAM_BYTES, datagramPrefix, headerBytes, sequenceOf, writeHeader } from './channel-datagram.js'
import type { ChannelReceiver } from './channel-inbox.js'
import { ChannelSender, type SenderPlan } from './channel-sender.js'
import type { ChannelStatistics } from './channel-statistics.js'
import type { ChannelMessage } from './message.js'
import { ReceiveLedger } from './receive-ledger.js'
import type { ChannelSource, Source } from './source-table.js'
import { Subscription, type MessageHandler, type SubscribeOptions } from './subscription.js'

/** Numbers of a source that have not come, and are passed. */
export interface ChannelGap {
  readonly source: Endpoint
  /** How many. They may yet come late. */
  readonly missing: number
  /** The number that came instead of the first that is missing. */
  readonly sequence: number
}

/** The events of a {@link Channel}, with their arguments. What a listener throws is an uncaught exception, and costs the channel nothing. */
export interface ChannelEvents {
  /** Before the message that showed it. */
  gap: [gap: ChannelGap]
  /** A source has begun anew; what was missing until then will not come. Before the message that showed it. */
  restart: [source: Endpoint, sequence: number]
  /** There is room in the send queue again, after `publish` or `reserve` refused or `flush` returned false. */
  drain: []
  /** A datagram could not be sent, or a socket not be opened: then what is published is counted as `datagramsUnsent`. */
  sendError: [error: Error]
  close: []
}

/** What a channel needs of its node. @internal */
export interface ChannelOwner {
  readonly plan: SenderPlan
  readonly maxSources: number
  readonly restartAfterMs: number
  subscribed(channel: Channel): void
  unsubscribed(channel: Channel): void
  closed(channel: Channel): void
}

/**
 * A named channel of a node: whatever is published in it comes to all who subscribe to it, here and elsewhere, as far as the network
 * carries it.
 *
 * It costs a sending socket an interface once something is published, and memberships while there is a subscription. Made by
 * `node.channel(name)`.
 */
export class Channel extends EventEmitter<ChannelEvents> implements ChannelReceiver {
  /** As it stands in datagrams: absolute, without the first `/`. */
  readonly name: string
  /** Where its datagrams go. */
  readonly group: Endpoint
  /** The longest payload, in bytes. Over Ethernet, whatever is longer than 1463 bytes less the name travels in fragments. */
  readonly maxPayloadBytes: number
  /** @internal */ readonly prefix: Buffer
  readonly #owner: ChannelOwner
  readonly #headerBytes: number
  readonly #sender: ChannelSender
  readonly #ledger: ReceiveLedger
  /** Replaced, never changed: a handler may add and remove. */
  #subscriptions: readonly Subscription[] = []
  #sequence = 0
  #published = 0
  #publishedBytes = 0
  /** The whole datagram, and how long a payload was asked for. */
  #reserved: Buffer | undefined
  #reservedBytes = 0
  #closed = false

  /** @internal */
  constructor(name: string, owner: ChannelOwner) {
    super()
    this.name = name
    this.group = owner.plan.group
    this.prefix = datagramPrefix(name)
    this.#owner = owner
    this.#headerBytes = headerBytes(name.length)
    this.maxPayloadBytes = MAX_DATAGRAM_BYTES - this.#headerBytes
    this.#ledger = new ReceiveLedger(owner.maxSources, owner.restartAfterMs)
    this.#sender = new ChannelSender(owner.plan, {
      onDrain: () => void this.emit('drain'),
      onSendError: (error) => process.nextTick(() => throwingLater(() => this.emit('sendError', error))),
    })
  }

  /**
   * Queues a copy of `payload`. It leaves at the end of this tick, or by {@link flush}; neighbours of one length leave together.
   *
   * @param payload At most {@link maxPayloadBytes}.
   * @returns False when the queue is full: **it was not queued**, and has no sequence number; 'drain' follows. With several interfaces
   *   that is the queue of the first; what another one's has no room for is counted as `datagramsRefused`.
   * @throws Misuse; `ERR_CLOSED`; `ERR_INVALID_STATE` between `reserve` and `commit` or `cancel`. What the network or the kernel does is an event and
   *   a counter.
   */
  publish(payload: Payload): boolean {
    const length = payloadBytes(payload)
    const datagram = this.#reserve('payload.length', length)
    if (datagram === undefined) return false
    writePayload(payload, datagram, this.#headerBytes)
    this.#commit(datagram, length)
    return true
  }

  /**
   * Room for a payload in the send memory, to be written in place and published by {@link commit}. One at a time.
   *
   * @returns A view of `lengthBytes` bytes that is the channel's again after `commit`; undefined when the queue is full: 'drain' follows.
   */
  reserve(lengthBytes: number): Buffer | undefined {
    const datagram = this.#reserve('lengthBytes', lengthBytes)
    if (datagram === undefined) return undefined
    this.#reservedBytes = lengthBytes
    this.#reserved = datagram
    return datagram.subarray(this.#headerBytes)
  }

  /**
   * Publishes what was reserved.
   *
   * @param lengthBytes How much of it was written. Default: all.
   * @throws `ERR_INVALID_STATE` when nothing is reserved; misuse, which leaves it reserved.
   */
  commit(lengthBytes: number = this.#reservedBytes): void {
    this.#checkOpen()
    const datagram = this.#reserved
    if (datagram === undefined) throw invalidState('nothing is reserved')
    checkInteger('lengthBytes', lengthBytes, 0, MAX_DATAGRAM_BYTES)
    if (lengthBytes > this.#reservedBytes) {
      throw invalidArgValue('lengthBytes', lengthBytes, `must be at most the ${this.#reservedBytes} that were reserved`)
    }
    this.#reserved = undefined
    this.#commit(datagram, lengthBytes)
  }

  /** Gives up what was reserved: it has no sequence number. Harmless when nothing is. */
  cancel(): void {
    if (this.#reserved === undefined) return
    this.#reserved = undefined
    this.#sender.cancel()
  }

  /** Hands what is queued to the kernel now. False when some of it has to wait: 'drain' follows. */
  flush(): boolean {
    this.#checkOpen()
    return this.#sender.flush()
  }

  /**
   * Receives from now on what is published in this channel, our own included: by a handler, or, without one, by async iteration over what
   * this returns.
   *
   * @throws Misuse; a `SocketError` when no socket can be opened or bound. What the kernel refuses of a single interface is an 'audit' event
   *   of the node.
   */
  subscribe(handler: MessageHandler, options?: SubscribeOptions): Subscription
  subscribe(options?: SubscribeOptions): Subscription
  subscribe(first: MessageHandler | SubscribeOptions = {}, second?: SubscribeOptions): Subscription {
    this.#checkOpen()
    const hasHandler = second !== undefined || typeof first !== 'object'
    const handler = hasHandler ? checkFunction('handler', first as MessageHandler) : undefined
    const options = hasHandler ? (second ?? {}) : first
    const subscription = new Subscription(handler, options, (closing) => this.#remove(closing))
    try {
      if (this.#subscriptions.length === 0) this.#owner.subscribed(this)
    } catch (error) {
      subscription.close()
      throw error
    }
    this.#subscriptions = [...this.#subscriptions, subscription]
    return subscription
  }

  /** Who was heard lately. */
  sources(): ChannelSource[] {
    return this.#ledger.sources.snapshots()
  }

  /** What was counted; a copy. Also of a closed channel. */
  stats(): ChannelStatistics {
    const sums = this.#sender.sums()
    return {
      datagramsPublished: this.#published,
      bytesPublished: this.#publishedBytes,
      datagramsUnsent: this.#sender.unsent,
      ...sums,
      ...this.#ledger.counters,
      sources: this.#ledger.sources.size,
      sourcesExpired: this.#ledger.sources.expired,
      sourcesEvicted: this.#ledger.sources.evicted,
      subscriptions: this.#subscriptions.length,
      sendSockets: this.#sender.sockets,
    }
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Sends what is queued as far as that goes at once, ends all subscriptions, and leaves the node. Harmless to repeat. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#reserved = undefined
    for (const subscription of this.#subscriptions) subscription.close()
    this.#sender.close()
    this.#owner.closed(this)
    process.nextTick(() => throwingLater(() => this.emit('close')))
  }

  /** @internal */
  expire(sinceMs: number): void {
    this.#ledger.sources.expire(sinceMs)
  }

  /** @internal */
  receive(datagram: Buffer, nameBytes: number, endpoint: Endpoint, nowMs: number): void {
    const sequence = sequenceOf(datagram, nameBytes)
    const payload = datagram.subarray(this.#headerBytes)
    const source = this.#ledger.enter(endpoint, sequence, payload.length, nowMs)
    const { lead } = this.#ledger
    const { outcome } = source.numbers
    if (outcome === 'gap' || outcome === 'restart') this.#tell(source, outcome, lead)
    const message: ChannelMessage = { payload, source: source.endpoint, sequence, lead }
    for (const subscription of this.#subscriptions) subscription.deliver(message)
  }

  #tell({ endpoint, numbers }: Source, outcome: 'gap' | 'restart', lead: number): void {
    if (this.listenerCount(outcome) === 0) return
    const sequence = numbers.highest
    throwingLater(() => {
      if (outcome === 'restart') this.emit('restart', endpoint, sequence)
      else this.emit('gap', { source: endpoint, missing: lead - 1, sequence })
    })
  }

  /** Room for header and payload. */
  #reserve(name: string, lengthBytes: number): Buffer | undefined {
    this.#checkOpen()
    if (this.#sender.hasReserved) throw invalidState('the reserved datagram must be committed or cancelled first')
    checkInteger(name, lengthBytes, 0, Number.MAX_SAFE_INTEGER)
    if (lengthBytes > this.maxPayloadBytes)
      throw outOfRange(name, `<= ${this.maxPayloadBytes} in channel ${this.name}`, lengthBytes)
    return this.#sender.reserve(this.#headerBytes + lengthBytes)
  }

  #commit(datagram: Buffer, lengthBytes: number): void {
    writeHeader(datagram, this.prefix, this.#sequence)
    this.#sequence = (this.#sequence + 1) >>> 0
    this.#published++
    this.#publishedBytes += lengthBytes
    this.#sender.commit(this.#headerBytes + lengthBytes)
  }

  #remove(closing: Subscription): void {
    if (!this.#subscriptions.includes(closing)) return
    this.#subscriptions = this.#subscriptions.filter((subscription) => subscription !== closing)
    if (this.#subscriptions.length > 0) return
    this.#ledger.sources.clear()
    this.#owner.unsubscribed(this)
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError('channel')
  }
}
