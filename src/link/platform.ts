import type { Endpoint, Link } from '../core/index.js'
import type { Surroundings } from './base-link.js'
import type { ResolvedUdp } from './options/link-options.js'

/** A link that has a local endpoint: a UDP socket, or a simulated one. */
export interface DatagramSocket extends Link {
  address(): Endpoint
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
  /** The socket also sends to groups, by `localInterface` and so many hops. */
  readonly multicastTtl?: number
}

/** A socket that hears one group. Others on this host may hear it as well. */
export interface GroupRequest {
  readonly options: ResolvedUdp
  readonly group: Endpoint
  /** It also sends to the group, so many hops far. */
  readonly multicastTtl?: number
}

/**
 * Everything that links need of an operating system: sockets, names, time and randomness. The real one stands on `UdpSocket`; a
 * simulated network is another.
 */
export interface LinkPlatform extends Surroundings {
  /** The endpoint of an address or a name. */
  resolve(host: string, port: number): Promise<Endpoint>
  openUnicast(request: UnicastRequest): Promise<DatagramSocket>
  openGroup(request: GroupRequest): Promise<DatagramSocket>
}
