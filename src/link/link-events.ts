import type { Endpoint, LinkEvents, LinkStatistics } from '../core/index.js'
import type { DiscoveredServer } from './discovery/server-list.js'
import type { IncomingRequest } from './incoming-request.js'

/** Why a peer is no longer there. */
export type PeerLostReason =
  /** Nothing was heard of it for too long. */
  | 'silent'
  /** It said that it ends, or no resolver knows it any more. */
  | 'gone'
  /** Another instance is in its place. */
  | 'restarted'
  /** It is at another address now; 'peer' with that one follows. */
  | 'moved'
  /** The table of peers was full, and it was silent for longest. */
  | 'displaced'
  /** Its stream ended. */
  | 'disconnected'

/** The events of every kind of link, beyond those of a {@link Link}. */
export interface KindLinkEvents extends LinkEvents {
  /**
   * On a client: a datagram from the server that answers no request. A raw link cannot tell: there it is every datagram. The payload is
   * a view that lives until the handler returns.
   */
  announce: [payload: Buffer, endpoint: Endpoint]
  /** On a server: a request to be answered by `request.respond`. On a raw link it is every datagram. */
  request: [request: IncomingRequest]
  /** A response that nobody waits for any more: it came too late, or twice. */
  response: [payload: Buffer, endpoint: Endpoint]
  /** A peer is there: a client that was heard of, a server that was found, a stream that is open. */
  peer: [endpoint: Endpoint]
  peerlost: [endpoint: Endpoint, reason: PeerLostReason]
  /** A client with discovery talks to this server now, or to none. */
  server: [server: DiscoveredServer | undefined]
  /** The network could not deliver an earlier datagram (ICMP). */
  peerError: [error: Error]
}

/** What every kind of link counts. */
export interface KindLinkStatistics extends LinkStatistics {
  /** Datagrams without a header where one is due, or with one of another version. */
  datagramsMalformed: number
  /** Own copies, by their sender number. */
  datagramsOwn: number
  /** Datagrams from somebody who is not the peer. */
  datagramsForeign: number
  /** Datagrams that nobody listened for: they came while the link waited for a response, or for clients to learn. */
  datagramsUnheard: number
  requestsSent: number
  requestsRepeated: number
  requestsAnswered: number
  requestsTimedOut: number
  requestsCancelled: number
  requestsReceived: number
  /** Responses that nobody waited for. */
  responsesUnexpected: number
}
