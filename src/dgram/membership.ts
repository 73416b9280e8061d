import { AF_INET, AF_INET6, encodeSockaddr, type Addon } from '../binding/index.js'
import type { Endpoint } from '../core/index.js'
import * as k from '../socket/kernel-constants.js'
import { zonedAddress } from './zone.js'

/** One setsockopt(2). */
export interface OptionRequest {
  /** Of the group. */
  family: number
  level: number
  name: number
  value: Uint8Array
}

/** As uv_udp_set_membership: IPv4 interfaces by address, IPv6 ones by zone. Undefined for an address that is none. */
export function membership(
  addon: Addon,
  action: 'join' | 'leave',
  group: string,
  interfaceAddress: string | undefined,
): OptionRequest | undefined {
  const groupAddress = zonedAddress(addon, String(group))
  const device = interfaceOf(addon, interfaceAddress)
  if (groupAddress === undefined || device === undefined) return undefined
  if (groupAddress.family === 'IPv4') {
    if (device?.family === 'IPv6') return undefined
    return {
      family: AF_INET,
      level: k.IPPROTO_IP,
      name: action === 'join' ? k.IP_ADD_MEMBERSHIP : k.IP_DROP_MEMBERSHIP,
      value: concat(ipv4Bytes(groupAddress), device ? ipv4Bytes(device) : ANY),
    }
  }
  if (device?.family === 'IPv4') return undefined
  return {
    family: AF_INET6,
    level: k.IPPROTO_IPV6,
    name: action === 'join' ? k.IPV6_ADD_MEMBERSHIP : k.IPV6_DROP_MEMBERSHIP,
    value: concat(encodeSockaddr(groupAddress, AF_INET6)!.subarray(8, 24), uint32(device?.scopeId ?? 0)),
  }
}

/** As uv_udp_set_source_membership. */
export function sourceMembership(
  addon: Addon,
  action: 'join' | 'leave',
  source: string,
  group: string,
  interfaceAddress: string | undefined,
): OptionRequest | undefined {
  const groupAddress = zonedAddress(addon, String(group))
  const sourceAddress = zonedAddress(addon, source)
  const device = interfaceOf(addon, interfaceAddress)
  if (groupAddress === undefined || device === undefined || sourceAddress?.family !== groupAddress.family) return undefined
  if (device !== null && device.family !== groupAddress.family) return undefined
  if (groupAddress.family === 'IPv4') {
    return {
      family: AF_INET,
      level: k.IPPROTO_IP,
      name: action === 'join' ? k.IP_ADD_SOURCE_MEMBERSHIP : k.IP_DROP_SOURCE_MEMBERSHIP,
      value: concat(ipv4Bytes(groupAddress), device ? ipv4Bytes(device) : ANY, ipv4Bytes(sourceAddress)),
    }
  }
  const { groupRequestAddressOffset, groupSourceRequestSourceOffset, groupSourceRequestBytes } = addon.layout
  const value = new Uint8Array(groupSourceRequestBytes)
  value.set(uint32(device?.scopeId ?? 0))
  value.set(encodeSockaddr(groupAddress, AF_INET6)!, groupRequestAddressOffset)
  value.set(encodeSockaddr(sourceAddress, AF_INET6)!, groupSourceRequestSourceOffset)
  return {
    family: AF_INET6,
    level: k.IPPROTO_IPV6,
    name: action === 'join' ? k.MCAST_JOIN_SOURCE_GROUP : k.MCAST_LEAVE_SOURCE_GROUP,
    value,
  }
}

/** Null where none is named; undefined for what names none. */
function interfaceOf(addon: Addon, text: string | null | undefined): Endpoint | null | undefined {
  return text === undefined || text === null ? null : zonedAddress(addon, String(text))
}

function ipv4Bytes(endpoint: Endpoint): Uint8Array {
  return encodeSockaddr(endpoint, AF_INET)!.subarray(4, 8)
}

function uint32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer)
}

function concat(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts))
}

const ANY = new Uint8Array(4)
