import { Endpoint, type EndpointLike, type Payload } from '../../core/index.js'
import { BaseLink } from '../base-link.js'
import { DATAGRAM_TYPE } from '../header.js'
import type { IncomingRequest } from '../incoming-request.js'
import type { ResolvedDiscoveryServer } from '../options/link-options.js'
import type { DatagramSocket, LinkPlatform } from '../platform.js'
import { StatusBeacon } from './status-beacon.js'

/**
 * A server that says to a group where it is, and answers whoever asks. Its status message comes each period, also where the link is raw:
 * for others it is one announcement of many.
 */
export class DiscoveryServerLink extends BaseLink {
  readonly group: Endpoint
  readonly #socket: DatagramSocket
  readonly #beacon: StatusBeacon

  /** @internal */
  constructor(options: ResolvedDiscoveryServer, platform: LinkPlatform, socket: DatagramSocket, group: Endpoint) {
    super(options, platform, socket)
    this.group = group
    this.#socket = socket
    this.#beacon = new StatusBeacon(
      {
        name: options.name,
        periodMs: options.announcePeriodMs,
        jitterMs: options.announceJitterMs,
        clientGroup: undefined,
      },
      platform,
      // One that finds the queue full is not missed: the next one follows.
      (status) => void this.sendTyped(DATAGRAM_TYPE.status, status, group),
    )
    this.addInput(socket)
    this.#beacon.start()
  }

  /** The local endpoint: where clients send to. */
  address(): Endpoint {
    this.checkOpen()
    return this.#socket.address()
  }

  /** Sends `payload` to the group, for every client. False when the queue is full: 'drain' follows. */
  announce(payload: Payload): boolean {
    return this.send(payload)
  }

  protected target(endpoint: Endpoint | EndpointLike | undefined): Endpoint {
    return endpoint === undefined ? this.group : Endpoint.from(endpoint)
  }

  protected responseTarget(request: IncomingRequest): Endpoint {
    return request.endpoint
  }

  protected override beforeClose(): void {
    if (!this.#socket.closed) this.#beacon.stop()
  }
}

export async function openDiscoveryServer(
  options: ResolvedDiscoveryServer,
  platform: LinkPlatform,
): Promise<DiscoveryServerLink> {
  const group = await platform.resolve(options.multicastAddress, options.multicastPort)
  const socket = await platform.openUnicast({
    options,
    family: group.isIpv4 ? 'IPv4' : 'IPv6',
    group: { endpoint: group, ttl: options.multicastTtl },
  })
  return new DiscoveryServerLink(options, platform, socket, group)
}
