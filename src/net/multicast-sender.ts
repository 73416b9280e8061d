import { SocketError, loadAddon, ERRNO, type Addon } from '../binding/index.js'
import {
  Endpoint,
  checkBoolean,
  checkOptions,
  checkPeerPort,
  checkString,
  invalidArgValue,
  type EndpointLike,
} from '../core/index.js'
import {
  UdpSocket,
  type GroupOptions,
  type KernelOptionName,
  type KernelOptionValues,
  type SendOptions,
  type UdpSocketOptions,
} from '../socket/index.js'
import { checkInterface, findInterface } from '../socket/interface-lookup.js'
import type { InterfaceChange, InterfaceSource } from './interface-change.js'
import { kernelChoice } from './multicast-kernel-choice.js'
import { checkMonitor, checkMulticastTtl, checkSocketOptions } from './multicast-rules.js'

/** Options of {@link openMulticastSender}. */
export interface MulticastSenderOptions {
  /** Where `send` sends to by default. */
  group: Endpoint | EndpointLike
  /** By which interface: a name, an index or one of its addresses, which then is the source as well. Default 0: the routing table decides. */
  interface?: string | number
  /** The source address, one of the interface's. Default: its first of the group's family, or the one that `interface` names. */
  source?: string
  /** Hops, 0 to 255. 0: this host only, see {@link MulticastSender}. Default 1: this link. */
  ttl?: number
  /** Members on this host receive it, too. Default true. */
  loopback?: boolean
  /**
   * Follow the interface: when one of that name or address was made again, or its address changed, it is told to the kernel anew. Without
   * it, a sender keeps to what was there when it was opened, and what it sends fails when that is gone.
   */
  monitor?: InterfaceSource
  /** Further options of the socket, but those that the rules set. */
  socket?: SenderSocketOptions
}

/** What the rules do not decide: buffers, queues, marks, … */
export type SenderSocketOptions = Omit<UdpSocketOptions, (typeof SENDER_RULES)[number]>

/**
 * Opens a socket that sends to a group by the rules of {@link MulticastSender}.
 *
 * @throws Misuse; a `SocketError`: `ENODEV`, `EADDRNOTAVAIL` for an interface or a source that is not there.
 */
export function openMulticastSender(options: MulticastSenderOptions, addon: Addon = loadAddon()): MulticastSender {
  return new MulticastSender(options, addon)
}

/**
 * A `UdpSocket` that sends to a group by these rules:
 *
 * - The source address is given to the kernel together with the interface: the index alone can leave by the right interface with the
 *   address of another one.
 * - Loopback is on unless it is turned off, so that members on this host hear it.
 * - TTL 0 means this host only. The kernel alone does not keep that: it sends such datagrams out when nobody on this host has joined the
 *   group on the interface (Linux 6.18). So over IPv4 they go by loopback, where nothing can leave, and members join there
 *   (`Membership` does). Over IPv6, where loopback carries no groups, the socket joins the group on the interface that the routing table
 *   chooses and stays with both. Whatever would undo that is refused: another interface, TTL, device or group.
 */
export class MulticastSender extends UdpSocket {
  readonly group: Endpoint
  /** Is it bound to this host, by TTL 0? */
  readonly isHostOnly: boolean
  readonly #plan: Plan
  readonly #addon: Addon
  #index = 0

  /** @internal Use {@link openMulticastSender}. */
  constructor(options: MulticastSenderOptions, addon: Addon) {
    const plan = planOf(options, addon)
    super(plan.socketOptions, addon)
    this.#plan = plan
    this.#addon = addon
    this.group = plan.group
    this.isHostOnly = plan.ttl === 0
    try {
      this.#index = this.isHostOnly && !plan.group.isIpv4 ? this.#stayHere() : plan.index
      if (plan.bindTo !== undefined) this.bindNow(plan.bindTo)
    } catch (error) {
      this.close()
      throw error
    }
    const { monitor } = options
    monitor?.on('change', this.#onChange)
    if (monitor !== undefined) this.once('close', () => void monitor.off('change', this.#onChange))
  }

  /** Where it sends; 0 where the routing table decides. */
  get interfaceIndex(): number {
    return this.#index
  }

  /** As of `UdpSocket`. @param endpoint Default: the group. */
  override send(
    payload: Uint8Array | DataView | string,
    endpoint: Endpoint | EndpointLike = this.group,
    options?: SendOptions,
  ): boolean {
    if (this.isHostOnly) this.#checkSending(endpoint, options)
    return super.send(payload, endpoint, options)
  }

  override reserve(
    lengthBytes: number,
    endpoint: Endpoint | EndpointLike = this.group,
    options?: SendOptions,
  ): Buffer | undefined {
    if (this.isHostOnly) this.#checkSending(endpoint, options)
    return super.reserve(lengthBytes, endpoint, options)
  }

  override reserveRun(
    lengthBytes: number,
    count: number,
    endpoint: Endpoint | EndpointLike = this.group,
    options?: SendOptions,
  ): Buffer | undefined {
    if (this.isHostOnly) this.#checkSending(endpoint, options)
    return super.reserveRun(lengthBytes, count, endpoint, options)
  }

  override setOption<Name extends KernelOptionName>(name: Name, value: KernelOptionValues[Name]): void {
    if (this.isHostOnly && FIXED_BY_HOST_ONLY.has(name)) {
      throw invalidArgValue(`options.${name}`, value, 'cannot change: this sender has TTL 0, for this host only')
    }
    if (name === 'multicastTtl' && value === 0) {
      throw invalidArgValue('options.multicastTtl', value, 'would leak here: open a sender with ttl 0 for this host only')
    }
    super.setOption(name, value)
  }

  override leaveGroup(group: string, options?: GroupOptions): void {
    if (this.isHostOnly && !this.group.isIpv4 && Endpoint.of(group, 0, 'group').address === this.group.withPort(0).address) {
      throw invalidArgValue('group', group, 'is what keeps TTL 0 on this host: close the sender instead')
    }
    super.leaveGroup(group, options)
  }

  #checkSending(endpoint: Endpoint | EndpointLike, options: SendOptions | undefined): void {
    if (options?.ttl !== undefined) throw hostOnly('options.ttl', options.ttl)
    if (options?.interface !== undefined && options.interface !== 0) throw hostOnly('options.interface', options.interface)
    if (endpoint === this.group || this.group.isIpv4) return
    const target = Endpoint.from(endpoint)
    if (target.isMulticast && !target.withPort(0).equals(this.group.withPort(0))) throw hostOnly('endpoint', target.toString())
  }

  /** Only of a group that is joined on the interface does the kernel keep hop limit 0 to itself (ip6_finish_output2). */
  #stayHere(): number {
    const { address } = this.group
    const entries = listInterfaces(this.#addon)
    const index = this.#kernelChoice(
      address,
      entries.map((entry) => entry.index),
    )
    const isLoopback = entries.some((entry) => entry.index === index && (entry.flags & IFF_LOOPBACK) !== 0)
    if (index === undefined || isLoopback) {
      const why = ' (TTL 0 over IPv6 needs an interface with multicast besides loopback, which has no route for groups)'
      throw new SocketError('setsockopt', -ERRNO.ENODEV, address, undefined, why)
    }
    this.joinGroup(address, { interface: index })
    super.setOption('multicastInterface', index)
    return index
  }

  readonly #onChange = (changes: readonly InterfaceChange[]): void => {
    if (this.closed) return
    try {
      if (this.isHostOnly) this.#stayAgain(changes)
      else this.#tellAgain()
    } catch (error) {
      // It is gone. What is sent until it is back fails with 'sendError', and is counted.
      if (!(error instanceof SocketError)) throw error
    }
  }

  /** The index of the name, and the address that goes with it, may be others now. */
  #tellAgain(): void {
    const { wanted, source } = this.#plan
    const name = interfaceWithSource(wanted, source, this.#addon)
    if (name === 0) return
    const { index } = findInterface(this.#addon, 'options.interface', name)
    super.setOption('multicastInterface', name)
    this.#index = index
  }

  /** Over IPv6, the membership that keeps TTL 0 here is gone with its interface. */
  #stayAgain(changes: readonly InterfaceChange[]): void {
    if (this.group.isIpv4) return
    const isGone = changes.some(({ type, before }) => type === 'interfaceRemoved' && before?.index === this.#index)
    if (!isGone && this.#index !== 0) return
    const old = this.#index
    this.#index = 0
    if (old !== 0) super.leaveGroup(this.group.address, { interface: old })
    this.#index = this.#stayHere()
  }

  #kernelChoice(group: string, indexes: readonly number[]): number | undefined {
    const socket = {
      joinGroup: (group: string) => super.joinGroup(group),
      // Our own would refuse.
      leaveGroup: (group: string, options: GroupOptions) => super.leaveGroup(group, options),
    }
    try {
      return kernelChoice(socket, group, new Set(indexes))
    } catch (error) {
      if (error instanceof SocketError && error.code === 'ENODEV') return undefined
      throw error
    }
  }
}

interface Plan {
  readonly group: Endpoint
  readonly ttl: number
  readonly index: number
  /** As it was asked for, to be looked up again. */
  readonly wanted: string | number
  readonly source: Endpoint | undefined
  readonly socketOptions: UdpSocketOptions
  /** IPv6 has no other way to tell the source of all that a socket sends. */
  readonly bindTo: Endpoint | undefined
}

/** Everything that can be wrong, before anything is opened. */
function planOf(options: MulticastSenderOptions, addon: Addon): Plan {
  checkOptions('options', options, KNOWN)
  const group = Endpoint.from(options.group, 'options.group')
  if (!group.isMulticast) throw invalidArgValue('options.group', group.toString(), 'must be a multicast address')
  checkPeerPort('options.group.port', group.port)
  const ttl = checkMulticastTtl('options.ttl', options.ttl ?? 1)
  const multicastLoopback = checkBoolean('options.loopback', options.loopback ?? true)
  if (ttl === 0 && !multicastLoopback) throw invalidArgValue('options.loopback', false, 'contradicts ttl 0: nobody would hear it')
  if (options.monitor !== undefined) checkMonitor(options.monitor)
  checkSocketOptions('options.socket', options.socket, SENDER_RULES)
  const source = options.source === undefined ? undefined : sourceOf(options.source, group)
  const wanted = options.interface ?? group.scopeId
  checkInterface('options.interface', wanted)
  const family = group.isIpv4 ? ({ type: 'udp4' } as const) : ({ type: 'udp6', ipv6Only: true } as const)
  const rules = { ...family, multicastTtl: ttl, multicastLoopback, multicastAll: false }
  if (ttl === 0) return hostOnlyPlan(group, wanted, source, { ...options.socket, ...rules }, addon)
  const name = interfaceWithSource(wanted, source, addon)
  const index = name === 0 ? 0 : findInterface(addon, 'options.interface', name).index
  const bindTo = source && !group.isIpv4 ? withScope(source, index) : undefined
  return { group, ttl, index, wanted, source, bindTo, socketOptions: { ...options.socket, ...rules, multicastInterface: name } }
}

function hostOnlyPlan(
  group: Endpoint,
  wanted: string | number,
  source: Endpoint | undefined,
  socketOptions: UdpSocketOptions,
  addon: Addon,
): Plan {
  const loopback = listInterfaces(addon).find(({ flags }) => (flags & IFF_LOOPBACK) !== 0)
  if (wanted !== 0 && findInterface(addon, 'options.interface', wanted).index !== loopback?.index) {
    throw invalidArgValue(
      'options.interface',
      wanted,
      'cannot be with ttl 0, which means this host only: leave it out, or give loopback',
    )
  }
  if (source !== undefined)
    throw invalidArgValue('options.source', source.address, 'cannot be chosen with ttl 0, for this host only')
  if (!group.isIpv4) return { group, ttl: 0, index: 0, wanted, source, bindTo: undefined, socketOptions }
  if (loopback === undefined) throw new SocketError('getifaddrs', -ERRNO.ENODEV, 'loopback')
  const { index } = loopback
  return {
    group,
    ttl: 0,
    index,
    wanted,
    source,
    bindTo: undefined,
    socketOptions: { ...socketOptions, multicastInterface: index },
  }
}

/** What `multicastInterface` is to be, so that interface and source go to the kernel together. */
function interfaceWithSource(wanted: string | number, source: Endpoint | undefined, addon: Addon): string | number {
  if (source === undefined) return wanted
  const address = source.withPort(0).address.replace(/%.*/, '')
  if (wanted === 0) return source.scopeId === 0 ? address : `${address}%${source.scopeId}`
  return `${address}%${findInterface(addon, 'options.interface', wanted).index}`
}

function sourceOf(address: string, group: Endpoint): Endpoint {
  const source = Endpoint.of(checkString('options.source', address), 0, 'options.source')
  if (source.family === group.family && !source.isMulticast && !source.isAny) return source
  throw invalidArgValue('options.source', address, "must be a unicast address of the group's family")
}

/** Link-local addresses are bound with their interface (RFC 4007). */
function withScope(source: Endpoint, index: number): Endpoint {
  const isLinkLocal = (source.words[0] & 0xffc0_0000) >>> 0 === 0xfe80_0000
  return isLinkLocal ? new Endpoint('IPv6', source.words, 0, index) : source
}

function listInterfaces(addon: Addon): { index: number; flags: number }[] {
  const entries = addon.interfaces()
  if (typeof entries === 'number') throw new SocketError('getifaddrs', entries)
  return entries
}

function hostOnly(name: string, value: unknown): Error {
  return invalidArgValue(name, value, 'cannot be given: this sender has TTL 0, for this host only')
}

const SENDER_RULES = [
  'type',
  'ipv6Only',
  'multicastAll',
  'multicastTtl',
  'multicastLoopback',
  'multicastInterface',
  'bindToDevice',
] as const
const KNOWN: ReadonlySet<string> = new Set(['group', 'interface', 'source', 'ttl', 'loopback', 'monitor', 'socket'])
const FIXED_BY_HOST_ONLY: ReadonlySet<KernelOptionName> = new Set<KernelOptionName>([
  'multicastTtl',
  'multicastInterface',
  'multicastLoopback',
  'bindToDevice',
])
/** netdevice(7). */
const IFF_LOOPBACK = 0x8
