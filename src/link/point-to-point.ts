import type { Endpoint, EndpointLike } from '../core/index.js'
import { BaseLink, checkOnlyPeer } from './base-link.js'
import type { ResolvedPointToPointClient, ResolvedPointToPointServer, ResolvedResponderClient } from './options/link-options.js'
import type { DatagramSocket, LinkPlatform } from './platform.js'

type Options = ResolvedPointToPointClient | ResolvedPointToPointServer | ResolvedResponderClient

/**
 * A link between two known endpoints; also the client of a responding server, which knows one endpoint as well. The socket is connected:
 * what anybody else sends is not heard.
 */
export class PointToPointLink extends BaseLink {
  readonly peer: Endpoint
  readonly #socket: DatagramSocket

  /** @internal */
  constructor(options: Options, platform: LinkPlatform, socket: DatagramSocket, peer: Endpoint) {
    super(options, platform, socket)
    this.peer = peer
    this.#socket = socket
    this.addInput(socket)
  }

  /** The local endpoint. */
  address(): Endpoint {
    this.checkOpen()
    return this.#socket.address()
  }

  protected target(endpoint: Endpoint | EndpointLike | undefined): undefined {
    checkOnlyPeer(endpoint, this.peer)
    return undefined
  }

  protected responseTarget(): undefined {
    return undefined
  }
}

export async function openPointToPoint(options: Options, platform: LinkPlatform): Promise<PointToPointLink> {
  const peer =
    options.role === 'client'
      ? await platform.resolve(options.serverHost, options.serverPort)
      : await platform.resolve(options.clientHost, options.clientPort)
  const socket = await platform.openUnicast({ options, family: peer.isIpv4 ? 'IPv4' : 'IPv6', peer })
  return new PointToPointLink(options, platform, socket, peer)
}
