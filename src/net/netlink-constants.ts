/** Numbers of the kernel's ABI: linux/netlink.h, rtnetlink.h, if_link.h, if_addr.h, if.h, the same on every architecture. */

export { AF_NETLINK, RTMGRP_LINK, SOCK_RAW } from '../socket/kernel-constants.js'
export const NETLINK_ROUTE = 0

// netlink(7)
export const NLMSG_ERROR = 2
export const NLMSG_DONE = 3
export const NLMSG_OVERRUN = 4
export const NLM_F_REQUEST = 0x1
export const NLM_F_DUMP_INTR = 0x10
export const NLM_F_DUMP = 0x300
export const SOL_NETLINK = 270
/** Checks dump requests strictly, and so lets them name one routing table. Linux 4.20. */
export const NETLINK_GET_STRICT_CHK = 12
/** The two highest bits of an attribute's type: nested, in network order. */
export const NLA_TYPE_MASK = 0x3fff

// rtnetlink(7)
export const RTM_NEWLINK = 16
export const RTM_DELLINK = 17
export const RTM_GETLINK = 18
export const RTM_NEWADDR = 20
export const RTM_DELADDR = 21
export const RTM_GETADDR = 22
export const RTM_NEWROUTE = 24
export const RTM_DELROUTE = 25
export const RTM_GETROUTE = 26

/** Bits of sockaddr_nl.nl_groups. */
export const RTMGRP_IPV4_IFADDR = 0x10
export const RTMGRP_IPV4_ROUTE = 0x40
export const RTMGRP_IPV6_IFADDR = 0x100
export const RTMGRP_IPV6_ROUTE = 0x400

// struct ifinfomsg
export const IFLA_ADDRESS = 1
export const IFLA_IFNAME = 3
export const IFLA_MTU = 4
export const IFLA_MASTER = 10
export const IFLA_OPERSTATE = 16
export const IFLA_LINKINFO = 18
export const IFLA_EXT_MASK = 29
export const IFLA_INFO_KIND = 1
/** Leave the counters out of a dump: half of its bytes. Linux 4.5. */
export const RTEXT_FILTER_SKIP_STATS = 0x8

// netdevice(7)
export const IFF_UP = 0x1
export const IFF_BROADCAST = 0x2
export const IFF_LOOPBACK = 0x8
export const IFF_POINTOPOINT = 0x10
export const IFF_RUNNING = 0x40
export const IFF_MULTICAST = 0x1000

/** RFC 2863 ifOperStatus, in the order of linux/if.h IF_OPER_…. */
export const OPERATIONAL_STATES = ['unknown', 'notpresent', 'down', 'lowerlayerdown', 'testing', 'dormant', 'up'] as const

// struct ifaddrmsg
export const IFA_ADDRESS = 1
export const IFA_LOCAL = 2
export const IFA_BROADCAST = 4
/** All 32 bits of the flags; the header has the lower eight. Linux 3.14. */
export const IFA_FLAGS = 8
export const IFA_F_TEMPORARY = 0x1
export const IFA_F_OPTIMISTIC = 0x4
export const IFA_F_DADFAILED = 0x8
export const IFA_F_DEPRECATED = 0x20
export const IFA_F_TENTATIVE = 0x40
export const IFA_F_PERMANENT = 0x80

// struct rtmsg
export const RTA_OIF = 4
export const RTA_GATEWAY = 5
export const RTA_PRIORITY = 6
export const RTA_MULTIPATH = 9
export const RTA_TABLE = 15
/** A gateway of another family than the route: IPv4 by an IPv6 neighbour. Linux 5.2. */
export const RTA_VIA = 18
export const RTN_UNICAST = 1
export const RT_TABLE_MAIN = 254
/** A cached copy of a route, not one of the table. */
export const RTM_F_CLONED = 0x200
