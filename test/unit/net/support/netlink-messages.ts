import * as n from '../../../../src/net/netlink-constants.js'
import { parseAddress } from '../../../../src/core/index.js'

/** The slow, readable way to write what the kernel writes: the twin of the decoder. Little-endian, as every machine that tests run on. */

export interface Link {
  index: number
  name: string
  flags?: number
  mtuBytes?: number
  kind?: string
  hardwareAddress?: number[]
  operationalState?: number
  master?: number
}

export interface Address {
  index: number
  address: string
  prefixLength?: number
  flags?: number
  scope?: number
}

export interface Route {
  index: number
  family: 4 | 6
  gateway?: string
  metric?: number
}

export const UP = n.IFF_UP | n.IFF_RUNNING | n.IFF_BROADCAST | n.IFF_MULTICAST

export function linkMessage(link: Link, type = n.RTM_NEWLINK, family = 0): Buffer {
  const header = Buffer.alloc(16)
  header.writeUInt8(family, 0)
  header.writeInt32LE(link.index, 4)
  header.writeUInt32LE(link.flags ?? UP, 8)
  const attributes = [
    attribute(n.IFLA_IFNAME, Buffer.from(`${link.name}\0`)),
    attribute(n.IFLA_MTU, uint32(link.mtuBytes ?? 1500)),
    attribute(n.IFLA_OPERSTATE, Buffer.of(link.operationalState ?? 6)),
    attribute(n.IFLA_ADDRESS, Buffer.from(link.hardwareAddress ?? [2, 0, 0, 0, 0, link.index & 0xff])),
    ...(link.master === undefined ? [] : [attribute(n.IFLA_MASTER, uint32(link.master))]),
    ...(link.kind === undefined ? [] : [attribute(n.IFLA_LINKINFO, attribute(n.IFLA_INFO_KIND, Buffer.from(link.kind)))]),
  ]
  return message(type, Buffer.concat([header, ...attributes]))
}

export function addressMessage(address: Address, type = n.RTM_NEWADDR): Buffer {
  const { family, bytes } = addressBytes(address.address)
  const header = Buffer.of(family, address.prefixLength ?? (family === 2 ? 24 : 64), 0, address.scope ?? 0, 0, 0, 0, 0)
  header.writeUInt32LE(address.index, 4)
  const flags = attribute(n.IFA_FLAGS, uint32(address.flags ?? n.IFA_F_PERMANENT))
  const local = family === 2 ? attribute(n.IFA_LOCAL, bytes) : Buffer.alloc(0)
  return message(type, Buffer.concat([header, attribute(n.IFA_ADDRESS, bytes), local, flags]))
}

export function routeMessage(route: Route, type = n.RTM_NEWROUTE): Buffer {
  const header = Buffer.of(route.family === 4 ? 2 : 10, 0, 0, 0, n.RT_TABLE_MAIN, 0, 0, n.RTN_UNICAST, 0, 0, 0, 0)
  const gateway = route.gateway === undefined ? [] : [attribute(n.RTA_GATEWAY, addressBytes(route.gateway).bytes)]
  const rest = [attribute(n.RTA_OIF, uint32(route.index)), attribute(n.RTA_PRIORITY, uint32(route.metric ?? 0))]
  return message(type, Buffer.concat([header, ...gateway, ...rest]))
}

export function message(type: number, payload: Buffer, flags = 0, sequence = 0): Buffer {
  const header = Buffer.alloc(16)
  header.writeUInt32LE(16 + payload.length, 0)
  header.writeUInt16LE(type, 4)
  header.writeUInt16LE(flags, 6)
  header.writeUInt32LE(sequence, 8)
  return padded(Buffer.concat([header, payload]))
}

/** The same message as part of a dump. */
export function answering(sequence: number, bytes: Buffer, flags = 0): Buffer {
  const copy = Buffer.from(bytes)
  copy.writeUInt16LE(flags, 6)
  copy.writeUInt32LE(sequence, 8)
  return copy
}

export function attribute(type: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(4)
  header.writeUInt16LE(4 + payload.length, 0)
  header.writeUInt16LE(type, 2)
  return padded(Buffer.concat([header, payload]))
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value >>> 0)
  return bytes
}

function addressBytes(text: string): { family: number; bytes: Buffer } {
  const { family, words } = parseAddress(text)!
  const bytes = Buffer.alloc(16)
  words.forEach((word, i) => bytes.writeUInt32BE(word, i * 4))
  return family === 4 ? { family: 2, bytes: bytes.subarray(12) } : { family: 10, bytes }
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)])
}
