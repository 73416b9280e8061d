import type { Clock, DatagramBatch, Endpoint, EndpointLike, Link, Payload, Random } from '../core/index.js'
import type { ResolvedUdp } from './options/link-options.js'

/** Time and chance, as everything here takes them. */
export interface Surroundings {
  readonly clock: Clock
  readonly random: Random
}

/** Where a datagram leaves from, of a socket that has several addresses. */
export interface SourceOptions {
  readonly source: Endpoint
}

/** A link that has a local endpoint: a UDP socket, or a simulated one. */
export interface DatagramSocket extends Link {
  address(): Endpoint
  send(payload: Payload, endpoint?: Endpoint | EndpointLike, options?: SourceOptions): boolean
  reserve(lengthBytes: number, endpoint?: Endpoint | EndpointLike, options?: SourceOptions): Buffer | undefined
  /** As of `UdpSocket`; not every socket has them. */
  reserveRun?(lengthBytes: number, count: number): Buffer | undefined
  commitRun?(count?: number): void
}

/** What datagrams come from: a link, or the memberships of a group. */
export interface DatagramSource {
  on(event: 'batch', listener: (batch: DatagramBatch) => void): unknown
  on(event: 'close', listener: () => void): unknown
  off(event: 'batch', listener: (batch: DatagramBatch) => void): unknown
  close(): void
  ref(): unknown
  unref(): unknown
}

/** A socket for one local endpoint. */
export interface UnicastRequest {
  readonly options: ResolvedUdp
  /** 'both' where one socket can take both; the address family of the peers otherwise. */
  readonly family: 'IPv4' | 'IPv6' | 'both'
  /** Overrides the address that `localInterface` stands for. */
  readonly localAddress?: string | undefined
  /** The only peer: others are not heard. */
  readonly peer?: Endpoint
  /** The socket also sends to this group, by `localInterface` and so many hops. */
  readonly group?: { readonly endpoint: Endpoint; readonly ttl: number }
  /** Its batches tell to which address a datagram was sent. */
  readonly tellsDestination?: boolean
  /** The port is shared with the group's own receivers. */
  readonly sharesPort?: boolean
}

/** Everything that is sent to a group and port, by `localInterface` or all interfaces, now and later. */
export interface GroupRequest {
  readonly options: ResolvedUdp
  readonly group: Endpoint
}

/**
 * Everything that links need of an operating system: sockets, names, time and randomness. The real one stands on `UdpSocket`; a
 * simulated network is another.
 */
export interface LinkPlatform extends Surroundings {
  /** The endpoint of an address or a name. */
  resolve(host: string, port: number): Promise<Endpoint>
  openUnicast(request: UnicastRequest): Promise<DatagramSocket>
  openGroup(request: GroupRequest): Promise<DatagramSource>
}
