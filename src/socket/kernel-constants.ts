/**
 * Numbers of the Linux ABI (asm-generic, as x86, ARM and RISC-V share it), from socket(7), ip(7), ipv6(7), udp(7) and the kernel's
 * uapi headers.
 */

export const SOCK_DGRAM = 2
export const SOCK_RAW = 3
export const AF_NETLINK = 16
/** A bit of sockaddr_nl.nl_groups: what happens to links (rtnetlink(7)). */
export const RTMGRP_LINK = 0x1

export const SOL_SOCKET = 1
export const SO_REUSEADDR = 2
export const SO_BROADCAST = 6
export const SO_SNDBUF = 7
export const SO_RCVBUF = 8
export const SO_PRIORITY = 12
export const SO_REUSEPORT = 15
export const SO_BINDTODEVICE = 25
export const SO_SNDBUFFORCE = 32
export const SO_RCVBUFFORCE = 33
export const SO_TIMESTAMPNS = 35
export const SO_MARK = 36
export const SO_RXQ_OVFL = 40
export const SO_BUSY_POLL = 46
export const SO_MAX_PACING_RATE = 47
export const SO_MEMINFO = 55
/** Index of the drop counter in what SO_MEMINFO returns (linux/sock_diag.h, SK_MEMINFO_DROPS). */
export const SK_MEMINFO_DROPS = 8
export const SK_MEMINFO_WORDS = 9

export const IPPROTO_IP = 0
export const IP_TOS = 1
export const IP_TTL = 2
export const IP_PKTINFO = 8
export const IP_MTU_DISCOVER = 10
export const IP_RECVERR = 11
export const IP_RECVTTL = 12
export const IP_RECVTOS = 13
export const IP_MTU = 14
export const IP_FREEBIND = 15
export const IP_MULTICAST_IF = 32
export const IP_MULTICAST_TTL = 33
export const IP_MULTICAST_LOOP = 34
export const IP_ADD_MEMBERSHIP = 35
export const IP_DROP_MEMBERSHIP = 36
export const IP_ADD_SOURCE_MEMBERSHIP = 39
export const IP_DROP_SOURCE_MEMBERSHIP = 40
export const IP_MULTICAST_ALL = 49

/** Protocol-independent group membership (RFC 3678), at either level. */
export const MCAST_JOIN_GROUP = 42
export const MCAST_LEAVE_GROUP = 45
export const MCAST_JOIN_SOURCE_GROUP = 46
export const MCAST_LEAVE_SOURCE_GROUP = 47

export const IPPROTO_UDP = 17
export const UDP_SEGMENT = 103
export const UDP_GRO = 104

export const IPPROTO_IPV6 = 41
export const IPV6_UNICAST_HOPS = 16
export const IPV6_MULTICAST_IF = 17
export const IPV6_MULTICAST_HOPS = 18
export const IPV6_MULTICAST_LOOP = 19
export const IPV6_ADD_MEMBERSHIP = 20
export const IPV6_DROP_MEMBERSHIP = 21
export const IPV6_MTU_DISCOVER = 23
export const IPV6_MTU = 24
export const IPV6_RECVERR = 25
export const IPV6_V6ONLY = 26
export const IPV6_MULTICAST_ALL = 29
export const IPV6_RECVPKTINFO = 49
export const IPV6_RECVHOPLIMIT = 51
export const IPV6_RECVTCLASS = 66
export const IPV6_TCLASS = 67
export const IPV6_FREEBIND = 78

/** recvmsg(2): read the error queue. */
export const MSG_ERRQUEUE = 0x2000

/** Where an entry of the error queue comes from (linux/errqueue.h). */
export const SO_EE_ORIGIN = { local: 1, icmp: 2, icmp6: 3 } as const
