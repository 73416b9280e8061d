/** An address of an interface. Frozen; the same object as long as nothing of it changes. */
export interface InterfaceAddress {
  readonly family: 'IPv4' | 'IPv6'
  /** The literal, without zone. */
  readonly address: string
  /** Bits of the network part. */
  readonly prefixLength: number
  /** How far it reaches: rtnetlink(7) ifa_scope. */
  readonly scope: 'global' | 'site' | 'link' | 'host' | 'nowhere'
  /** IPv4 only: where a broadcast of its network goes. */
  readonly broadcast: string | undefined
  /** The other end of a point-to-point link. */
  readonly peer: string | undefined
  /** Being checked for a duplicate: it cannot be bound yet. */
  readonly tentative: boolean
  readonly deprecated: boolean
  /** A privacy address (RFC 8981), or, of IPv4, a secondary one. */
  readonly temporary: boolean
  readonly duplicate: boolean
  readonly permanent: boolean
}

/** A network interface: one name, one index, any number of addresses. Frozen; a change makes a new object. */
export interface NetworkInterface {
  readonly index: number
  readonly name: string
  /** Administratively up (IFF_UP). */
  readonly up: boolean
  /** Up, and with a carrier (IFF_RUNNING): datagrams can leave. */
  readonly running: boolean
  readonly loopback: boolean
  readonly multicast: boolean
  readonly broadcast: boolean
  readonly pointToPoint: boolean
  /** All flags as netdevice(7) has them. */
  readonly flags: number
  /** 0 where nobody tells: without netlink and without /sys. */
  readonly mtuBytes: number
  /** `02:00:00:00:00:01`; undefined for one that has none. */
  readonly hardwareAddress: string | undefined
  /** `veth`, `bridge`, `macvlan`, …: IFLA_INFO_KIND; undefined for one that does not tell (most hardware, loopback). */
  readonly kind: string | undefined
  /** RFC 2863: `unknown` for loopback and some tunnels. */
  readonly operationalState: 'unknown' | 'notpresent' | 'down' | 'lowerlayerdown' | 'testing' | 'dormant' | 'up'
  /** Index of the bridge, bond or VRF that it belongs to. */
  readonly master: number | undefined
  readonly addresses: readonly InterfaceAddress[]
}

/** A way to everywhere: a route of the main table whose prefix has no length. One for each next hop. Frozen. */
export interface DefaultRoute {
  readonly family: 'IPv4' | 'IPv6'
  readonly interfaceIndex: number
  /** Undefined for one that needs none, as on a point-to-point link. */
  readonly gateway: string | undefined
  /** The lowest wins. */
  readonly metric: number
}
