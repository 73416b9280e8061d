import { randomFraction, type Endpoint, type Random } from '../../core/index.js'
import type { PeerLostReason } from '../link-events.js'
import type { DiscoveredServer } from './server-list.js'
import type { ServerStatus } from './status-message.js'

export interface FinderOptions {
  /** Only servers of this name. */
  readonly serverName: string | undefined
  readonly silentPeriods: number
  /** For servers that do not say how often they announce themselves. */
  readonly silentAfterMs: number
  readonly maxServers: number
}

export interface FinderOwner {
  found(server: DiscoveredServer): void
  lost(server: DiscoveredServer, reason: PeerLostReason): void
}

/** What a finder has seen. */
export interface FinderCounters {
  /** Status messages that were older than what is known: duplicates, reordered ones, leftovers of a partition or an earlier instance. */
  stale: number
  /** From servers of other names. */
  otherNames: number
  /** From servers for which there was no room. */
  refused: number
}

interface Known extends DiscoveredServer {
  /** 0 for one that did not say. */
  readonly instance: number
  readonly startedMicroseconds: number
  sequence: number
  /** Infinity for one that a resolver knows. */
  silentAfterMs: number
  heardMs: number
  /** A request to it was not answered. */
  isSuspect: boolean
}

/** Finds servers by what is heard of them, and misses them when nothing is. Pure: messages and `nowMs` in, servers out. */
export class ServerFinder {
  readonly counters: FinderCounters = { stale: 0, otherNames: 0, refused: 0 }
  readonly #options: FinderOptions
  readonly #owner: FinderOwner
  readonly #servers: Known[] = []
  /** The last sequence numbers of instances that are gone, the oldest first: what is still on its way from them is stale. */
  readonly #past = new Map<number, number>()

  constructor(options: FinderOptions, owner: FinderOwner) {
    this.#options = options
    this.#owner = owner
  }

  get servers(): readonly DiscoveredServer[] {
    return this.#servers
  }

  has(endpoint: Endpoint): boolean {
    return this.#at(endpoint) !== undefined
  }

  /** A status message has come. */
  heardStatus(status: ServerStatus, instance: number, endpoint: Endpoint, nowMs: number): void {
    const { serverName, silentPeriods } = this.#options
    if (serverName !== undefined && status.name !== serverName) {
      this.counters.otherNames++
      return
    }
    const known = this.#servers.find((server) => server.instance === instance)
    const lastSequence = known?.sequence ?? this.#past.get(instance)
    const other = this.#at(endpoint)
    const isFormer = other !== undefined && other !== known && other.startedMicroseconds > status.startedMicroseconds
    if (isFormer || (lastSequence !== undefined && ((status.sequence - lastSequence) | 0) <= 0)) {
      this.counters.stale++
      return
    }
    if (status.periodMs === 0) {
      if (known === undefined) this.#remember(instance, status.sequence)
      else {
        known.sequence = status.sequence
        this.#lose(known, 'gone')
      }
      return
    }
    if (other !== undefined && other !== known) this.#lose(other, 'restarted')
    const silentAfterMs = silentPeriods * status.periodMs
    if (known?.endpoint.equals(endpoint)) {
      Object.assign(known, { sequence: status.sequence, silentAfterMs, heardMs: nowMs, isSuspect: false })
      return
    }
    if (known !== undefined) this.#lose(known, 'moved')
    this.#past.delete(instance)
    const { startedMicroseconds, sequence, name } = status
    this.#find({ endpoint, name, ...FIRST, instance, startedMicroseconds, sequence, silentAfterMs, heardMs: nowMs })
  }

  /** Something else came from `endpoint` to the group: a server that does not say who it is. */
  heardAnonymous(endpoint: Endpoint, nowMs: number): void {
    if (this.heardFrom(endpoint, nowMs)) return
    if (this.#options.serverName !== undefined) {
      this.counters.otherNames++
      return
    }
    const { silentAfterMs } = this.#options
    this.#find({ endpoint, name: '', ...FIRST, ...ANONYMOUS, silentAfterMs, heardMs: nowMs })
  }

  /** A datagram came from `endpoint`: it is alive, if it is a server. */
  heardFrom(endpoint: Endpoint, nowMs: number): boolean {
    const known = this.#at(endpoint)
    if (known === undefined) return false
    known.heardMs = nowMs
    known.isSuspect = false
    return true
  }

  /** All the servers that a resolver knows now. */
  resolved(servers: readonly DiscoveredServer[], nowMs: number): void {
    for (const known of [...this.#servers]) {
      if (!servers.some(({ endpoint }) => endpoint.equals(known.endpoint))) this.#lose(known, 'gone')
    }
    for (const server of servers) {
      const { serverName } = this.#options
      const known = this.#at(server.endpoint)
      if (serverName !== undefined && server.name !== serverName) this.counters.otherNames++
      else if (known === undefined) this.#find({ ...server, ...ANONYMOUS, silentAfterMs: Infinity, heardMs: nowMs })
      else Object.assign(known, { name: server.name, priority: server.priority, weight: server.weight })
    }
  }

  /** A request to it was not answered: others are chosen before it. */
  suspect(endpoint: Endpoint): void {
    const known = this.#at(endpoint)
    if (known !== undefined) known.isSuspect = true
  }

  /** When to call {@link expire}; undefined: not before something else happens. */
  get deadlineMs(): number | undefined {
    const deadlines = this.#servers.map(({ heardMs, silentAfterMs }) => heardMs + silentAfterMs)
    const first = Math.min(...deadlines)
    return first === Infinity ? undefined : first
  }

  /** Loses whoever was silent for too long. */
  expire(nowMs: number): void {
    for (const known of [...this.#servers]) {
      if (nowMs >= known.heardMs + known.silentAfterMs) this.#lose(known, 'silent')
    }
  }

  /**
   * The current one as long as it is there and answers; otherwise the one of the lowest priority, and among those by chance, each as
   * likely as its weight (RFC 2782).
   */
  choose(current: DiscoveredServer | undefined, random: Random): DiscoveredServer | undefined {
    const good = this.#servers.filter(({ isSuspect }) => !isSuspect)
    const candidates = good.length > 0 ? good : this.#servers
    const kept = current && candidates.find(({ endpoint }) => endpoint.equals(current.endpoint))
    if (kept !== undefined) return kept
    const priority = Math.min(...candidates.map((server) => server.priority))
    const best = candidates.filter((server) => server.priority === priority)
    const total = best.reduce((sum, { weight }) => sum + weight, 0)
    if (total === 0) return best[Math.floor(randomFraction(random) * best.length)]
    let at = randomFraction(random) * total
    return best.find(({ weight }) => (at -= weight) < 0) ?? best.at(-1)
  }

  #at(endpoint: Endpoint): Known | undefined {
    return this.#servers.find((server) => server.endpoint.equals(endpoint))
  }

  #find(server: Omit<Known, 'isSuspect'>): void {
    if (this.#servers.length >= this.#options.maxServers) {
      this.counters.refused++
      return
    }
    const known = { ...server, isSuspect: false }
    this.#servers.push(known)
    this.#owner.found(known)
  }

  #lose(known: Known, reason: PeerLostReason): void {
    this.#servers.splice(this.#servers.indexOf(known), 1)
    if (known.instance !== 0) this.#remember(known.instance, known.sequence)
    this.#owner.lost(known, reason)
  }

  #remember(instance: number, sequence: number): void {
    this.#past.delete(instance)
    this.#past.set(instance, sequence)
    if (this.#past.size > MAX_PAST_INSTANCES) this.#past.delete(this.#past.keys().next().value!)
  }
}

const FIRST = { priority: 0, weight: 0 } as const
const ANONYMOUS = { instance: 0, startedMicroseconds: 0, sequence: 0 } as const
const MAX_PAST_INSTANCES = 256
