import { Endpoint, checkPeerPort, type EndpointLike, type Timer } from '../core/index.js'
import { BaseLink, NOBODY } from './base-link.js'
import { checkOnlyPeer } from './only-peer.js'
import { StatusBeacon } from './discovery/status-beacon.js'
import { decodeStatus } from './discovery/status-message.js'
import { DATAGRAM_TYPE } from './header.js'
import type { ResolvedMulticast } from './options/link-options.js'
import { derivedGroup } from './options/resolve-options.js'
import type { DatagramSocket, DatagramSource, LinkPlatform } from './platform.js'

/**
 * A link on which both sides send to groups: servers to one, clients to the other, or all to one. Everybody hears everybody on the other
 * side; with the header, a response goes to who asked, and own copies are recognised where both sides share one group.
 */
export class MulticastLink extends BaseLink {
  /** What this side listens to. */
  readonly listeningGroup: Endpoint
  /** Are own copies kept from the user? A raw link on a shared group cannot tell them. */
  readonly recognisesOwnCopies: boolean
  readonly #socket: DatagramSocket
  readonly #beacon: StatusBeacon | undefined
  #sendingGroup: Endpoint | undefined
  #server: Endpoint | undefined
  #silence: Timer | undefined

  /** @internal */
  constructor(
    options: ResolvedMulticast,
    platform: LinkPlatform,
    socket: DatagramSocket,
    source: DatagramSource,
    groups: Groups,
  ) {
    super(options, platform, socket)
    this.#socket = socket
    this.listeningGroup = groups.listening
    this.#sendingGroup = groups.sending
    this.recognisesOwnCopies = options.header || options.clientGroup !== 'shared'
    const isWaiting = options.clientGroup === 'announced' && options.role === 'client'
    this.addInput(source, undefined, isWaiting)
    if (options.role === 'server' && options.clientGroup === 'announced') {
      this.#beacon = new StatusBeacon(
        {
          name: '',
          periodMs: options.announcePeriodMs,
          jitterMs: options.announcePeriodMs / 10,
          clientGroup: groups.listening,
        },
        platform,
        (status) => void this.sendTyped(DATAGRAM_TYPE.status, status, groups.sending),
      )
      this.#beacon.start()
    }
  }

  /** Where this side sends to; undefined for a client that waits for the server to announce it. */
  get sendingGroup(): Endpoint | undefined {
    return this.#sendingGroup
  }

  /** The local endpoint that is sent from. */
  address(): Endpoint {
    this.checkOpen()
    return this.#socket.address()
  }

  protected target(endpoint: Endpoint | EndpointLike | undefined): Endpoint | typeof NOBODY {
    const group = this.#sendingGroup
    if (endpoint !== undefined && endpoint !== group) {
      const given = Endpoint.from(endpoint)
      checkPeerPort('endpoint.port', given.port)
      // A sender's own address is where no answer goes to on this kind of link: the group is meant.
      if (given.isMulticast && group !== undefined) checkOnlyPeer(given, group)
    }
    return group ?? NOBODY
  }

  protected responseTarget(): Endpoint | undefined {
    return this.#sendingGroup
  }

  /** A client that does not know where to send to learns it here. */
  protected override heardStatus(payload: Buffer, _sender: number, endpoint: Endpoint): void {
    const status = decodeStatus(payload)
    if (status === undefined || this.role === 'server') {
      this.countForeign()
      return
    }
    if (status.periodMs === 0) {
      if (this.#server?.equals(endpoint)) this.#lose('gone')
      return
    }
    if (status.clientGroup === undefined) return
    this.#silence?.cancel()
    this.#silence = this.surroundings.clock.setTimer(() => this.#lose('silent'), status.periodMs * SILENT_PERIODS)
    this.#silence.unref()
    const isNew = this.#server === undefined
    this.#server = endpoint
    const group = status.clientGroup
    const isFirst = this.#sendingGroup === undefined
    if (isFirst || !this.#sendingGroup!.equals(group)) this.#sendingGroup = group
    if (isNew) this.tell('peer', endpoint)
    if (isFirst && !this.closed) this.targetFound()
  }

  protected override beforeClose(): void {
    this.#silence?.cancel()
    if (!this.#socket.closed) this.#beacon?.stop()
  }

  /** The group stays known: the server may come back. */
  #lose(reason: 'silent' | 'gone'): void {
    const server = this.#server
    this.#silence?.cancel()
    this.#server = undefined
    if (server !== undefined) this.tell('peerlost', server, reason)
  }
}

interface Groups {
  readonly sending: Endpoint | undefined
  readonly listening: Endpoint
}

export async function openMulticast(options: ResolvedMulticast, platform: LinkPlatform): Promise<MulticastLink> {
  const { role, clientGroup, multicastTtl } = options
  const server = await platform.resolve(options.serverMulticastAddress, options.serverMulticastPort)
  const client = await clientGroupOf(options, server, platform)
  const isShared = clientGroup === 'shared'
  const groups: Groups = role === 'server' ? { sending: server, listening: client! } : { sending: client, listening: server }
  const socket = await platform.openUnicast({
    // Whoever shares one group sends from its port.
    options: isShared ? { ...options, localPort: server.port } : options,
    family: server.isIpv4 ? 'IPv4' : 'IPv6',
    group: { endpoint: groups.sending ?? server, ttl: multicastTtl },
    sharesPort: isShared,
  })
  try {
    const source = await platform.openGroup({ options, group: groups.listening })
    return new MulticastLink(options, platform, socket, source, groups)
  } catch (error) {
    socket.close()
    throw error
  }
}

function clientGroupOf(options: ResolvedMulticast, server: Endpoint, platform: LinkPlatform): Promise<Endpoint | undefined> {
  const { clientGroup, clientMulticastAddress, clientMulticastPort } = options
  if (clientMulticastAddress !== undefined) return platform.resolve(clientMulticastAddress, clientMulticastPort!)
  if (clientGroup === 'derived') return Promise.resolve(derivedGroup(server, server.port))
  return Promise.resolve(clientGroup === 'shared' ? server : undefined)
}

const SILENT_PERIODS = 8
