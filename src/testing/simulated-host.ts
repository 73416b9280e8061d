import {
  Endpoint,
  MAX_PORT,
  SeededRandom,
  checkInteger,
  checkLocalPort,
  checkOneOf,
  checkPeerPort,
  invalidArgValue,
  invalidState,
  type Random,
} from '../core/index.js'
import { HostClock, type ClockSkew } from './host-clock.js'
import { checkLinkOptions, resolveLinkOptions, type SimulatedLinkOptions } from './link-options.js'
import type { DropReason } from './network-statistics.js'
import type { Packet } from './packet.js'
import type { PayloadMemory } from './payload-memory.js'
import { MAX_PAYLOAD_BYTES_IPV4, MAX_PAYLOAD_BYTES_IPV6, SimulatedLink } from './simulated-link.js'
import type { VirtualClock } from './virtual-clock.js'

/** What a host needs of its network. */
export interface HostNetwork {
  readonly clock: VirtualClock
  readonly memory: PayloadMemory
  transmit(host: SimulatedHost, packet: Packet, leavesMs: number): void
  isParted(fromIndex: number, toIndex: number): boolean
  countDelivered(packet: Packet): void
  countDropped(packet: Packet, reason: DropReason): void
  countCopied(packet: Packet): Packet
  join(host: SimulatedHost, group: string): void
  leave(host: SimulatedHost, group: string): void
}

/** Everything about a host that is decided when it is added. */
export interface HostSettings {
  readonly name: string
  /** Its place among the hosts, from 0. */
  readonly index: number
  readonly seed: number
  readonly endpoints: readonly Endpoint[]
  readonly mtuBytes: number
  readonly bytesPerSecond: number
  readonly skew: Required<ClockSkew>
  readonly start: ((host: SimulatedHost) => void) | undefined
}

/** A machine of a simulated network. Made by `SimulatedNetwork.addHost`. */
export class SimulatedHost {
  readonly name: string
  /** @internal */ readonly index: number
  /** Time as this host sees it. */
  readonly clock: HostClock
  readonly #network: HostNetwork
  readonly #settings: HostSettings
  readonly #links = new Map<number, SimulatedLink[]>()
  readonly #groups = new Map<string, Set<SimulatedLink>>()
  #pathLimits: Map<string, number> | undefined
  #random: Random | undefined
  #nextPort = FIRST_EPHEMERAL_PORT
  #deviceFreeAtMs = 0
  #isPaused = false
  #isUp = true

  /** @internal */
  constructor(network: HostNetwork, settings: HostSettings) {
    this.name = settings.name
    this.index = settings.index
    this.#network = network
    this.#settings = settings
    this.clock = new HostClock(network.clock, settings.skew)
  }

  /** Its addresses, in the order in which they were given. */
  get addresses(): string[] {
    return this.#settings.endpoints.map(({ address }) => address)
  }

  /** Its first address of a family. @throws `ERR_INVALID_ARG_VALUE` if it has none. */
  addressOf(family: 'IPv4' | 'IPv6' = 'IPv4'): string {
    checkOneOf('family', family, ['IPv4', 'IPv6'])
    return this.#endpointOf(family).address
  }

  /** Randomness of its own, from the network's seed. */
  get random(): Random {
    return (this.#random ??= new SeededRandom(this.#settings.seed))
  }

  get isUp(): boolean {
    return this.#isUp
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  /**
   * Opens a link on this host.
   *
   * @throws Misuse; `ERR_INVALID_STATE` while the host is down; an `EADDRINUSE` as of bind(2).
   */
  openLink(options: SimulatedLinkOptions = {}): SimulatedLink {
    checkLinkOptions(options)
    if (!this.#isUp) throw invalidState(`the host ${this.name} is down`)
    const peer = options.peer === undefined ? undefined : Endpoint.from(options.peer, 'options.peer')
    if (peer !== undefined) checkPeerPort('options.peer.port', peer.port)
    const own = this.#ownEndpoint(options, peer)
    if (peer !== undefined && peer.family !== own.family) {
      throw invalidArgValue('options.peer', peer.toString(), `must be ${own.family}, as the link is`)
    }
    const wanted = checkLocalPort('options.port', options.port ?? 0)
    const resolved = resolveLinkOptions(options, own.withPort(wanted === 0 ? this.#freePort() : wanted), peer)
    const { port, address } = resolved.local
    const others = this.#links.get(port) ?? []
    if (others.some((other) => !(other.options.reusePort && resolved.reusePort) && isSameFamily(other, own))) {
      throw addressInUse(address, port)
    }
    const link = new SimulatedLink(this, resolved)
    // The one opened last comes first.
    this.#links.set(port, [link, ...others])
    return link
  }

  /** Stops the program, as SIGSTOP does: no timer, no batch, nothing leaves; what arrives waits in the receive buffers. */
  pause(): void {
    this.#checkUp()
    this.#isPaused = true
    this.clock.pause()
  }

  /** Goes on: timers that are overdue run, and what waited is received. */
  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.clock.resume()
    for (const link of this.#allLinks()) link.resumed()
  }

  /**
   * Stops it without warning: its links close, what they have queued is discarded, timers are forgotten, and so is all that it has learnt
   * about paths. Harmless to repeat.
   */
  stop(): void {
    if (!this.#isUp) return
    this.#isUp = false
    this.#isPaused = false
    for (const link of this.#allLinks()) link.cutOff()
    this.clock.forgetTimers()
    this.#pathLimits = undefined
  }

  /** {@link stop}s it, unless it is down, and starts it: the `start` that it was added with is called again. */
  restart(): void {
    this.stop()
    this.#isUp = true
    this.#settings.start?.(this)
  }

  toString(): string {
    return this.name
  }

  /** @internal */
  get networkClock(): VirtualClock {
    return this.#network.clock
  }

  /** @internal */
  get memory(): PayloadMemory {
    return this.#network.memory
  }

  /** @internal */
  transmit(packet: Packet): number {
    const nowMs = this.#network.clock.nowMs()
    const { bytesPerSecond } = this.#settings
    let leavesMs = nowMs
    if (bytesPerSecond !== Infinity) {
      const bytes = packet.payload.length + headerBytes(packet.destination)
      leavesMs = this.#deviceFreeAtMs = Math.max(nowMs, this.#deviceFreeAtMs) + (bytes * 1000) / bytesPerSecond
    }
    this.#network.transmit(this, packet, leavesMs)
    return leavesMs
  }

  /** @internal */
  pathLimit(endpoint: Endpoint): { unfragmentedBytes: number; refusesLonger: boolean } {
    const learned = this.#pathLimits?.get(endpoint.address)
    const max = endpoint.isIpv4 ? MAX_PAYLOAD_BYTES_IPV4 : MAX_PAYLOAD_BYTES_IPV6
    const device = Math.min(this.#settings.mtuBytes - headerBytes(endpoint), max)
    return { unfragmentedBytes: Math.min(device, learned ?? device), refusesLonger: learned !== undefined }
  }

  /** The answer of a path: no more than `payloadBytes` bytes of payload pass. @internal */
  learnPathLimit(packet: Packet, payloadBytes: number): void {
    if (!this.#isUp) return
    this.#pathLimits ??= new Map()
    this.#pathLimits.set(packet.destination.address, payloadBytes)
    packet.origin.onTooBig(packet.destination, payloadBytes)
  }

  /** @internal */
  countDelivered(packet: Packet): void {
    this.#network.countDelivered(packet)
  }

  /** @internal */
  countDropped(packet: Packet, reason: DropReason): void {
    this.#network.countDropped(packet, reason)
  }

  /** @internal */
  join(link: SimulatedLink, group: string): void {
    const members = this.#groups.get(group)
    if (members !== undefined) {
      members.add(link)
      return
    }
    this.#groups.set(group, new Set([link]))
    this.#network.join(this, group)
  }

  /** @internal */
  leave(link: SimulatedLink, group: string): void {
    const members = this.#groups.get(group)!
    members.delete(link)
    if (members.size > 0) return
    this.#groups.delete(group)
    this.#network.leave(this, group)
  }

  /** @internal */
  unbind(link: SimulatedLink): void {
    const { port } = link.options.local
    const others = this.#links.get(port)!.filter((other) => other !== link)
    if (others.length > 0) this.#links.set(port, others)
    else this.#links.delete(port)
  }

  /** A packet has come all the way. @internal */
  arrive(packet: Packet): void {
    const { destination } = packet
    const links = this.#links.get(destination.port)
    if (this.#network.isParted(packet.fromIndex, this.index)) this.countDropped(packet, 'partitioned')
    else if (!this.#isUp) this.countDropped(packet, 'hostDown')
    else if (links === undefined) this.countDropped(packet, 'noLink')
    else if (destination.isMulticast) this.#arriveAtMembers(packet, links)
    else this.#arriveAtOne(packet, links)
  }

  #arriveAtOne(packet: Packet, links: readonly SimulatedLink[]): void {
    const [only] = links
    if (links.length === 1 && only!.options.peer === undefined && hears(only!, packet)) {
      only!.receive(packet)
      return
    }
    const reachable = links.filter((link) => hears(link, packet))
    const found =
      reachable.find((link) => link.options.peer?.equals(packet.source)) ?? reachable.find((link) => !link.options.peer)
    if (found === undefined) this.countDropped(packet, reachable.length === 0 ? 'noLink' : 'notFromPeer')
    else found.receive(packet)
  }

  #arriveAtMembers(packet: Packet, links: readonly SimulatedLink[]): void {
    const members = links.filter((link) => {
      if (!link.isMemberOf(packet.destination.address)) return false
      return link.options.peer?.equals(packet.source) ?? true
    })
    if (members.length === 0) this.countDropped(packet, 'noLink')
    // The copies before the packet itself: its memory is the first receiver's to lose.
    for (let i = members.length - 1; i >= 0; i--) members[i]!.receive(i === 0 ? packet : this.#network.countCopied(packet))
  }

  #ownEndpoint(options: SimulatedLinkOptions, peer: Endpoint | undefined): Endpoint {
    if (options.family !== undefined) checkOneOf('options.family', options.family, ['IPv4', 'IPv6'])
    if (options.address === undefined) return this.#endpointOf(options.family ?? peer?.family ?? 'IPv4')
    const { address, family } = Endpoint.of(options.address, 0, 'options.address')
    if (options.family !== undefined && family !== options.family) {
      throw invalidArgValue('options.address', address, `must be ${options.family}`)
    }
    const found = this.#settings.endpoints.find((own) => own.address === address)
    if (found === undefined) {
      throw invalidArgValue('options.address', address, `must be an address of ${this.name} (${this.addresses.join(', ')})`)
    }
    return found
  }

  #endpointOf(family: 'IPv4' | 'IPv6'): Endpoint {
    const found = this.#settings.endpoints.find((endpoint) => endpoint.family === family)
    if (found === undefined) throw invalidArgValue('family', family, `must be one that ${this.name} has an address of`)
    return found
  }

  #freePort(): number {
    for (let tries = MAX_PORT - FIRST_EPHEMERAL_PORT; tries >= 0; tries--) {
      const port = this.#nextPort
      this.#nextPort = checkInteger('port', port === MAX_PORT ? FIRST_EPHEMERAL_PORT : port + 1, 1, MAX_PORT)
      if (!this.#links.has(port)) return port
    }
    throw addressInUse(this.name, 0)
  }

  #allLinks(): SimulatedLink[] {
    return [...this.#links.values()].flat()
  }

  #checkUp(): void {
    if (!this.#isUp) throw invalidState(`the host ${this.name} is down`)
  }
}

/** Is the link bound to what the packet was sent to? */
function hears({ options }: SimulatedLink, { destination }: Packet): boolean {
  if (options.local.family !== destination.family) return false
  return !options.isBoundToAddress || options.local.address === destination.address
}

function isSameFamily({ options }: SimulatedLink, own: Endpoint): boolean {
  return options.local.family === own.family
}

/** IP and UDP: RFC 791 or RFC 8200, and RFC 768. */
export function headerBytes(endpoint: Endpoint): number {
  return endpoint.isIpv4 ? 28 : 48
}

function addressInUse(address: string, port: number): Error {
  const details = { code: 'EADDRINUSE', errno: -98, syscall: 'bind', address, port }
  return Object.assign(new Error(`bind EADDRINUSE ${address}:${port}`), details)
}

/** RFC 6335. */
const FIRST_EPHEMERAL_PORT = 49_152
