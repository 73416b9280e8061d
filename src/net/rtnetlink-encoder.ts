import { AF_INET, AF_INET6, AF_UNSPEC } from '../binding/index.js'
import * as n from './netlink-constants.js'
import { ATTRIBUTE_HEADER_BYTES, LITTLE_ENDIAN, MESSAGE_HEADER_BYTES, viewOf } from './netlink-message.js'

/** What can be dumped, in the order in which it is: an address is of a link. */
export type DumpKind = 'links' | 'addresses' | 'ipv4Routes' | 'ipv6Routes'

/** The request that makes the kernel tell all it has of `kind`. @see rtnetlink(7) */
export function encodeDumpRequest(kind: DumpKind, sequence: number): Uint8Array {
  switch (kind) {
    case 'links':
      return encodeLinkRequest(sequence)
    case 'addresses':
      return encodeRequest(n.RTM_GETADDR, sequence, IFADDRMSG_BYTES, AF_UNSPEC)
    case 'ipv4Routes':
    case 'ipv6Routes': {
      const request = encodeRequest(n.RTM_GETROUTE, sequence, RTMSG_BYTES, kind === 'ipv4Routes' ? AF_INET : AF_INET6)
      request[MESSAGE_HEADER_BYTES + RTM_TABLE_OFFSET] = n.RT_TABLE_MAIN
      return request
    }
  }
}

/** struct sockaddr_nl: the kernel chooses the port. */
export function encodeNetlinkAddress(groups: number): Uint8Array {
  const bytes = new Uint8Array(SOCKADDR_NL_BYTES)
  const view = viewOf(bytes)
  view.setUint16(0, n.AF_NETLINK, LITTLE_ENDIAN)
  view.setUint32(8, groups, LITTLE_ENDIAN)
  return bytes
}

function encodeLinkRequest(sequence: number): Uint8Array {
  const request = encodeRequest(n.RTM_GETLINK, sequence, IFINFOMSG_BYTES + ATTRIBUTE_HEADER_BYTES + 4, AF_UNSPEC)
  const view = viewOf(request)
  const at = MESSAGE_HEADER_BYTES + IFINFOMSG_BYTES
  view.setUint16(at, ATTRIBUTE_HEADER_BYTES + 4, LITTLE_ENDIAN)
  view.setUint16(at + 2, n.IFLA_EXT_MASK, LITTLE_ENDIAN)
  view.setUint32(at + ATTRIBUTE_HEADER_BYTES, n.RTEXT_FILTER_SKIP_STATS, LITTLE_ENDIAN)
  return request
}

function encodeRequest(type: number, sequence: number, payloadBytes: number, family: number): Uint8Array {
  const bytes = new Uint8Array(MESSAGE_HEADER_BYTES + payloadBytes)
  const view = viewOf(bytes)
  view.setUint32(0, bytes.length, LITTLE_ENDIAN)
  view.setUint16(4, type, LITTLE_ENDIAN)
  view.setUint16(6, n.NLM_F_REQUEST | n.NLM_F_DUMP, LITTLE_ENDIAN)
  view.setUint32(8, sequence, LITTLE_ENDIAN)
  bytes[MESSAGE_HEADER_BYTES] = family
  return bytes
}

const IFINFOMSG_BYTES = 16
const IFADDRMSG_BYTES = 8
const RTMSG_BYTES = 12
const RTM_TABLE_OFFSET = 4
const SOCKADDR_NL_BYTES = 12
