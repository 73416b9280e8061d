import { AF_INET, AF_INET6, ERRNO, SocketError, encodeSockaddr, type Addon, type NativeSocket } from '../binding/index.js'
import { Endpoint, checkOptions, featureUnavailable, invalidArgValue } from '../core/index.js'
import { checkInterface, findInterface } from './interface-lookup.js'
import * as k from './kernel-constants.js'
import { kernelOf, type SocketFamilies } from './kernel-options.js'

/** Which group membership is meant. */
export interface GroupOptions {
  /** The interface, by name, index or one of its addresses. Default 0: the routing table chooses one. */
  interface?: string | number
  /** Receive only what this source sends (RFC 4607). Default: any source. */
  source?: string
}

const KNOWN: ReadonlySet<string> = new Set(['interface', 'source'])

/**
 * Joins or leaves a multicast group, by the calls that name interfaces by index for both families (RFC 3678 section 5).
 *
 * @throws Misuse; a {@link SocketError} whose message says what the errno means here.
 */
export function changeMembership(
  addon: Addon,
  native: NativeSocket,
  action: 'join' | 'leave',
  groupAddress: string,
  options: GroupOptions,
  families: SocketFamilies,
): void {
  checkOptions('options', options, KNOWN)
  const group = Endpoint.of(groupAddress, 0, 'group')
  if (!group.isMulticast) throw invalidArgValue('group', groupAddress, 'must be a multicast address')
  if (!(group.isIpv4 ? families.ipv4 : families.ipv6)) {
    throw invalidArgValue('group', groupAddress, `must be ${group.isIpv4 ? 'IPv6' : 'IPv4'}, as this socket is`)
  }
  const index = interfaceIndex(addon, options.interface, group)
  const source = options.source === undefined ? undefined : Endpoint.of(options.source, 0, 'options.source')
  if (source && source.isIpv4 !== group.isIpv4) {
    throw invalidArgValue('options.source', options.source, "must be of the group's family")
  }

  const level = group.isIpv4 ? k.IPPROTO_IP : k.IPPROTO_IPV6
  const result = native.setOption(level, optionOf(action, source !== undefined), request(addon, index, group, source))
  if (result === -ERRNO.ENOPROTOOPT) {
    throw featureUnavailable(source ? 'Source-specific membership' : 'Group membership', `${kernelOf(addon)} does not know it`)
  }
  if (result < 0) {
    throw new SocketError('setsockopt', result, groupAddress, undefined, explain(result, action, options))
  }
}

/** An index needs no lookup: one that is not there is the kernel's to refuse, and a membership on one that is gone can be left. */
function interfaceIndex(addon: Addon, given: string | number | undefined, group: Endpoint): number {
  if (given === undefined || given === 0) return group.scopeId
  checkInterface('options.interface', given)
  return typeof given === 'number' ? given : findInterface(addon, 'options.interface', given).index
}

function optionOf(action: 'join' | 'leave', fromSource: boolean): number {
  if (action === 'join') return fromSource ? k.MCAST_JOIN_SOURCE_GROUP : k.MCAST_JOIN_GROUP
  return fromSource ? k.MCAST_LEAVE_SOURCE_GROUP : k.MCAST_LEAVE_GROUP
}

/** `struct group_req` or `group_source_req`: an interface index, then sockaddr_storages whose places the ABI decides. */
function request(addon: Addon, index: number, group: Endpoint, source: Endpoint | undefined): Uint8Array {
  const { groupRequestAddressOffset, groupSourceRequestSourceOffset, groupSourceRequestBytes } = addon.layout
  const bytes = new Uint8Array(source ? groupSourceRequestBytes : groupSourceRequestSourceOffset)
  bytes.set(new Uint8Array(Uint32Array.of(index).buffer), 0)
  bytes.set(sockaddr(group), groupRequestAddressOffset)
  if (source) bytes.set(sockaddr(source), groupSourceRequestSourceOffset)
  return bytes
}

function sockaddr(endpoint: Endpoint): Uint8Array {
  return encodeSockaddr(endpoint, endpoint.isIpv4 ? AF_INET : AF_INET6)!
}

function explain(result: number, action: string, options: GroupOptions): string {
  const where = options.interface === undefined ? '' : ` on ${options.interface}`
  const code = new SocketError('', result).code
  const meaning = MEANING[code]
  return ` (${action}${where}${meaning === undefined ? '' : `: ${meaning}`})`
}

const MEANING: Readonly<Record<string, string>> = {
  ENOBUFS:
    'too many memberships or sources on this socket, see net.ipv4.igmp_max_memberships, net.ipv4.igmp_max_msf and net.ipv6.mld_max_msf',
  ENOMEM: 'no memory for it, see net.core.optmem_max',
  EADDRINUSE: 'this socket has joined it already',
  EADDRNOTAVAIL: 'this socket is not a member',
  ENODEV: 'no interface with multicast fits: name one, or add a route for the group',
}
