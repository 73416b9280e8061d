import { Endpoint, type EndpointLike, type Timer, type OwnedBatch } from '../../core/index.js'
import { BaseLink, NOBODY } from '../base-link.js'
import { DATAGRAM_TYPE, HEADER_BYTES, emptyHeader, readHeader } from '../header.js'
import type { IncomingRequest } from '../incoming-request.js'
import type { KindLinkStatistics } from '../link-events.js'
import type { ResolvedDiscoveryClient } from '../options/link-options.js'
import type { DatagramSocket, DatagramSource, LinkPlatform } from '../platform.js'
import { ResolverFeed } from './resolver-feed.js'
import { srvResolver, staticResolver } from './resolvers.js'
import { ServerFinder } from './server-finder.js'
import type { DiscoveredServer, Resolver } from './server-list.js'
import { decodeStatus } from './status-message.js'

/** What a client with discovery counts besides. */
export interface DiscoveryStatistics extends KindLinkStatistics {
  /** Servers known now. */
  servers: number
  /** Status messages that were older than what is known, of servers of other names, or for which there was no room. */
  statusStale: number
  statusOtherNames: number
  statusRefused: number
  /** Status messages that could not be read. */
  statusMalformed: number
}

/**
 * A client that finds its server: by announcements to a group, or by a {@link Resolver}. Among several it chooses one, 'server' tells
 * which; 'peer' and 'peerlost' tell of all. While there is none, `send` is refused (and 'drain' follows), and requests wait.
 */
export class DiscoveryClientLink extends BaseLink {
  readonly #options: ResolvedDiscoveryClient
  readonly #socket: DatagramSocket
  readonly #finder: ServerFinder
  readonly #feed: ResolverFeed | undefined
  readonly #header = emptyHeader()
  #current: DiscoveredServer | undefined
  #timer: Timer | undefined
  #statusMalformed = 0

  /** @internal */
  constructor(
    options: ResolvedDiscoveryClient,
    platform: LinkPlatform,
    socket: DatagramSocket,
    group: DatagramSource | undefined,
    resolver: Resolver | undefined,
  ) {
    super(options, platform, socket)
    this.#options = options
    this.#socket = socket
    this.#finder = new ServerFinder(options, {
      found: (server) => this.tell('peer', server.endpoint),
      lost: (server, reason) => this.tell('peerlost', server.endpoint, reason),
    })
    this.addInput(socket, (batch, i) => this.#inspectUnicast(batch, i))
    if (group !== undefined) this.addInput(group, (batch, i) => this.#inspectMulticast(batch, i), true)
    if (resolver !== undefined) {
      this.#feed = new ResolverFeed(
        resolver,
        options.resolveEveryMs,
        platform,
        (servers) => this.#change((nowMs) => this.#finder.resolved(servers, nowMs)),
        (error) => this.tell('peerError', error),
      )
      this.#feed.start()
    }
  }

  /** The server that is talked to now. */
  get server(): DiscoveredServer | undefined {
    return this.#current
  }

  /** All the servers that are there. */
  servers(): readonly DiscoveredServer[] {
    this.checkOpen()
    return [...this.#finder.servers]
  }

  /** The local endpoint. */
  address(): Endpoint {
    this.checkOpen()
    return this.#socket.address()
  }

  override stats(): DiscoveryStatistics {
    const { stale, otherNames, refused } = this.#finder.counters
    return {
      ...super.stats(),
      servers: this.#finder.servers.length,
      statusStale: stale,
      statusOtherNames: otherNames,
      statusRefused: refused,
      statusMalformed: this.#statusMalformed,
    }
  }

  protected target(endpoint: Endpoint | EndpointLike | undefined): Endpoint | typeof NOBODY {
    return endpoint === undefined ? (this.#current?.endpoint ?? NOBODY) : Endpoint.from(endpoint)
  }

  protected responseTarget(request: IncomingRequest): Endpoint {
    return request.endpoint
  }

  protected override heardStatus(payload: Buffer, sender: number, endpoint: Endpoint): void {
    const status = decodeStatus(payload)
    if (status === undefined) this.#statusMalformed++
    else this.#change((nowMs) => this.#finder.heardStatus(status, sender, endpoint, nowMs))
  }

  /** A server that a resolver knows says nothing by itself: that it does not answer is all there is to notice. */
  protected override requestTimedOut(): void {
    const current = this.#current
    if (this.#feed !== undefined && current !== undefined) this.#change(() => this.#finder.suspect(current.endpoint))
  }

  protected override beforeClose(): void {
    this.#feed?.stop()
    this.#timer?.cancel()
  }

  /** Unicast is for the user if it comes from a server. */
  #inspectUnicast(batch: OwnedBatch, i: number): boolean {
    if (this.#finder.heardFrom(plain(batch.endpoint(i)), this.surroundings.clock.nowMs())) return true
    this.countForeign()
    return false
  }

  /** On the group: status messages, and what servers announce, of which the current one's is for the user. */
  #inspectMulticast(batch: OwnedBatch, i: number): boolean {
    const payload = batch.payload(i)
    const endpoint = plain(batch.endpoint(i))
    if (readHeader(payload, this.#header)) {
      if (this.#header.type === DATAGRAM_TYPE.status) {
        this.heardStatus(payload.subarray(HEADER_BYTES), this.#header.sender, endpoint)
        return false
      }
    }
    // A server that says nothing but its announcements is found by these.
    if (!this.header) this.#change((nowMs) => this.#finder.heardAnonymous(endpoint, nowMs))
    if (this.#current?.endpoint.equals(endpoint)) return true
    this.countForeign()
    return false
  }

  /** Whatever may have found or lost a server: the choice is made anew. */
  #change(change: (nowMs: number) => void): void {
    if (this.closed) return
    change(this.surroundings.clock.nowMs())
    this.#choose()
    this.#wait()
  }

  #choose(): void {
    if (this.closed) return
    const { choose } = this.#options
    const before = this.#current
    const still = before && this.#finder.servers.find(({ endpoint }) => endpoint.equals(before.endpoint))
    const wanted = choose?.(this.#finder.servers, still)
    const chosen =
      choose === undefined
        ? this.#finder.choose(still, this.surroundings.random)
        : this.#finder.servers.find((server) => server === wanted)
    if (before !== undefined && chosen !== undefined && before.endpoint.equals(chosen.endpoint)) {
      this.#current = chosen
      return
    }
    if (before === chosen) return
    this.#current = chosen
    this.tell('server', chosen)
    if (chosen !== undefined && !this.closed) this.targetFound()
  }

  #wait(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    const deadlineMs = this.#finder.deadlineMs
    if (deadlineMs === undefined || this.closed) return
    const { clock } = this.surroundings
    this.#timer = clock.setTimer(
      () => this.#change((nowMs) => this.#finder.expire(nowMs)),
      Math.max(MIN_WAIT_MS, deadlineMs - clock.nowMs()),
    )
    this.#timer.unref()
  }
}

export async function openDiscoveryClient(
  options: ResolvedDiscoveryClient,
  platform: LinkPlatform,
): Promise<DiscoveryClientLink> {
  const { multicastAddress, multicastPort, servers, srv } = options
  if (multicastAddress === undefined) {
    const resolver = options.resolver ?? (servers === undefined ? srvResolver(srv!) : staticResolver(servers))
    const socket = await platform.openUnicast({ options, family: 'both' })
    return new DiscoveryClientLink(options, platform, socket, undefined, resolver)
  }
  const group = await platform.resolve(multicastAddress, multicastPort!)
  const socket = await platform.openUnicast({ options, family: group.isIpv4 ? 'IPv4' : 'IPv6' })
  try {
    const source = await platform.openGroup({ options, group })
    return new DiscoveryClientLink(options, platform, socket, source, undefined)
  } catch (error) {
    socket.close()
    throw error
  }
}

/** A dual-stack socket hears IPv4 peers in IPv6 clothes; resolvers know them without. */
function plain(endpoint: Endpoint): Endpoint {
  if (endpoint.family === 'IPv4' || !endpoint.isIpv4) return endpoint
  return new Endpoint('IPv4', [0, 0, 0, endpoint.words[3]], endpoint.port)
}

/** Timers may be a little early. */
const MIN_WAIT_MS = 1
