import { EventEmitter } from 'node:events'
import { SocketError, loadAddon, type Addon } from '../binding/index.js'
import {
  Endpoint,
  checkInteger,
  closeAndWait,
  closedError,
  invalidArgType,
  obeySignal,
  throwingLater,
  type EndpointLike,
  type Timer,
} from '../core/index.js'
import { readAddressList } from './address-list.js'
import { ChangeQueue } from './change-queue.js'
import type {
  AddressChange,
  AddressEvent,
  DefaultRouteChange,
  InterfaceChange,
  InterfaceEvent,
  InterfaceSource,
  InterfaceStateChange,
} from './interface-change.js'
import { compareStates, type InterfaceState } from './interface-difference.js'
import { InterfaceFeed } from './interface-feed.js'
import { InterfaceTable } from './interface-table.js'
import { INTERFACE_DUMPS, isNetlinkRefusal } from './interfaces.js'
import { resolveMonitorOptions, type InterfaceMonitorOptions, type ResolvedMonitorOptions } from './monitor-options.js'
import { RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_IFADDR, RTMGRP_IPV6_ROUTE, RTMGRP_LINK } from './netlink-constants.js'
import type { ReceiveOutcome } from './netlink-socket.js'
import type { DefaultRoute, NetworkInterface } from './network-interface.js'

/** The events of an {@link InterfaceMonitor}, with their arguments. */
export type InterfaceMonitorEvents = {
  /** A burst has settled: all that it changed, in order. */
  change: [changes: readonly InterfaceChange[]]
  close: []
} & Record<InterfaceEvent, [change: InterfaceStateChange]> &
  Record<AddressEvent, [change: AddressChange]> & { defaultRouteChanged: [change: DefaultRouteChange] }

/** What a monitor has counted. */
export interface InterfaceMonitorStatistics {
  /** Netlink messages. */
  messages: number
  /** Messages that could not be understood and were left out. */
  malformed: number
  /** Datagrams that were not the kernel's, and not read. */
  foreign: number
  /** Addresses of interfaces that were not known. */
  orphans: number
  /** Times that the kernel had more to tell than the receive buffer holds (ENOBUFS). Each is followed by a dump. */
  overruns: number
  dumps: number
  /** Dumps under which something changed, and which were asked for again. */
  interruptedDumps: number
  /** Dumps and looks that failed and are tried again. */
  failures: number
  /** Looks at getifaddrs(3), where there is no netlink. */
  polls: number
  /** 'change' events, and the changes in them. */
  bursts: number
  changes: number
  /** Times that an iteration was so slow that what waited for it became one difference. */
  collapses: number
}

/**
 * The network interfaces of this namespace, and what happens to them.
 *
 * Complete as soon as it is made: {@link interfaces} has all, and whatever happens from then on is told. Its table is of now, independent
 * of `settleMs`, which only puts off the events. It keeps the process alive until it is closed (see {@link unref}).
 *
 * @see rtnetlink(7)
 */
export class InterfaceMonitor extends EventEmitter<InterfaceMonitorEvents> implements InterfaceSource {
  /** Where changes come from: the kernel tells them, or, where it refuses that, we look from time to time. */
  readonly source: 'netlink' | 'polling'
  readonly #addon: Addon
  readonly #options: ResolvedMonitorOptions
  readonly #feed: InterfaceFeed | undefined
  readonly #table: InterfaceTable
  readonly #queues = new Set<ChangeQueue>()
  readonly #counters = { failures: 0, polls: 0, bursts: 0, changes: 0, collapses: 0 }
  /** As it was told last. */
  #state: InterfaceState
  #settleTimer: Timer | undefined
  /** The next look, or the next attempt at a dump that failed. */
  #retryTimer: Timer | undefined
  #letGo: (() => void) | undefined
  #ref = true
  #closed = false
  #closeEmitted = false

  /**
   * @param options See {@link InterfaceMonitorOptions}.
   * @throws Misuse; {@link SocketError}: `EMFILE`, … Nothing stays open.
   */
  constructor(options: InterfaceMonitorOptions = {}, addon: Addon = loadAddon()) {
    const resolved = resolveMonitorOptions(options)
    super()
    // Each membership and sender listens: many are no leak.
    this.setMaxListeners(0)
    this.#addon = addon
    this.#options = resolved
    this.#feed = this.#openFeed()
    this.source = this.#feed === undefined ? 'polling' : 'netlink'
    this.#table = this.#feed?.table ?? new InterfaceTable()
    if (this.#feed === undefined) this.#poll()
    this.#state = this.#takeState(EMPTY_STATE)
    this.#watch()
    this.#letGo = obeySignal(resolved.signal, () => this.close())
  }

  /** All interfaces as of now, by index. The same array as long as nothing changes. */
  interfaces(): readonly NetworkInterface[] {
    this.#checkOpen()
    return this.#table.interfaces
  }

  /** One interface, by name or index. */
  interface(nameOrIndex: string | number): NetworkInterface | undefined {
    this.#checkOpen()
    if (typeof nameOrIndex === 'number') return this.#table.byIndex(checkInteger('nameOrIndex', nameOrIndex, 1, MAX_INDEX))
    if (typeof nameOrIndex !== 'string') throw invalidArgType('nameOrIndex', 'an interface name or index', nameOrIndex)
    return this.#table.interfaces.find(({ name }) => name === nameOrIndex)
  }

  /** The default routes, the best one of a family first. As of the last 'change'; empty where the kernel does not tell. */
  defaultRoutes(family?: 'IPv4' | 'IPv6'): readonly DefaultRoute[] {
    this.#checkOpen()
    const { routes } = this.#state
    return family === undefined ? [...routes.IPv4, ...routes.IPv6] : routes[family]
  }

  /**
   * Is this address ours? By the table, without a system call, so it may be asked for every datagram. The port does not matter.
   *
   * It answers as bind(2) would: yes to the loopback network, to the address of nowhere (`0.0.0.0`, `::`) and to an IPv4-mapped address
   * of ours; no to groups, to broadcast addresses, and to an address that is still checked for a duplicate. A link-local address with a
   * zone is ours on that interface only.
   */
  isLocalEndpoint(endpoint: Endpoint | EndpointLike): boolean {
    if (this.#closed) throw closedError('monitor')
    return this.#table.local.has(endpoint instanceof Endpoint ? endpoint : Endpoint.from(endpoint))
  }

  /** What was counted since the monitor was made; a copy. Also of a closed one. */
  stats(): InterfaceMonitorStatistics {
    const feed = this.#feed?.counters ?? NO_FEED_COUNTERS
    return { ...feed, foreign: this.#feed?.foreign ?? 0, orphans: this.#table.orphans, ...this.#counters }
  }

  /** Lets the process end although this monitor is open. */
  unref(): this {
    if (this.#closed) return this
    this.#ref = false
    this.#feed?.setRef(false)
    this.#settleTimer?.unref()
    this.#retryTimer?.unref()
    return this
  }

  ref(): this {
    if (this.#closed || this.#ref) return this
    this.#ref = true
    this.#feed?.setRef(true)
    if (this.#retryTimer !== undefined) this.#retryLater()
    return this
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Stops watching. What had not settled is not told. Harmless to repeat. 'close' follows. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#feed?.close()
    this.#settleTimer?.cancel()
    this.#retryTimer?.cancel()
    this.#letGo?.()
    for (const queue of this.#queues) queue.end()
    this.#queues.clear()
    process.nextTick(() => {
      this.#closeEmitted = true
      this.emit('close')
    })
  }

  /** `await using`: {@link close}, and wait for 'close'. */
  [Symbol.asyncDispose](): Promise<void> {
    return closeAndWait(this, this.#closeEmitted)
  }

  /**
   * Bursts of changes from now on, none missed: where more than 64 wait, they become one difference. The loop ends when the monitor is
   * closed; leaving it leaves the monitor open.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<readonly InterfaceChange[]> {
    this.#checkOpen()
    const queue = new ChangeQueue(
      (ended) => this.#queues.delete(ended),
      () => this.#counters.collapses++,
    )
    this.#queues.add(queue)
    return queue
  }

  #openFeed(): InterfaceFeed | undefined {
    const { defaultRoutes, receiveBufferBytes } = this.#options
    let feed: InterfaceFeed | undefined
    try {
      feed = new InterfaceFeed(this.#addon, defaultRoutes ? INTERFACE_GROUPS | ROUTE_GROUPS : INTERFACE_GROUPS)
      feed.setReceiveBuffer(receiveBufferBytes)
      if (!feed.synchronize(INTERFACE_DUMPS)) this.#retryLater()
      if (defaultRoutes) feed.staleRoutes.add('IPv4').add('IPv6')
      if (!feed.refreshRoutes()) this.#retryLater()
      return feed
    } catch (error) {
      feed?.close()
      this.#retryTimer?.cancel()
      if (isNetlinkRefusal(error)) return undefined
      throw error
    }
  }

  #watch(): void {
    try {
      this.#feed?.watch((outcome) => this.#received(outcome))
    } catch (error) {
      this.close()
      throw error
    }
  }

  #received(outcome: ReceiveOutcome): void {
    // Not put off with the events: what the table says is of now.
    if (outcome !== 'received') this.#synchronize()
    const { touched } = this.#table
    if (touched.size === 0 && this.#feed!.staleRoutes.size === 0) return
    if (this.#options.settleMs === 0) this.#settle()
    else this.#settleTimer ??= this.#setTimer(() => this.#settle(), this.#options.settleMs)
  }

  #synchronize(): void {
    try {
      if (this.#options.defaultRoutes) this.#feed!.staleRoutes.add('IPv4').add('IPv6')
      if (this.#feed!.synchronize(INTERFACE_DUMPS)) return
    } catch (error) {
      // Only of the kernel's, such as ENOBUFS and ENOMEM: they pass.
      if (!(error instanceof SocketError)) throw error
      this.#counters.failures++
    }
    this.#retryLater()
  }

  /** The burst is over: tells what came of it. */
  #settle(): void {
    this.#settleTimer?.cancel()
    this.#settleTimer = undefined
    this.#refreshRoutes()
    const before = this.#state
    const serials = [...this.#table.touched]
    const after = this.#takeState(before)
    this.#state = after
    const changes = Object.freeze(compareStates(before, after, serials))
    if (changes.length === 0) return
    this.#counters.bursts++
    this.#counters.changes += changes.length
    for (const queue of this.#queues) queue.push(changes, before, after)
    throwingLater(() => this.emit('change', changes))
    for (const change of changes) {
      if (this.#closed) return
      // TypeScript does not see that event and argument belong together.
      throwingLater(() => (this as EventEmitter).emit(change.type, change))
    }
  }

  #refreshRoutes(): void {
    if (this.#feed === undefined || this.#feed.staleRoutes.size === 0) return
    if (!this.#options.defaultRoutes) return this.#feed.staleRoutes.clear()
    try {
      if (this.#feed.refreshRoutes()) return
    } catch (error) {
      if (!(error instanceof SocketError)) throw error
      this.#counters.failures++
    }
    this.#retryLater()
  }

  #takeState(before: InterfaceState): InterfaceState {
    const interfaces = new Map(before.interfaces)
    for (const serial of this.#table.touched) {
      const now = this.#table.bySerial(serial)
      if (now === undefined) interfaces.delete(serial)
      else interfaces.set(serial, now)
    }
    this.#table.clearTouched()
    return { interfaces, routes: { IPv4: this.#table.defaultRoutes('IPv4'), IPv6: this.#table.defaultRoutes('IPv6') } }
  }

  #poll(): void {
    this.#counters.polls++
    readAddressList(this.#addon, this.#table)
    this.#retryLater()
  }

  /** The next look, or the next attempt. */
  #retryLater(): void {
    this.#retryTimer?.cancel()
    this.#retryTimer = this.#setTimer(() => this.#retry(), this.#options.pollMs)
  }

  #retry(): void {
    this.#retryTimer = undefined
    if (this.#feed !== undefined) return this.#received('lost')
    try {
      this.#poll()
    } catch (error) {
      if (!(error instanceof SocketError)) throw error
      this.#counters.failures++
      this.#retryLater()
    }
    // Looking is coarser than any settling.
    if (this.#table.touched.size > 0) this.#settle()
  }

  #setTimer(callback: () => void, delayMs: number): Timer {
    const timer = this.#options.clock.setTimer(callback, delayMs)
    if (!this.#ref) timer.unref()
    return timer
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError('monitor')
  }
}

const EMPTY_STATE: InterfaceState = { interfaces: new Map(), routes: { IPv4: [], IPv6: [] } }
const NO_FEED_COUNTERS = { messages: 0, malformed: 0, overruns: 0, dumps: 0, interruptedDumps: 0 }
const INTERFACE_GROUPS = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR
const ROUTE_GROUPS = RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE
const MAX_INDEX = 0x7fff_ffff
