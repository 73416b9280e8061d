import type { Duplex } from 'node:stream'
import type { DiscoveredServer, Resolver } from '../discovery/server-list.js'

/** What {@link openLink} takes, or a URL that says the same. Every kind is plain data, so that it can stand in a configuration file. */
export type LinkOptions =
  | PointToPointClientOptions
  | PointToPointServerOptions
  | ResponderClientOptions
  | ResponderServerOptions
  | DiscoveryClientOptions
  | DiscoveryServerOptions
  | MulticastClientOptions
  | MulticastServerOptions
  | ProxiedOptions

/** Options of every kind of link. */
export interface CommonLinkOptions {
  /**
   * Put the header of docs/wire/links.md before every payload: 16 bytes by which requests and responses are matched, and own copies
   * recognised. Both ends have it or neither. Default false: a raw link, whose datagrams are the payloads alone.
   */
  header?: boolean
  /** How long a request waits for its response, in milliseconds, 1 to 3 600 000. Default 5000. */
  requestTimeoutMs?: number
  /** After how long a request is sent again for the first time, in milliseconds; later doubled. 0: never again. Default 250. */
  requestRetryMs?: number
  /** Requests that may wait for a response at a time. Default 1024. */
  maxPendingRequests?: number
  /** Payload bytes that may wait to be sent. Default 4 MiB. */
  sendQueueBytes?: number
  /** Datagrams that may wait to be sent. Default 65 536. */
  sendQueueDatagrams?: number
}

/** Options of the kinds that stand on UDP sockets. */
export interface UdpLinkOptions extends CommonLinkOptions {
  /**
   * The interface to use: its name, its index, or one of its addresses. Multicast leaves and is joined there; unicast is bound to its
   * address. Default: as the routing table has it.
   */
  localInterface?: string
  /** The local port. Default 0: the kernel chooses one. Required where a peer has to know it. */
  localPort?: number
  /** Bytes asked for the kernel's receive buffer. Default: as the kernel has it. socket(7) SO_RCVBUF. */
  receiveBufferBytes?: number
  /** Bytes asked for the kernel's send buffer. socket(7) SO_SNDBUF. */
  sendBufferBytes?: number
}

export interface PointToPointClientOptions extends UdpLinkOptions {
  kind: 'point-to-point'
  role: 'client'
  /** An address, or a name that is looked up when the link is opened. */
  serverHost: string
  serverPort: number
}

export interface PointToPointServerOptions extends UdpLinkOptions {
  kind: 'point-to-point'
  role: 'server'
  clientHost: string
  clientPort: number
  localPort: number
}

export interface ResponderClientOptions extends UdpLinkOptions {
  kind: 'responder'
  role: 'client'
  serverHost: string
  serverPort: number
}

export interface ResponderServerOptions extends UdpLinkOptions {
  kind: 'responder'
  role: 'server'
  localPort: number
  /** The local address. Default `*`: all, of both families where the kernel has IPv6. */
  localAddress?: string
  /** To whom an announcement goes: every client heard of in the last `activeMs`, or the one heard of last. Default 'active'. */
  announceTo?: 'active' | 'last'
  /** A client that was not heard of for so long is forgotten ('peerlost'), in milliseconds. Default 60 000. */
  activeMs?: number
  /** Clients remembered; beyond it the one silent for longest is forgotten. 1 to 1 000 000, default 10 000. */
  maxClients?: number
}

export interface DiscoveryServerOptions extends UdpLinkOptions {
  kind: 'discovery'
  role: 'server'
  multicastAddress: string
  multicastPort: number
  /** By which clients choose; at most 255 bytes of UTF-8. Default ''. */
  name?: string
  /** Hops an announcement may take, 0 (this host) to 255. Default 1. */
  multicastTtl?: number
  /** How often the server says that it is there, in milliseconds. Default 1000. */
  announcePeriodMs?: number
  /** Up to how much each period is shortened or lengthened at random, in milliseconds. Default a tenth of the period. */
  announceJitterMs?: number
}

export interface DiscoveryClientOptions extends UdpLinkOptions {
  kind: 'discovery'
  role: 'client'
  /** The group that servers announce themselves to. May be left out where `servers`, `srv` or `resolver` is given. */
  multicastAddress?: string
  multicastPort?: number
  /** Only servers of this name. Default: any. */
  serverName?: string
  /** Chooses among the servers that are there. Default: the current one as long as it is there, otherwise by priority and weight. */
  choose?: ChooseServer
  /** A server is lost when so many of its own announced periods bring nothing from it. Default 8. */
  silentPeriods?: number
  /** The same for servers whose announcements carry no period (raw ones), in milliseconds. Default 10 000. */
  silentAfterMs?: number
  /** Servers remembered at a time. Default 64. */
  maxServers?: number
  /** A fixed list, `host:port` each. */
  servers?: readonly string[]
  /** The name of DNS SRV records, as `_service._udp.example.org` (RFC 2782). */
  srv?: string
  /** Where else servers are known from. */
  resolver?: Resolver
  /** How often `srv` or `resolver` is asked again, in milliseconds. Default 30 000. */
  resolveEveryMs?: number
}

export type ChooseServer = (
  servers: readonly DiscoveredServer[],
  current: DiscoveredServer | undefined,
) => DiscoveredServer | undefined

/** Where a client of a multicast link sends to. */
export type ClientGroup = 'given' | 'derived' | 'announced' | 'shared'

interface MulticastLinkOptions extends UdpLinkOptions {
  kind: 'multicast'
  /** The group and port that the server sends to and clients listen to. */
  serverMulticastAddress: string
  serverMulticastPort: number
  /** The group and port that clients send to and the server listens to. */
  clientMulticastAddress?: string
  clientMulticastPort?: number
  /**
   * Which these are: 'given' by the two options above; 'derived' from the server's by adding one to address and port; 'announced' by
   * the server in its status message (needs `header`); 'shared': the server's own group and port, so that everybody sends from and
   * listens to one socket. Default: 'given' with those options, otherwise 'derived'.
   */
  clientGroup?: ClientGroup
  /** Hops a datagram may take, 0 (this host) to 255. Default 1. */
  multicastTtl?: number
}

export interface MulticastClientOptions extends MulticastLinkOptions {
  role: 'client'
}

export interface MulticastServerOptions extends MulticastLinkOptions {
  role: 'server'
  /** How often the status message is sent where `clientGroup` is 'announced', in milliseconds. Default 1000. */
  announcePeriodMs?: number
}

/** How datagrams are marked off in a byte stream: docs/wire/links.md. */
export type FramingName = 'length' | 'separator' | 'addressed'

export interface ProxiedOptions extends CommonLinkOptions {
  kind: 'proxied'
  /** A client opens the stream, and opens it again when it ends; a server waits for one. Only 'tcp' and 'unix' have servers. */
  role: 'client' | 'server'
  /** Default 'tcp', or 'duplex' when `stream` is given. */
  transport?: 'tcp' | 'unix' | 'stdio' | 'command' | 'pipe' | 'duplex'
  /** Default 'length'. */
  framing?: FramingName
  /** For 'tcp': where to connect; a server's default is all addresses. */
  host?: string
  port?: number
  /** For 'unix': the socket's path. */
  path?: string
  /** For 'command': a program and its arguments, run without a shell; its standard input and output are the stream. */
  command?: readonly string[]
  /** For 'pipe': named pipes, the one read from and the one written to. */
  readPath?: string
  writePath?: string
  /** For 'duplex': any stream. The link owns it, and ends with it. */
  stream?: Duplex
  /** Longer datagrams are refused in both directions. 1 to 65 507, default 65 507. */
  maxDatagramBytes?: number
  /** Pauses before the stream is opened again: from the first, doubled each time, to the second, in milliseconds. Defaults 100, 10 000. */
  reconnectMinMs?: number
  reconnectMaxMs?: number
  /** How long opening may take, in milliseconds. Default 10 000. */
  connectTimeoutMs?: number
}

/** Options with every default filled in; what has none may be undefined. */
export type Resolved<Options, Maybe extends keyof Options = never> = Readonly<
  { [Name in Exclude<keyof Options, Maybe>]-?: Exclude<Options[Name], undefined> } & {
    [Name in Maybe]-?: Options[Name] | undefined
  }
>

type Unset = 'sendQueueBytes' | 'sendQueueDatagrams'
type UdpUnset = Unset | 'localInterface' | 'receiveBufferBytes' | 'sendBufferBytes'

export type ResolvedCommon = Resolved<CommonLinkOptions, Unset>
export type ResolvedUdp = Resolved<UdpLinkOptions, UdpUnset>
export type ResolvedPointToPointClient = Resolved<PointToPointClientOptions, UdpUnset>
export type ResolvedPointToPointServer = Resolved<PointToPointServerOptions, UdpUnset>
export type ResolvedResponderClient = Resolved<ResponderClientOptions, UdpUnset>
export type ResolvedResponderServer = Resolved<ResponderServerOptions, UdpUnset>
export type ResolvedDiscoveryServer = Resolved<DiscoveryServerOptions, UdpUnset>
export type ResolvedDiscoveryClient = Resolved<
  DiscoveryClientOptions,
  UdpUnset | 'multicastAddress' | 'multicastPort' | 'serverName' | 'choose' | 'servers' | 'srv' | 'resolver'
>
export type ResolvedMulticastClient = Resolved<
  MulticastClientOptions,
  UdpUnset | 'clientMulticastAddress' | 'clientMulticastPort'
>
export type ResolvedMulticastServer = Resolved<
  MulticastServerOptions,
  UdpUnset | 'clientMulticastAddress' | 'clientMulticastPort'
>
export type ResolvedMulticast = ResolvedMulticastClient | ResolvedMulticastServer
export type ResolvedProxied = Resolved<
  ProxiedOptions,
  Unset | 'host' | 'port' | 'path' | 'command' | 'readPath' | 'writePath' | 'stream'
>
export type ResolvedLinkOptions =
  | ResolvedPointToPointClient
  | ResolvedPointToPointServer
  | ResolvedResponderClient
  | ResolvedResponderServer
  | ResolvedDiscoveryClient
  | ResolvedDiscoveryServer
  | ResolvedMulticastClient
  | ResolvedMulticastServer
  | ResolvedProxied
