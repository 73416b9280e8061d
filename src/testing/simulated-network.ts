import {
  Endpoint,
  SeededRandom,
  checkFunction,
  checkInteger,
  checkOptions,
  checkString,
  invalidArgType,
  invalidArgValue,
} from '../core/index.js'
import type { ScheduledEvent } from './event-queue.js'
import type { ClockSkew } from './host-clock.js'
import { DROP_REASONS, emptyNetworkStatistics, type DropReason, type NetworkStatistics } from './network-statistics.js'
import type { Packet } from './packet.js'
import { Partitions, type Partition } from './partitions.js'
import { PathTable } from './path-table.js'
import { MAX_MTU_BYTES, PERFECT_PATH, checkNumber, type Path, type PathOptions } from './path.js'
import { PayloadMemory } from './payload-memory.js'
import { SimulatedHost, headerBytes, type HostNetwork } from './simulated-host.js'
import { TraceDigest, type TraceEvent } from './trace.js'
import { VirtualClock, type VirtualClockOptions } from './virtual-clock.js'

/** How a {@link SimulatedNetwork} is made. */
export interface SimulatedNetworkOptions extends VirtualClockOptions {
  /** The path between any two hosts, where nothing else is said. */
  path?: PathOptions
  /** Called with everything that happens to a datagram: for looking into a run that failed. */
  trace?: (event: TraceEvent) => void
}

/** How a host is added. */
export interface HostOptions {
  /** Default `host1`, `host2`, … */
  name?: string
  /** Literals of either family. Default `10.0.0.1` and `fd00::1` for the first host, and so on. */
  addresses?: readonly string[]
  /** The longest packet of its device, in bytes of IP, which `unfragmentedBytes` tells of. Default 1500. */
  mtuBytes?: number
  /** What its device sends, in bytes of IP; when it is busy, links have back pressure. Default: no limit. */
  bytesPerSecond?: number
  /** How its clock differs from the network's. */
  clock?: ClockSkew
  /** Its program: called now, and again at each restart. */
  start?: (host: SimulatedHost) => void
}

/**
 * Hosts and what lies between them, in virtual time, from one seed: the same seed and the same calls make the same run, byte for byte.
 *
 * Nothing moves until {@link clock} does.
 */
export class SimulatedNetwork {
  readonly seed: number
  readonly clock: VirtualClock
  /** @internal */ readonly memory = new PayloadMemory()
  readonly #hosts: SimulatedHost[] = []
  readonly #byName = new Map<string, SimulatedHost>()
  readonly #byAddress = new Map<string, SimulatedHost>()
  readonly #groups = new Map<string, Set<SimulatedHost>>()
  readonly #paths: PathTable
  readonly #partitions = new Partitions()
  readonly #statistics = emptyNetworkStatistics()
  readonly #digest = new TraceDigest()
  readonly #trace: ((event: TraceEvent) => void) | undefined
  readonly #door: HostNetwork

  /** @param seed Any integer of 32 bits. */
  constructor(seed: number, options: SimulatedNetworkOptions = {}) {
    this.seed = checkInteger('seed', seed, 0, 0xffff_ffff)
    const { path, trace, ...clockOptions } = checkNetworkOptions(options)
    this.#paths = new PathTable(path ?? {}, (from, to) => new SeededRandom(mixSeed(this.seed, from, to)))
    this.#trace = trace === undefined ? undefined : checkFunction('options.trace', trace)
    this.clock = new VirtualClock(clockOptions)
    this.#door = {
      clock: this.clock,
      memory: this.memory,
      transmit: (host, packet, leavesMs) => this.#transmit(host, packet, leavesMs),
      isParted: (fromIndex, toIndex) => this.#partitions.separate(fromIndex, toIndex),
      countDelivered: (packet) => this.#countDelivered(packet),
      countDropped: (packet, reason) => this.#countDropped(packet, reason),
      countCopied: (packet) => this.#copied(packet),
      join: (host, group) => this.#join(host, group),
      leave: (host, group) => this.#leave(host, group),
    }
  }

  /** Adds a host, and starts its program. @throws Misuse, among it a name or an address that another host has. */
  addHost(options: HostOptions = {}): SimulatedHost {
    checkOptions('options', options, HOST_OPTIONS)
    const index = this.#hosts.length
    const name = checkString('options.name', options.name ?? `host${index + 1}`)
    if (this.#byName.has(name)) throw invalidArgValue('options.name', name, 'must not be another host’s')
    const endpoints = this.#checkAddresses(options.addresses ?? defaultAddresses(index))
    if (options.start !== undefined) checkFunction('options.start', options.start)
    const host = new SimulatedHost(this.#door, {
      name,
      index,
      endpoints,
      seed: mixSeed(this.seed, index, HOST_SALT),
      mtuBytes: checkInteger('options.mtuBytes', options.mtuBytes ?? PERFECT_PATH.mtuBytes, 576, MAX_MTU_BYTES),
      bytesPerSecond: checkNumber('options.bytesPerSecond', options.bytesPerSecond ?? Infinity, 1, Infinity),
      skew: checkSkew(options.clock ?? {}),
      start: options.start,
    })
    this.#hosts.push(host)
    this.#byName.set(name, host)
    for (const { address } of endpoints) this.#byAddress.set(address, host)
    options.start?.(host)
    return host
  }

  /** The host of a name. @throws `ERR_INVALID_ARG_VALUE`. */
  host(name: string): SimulatedHost {
    const host = this.#byName.get(checkString('name', name))
    if (host === undefined) throw invalidArgValue('name', name, 'must be the name of a host')
    return host
  }

  get hosts(): readonly SimulatedHost[] {
    return this.#hosts
  }

  /** Changes every path that was not set by {@link setPath}; what is not named stays. What is on its way is not concerned. */
  setDefaultPath(options: PathOptions): void {
    this.#paths.setDefault(options)
  }

  /** Sets the path from `from` to `to`, in that direction. What is not named is as by default. */
  setPath(from: SimulatedHost, to: SimulatedHost, options: PathOptions): void {
    this.#checkHost('from', from)
    this.#checkHost('to', to)
    this.#paths.set(from.index, to.index, options)
  }

  /** As {@link setPath}, in both directions. */
  setPaths(one: SimulatedHost, other: SimulatedHost, options: PathOptions): void {
    this.setPath(one, other, options)
    this.setPath(other, one, options)
  }

  /**
   * Parts the network: hosts of different groups do not reach each other, and what is between them is lost. A host in no group is not
   * concerned. Several partitions add up.
   */
  partition(...groups: (readonly SimulatedHost[])[]): Partition {
    const parts = new Map<number, number>()
    for (const [part, hosts] of groups.entries()) {
      if (!Array.isArray(hosts)) throw invalidArgType(`groups.${part}`, 'an array of hosts', hosts)
      for (const host of hosts as readonly SimulatedHost[]) parts.set(this.#checkHost(`groups.${part}`, host).index, part)
    }
    return this.#partitions.add(parts)
  }

  /** Ends all partitions. */
  heal(): void {
    this.#partitions.healAll()
  }

  /** What was counted until now; a copy. */
  stats(): NetworkStatistics {
    return { ...this.#statistics, dropped: { ...this.#statistics.dropped } }
  }

  /** A fingerprint of all that happened: times, addresses, payloads, in order. The same for the same run. */
  digest(): string {
    return this.#digest.toString()
  }

  #transmit(from: SimulatedHost, packet: Packet, leavesMs: number): void {
    const { destination } = packet
    this.#statistics.sent++
    this.#statistics.inFlight++
    this.#digest.add(leavesMs, KIND.sent, destination.words[3] ^ (destination.port << 16), this.memory.hash(packet.payload))
    if (this.#trace) this.#tell('sent', packet)
    if (destination.isMulticast) {
      this.#transmitToGroup(from, packet, leavesMs)
      return
    }
    const to = isLoopback(destination) ? from : this.#byAddress.get(destination.address)
    if (to === undefined) this.#countDropped(packet, 'noHost')
    else this.#send(from, to, packet, leavesMs)
  }

  #transmitToGroup(from: SimulatedHost, packet: Packet, leavesMs: number): void {
    const members = [...(this.#groups.get(packet.destination.address) ?? [])]
    const receivers = packet.origin.multicastLoopback ? members : members.filter((host) => host !== from)
    if (receivers.length === 0) this.#countDropped(packet, 'noMember')
    const [first, ...others] = receivers
    // The copies first, as long as the memory of the packet is its own.
    const copies = others.map(() => this.#copied(packet))
    if (first) this.#send(from, first, packet, leavesMs)
    for (const [i, to] of others.entries()) this.#send(from, to, copies[i]!, leavesMs)
  }

  #send(from: SimulatedHost, to: SimulatedHost, packet: Packet, nowMs: number): void {
    if (this.#partitions.separate(from.index, to.index)) {
      this.#countDropped(packet, 'partitioned')
      return
    }
    const path = this.#paths.get(from.index, to.index)
    const leavesMs = path.enter(nowMs, packet.payload.length, headerBytes(packet.destination))
    if (typeof leavesMs !== 'number') {
      if (leavesMs === 'tooBig' && path.options.tooBig === 'error') this.#answerTooBig(from, to, packet, nowMs)
      this.#countDropped(packet, leavesMs)
      return
    }
    packet.sink = to
    packet.fromIndex = from.index
    if (path.isDuplicated()) {
      const copy = packet.copy(this.memory.take(packet.payload.length))
      this.#statistics.duplicated++
      this.#statistics.inFlight++
      if (this.#trace) this.#tell('duplicated', packet)
      this.#schedule(path, copy, leavesMs)
    }
    this.#schedule(path, packet, leavesMs)
  }

  #schedule(path: Path, packet: Packet, leavesMs: number): void {
    const bit = path.corruptedBit(packet.payload.length)
    if (bit >= 0) {
      packet.payload[bit >> 3]! ^= 1 << (bit & 7)
      this.#statistics.corrupted++
    }
    this.clock.schedule(path.arrival(leavesMs), packet)
  }

  /** Tells the sender, by the way back, what would have passed. */
  #answerTooBig(from: SimulatedHost, to: SimulatedHost, packet: Packet, nowMs: number): void {
    const { latencyMs, mtuBytes } = this.#paths.get(from.index, to.index).options
    const arrivesMs = nowMs + latencyMs + this.#paths.get(to.index, from.index).options.latencyMs
    const payloadBytes = mtuBytes - headerBytes(packet.destination)
    this.clock.schedule(arrivesMs, new Answer(() => from.learnPathLimit(packet, payloadBytes)))
  }

  #copied(packet: Packet): Packet {
    this.#statistics.copied++
    this.#statistics.inFlight++
    if (this.#trace) this.#tell('copied', packet)
    return packet.copy(this.memory.take(packet.payload.length))
  }

  #countDelivered(packet: Packet): void {
    this.#statistics.delivered++
    this.#statistics.inFlight--
    this.#digest.add(this.clock.nowMs(), KIND.delivered, packet.source.words[3] ^ packet.source.port, packet.payload.length)
    if (this.#trace) this.#tell('delivered', packet)
  }

  #countDropped(packet: Packet, reason: DropReason): void {
    this.#statistics.dropped[reason]++
    this.#statistics.inFlight--
    this.#digest.add(this.clock.nowMs(), KIND.dropped, DROP_REASONS.indexOf(reason), packet.payload.length)
    if (this.#trace) this.#tell('dropped', packet, reason)
  }

  #tell(kind: TraceEvent['kind'], packet: Packet, reason?: DropReason): void {
    const [from, to] = [packet.source.toString(), packet.destination.toString()]
    const event = { kind, timeMs: this.clock.nowMs(), from, to, bytes: packet.payload.length }
    this.#trace!(reason === undefined ? event : { ...event, reason })
  }

  #join(host: SimulatedHost, group: string): void {
    const members = this.#groups.get(group)
    if (members) members.add(host)
    else this.#groups.set(group, new Set([host]))
  }

  #leave(host: SimulatedHost, group: string): void {
    const members = this.#groups.get(group)!
    members.delete(host)
    if (members.size === 0) this.#groups.delete(group)
  }

  #checkAddresses(addresses: readonly string[]): Endpoint[] {
    if (!Array.isArray(addresses)) throw invalidArgType('options.addresses', 'an array of addresses', addresses)
    const endpoints = addresses.map((address: string) => Endpoint.of(address, 0, 'options.addresses'))
    for (const endpoint of endpoints) {
      const { address } = endpoint
      const isTaken = this.#byAddress.has(address) || endpoints.some((other) => other !== endpoint && other.address === address)
      if (isTaken) throw invalidArgValue('options.addresses', address, 'must not be given twice')
      if (endpoint.isMulticast || endpoint.isAny || isLoopback(endpoint)) {
        throw invalidArgValue('options.addresses', address, 'must be a unicast address, not of the loopback interface')
      }
    }
    return endpoints
  }

  #checkHost(name: string, host: SimulatedHost): SimulatedHost {
    if (!(host instanceof SimulatedHost) || this.#hosts[host.index] !== host) {
      throw invalidArgType(name, 'a host of this network', host)
    }
    return host
  }
}

class Answer implements ScheduledEvent {
  readonly keepsBusy = true
  readonly isCancelled = false

  constructor(readonly fire: () => void) {}
}

function checkNetworkOptions(options: SimulatedNetworkOptions): SimulatedNetworkOptions {
  checkOptions('options', options, NETWORK_OPTIONS)
  return options
}

function checkSkew(skew: ClockSkew): Required<ClockSkew> {
  checkOptions('options.clock', skew, SKEW_OPTIONS)
  return {
    offsetMs: checkNumber('options.clock.offsetMs', skew.offsetMs ?? 0, -MAX_OFFSET_MS, MAX_OFFSET_MS),
    driftPpm: checkNumber('options.clock.driftPpm', skew.driftPpm ?? 0, -MAX_DRIFT_PPM, MAX_DRIFT_PPM),
  }
}

/** 10.0.0.1, fd00::1 and so on. */
function defaultAddresses(index: number): string[] {
  const number = index + 1
  return [
    `10.${number >>> 16}.${(number >>> 8) & 255}.${number & 255}`,
    `fd00::${(number >>> 16).toString(16)}:${(number & 0xffff).toString(16)}`,
  ]
}

function isLoopback(endpoint: Endpoint): boolean {
  const [a, b, c, d] = endpoint.words
  return endpoint.isIpv4 ? d >>> 24 === 127 : a === 0 && b === 0 && c === 0 && d === 1
}

/** A seed for a part of the network, so that what one part draws does not shift another's. */
function mixSeed(seed: number, one: number, other: number): number {
  let mixed = seed ^ Math.imul(one + 1, 0x9e37_79b1) ^ Math.imul(other + 1, 0x85eb_ca77)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b_3c6d)
  return (mixed ^ (mixed >>> 13)) >>> 0
}

const KIND = { sent: 1, delivered: 2, dropped: 3 } as const
/** No host has this index. */
const HOST_SALT = -2
/** A century. */
const MAX_OFFSET_MS = 100 * 366 * 86_400_000
const MAX_DRIFT_PPM = 500_000
const NETWORK_OPTIONS: ReadonlySet<string> = new Set(['path', 'trace', 'startMs', 'wallStartMicroseconds'])
const HOST_OPTIONS: ReadonlySet<string> = new Set(['name', 'addresses', 'mtuBytes', 'bytesPerSecond', 'clock', 'start'])
const SKEW_OPTIONS: ReadonlySet<string> = new Set(['offsetMs', 'driftPpm'])
