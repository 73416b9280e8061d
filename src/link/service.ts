import { EventEmitter } from 'node:events'
import {
  BatchConsumers,
  Endpoint,
  checkOptions,
  checkPeerPort,
  closeAndWait,
  closedError,
  followListeners,
  invalidArgValue,
  obeySignal,
  throwingLater,
  type EndpointLike,
  type LinkStatistics,
  type Payload,
} from '../core/index.js'
import type { InterfaceChange, MembershipAudit, NetworkInterface } from '../net/index.js'
import { ServiceBatch, type ObservedBatch, type ServicePlace } from './service-batch.js'
import { resolveServiceOptions, type ResolvedServiceOptions, type ServiceOptions } from './service-options.js'
import { type ServiceMembership, type ServiceMonitor, type ServiceSocket } from './service-platform.js'

/** What {@link Service.sendMulticast} may be told. */
export interface ServiceMulticastOptions {
  /** By which interfaces, by name or index. Default: all that can multicast and have an address of the group's family. */
  interfaces?: readonly (string | number)[]
}

export interface ServiceEvents {
  /** Datagrams have come to one of the sockets. The batch lives until the handler returns. */
  batch: [batch: ServiceBatch]
  /** Interfaces or addresses have changed. */
  change: [changes: readonly InterfaceChange[]]
  /** A group was joined, left, or could not be joined. */
  audit: [audit: MembershipAudit]
  /** A socket has room again after it refused a datagram. */
  drain: [place: ServicePlace]
  /** A datagram could not be sent. */
  sendError: [error: Error, endpoint: Endpoint | undefined, place: ServicePlace]
  /** A socket can no longer work; the service is closed by itself. */
  error: [error: Error]
  close: []
}

interface OpenSocket {
  readonly place: ServicePlace
  readonly port: number
  /** What is sent by and received from: the socket, or the secured link around it. */
  readonly link: ServiceSocket
}

/** Opens everything that a stack such as CoAP or mDNS needs underneath. @throws Misuse, at once. Rejects when a socket cannot be opened. */
export function openService(options: ServiceOptions): Promise<Service> {
  return Service.open(resolveServiceOptions(options))
}

/**
 * The unicast and multicast sockets of both families as one object. It observes ('batch' says by which socket and interface a datagram
 * came, and whether it is our own), exhibits ({@link send}, {@link sendMulticast}) and monitors ('change', 'audit').
 */
export class Service extends EventEmitter<ServiceEvents> {
  readonly #options: ResolvedServiceOptions
  readonly #monitor: ServiceMonitor
  readonly #sockets: OpenSocket[] = []
  readonly #memberships = new Map<'IPv4' | 'IPv6', ServiceMembership>()
  readonly #inputs: { source: { on: Listen; off: Listen }; onBatch: (batch: ObservedBatch) => void }[] = []
  readonly #consumers = new BatchConsumers<ServiceBatch>(() => this.#watch())
  readonly #ports = new Set<number>()
  readonly #isOwn = (endpoint: Endpoint): boolean => this.#ports.has(endpoint.port) && this.#monitor.isLocalEndpoint(endpoint)
  #local: readonly Endpoint[] | undefined
  #letGo: (() => void) | undefined
  #isListening = false
  #closed = false
  #closeEmitted = false

  /** @internal */
  static async open(options: ResolvedServiceOptions): Promise<Service> {
    const service = new Service(options)
    try {
      await service.#openAll()
    } catch (error) {
      service.close()
      throw error
    }
    return service
  }

  private constructor(options: ResolvedServiceOptions) {
    super()
    this.#options = options
    this.#monitor = options.platform.openMonitor()
    this.#monitor.on('change', (changes) => {
      this.#local = undefined
      throwingLater(() => this.emit('change', changes))
    })
  }

  /** The sockets that are open. */
  places(): readonly ServicePlace[] {
    this.#checkOpen()
    const multicast = [...this.#memberships.keys()].map((family) => ({ cast: 'multicast', family, secured: false }) as const)
    return [...this.#sockets.map(({ place }) => place), ...multicast]
  }

  /** Every address and port by which this service can be reached by unicast: from the table of interfaces, without a system call. */
  localEndpoints(): readonly Endpoint[] {
    this.#checkOpen()
    this.#local ??= Object.freeze(this.#sockets.flatMap((socket) => this.#endpointsOf(socket)))
    return this.#local
  }

  /** The interfaces as of now. */
  interfaces(): readonly NetworkInterface[] {
    this.#checkOpen()
    return this.#monitor.interfaces()
  }

  /**
   * Sends a copy of `payload` from the unicast socket of the endpoint's family.
   *
   * @returns False when its queue is full: **the datagram was not queued**; 'drain' follows.
   * @throws Misuse, among it a family or a secured twin that this service does not have.
   */
  send(payload: Payload, endpoint: Endpoint | EndpointLike, options: { secured?: boolean } = {}): boolean {
    this.#checkOpen()
    checkOptions('options', options, SEND_OPTIONS)
    const target = Endpoint.from(endpoint)
    return this.#socketFor(target, options.secured === true).link.send(payload, target)
  }

  /**
   * Sends a copy of `payload` to a group by some interfaces or all of them, from the unicast socket, each with an address of that interface.
   *
   * @returns By how many interfaces it was queued: fewer than there are when the queue is full; 'drain' follows.
   */
  sendMulticast(payload: Payload, group: Endpoint | EndpointLike, options: ServiceMulticastOptions = {}): number {
    this.#checkOpen()
    checkOptions('options', options, MULTICAST_OPTIONS)
    const target = Endpoint.from(group, 'group')
    if (!target.isMulticast) throw invalidArgValue('group', target.toString(), 'must be a multicast address')
    checkPeerPort('group.port', target.port)
    const { link } = this.#socketFor(target, false)
    let queued = 0
    for (const found of this.#multicastInterfaces(options.interfaces)) {
      const source = sourceOn(found, target.isIpv4 ? 'IPv4' : 'IPv6')
      if (source === undefined) continue
      if (!link.send(payload, target, { interface: found.index, source })) break
      queued++
    }
    return queued
  }

  /** Joins a group, on the interfaces of the options, now and as they come. @throws Misuse; `ERR_INVALID_STATE` when it is joined. */
  join(group: string): void {
    this.#checkOpen()
    const { interfaces } = this.#options
    this.#membershipFor(group).join(group, interfaces === 'all' ? {} : { interfaces: interfaces })
  }

  leave(group: string): void {
    this.#checkOpen()
    this.#membershipFor(group).leave(group)
  }

  /** What was counted by each socket; a copy. Also of a closed service. */
  stats(): {
    readonly unicast: readonly (LinkStatistics & { readonly place: ServicePlace })[]
    readonly multicast: readonly object[]
  } {
    return {
      unicast: this.#sockets.map(({ place, link }) => ({ ...link.stats(), place })),
      multicast: [...this.#memberships.values()].map((membership) => membership.stats()),
    }
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Ends everything at once: sockets, memberships, monitor, iterations. Harmless to repeat. 'close' follows. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#letGo?.()
    for (const { link } of this.#sockets) link.close()
    for (const membership of this.#memberships.values()) membership.close()
    this.#monitor.close()
    this.#consumers.end()
    process.nextTick(() => {
      this.#closeEmitted = true
      this.emit('close')
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return closeAndWait(this, this.#closeEmitted)
  }

  /** Batches as they come; each lives until the next step. */
  [Symbol.asyncIterator](): AsyncIterableIterator<ServiceBatch> {
    this.#checkOpen()
    return this.#consumers.iterate()
  }

  ref(): this {
    for (const part of this.#parts()) part.ref()
    return this
  }

  /** Lets the process end although this service is open. */
  unref(): this {
    for (const part of this.#parts()) part.unref()
    return this
  }

  static {
    followListeners(Service.prototype, (service) => service.#watch())
  }

  async #openAll(): Promise<void> {
    const { families, groups, multicastPort, unicastPort, securePort } = this.#options
    // Groups first: where a unicast socket shares their port, the kernel gives unicast to the one that was bound last.
    if (multicastPort !== undefined) {
      for (const family of families) this.#addMembership(family, multicastPort)
      for (const group of groups) this.join(group)
    }
    for (const family of families) {
      if (unicastPort !== false) await this.#openSocket({ cast: 'unicast', family, secured: false }, unicastPort)
      if (securePort !== undefined) await this.#openSocket({ cast: 'unicast', family, secured: true }, securePort)
    }
    if (!this.#closed) this.#letGo = obeySignal(this.#options.signal, () => this.close())
  }

  #addMembership(family: 'IPv4' | 'IPv6', port: number): void {
    // A socket bound to a group cannot be bound to a link-local one of IPv6 without an interface.
    const membership = this.#options.platform.openMembership(this.#monitor, port, family === 'IPv4' ? 'group' : 'any')
    this.#memberships.set(family, membership)
    membership.on('audit', (audit) => throwingLater(() => this.emit('audit', audit)))
    this.#addInput(membership, { cast: 'multicast', family, secured: false })
  }

  async #openSocket(place: ServicePlace, port: number): Promise<void> {
    const { multicastTtl, multicastLoopback, multicastPort, secure, platform } = this.#options
    const sharesPort = port !== 0 && port === multicastPort
    const socket = await platform.openSocket({ family: place.family, port, multicastTtl, multicastLoopback, sharesPort })
    if (this.#closed) {
      socket.close()
      throw closedError('service')
    }
    const link = place.secured ? securedBy(secure!, socket, place) : socket
    const bound = socket.address()
    this.#ports.add(bound.port)
    this.#sockets.push({ place, port: bound.port, link })
    link.on('drain', () => throwingLater(() => this.emit('drain', place)))
    link.on('sendError', (error, endpoint) => throwingLater(() => this.emit('sendError', error, endpoint, place)))
    link.on('error', (error) => {
      this.close()
      this.emit('error', error)
    })
    this.#addInput(link as never, place)
  }

  #addInput(source: { on: Listen; off: Listen }, place: ServicePlace): void {
    const onBatch = (batch: ObservedBatch): void => {
      const observed = new ServiceBatch(batch, place, this.#isOwn)
      throwingLater(() => this.emit('batch', observed))
      if (this.#consumers.isWaiting) this.#consumers.offer(observed)
    }
    this.#inputs.push({ source, onBatch })
    if (this.#isListening) source.on('batch', onBatch)
  }

  /** Receives while somebody listens; until then datagrams wait in the kernel. */
  #watch(): void {
    const isListening = !this.#closed && (this.listenerCount('batch') > 0 || this.#consumers.isWaiting)
    if (isListening === this.#isListening) return
    this.#isListening = isListening
    for (const { source, onBatch } of this.#inputs) {
      if (isListening) source.on('batch', onBatch)
      else source.off('batch', onBatch)
    }
  }

  #socketFor(target: Endpoint, secured: boolean): OpenSocket {
    const family = target.isIpv4 ? 'IPv4' : 'IPv6'
    const found = this.#sockets.find(({ place }) => place.family === family && place.secured === secured)
    if (found !== undefined) return found
    throw invalidArgValue(
      'endpoint',
      target.toString(),
      `needs a ${secured ? 'secured ' : ''}unicast socket of ${family}, which this service does not have`,
    )
  }

  #membershipFor(group: string): ServiceMembership {
    const { isIpv4 } = Endpoint.of(group, 0, 'group')
    const found = this.#memberships.get(isIpv4 ? 'IPv4' : 'IPv6')
    if (found === undefined) throw invalidArgValue('group', group, 'needs multicastPort, and its family among the families')
    return found
  }

  #multicastInterfaces(wanted: readonly (string | number)[] | undefined): NetworkInterface[] {
    const all = this.#monitor.interfaces()
    if (wanted === undefined) return all.filter(({ up, multicast, loopback }) => up && multicast && !loopback)
    return wanted.map((name) => {
      const found = all.find((candidate) => candidate.name === name || candidate.index === name)
      if (found === undefined) throw invalidArgValue('options.interfaces', name, 'must be interfaces that are there')
      return found
    })
  }

  #endpointsOf({ place, port }: OpenSocket): Endpoint[] {
    return this.#monitor
      .interfaces()
      .flatMap(({ addresses, index, up }) =>
        addresses
          .filter(({ family, tentative }) => up && family === place.family && !tentative)
          .map(({ address, scope }) =>
            Endpoint.of(scope === 'link' && place.family === 'IPv6' ? `${address}%${index}` : address, port),
          ),
      )
  }

  #parts(): { ref(): unknown; unref(): unknown }[] {
    if (this.#closed) return []
    return [this.#monitor, ...this.#memberships.values(), ...this.#sockets.map(({ link }) => link)]
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError('service')
  }
}

/** The user's link around our socket, which is nobody else's when there is none. */
function securedBy(
  secure: NonNullable<ResolvedServiceOptions['secure']>,
  socket: ServiceSocket,
  place: ServicePlace,
): ServiceSocket {
  try {
    return secure(socket, place) as ServiceSocket
  } catch (error) {
    socket.close()
    throw error
  }
}

type Listen = (event: 'batch', listener: (batch: ObservedBatch) => void) => unknown

function sourceOn({ addresses, index }: NetworkInterface, family: 'IPv4' | 'IPv6'): Endpoint | undefined {
  const ours = addresses.filter((address) => address.family === family && !address.tentative)
  const best = family === 'IPv6' ? (ours.find(({ scope }) => scope === 'link') ?? ours[0]) : ours[0]
  if (best === undefined) return undefined
  return Endpoint.of(best.scope === 'link' && family === 'IPv6' ? `${best.address}%${index}` : best.address, 0)
}

const SEND_OPTIONS: ReadonlySet<string> = new Set(['secured'])
const MULTICAST_OPTIONS: ReadonlySet<string> = new Set(['interfaces'])
