import { checkInteger, featureUnavailable, type Endpoint, type EndpointLike } from '../core/index.js'
import { BaseLink } from './base-link.js'
import { checkOnlyPeer } from './only-peer.js'
import { DATAGRAM_TYPE, HEADER_BYTES, writeHeader } from './header.js'
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

  /**
   * Reserves room for up to `count` datagrams of `lengthBytes` each, one behind the other, to be queued together by {@link commitRun}: the
   * way with the least work a datagram. With the header, one at a time.
   *
   * @returns A view whose length is a multiple of `lengthBytes`; undefined when the queue is full: 'drain' follows.
   * @throws `ERR_FEATURE_UNAVAILABLE_ON_PLATFORM` where the socket below has no runs.
   */
  reserveRun(lengthBytes: number, count: number): Buffer | undefined {
    this.checkOpen()
    const socket = this.#socket
    if (socket.reserveRun === undefined) throw featureUnavailable('reserveRun', 'the socket below has none')
    if (!this.header) return socket.reserveRun(lengthBytes, count)
    checkInteger('lengthBytes', lengthBytes, 1, this.maxPayloadBytes)
    const room = socket.reserveRun(HEADER_BYTES + lengthBytes, Math.min(count, 1))
    if (room === undefined) return undefined
    writeHeader(room, DATAGRAM_TYPE.datagram, this.senderId)
    return room.subarray(HEADER_BYTES)
  }

  /** Queues the first `count` datagrams of the reserved run. Default: all. @throws `ERR_INVALID_STATE` when nothing is reserved. */
  commitRun(count?: number): void {
    this.checkOpen()
    this.#socket.commitRun?.(count)
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
