import { formatIpv4, formatIpv6 } from '../core/index.js'
import { addressKey } from './interface-address.js'
import * as n from './netlink-constants.js'
import {
  LITTLE_ENDIAN,
  aligned,
  readAttributes,
  readByte,
  readBytes,
  readText,
  readUint32,
  splitMessages,
  viewOf,
  type MessageFrame,
  type Span,
} from './netlink-message.js'
import type { DefaultRoute, InterfaceAddress } from './network-interface.js'

/** What one rtnetlink message says. Pure: bytes in, facts out. @see rtnetlink(7) */
export type RouteMessage =
  | { readonly type: 'link'; readonly removed: boolean; readonly link: LinkFacts }
  | { readonly type: 'address'; readonly removed: boolean; readonly index: number; readonly address: AddressFacts }
  | {
      readonly type: 'defaultRoute'
      readonly removed: boolean
      readonly routes: readonly DefaultRoute[]
      readonly family: Family
    }
  /** The end of a dump, or the answer to a request: 0 or a negated errno. */
  | { readonly type: 'done'; readonly result: number }
  /** Messages were lost. */
  | { readonly type: 'overrun' }
  /** Anything else that is well formed: another route, a bridge's port, … */
  | { readonly type: 'other' }

export type Family = 'IPv4' | 'IPv6'

/** What the header of a message says, whatever it is about. */
export interface MessageOrigin {
  readonly sequence: number
  /** The dump that this belongs to saw things change: something may be missing in it. */
  readonly interrupted: boolean
}

/** A link as one message tells it: some messages (wireless events) tell only a part, which is undefined then. */
export interface LinkFacts {
  readonly index: number
  readonly flags: number
  readonly name: string
  readonly details: LinkDetails | undefined
}

export interface LinkDetails {
  readonly mtuBytes: number
  readonly hardwareAddress: string | undefined
  readonly kind: string | undefined
  readonly operationalState: (typeof n.OPERATIONAL_STATES)[number]
  readonly master: number | undefined
}

/** An address, and by what the kernel tells it from others of its interface. */
export interface AddressFacts {
  readonly key: string
  readonly value: InterfaceAddress
}

/** Decodes a datagram of a NETLINK_ROUTE socket. Returns how many messages were malformed and so left out. */
export function decodeRouteMessages(bytes: Uint8Array, visit: (message: RouteMessage, origin: MessageOrigin) => void): number {
  const view = viewOf(bytes)
  let malformed = 0
  const cutShort = splitMessages(view, (frame) => {
    const message = decodeMessage(view, frame)
    if (message === MALFORMED) malformed++
    else visit(message, { sequence: frame.sequence, interrupted: (frame.flags & n.NLM_F_DUMP_INTR) !== 0 })
  })
  return malformed + cutShort
}

function decodeMessage(view: DataView, frame: MessageFrame): RouteMessage | typeof MALFORMED {
  switch (frame.type) {
    case n.RTM_NEWLINK:
    case n.RTM_DELLINK:
      return decodeLink(view, frame)
    case n.RTM_NEWADDR:
    case n.RTM_DELADDR:
      return decodeAddress(view, frame)
    case n.RTM_NEWROUTE:
    case n.RTM_DELROUTE:
      return decodeRoute(view, frame)
    case n.NLMSG_DONE:
    case n.NLMSG_ERROR:
      // An old kernel's DONE may come without a result.
      if (frame.end - frame.start < 4) return frame.type === n.NLMSG_DONE ? { type: 'done', result: 0 } : MALFORMED
      return { type: 'done', result: view.getInt32(frame.start, LITTLE_ENDIAN) }
    case n.NLMSG_OVERRUN:
      return { type: 'overrun' }
    default:
      return OTHER
  }
}

/** struct ifinfomsg: family, (pad), type (2), index (4), flags (4), change (4). */
function decodeLink(view: DataView, { type, start, end }: MessageFrame): RouteMessage | typeof MALFORMED {
  if (end - start < LINK_BYTES) return MALFORMED
  // A bridge tells of its ports by the same types: RTM_DELLINK with AF_BRIDGE is a port that left, not a link that went.
  if (view.getUint8(start) !== AF_UNSPEC) return OTHER
  const attributes = readAttributes(view, start + LINK_BYTES, end)
  const name = attributes && readText(view, attributes.get(n.IFLA_IFNAME))
  const index = view.getInt32(start + 4, LITTLE_ENDIAN)
  if (attributes === undefined || name === undefined || name === '' || index < 1) return MALFORMED
  const flags = view.getUint32(start + 8, LITTLE_ENDIAN)
  const link = { index, name, flags, details: decodeLinkDetails(view, attributes) }
  return { type: 'link', removed: type === n.RTM_DELLINK, link }
}

function decodeLinkDetails(view: DataView, attributes: ReadonlyMap<number, Span>): LinkDetails | undefined {
  const mtuBytes = readUint32(view, attributes.get(n.IFLA_MTU))
  if (mtuBytes === undefined) return undefined
  const info = attributes.get(n.IFLA_LINKINFO)
  const infoAttributes = info && readAttributes(view, info.start, info.end)
  const hardware = attributes.get(n.IFLA_ADDRESS)
  return {
    mtuBytes,
    hardwareAddress: hardware && formatHardwareAddress(readBytes(view, hardware)),
    kind: readText(view, infoAttributes?.get(n.IFLA_INFO_KIND)),
    operationalState: n.OPERATIONAL_STATES[readByte(view, attributes.get(n.IFLA_OPERSTATE)) ?? 0] ?? 'unknown',
    master: readUint32(view, attributes.get(n.IFLA_MASTER)),
  }
}

/** struct ifaddrmsg: family, prefix length, flags, scope (a byte each), index (4). */
function decodeAddress(view: DataView, { type, start, end }: MessageFrame): RouteMessage | typeof MALFORMED {
  if (end - start < ADDRESS_BYTES) return MALFORMED
  const family = familyOf(view.getUint8(start))
  if (family === undefined) return OTHER
  const attributes = readAttributes(view, start + ADDRESS_BYTES, end)
  if (attributes === undefined) return MALFORMED
  const index = view.getUint32(start + 4, LITTLE_ENDIAN)
  const prefixLength = view.getUint8(start + 1)
  // IFA_LOCAL is ours and IFA_ADDRESS the other end; where there is none, IPv4 says ours twice and IPv6 leaves IFA_LOCAL out.
  const far = readAddress(view, attributes.get(n.IFA_ADDRESS), family)
  const local = readAddress(view, attributes.get(n.IFA_LOCAL), family) ?? far
  if (index === 0 || local === undefined || prefixLength > PREFIX_BITS[family]) return MALFORMED
  const flags = readUint32(view, attributes.get(n.IFA_FLAGS)) ?? view.getUint8(start + 2)
  const peer = far === local ? undefined : far
  const has = (flag: number): boolean => (flags & flag) !== 0
  const value: InterfaceAddress = Object.freeze({
    family,
    address: local,
    prefixLength,
    scope: scopeName(view.getUint8(start + 3)),
    broadcast: family === 'IPv4' ? readAddress(view, attributes.get(n.IFA_BROADCAST), family) : undefined,
    peer,
    tentative: has(n.IFA_F_TENTATIVE) && !has(n.IFA_F_OPTIMISTIC),
    deprecated: has(n.IFA_F_DEPRECATED),
    temporary: has(n.IFA_F_TEMPORARY),
    duplicate: has(n.IFA_F_DADFAILED),
    permanent: has(n.IFA_F_PERMANENT),
  })
  return { type: 'address', removed: type === n.RTM_DELADDR, index, address: { key: addressKey(value), value } }
}

/** struct rtmsg: family, destination bits, source bits, tos, table, protocol, scope, type (a byte each), flags (4). */
function decodeRoute(view: DataView, { type, start, end }: MessageFrame): RouteMessage | typeof MALFORMED {
  if (end - start < ROUTE_BYTES) return MALFORMED
  const family = familyOf(view.getUint8(start))
  const isDefault = view.getUint8(start + 1) === 0 && view.getUint8(start + 7) === n.RTN_UNICAST
  if (family === undefined || !isDefault || (view.getUint32(start + 8, LITTLE_ENDIAN) & n.RTM_F_CLONED) !== 0) return OTHER
  const attributes = readAttributes(view, start + ROUTE_BYTES, end)
  if (attributes === undefined) return MALFORMED
  const table = readUint32(view, attributes.get(n.RTA_TABLE)) ?? view.getUint8(start + 4)
  if (table !== n.RT_TABLE_MAIN) return OTHER
  const metric = readUint32(view, attributes.get(n.RTA_PRIORITY)) ?? 0
  const removed = type === n.RTM_DELROUTE
  const hops = attributes.get(n.RTA_MULTIPATH)
  const routes = hops === undefined ? decodeHop(view, attributes, family, metric) : decodeHops(view, hops, family, metric)
  return routes === undefined ? MALFORMED : { type: 'defaultRoute', removed, routes, family }
}

function decodeHop(view: DataView, attributes: ReadonlyMap<number, Span>, family: Family, metric: number): DefaultRoute[] {
  const interfaceIndex = readUint32(view, attributes.get(n.RTA_OIF))
  if (interfaceIndex === undefined || interfaceIndex === 0) return []
  return [makeRoute(view, attributes, family, interfaceIndex, metric)]
}

/** struct rtnexthop, one after the other: length (2), flags, hops (a byte each), index (4), then attributes. */
function decodeHops(view: DataView, span: Span, family: Family, metric: number): DefaultRoute[] | undefined {
  const routes: DefaultRoute[] = []
  let at = span.start
  while (at + HOP_BYTES <= span.end) {
    const length = view.getUint16(at, LITTLE_ENDIAN)
    if (length < HOP_BYTES || length > span.end - at) return undefined
    const attributes = readAttributes(view, at + HOP_BYTES, at + length)
    const interfaceIndex = view.getUint32(at + 4, LITTLE_ENDIAN)
    if (attributes === undefined) return undefined
    if (interfaceIndex !== 0) routes.push(makeRoute(view, attributes, family, interfaceIndex, metric))
    at += aligned(length)
  }
  return routes
}

function makeRoute(
  view: DataView,
  attributes: ReadonlyMap<number, Span>,
  family: Family,
  interfaceIndex: number,
  metric: number,
): DefaultRoute {
  const gateway = readAddress(view, attributes.get(n.RTA_GATEWAY), family) ?? readVia(view, attributes.get(n.RTA_VIA))
  return Object.freeze({ family, interfaceIndex, gateway, metric })
}

/** struct rtvia: family (2), address. */
function readVia(view: DataView, span: Span | undefined): string | undefined {
  if (span === undefined || span.end - span.start < 2) return undefined
  const family = familyOf(view.getUint16(span.start, LITTLE_ENDIAN))
  return family && readAddress(view, { start: span.start + 2, end: span.end }, family)
}

function readAddress(view: DataView, span: Span | undefined, family: Family): string | undefined {
  if (span === undefined) return undefined
  const bytes = span.end - span.start
  if (family === 'IPv4') return bytes < 4 ? undefined : formatIpv4(view.getUint32(span.start))
  if (bytes < 16) return undefined
  const word = (i: number): number => view.getUint32(span.start + i * 4)
  return formatIpv6([word(0), word(1), word(2), word(3)])
}

/** Undefined for a link without one: none, or nothing but zeros as the loopback's. */
export function formatHardwareAddress(bytes: Uint8Array): string | undefined {
  if (bytes.every((byte) => byte === 0)) return undefined
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':')
}

function scopeName(scope: number): InterfaceAddress['scope'] {
  if (scope < SCOPE.site) return 'global'
  if (scope < SCOPE.link) return 'site'
  return scope === SCOPE.link ? 'link' : scope === SCOPE.host ? 'host' : 'nowhere'
}

function familyOf(family: number): Family | undefined {
  return family === AF_INET ? 'IPv4' : family === AF_INET6 ? 'IPv6' : undefined
}

const OTHER: RouteMessage = { type: 'other' }
const MALFORMED = 'malformed'

const AF_UNSPEC = 0
const AF_INET = 2
const AF_INET6 = 10
const LINK_BYTES = 16
const ADDRESS_BYTES = 8
const ROUTE_BYTES = 12
const HOP_BYTES = 8
const PREFIX_BITS = { IPv4: 32, IPv6: 128 } as const
/** linux/rtnetlink.h RT_SCOPE_…; values below `site` are the administrator's own. */
const SCOPE = { site: 200, link: 253, host: 254 } as const
