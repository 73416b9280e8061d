import * as k from './kernel-constants.js'

/** How a value is checked and what the kernel keeps for it. */
export type OptionKind =
  | { readonly type: 'boolean' }
  | { readonly type: 'integer'; readonly min: number; readonly max: number }
  | { readonly type: 'enum'; readonly values: readonly string[] }
  /** A text that the kernel keeps, NUL terminated, at most this long. */
  | { readonly type: 'text'; readonly maxBytes: number }
  /** Set by code of its own: see `KernelOptions`. */
  | { readonly type: 'bufferSize' | 'interface' | 'dontFragment' | 'rate' }

type LevelAndName = readonly [level: number, name: number]

export interface OptionSpec {
  readonly kind: OptionKind
  /** For a socket of either family. */
  readonly socket?: LevelAndName
  /** For IPv4: an IPv4 socket, and the IPv4 half of a dual-stack one. */
  readonly ipv4?: LevelAndName
  readonly ipv6?: LevelAndName
  readonly readOnly?: true
  /** The unit and where the kernel documents it; for `geysir doctor` and the documentation. */
  readonly source: string
}

/** The values of the kernel's options, by our names. What is not set stays as the kernel has it. */
export interface KernelOptionValues {
  /**
   * Bytes asked for the receive buffer. The kernel keeps twice as much, for its own bookkeeping, and that is what `getOption`
   * returns. Beyond `net.core.rmem_max` a privileged process (`CAP_NET_ADMIN`) is given it all the same; another one gets less
   * and a 'warning' event with the sysctl line that would help. socket(7) SO_RCVBUF, SO_RCVBUFFORCE.
   */
  receiveBufferBytes: number
  /** Bytes asked for the send buffer, as {@link receiveBufferBytes}. socket(7) SO_SNDBUF, SO_SNDBUFFORCE. */
  sendBufferBytes: number
  /** Share the port with others that say so too; for multicast receivers. socket(7) SO_REUSEADDR. Default false. */
  reuseAddress: boolean
  /** Share the port; the kernel spreads peers over the sharers. socket(7) SO_REUSEPORT. Default false. */
  reusePort: boolean
  /** Allow broadcast destinations. socket(7) SO_BROADCAST. Default false. */
  broadcast: boolean
  /** Hops a unicast datagram may take, 1 to 255. ip(7) IP_TTL, ipv6(7) IPV6_UNICAST_HOPS. Default: net.ipv4.ip_default_ttl, 64. */
  ttl: number
  /** The TOS or traffic class byte, DSCP in the upper six bits, ECN in the lower two. ip(7) IP_TOS, IPV6_TCLASS. Default 0. */
  tos: number
  /** Never fragment (`pathMtuDiscovery` 'do'), or let the kernel decide ('want'). */
  dontFragment: boolean
  /** What is done about the path MTU. ip(7) IP_MTU_DISCOVER, ipv6(7) IPV6_MTU_DISCOVER. Default: net.ipv4.ip_no_pmtu_disc. */
  pathMtuDiscovery: PathMtuDiscovery
  /** Read only: the MTU known for the path of a connected socket, in bytes. ip(7) IP_MTU, ipv6(7) IPV6_MTU. */
  pathMtuBytes: number
  /** Only this interface, by name; '' for all. socket(7) SO_BINDTODEVICE. */
  bindToDevice: string
  /** Queueing priority, 0 to 6 (more with CAP_NET_ADMIN). socket(7) SO_PRIORITY. */
  priority: number
  /** The firewall mark of what is sent; needs CAP_NET_ADMIN. socket(7) SO_MARK. */
  mark: number
  /** How long a receive call polls the device itself, in microseconds. socket(7) SO_BUSY_POLL. */
  busyPollMicroseconds: number
  /** The kernel's pacing limit, in bytes a second; heeded by the fq queueing discipline. tc-fq(8) SO_MAX_PACING_RATE. */
  maxPacingBytesPerSecond: number
  /** Also receive groups that another socket of this host joined. ip(7) IP_MULTICAST_ALL. Default true, as the kernel has it. */
  multicastAll: boolean
  /** Hops a multicast datagram may take, 0 to 255. ip(7) IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS. Default 1. */
  multicastTtl: number
  /** Multicast is also delivered on this host. ip(7) IP_MULTICAST_LOOP. Default true. */
  multicastLoopback: boolean
  /**
   * Where multicast leaves: an interface by name, index or one of its addresses; 0 leaves it to the routing table. Its source address
   * is given to the kernel together with it. ip(7) IP_MULTICAST_IF.
   */
  multicastInterface: string | number
  /** Bind to an address that is not ours yet. ip(7) IP_FREEBIND. Default false. */
  freeBind: boolean
  /** Queue ICMP errors with the peer that they concern, for 'peerError'. ip(7) IP_RECVERR. Default false. */
  receiveErrors: boolean
  /** For `batch.destination(i)`, `batch.interfaceIndex(i)` and `reply`. ip(7) IP_PKTINFO. Default false. */
  receivePacketInfo: boolean
  /** For `batch.ttl(i)`. ip(7) IP_RECVTTL, IPV6_RECVHOPLIMIT. Default false. */
  receiveTtl: boolean
  /** For `batch.tos(i)` and `batch.ecn(i)`. ip(7) IP_RECVTOS, IPV6_RECVTCLASS. Default false. */
  receiveTos: boolean
  /** For `batch.receiveTimeNs(i)`. socket(7) SO_TIMESTAMPNS. Default false. */
  receiveTimestamp: boolean
}

export type PathMtuDiscovery = (typeof PATH_MTU_DISCOVERY)[number]

/** In the kernel's order: the position is the value (linux/in.h, IP_PMTUDISC_*). */
export const PATH_MTU_DISCOVERY = ['dont', 'want', 'do', 'probe', 'interface', 'omit'] as const

const BOOLEAN = { type: 'boolean' } as const
const INT32_MAX = 0x7fff_ffff
const UINT32_MAX = 0xffff_ffff

/** Order matters: it is the order in which constructor options are set. */
export const OPTION_TABLE: { readonly [Name in keyof KernelOptionValues]: OptionSpec } = {
  reuseAddress: { kind: BOOLEAN, socket: [k.SOL_SOCKET, k.SO_REUSEADDR], source: 'socket(7) SO_REUSEADDR' },
  reusePort: { kind: BOOLEAN, socket: [k.SOL_SOCKET, k.SO_REUSEPORT], source: 'socket(7) SO_REUSEPORT' },
  broadcast: { kind: BOOLEAN, socket: [k.SOL_SOCKET, k.SO_BROADCAST], source: 'socket(7) SO_BROADCAST' },
  receiveBufferBytes: { kind: { type: 'bufferSize' }, socket: [k.SOL_SOCKET, k.SO_RCVBUF], source: 'socket(7) SO_RCVBUF' },
  sendBufferBytes: { kind: { type: 'bufferSize' }, socket: [k.SOL_SOCKET, k.SO_SNDBUF], source: 'socket(7) SO_SNDBUF' },
  ttl: {
    kind: { type: 'integer', min: 1, max: 255 },
    ipv4: [k.IPPROTO_IP, k.IP_TTL],
    ipv6: [k.IPPROTO_IPV6, k.IPV6_UNICAST_HOPS],
    source: 'ip(7) IP_TTL, ipv6(7) IPV6_UNICAST_HOPS',
  },
  tos: {
    kind: { type: 'integer', min: 0, max: 255 },
    ipv4: [k.IPPROTO_IP, k.IP_TOS],
    ipv6: [k.IPPROTO_IPV6, k.IPV6_TCLASS],
    source: 'ip(7) IP_TOS, RFC 3542 IPV6_TCLASS',
  },
  pathMtuDiscovery: {
    kind: { type: 'enum', values: PATH_MTU_DISCOVERY },
    ipv4: [k.IPPROTO_IP, k.IP_MTU_DISCOVER],
    ipv6: [k.IPPROTO_IPV6, k.IPV6_MTU_DISCOVER],
    source: 'ip(7) IP_MTU_DISCOVER',
  },
  dontFragment: {
    kind: { type: 'dontFragment' },
    ipv4: [k.IPPROTO_IP, k.IP_MTU_DISCOVER],
    ipv6: [k.IPPROTO_IPV6, k.IPV6_MTU_DISCOVER],
    source: 'ip(7) IP_MTU_DISCOVER',
  },
  pathMtuBytes: {
    kind: { type: 'integer', min: 0, max: INT32_MAX },
    ipv4: [k.IPPROTO_IP, k.IP_MTU],
    ipv6: [k.IPPROTO_IPV6, k.IPV6_MTU],
    readOnly: true,
    source: 'ip(7) IP_MTU',
  },
  bindToDevice: {
    kind: { type: 'text', maxBytes: 15 },
    socket: [k.SOL_SOCKET, k.SO_BINDTODEVICE],
    source: 'socket(7) SO_BINDTODEVICE',
  },
  priority: {
    kind: { type: 'integer', min: 0, max: INT32_MAX },
    socket: [k.SOL_SOCKET, k.SO_PRIORITY],
    source: 'socket(7) SO_PRIORITY',
  },
  mark: { kind: { type: 'integer', min: 0, max: UINT32_MAX }, socket: [k.SOL_SOCKET, k.SO_MARK], source: 'socket(7) SO_MARK' },
  busyPollMicroseconds: {
    kind: { type: 'integer', min: 0, max: INT32_MAX },
    socket: [k.SOL_SOCKET, k.SO_BUSY_POLL],
    source: 'socket(7) SO_BUSY_POLL',
  },
  maxPacingBytesPerSecond: {
    kind: { type: 'rate' },
    socket: [k.SOL_SOCKET, k.SO_MAX_PACING_RATE],
    source: 'tc-fq(8) SO_MAX_PACING_RATE',
  },
  multicastAll: {
    kind: BOOLEAN,
    ipv4: [k.IPPROTO_IP, k.IP_MULTICAST_ALL],
    ipv6: [k.IPPROTO_IPV6, k.IPV6_MULTICAST_ALL],
    source: 'ip(7) IP_MULTICAST_ALL',
  },
  multicastTtl: {
    kind: { type: 'integer', min: 0, max: 255 },
    ipv4: [k.IPPROTO_IP, k.IP_MULTICAST_TTL],
    ipv6: [k.IPPROTO_IPV6, k.IPV6_MULTICAST_HOPS],
    source: 'ip(7) IP_MULTICAST_TTL, ipv6(7) IPV6_MULTICAST_HOPS',
  },
  multicastLoopback: {
    kind: BOOLEAN,
    ipv4: [k.IPPROTO_IP, k.IP_MULTICAST_LOOP],
    ipv6: [k.IPPROTO_IPV6, k.IPV6_MULTICAST_LOOP],
    source: 'ip(7) IP_MULTICAST_LOOP',
  },
  multicastInterface: { kind: { type: 'interface' }, source: 'ip(7) IP_MULTICAST_IF, ipv6(7) IPV6_MULTICAST_IF' },
  freeBind: {
    kind: BOOLEAN,
    ipv4: [k.IPPROTO_IP, k.IP_FREEBIND],
    ipv6: [k.IPPROTO_IPV6, k.IPV6_FREEBIND],
    source: 'ip(7) IP_FREEBIND',
  },
  receiveErrors: {
    kind: BOOLEAN,
    ipv4: [k.IPPROTO_IP, k.IP_RECVERR],
    ipv6: [k.IPPROTO_IPV6, k.IPV6_RECVERR],
    source: 'ip(7) IP_RECVERR',
  },
  receivePacketInfo: {
    kind: BOOLEAN,
    ipv4: [k.IPPROTO_IP, k.IP_PKTINFO],
    ipv6: [k.IPPROTO_IPV6, k.IPV6_RECVPKTINFO],
    source: 'ip(7) IP_PKTINFO, RFC 3542 IPV6_RECVPKTINFO',
  },
  receiveTtl: {
    kind: BOOLEAN,
    ipv4: [k.IPPROTO_IP, k.IP_RECVTTL],
    ipv6: [k.IPPROTO_IPV6, k.IPV6_RECVHOPLIMIT],
    source: 'ip(7) IP_RECVTTL, RFC 3542 IPV6_RECVHOPLIMIT',
  },
  receiveTos: {
    kind: BOOLEAN,
    ipv4: [k.IPPROTO_IP, k.IP_RECVTOS],
    ipv6: [k.IPPROTO_IPV6, k.IPV6_RECVTCLASS],
    source: 'ip(7) IP_RECVTOS, RFC 3542 IPV6_RECVTCLASS',
  },
  receiveTimestamp: {
    kind: BOOLEAN,
    socket: [k.SOL_SOCKET, k.SO_TIMESTAMPNS],
    source: 'socket(7) SO_TIMESTAMPNS',
  },
}

export type KernelOptionName = keyof KernelOptionValues
export const KERNEL_OPTION_NAMES = Object.keys(OPTION_TABLE) as KernelOptionName[]
