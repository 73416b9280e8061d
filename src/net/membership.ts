import { EventEmitter } from 'node:events'
import { loadAddon, type Addon } from '../binding/index.js'
import {
  BatchConsumers,
  checkInteger,
  checkLocalPort,
  checkOneOf,
  checkOptions,
  checkSignal,
  closeAndWait,
  closedError,
  followListeners,
  invalidArgValue,
  obeySignal,
  throwLater,
  throwingLater,
  type Clock,
  type Endpoint,
  type ReceiveBatch,
} from '../core/index.js'
import { UdpSocket } from '../socket/index.js'
import { systemClock, systemRandom } from '../system/index.js'
import type { InterfaceSource } from './interface-change.js'
import type { JoinedInterface, MembershipAudit } from './membership-audit.js'
import { SiftedBatch, type GroupBatch } from './membership-batch.js'
import { CopyWindow } from './membership-copies.js'
import { Inbox } from './membership-inbox.js'
import { resolveInterest, type Interest, type JoinOptions } from './membership-interest.js'
import { MembershipKeeper } from './membership-keeper.js'
import { Shard } from './membership-shard.js'
import { ShardSet } from './membership-shards.js'
import type { MembershipStatistics } from './membership-statistics.js'
import { kernelChoice } from './multicast-kernel-choice.js'
import {
  RECEIVER_RULES,
  checkMonitor,
  checkSocketOptions,
  openMulticastReceiver,
  type ReceiverSocketOptions,
} from './multicast-rules.js'

/** Options of `new Membership`. */
export interface MembershipOptions {
  /** Tells which interfaces there are, and their changes: an interface monitor. It stays its owner's to close. */
  monitor: InterfaceSource
  /** Where to receive. Default 0: the kernel chooses one at the first {@link Membership.join}; see {@link Membership.port}. */
  port?: number
  /**
   * - `'any'` (default): one socket holds as many groups as the kernel lets it. The sockets are bound to any address, so unicast to the
   *   port can come here instead of to another program that shares it; it is dropped and counted as `datagramsForeign`.
   * - `'group'`: each group has sockets of its own, bound to it. Nothing but that group reaches them, at the price of a descriptor a group.
   */
  bindTo?: 'any' | 'group'
  /**
   * What is done about a datagram that comes by several interfaces: `'deliver'` every copy, or suppress them within a window. A copy has
   * the same source endpoint, group and bytes as a datagram delivered at most `windowMs` ago (default 500), and came by another
   * interface. At most `maxDatagrams` (default 4096) are remembered. Loopback takes no part. Costs nothing where a group is joined on
   * one interface.
   */
  copies?: 'deliver' | { windowMs?: number; maxDatagrams?: number }
  /** Further options of the sockets: buffers, batches, ancillary data. */
  socket?: ReceiverSocketOptions
  /** Default: real time. */
  clock?: Clock
  /** Closes the membership when it is aborted. */
  signal?: AbortSignal
}

/** The events of a {@link Membership}, with their arguments. */
export interface MembershipEvents {
  /** Datagrams have arrived. The batch lives until the handler returns. */
  batch: [batch: GroupBatch]
  /** One datagram has arrived; also datagram `i` of `batch`. The payload is a view that lives until the handler returns. */
  datagram: [payload: Buffer, endpoint: Endpoint, batch: GroupBatch, i: number]
  /** It joined, left or could not. In a tick of its own. A failure that nobody listens for is a process warning. */
  audit: [audit: MembershipAudit]
  /** The kernel gave less than was asked for a socket; see `UdpSocket`. Without a listener: a process warning. */
  warning: [message: string]
  close: []
}

/**
 * Receives multicast groups on interfaces that come and go.
 *
 * {@link join} states a wish: it holds for the interfaces of now and for those that appear later, after renames, changes of address,
 * and after an interface was deleted and made again. As many sockets as the kernel's limits demand serve it; the user sees one stream.
 *
 * Receiving starts with the first 'batch' or 'datagram' listener or step of an iteration; before that, and while nobody listens, datagrams
 * wait in the kernel's buffers. A refusal by the kernel is an 'audit' event and is tried again.
 */
export class Membership extends EventEmitter<MembershipEvents> {
  readonly #addon: Addon
  readonly #socketOptions: ReceiverSocketOptions
  readonly #letGo: () => void
  readonly #bindsToGroup: boolean
  readonly #window: CopyWindow | undefined
  readonly #shards: ShardSet
  readonly #keeper: MembershipKeeper
  readonly #inbox: Inbox
  readonly #consumers = new BatchConsumers<GroupBatch>(() => this.#watch())
  #port: number
  #audits: MembershipAudit[] = []
  #delivered = 0
  #deliveredBytes = 0
  #undelivered = 0
  #isListening = false
  #isRef = true
  #closed = false
  #closeEmitted = false

  /** @throws Misuse. Opens nothing yet. */
  constructor(options: MembershipOptions, addon: Addon = loadAddon()) {
    checkOptions('options', options, KNOWN)
    checkMonitor(options.monitor)
    const port = checkLocalPort('options.port', options.port ?? 0)
    const bindTo = checkOneOf('options.bindTo', options.bindTo ?? 'any', ['any', 'group'])
    const window = copyWindow(options.copies ?? {})
    checkSignal('options.signal', options.signal)
    checkSocketOptions('options.socket', options.socket, [...RECEIVER_RULES, 'signal'])
    super()
    this.#addon = addon
    this.#socketOptions = options.socket ?? {}
    this.#port = port
    this.#bindsToGroup = bindTo === 'group'
    this.#window = window
    const clock = options.clock ?? systemClock
    this.#shards = new ShardSet(
      (isIpv4, group) => this.#openShard(isIpv4, group),
      this.#bindsToGroup,
      ({ address }) => this.#reportSharded(address),
    )
    this.#keeper = new MembershipKeeper({
      source: options.monitor,
      clock,
      shards: this.#shards,
      onAudit: (audit) => this.#report(audit),
      choose: (interest, indexes) => this.#choose(interest, indexes),
      isRef: () => this.#isRef,
    })
    this.#inbox = new Inbox(clock, window, (group, index) => this.#keeper.isJoinedElsewhere(group, index))
    this.#letGo = obeySignal(options.signal, () => this.close())
  }

  /**
   * Wishes a group, from now on, wherever the options say.
   *
   * @param group A literal. One with a zone (`ff02::1%eth0` by index: `ff02::1%2`) means that interface alone.
   * @throws Misuse; `ERR_INVALID_STATE` for a group that is wished already; a `SocketError` when no socket can be opened or bound. What
   *   the kernel refuses of a single interface is an 'audit' event.
   */
  join(group: string, options: JoinOptions = {}): void {
    this.#checkOpen()
    const interest = resolveInterest(group, options)
    if (this.#bindsToGroup && LINK_LOCAL_GROUP.test(interest.address)) {
      throw invalidArgValue('group', group, "is link-local, and a socket bound to it has one interface: needs bindTo 'any'")
    }
    this.#keeper.add(interest)
  }

  /** Ends the wish. @throws Misuse; `ERR_INVALID_STATE` for a group that is not wished. */
  leave(group: string): void {
    this.#checkOpen()
    this.#keeper.remove(resolveInterest(group, {}).address)
  }

  /** What is joined now: for each wished group, the interfaces. */
  current(): ReadonlyMap<string, readonly JoinedInterface[]> {
    this.#checkOpen()
    return new Map([...this.#keeper.groups()].map((group) => [group, this.#keeper.joined(group)]))
  }

  /** The port that is received; 0 as long as the kernel has not chosen one. */
  get port(): number {
    return this.#port
  }

  /** What was counted; a copy. Also of a closed membership. */
  stats(): MembershipStatistics {
    return {
      ...this.#shards.sums(),
      datagramsDelivered: this.#delivered,
      bytesDelivered: this.#deliveredBytes,
      copiesSuppressed: this.#inbox.copies,
      copiesUnwatched: this.#window?.unwatched ?? 0,
      datagramsForeign: this.#inbox.foreign,
      datagramsUndelivered: this.#undelivered,
      sockets: this.#shards.all().length,
      ...this.#keeper.counts(),
    }
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Leaves everything. Harmless to repeat. 'close' follows. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#letGo()
    this.#keeper.close()
    for (const shard of this.#shards.all()) this.#shards.remove(shard)
    this.#consumers.end()
    process.nextTick(() => {
      this.#emitAudits()
      this.#closeEmitted = true
      this.emit('close')
    })
  }

  /** `await using`: {@link close}, and wait for 'close'. */
  [Symbol.asyncDispose](): Promise<void> {
    return closeAndWait(this, this.#closeEmitted)
  }

  /** Batches as they come; each lives until the next step. Ends when the membership is closed. */
  [Symbol.asyncIterator](): AsyncIterableIterator<GroupBatch> {
    this.#checkOpen()
    return this.#consumers.iterate()
  }

  /** Lets the process end although this membership is receiving. */
  unref(): this {
    return this.#setRef(false)
  }

  ref(): this {
    return this.#setRef(true)
  }

  // Receiving follows the listeners. `once` and `prependOnceListener` come through these as well.
  static {
    followListeners(this.prototype, (membership) => membership.#watch())
  }

  #setRef(isRef: boolean): this {
    this.#isRef = isRef
    if (!isRef) this.#keeper.unref()
    for (const { socket } of this.#shards.all())
      if (isRef) socket.ref()
      else socket.unref()
    return this
  }

  #watch(): void {
    if (this.#closed) return
    const isListening = this.listenerCount('batch') > 0 || this.listenerCount('datagram') > 0 || this.#consumers.isWaiting
    if (isListening === this.#isListening) return
    this.#isListening = isListening
    for (const { socket } of this.#shards.all())
      if (isListening) socket.resume()
      else socket.pause()
  }

  #openShard(isIpv4: boolean, group: string | undefined): Shard {
    const type = isIpv4 ? 'udp4' : 'udp6'
    const bound = group === undefined ? {} : { group }
    const socket = openMulticastReceiver({ type, port: this.#port, ...bound, socket: this.#socketOptions }, this.#addon)
    this.#port = socket.address().port
    const shard = new Shard(socket, isIpv4)
    socket.on('warning', (message) => this.#warn(message))
    socket.on('error', (error) => {
      if (!this.#closed) this.#keeper.renew(shard, error)
    })
    if (!this.#isListening) socket.pause()
    socket.on('batch', (batch) => this.#receive(batch, shard))
    if (!this.#isRef) socket.unref()
    return shard
  }

  #receive(batch: ReceiveBatch, shard: Shard): void {
    const sifted = this.#inbox.sift(batch, shard)
    if (sifted === undefined) return
    const { count, bytes } = sifted
    this.#delivered += count
    this.#deliveredBytes += bytes
    try {
      this.emit('batch', sifted)
    } catch (error) {
      throwLater(error)
    }
    if (this.listenerCount('datagram') > 0) this.#emitEach(sifted, count, bytes)
    if (this.#consumers.isWaiting) this.#consumers.offer(sifted)
    if (sifted instanceof SiftedBatch) sifted.endIfFree(true)
  }

  #emitEach(batch: GroupBatch, count: number, bytes: number): void {
    for (let i = 0; i < count; i++) {
      if (this.#closed || batch.count === 0) {
        this.#delivered -= count - i
        this.#deliveredBytes -= bytes
        this.#undelivered += count - i
        return
      }
      const payload = batch.payload(i)
      bytes -= payload.length
      throwingLater(() => this.emit('datagram', payload, batch.endpoint(i), batch, i))
    }
  }

  #choose({ address, isIpv4 }: Interest, indexes: Iterable<number>): number | undefined {
    const socket = new UdpSocket({ type: isIpv4 ? 'udp4' : 'udp6' }, this.#addon)
    try {
      return kernelChoice(socket, address, indexes)
    } finally {
      socket.close()
    }
  }

  #reportSharded(group: string): void {
    const reason = "the kernel's limit for one socket is reached"
    this.#report({ action: 'sharded', group, interface: undefined, reason, error: undefined, retryInMs: undefined })
  }

  /** In a tick of its own: a listener may join and leave. */
  #report(audit: MembershipAudit): void {
    if (this.#audits.length === 0) process.nextTick(() => this.#emitAudits())
    this.#audits.push(audit)
  }

  #emitAudits(): void {
    for (const audit of this.#audits.splice(0)) {
      throwingLater(() => {
        if (this.emit('audit', audit) || audit.action !== 'failed') return
        process.emitWarning(describe(audit), { code: 'GEYSIR_MEMBERSHIP' })
      })
    }
  }

  #warn(message: string): void {
    if (!this.emit('warning', message)) process.emitWarning(message, { code: 'GEYSIR_BUFFER_SIZE' })
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError('membership')
  }
}

function describe({ group, interface: where, error, retryInMs }: MembershipAudit): string {
  const place = where === undefined ? '' : ` on ${where.name}`
  return `cannot join ${group}${place}: ${error?.message ?? 'unknown error'}; next try in ${retryInMs ?? 0} ms`
}

function copyWindow(copies: unknown): CopyWindow | undefined {
  if (copies === 'deliver') return undefined
  if (typeof copies === 'string') throw invalidArgValue('options.copies', copies, "must be 'deliver' or an object")
  checkOptions('options.copies', copies, COPY_OPTIONS)
  const { windowMs = DEFAULT_WINDOW_MS, maxDatagrams = DEFAULT_WINDOW_DATAGRAMS } = copies as Record<string, number>
  return new CopyWindow(
    checkInteger('options.copies.windowMs', windowMs, 1, MAX_WINDOW_MS),
    checkInteger('options.copies.maxDatagrams', maxDatagrams, 1, MAX_WINDOW_DATAGRAMS),
    systemRandom.uint32(),
  )
}

const KNOWN: ReadonlySet<string> = new Set(['monitor', 'port', 'bindTo', 'copies', 'socket', 'clock', 'signal'])
const COPY_OPTIONS: ReadonlySet<string> = new Set(['windowMs', 'maxDatagrams'])
/** ff02::/16 and its kin (RFC 4291 section 2.7): bind(2) wants an interface for them. */
const LINK_LOCAL_GROUP = /^ff[0-9a-f]2:/
/** Longer than the paths of one LAN differ, shorter than most repeat themselves. */
const DEFAULT_WINDOW_MS = 500
const MAX_WINDOW_MS = 60_000
/** At 64 KiB each they are 256 MiB at worst, and at 1400 bytes 6 MB. */
const DEFAULT_WINDOW_DATAGRAMS = 4096
const MAX_WINDOW_DATAGRAMS = 1_048_576
