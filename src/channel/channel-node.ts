import { EventEmitter } from 'node:events'
import { loadAddon, type Addon } from '../binding/index.js'
import { Endpoint, closeAndWait, closedError, invalidState, obeySignal, throwingLater, type Timer } from '../core/index.js'
import { InterfaceMonitor, Membership, type InterfaceSource, type MembershipAudit } from '../net/index.js'
import { ChangeRelay } from './change-relay.js'
import { Channel, type ChannelOwner } from './channel.js'
import { ChannelInbox, type MalformedReason } from './channel-inbox.js'
import { multicastGroupForChannel, resolveName } from './channel-name.js'
import type { ChannelNodeStatistics } from './channel-statistics.js'
import { resolveNodeOptions, type ChannelNodeOptions, type ResolvedNodeOptions } from './node-options.js'

/** The events of a {@link ChannelNode}, with their arguments. */
export interface ChannelNodeEvents {
  /** Something arrived that is no datagram of a channel. Told once a second at most; all are counted. */
  malformed: [reason: MalformedReason, source: Endpoint, lengthBytes: number]
  /** A group was joined, left, or could not be: as `Membership` tells it. A failure that nobody listens for is a process warning. */
  audit: [audit: MembershipAudit]
  /** The kernel gave less than was asked for a socket. Without a listener: a process warning. */
  warning: [message: string]
  close: []
}

/**
 * Makes a node: the way to channels, which are publish and subscribe by name over IPv4 multicast, as pulicast has them.
 *
 * @throws Misuse; a `SocketError` when the interfaces cannot be watched.
 * @see docs/channels.md, docs/wire/channel.md
 */
export function createChannelNode(options: ChannelNodeOptions): ChannelNode {
  return new ChannelNode(options)
}

/**
 * A node has channels, and the port, interfaces and TTL that they share. It keeps the process alive while it is subscribed to something
 * (see {@link unref}).
 */
export class ChannelNode extends EventEmitter<ChannelNodeEvents> {
  /** Absolute, without the first `/`. */
  readonly name: string
  /** Absolute, without the first `/`; '' for the root. */
  readonly namespace: string
  readonly #options: ResolvedNodeOptions
  readonly #given: ChannelNodeOptions
  readonly #addon: Addon
  readonly #monitor: InterfaceSource
  readonly #ownMonitor: InterfaceMonitor | undefined
  readonly #relay: ChangeRelay
  readonly #membership: Membership
  readonly #inbox: ChannelInbox
  readonly #channels = new Map<string, Channel>()
  /** How many subscribed channels have a group. */
  readonly #groups = new Map<string, number>()
  readonly #letGo: () => void
  #expiryTimer: Timer | undefined
  #malformedMs = -Infinity
  #closed = false
  #closeEmitted = false

  /** @internal Use {@link createChannelNode}. */
  constructor(options: ChannelNodeOptions, addon: Addon = loadAddon()) {
    const resolved = resolveNodeOptions(options)
    super()
    this.#options = resolved
    this.#given = options
    this.#addon = addon
    this.name = resolved.name
    this.namespace = resolved.namespace
    this.#ownMonitor = options.monitor === undefined ? new InterfaceMonitor({ clock: resolved.clock }, addon).unref() : undefined
    this.#monitor = options.monitor ?? this.#ownMonitor!
    this.#inbox = new ChannelInbox((reason, source, bytes) => this.#reportMalformed(reason, source, bytes))
    try {
      this.#membership = this.#makeMembership()
    } catch (error) {
      this.#ownMonitor?.close()
      throw error
    }
    this.#relay = new ChangeRelay(this.#monitor)
    this.#letGo = obeySignal(resolved.signal, () => this.close())
  }

  get port(): number {
    return this.#options.port
  }

  /**
   * The channel of a name, always the same one until it is closed. It costs nothing before something is published or subscribed to.
   *
   * @param name `/a/b` is absolute, anything else relative to the node's namespace; `..` goes up.
   * @throws Misuse: among it a name that is not ASCII or too long; `ERR_INVALID_STATE` when there are `maxChannels`; `ERR_CLOSED`.
   */
  channel(name: string): Channel {
    this.#checkOpen()
    const resolved = this.resolve(name)
    const known = this.#channels.get(resolved)
    if (known !== undefined) return known
    if (this.#channels.size >= this.#options.maxChannels) {
      throw invalidState(`the node has ${this.#options.maxChannels} channels, as many as option maxChannels allows`)
    }
    const channel = new Channel(resolved, this.#ownerOf(resolved))
    this.#channels.set(resolved, channel)
    return channel
  }

  /** What the name of a channel becomes in datagrams. @throws Misuse. */
  resolve(name: string): string {
    return resolveName('name', name, this.namespace)
  }

  /** Those that are open. */
  channels(): Channel[] {
    return [...this.#channels.values()]
  }

  /** What was counted; a copy. Also of a closed node. */
  stats(): ChannelNodeStatistics {
    const { truncated: truncatedDropped, ...counters } = this.#inbox.counters
    return { channels: this.#channels.size, ...counters, truncatedDropped, membership: this.#membership.stats() }
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Closes all channels and sockets. Harmless to repeat. 'close' follows. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#inbox.close()
    this.#letGo()
    this.#relay.close()
    for (const channel of this.#channels.values()) channel.close()
    this.#expiryTimer?.cancel()
    this.#membership.close()
    this.#ownMonitor?.close()
    process.nextTick(() => {
      this.#closeEmitted = true
      this.emit('close')
    })
  }

  /** `await using`: {@link close}, and wait for 'close'. */
  [Symbol.asyncDispose](): Promise<void> {
    return closeAndWait(this, this.#closeEmitted)
  }

  /** Lets the process end although the node is subscribed to something. */
  unref(): this {
    this.#membership.unref()
    return this
  }

  ref(): this {
    this.#membership.ref()
    return this
  }

  #makeMembership(): Membership {
    const { copies, receiveSocket } = this.#given
    const membership = new Membership(
      {
        monitor: this.#monitor,
        port: this.#options.port,
        clock: this.#options.clock,
        ...(copies === undefined ? {} : { copies }),
        ...(receiveSocket === undefined ? {} : { socket: receiveSocket }),
      },
      this.#addon,
    )
    membership.on('batch', (batch) => this.#inbox.take(batch, this.#options.clock.nowMs()))
    membership.on('audit', (audit) => {
      if (this.emit('audit', audit) || audit.action !== 'failed') return
      process.emitWarning(`cannot receive ${audit.group}: ${audit.error?.message ?? audit.reason}`, { code: 'GEYSIR_MEMBERSHIP' })
    })
    membership.on('warning', (message) => {
      if (!this.emit('warning', message)) process.emitWarning(message, { code: 'GEYSIR_BUFFER_SIZE' })
    })
    return membership
  }

  #ownerOf(name: string): ChannelOwner {
    const { port, sendInterfaces, ttl, loopback, clock, maxSources, restartAfterMs } = this.#options
    const group = Endpoint.of(multicastGroupForChannel(name), port)
    const socket = this.#given.sendSocket ?? {}
    return {
      plan: { group, interfaces: sendInterfaces, ttl, loopback, socket, monitor: this.#relay, clock, addon: this.#addon },
      maxSources,
      restartAfterMs,
      subscribed: (channel) => this.#join(channel),
      unsubscribed: (channel) => this.#leave(channel),
      closed: (channel) => void this.#channels.delete(channel.name),
    }
  }

  /** Channels whose names have one group share its membership. */
  #join(channel: Channel): void {
    const { address } = channel.group
    const users = this.#groups.get(address) ?? 0
    if (users === 0) this.#membership.join(address, { interfaces: this.#options.receiveInterfaces })
    this.#groups.set(address, users + 1)
    this.#inbox.add(channel)
    this.#expiryTimer ??= this.#scheduleExpiry()
  }

  #leave(channel: Channel): void {
    const { address } = channel.group
    this.#inbox.remove(channel)
    const users = this.#groups.get(address)! - 1
    if (users > 0) this.#groups.set(address, users)
    else {
      this.#groups.delete(address)
      if (!this.#membership.closed) this.#membership.leave(address)
    }
  }

  /** One timer for all channels, while there is something to forget. */
  #scheduleExpiry(): Timer {
    const { clock, sourceExpiryMs } = this.#options
    const timer = clock.setTimer(
      () => {
        const sinceMs = clock.nowMs() - sourceExpiryMs
        for (const channel of this.#channels.values()) channel.expire(sinceMs)
        this.#expiryTimer = this.#groups.size === 0 ? undefined : this.#scheduleExpiry()
      },
      Math.max(sourceExpiryMs / LOOKS_PER_EXPIRY, MIN_LOOK_MS),
    )
    timer.unref()
    return timer
  }

  #reportMalformed(reason: MalformedReason, source: Endpoint, lengthBytes: number): void {
    const nowMs = this.#options.clock.nowMs()
    if (nowMs - this.#malformedMs < MALFORMED_INTERVAL_MS) return
    this.#malformedMs = nowMs
    throwingLater(() => this.emit('malformed', reason, source, lengthBytes))
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError('node')
  }
}

/** So a source is forgotten at the latest a quarter later than is said. */
const LOOKS_PER_EXPIRY = 4
const MIN_LOOK_MS = 10
const MALFORMED_INTERVAL_MS = 1000
