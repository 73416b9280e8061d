import { readFileSync } from 'node:fs'
import { AF_PACKET, SocketError, decodeSockaddr, type Addon, type NativeInterfaceEntry } from '../binding/index.js'
import type { Endpoint } from '../core/index.js'
import { addressKey } from './interface-address.js'
import { InterfaceTable } from './interface-table.js'
import { OPERATIONAL_STATES } from './netlink-constants.js'
import { LITTLE_ENDIAN, viewOf } from './netlink-message.js'
import type { InterfaceAddress } from './network-interface.js'
import { formatHardwareAddress, type LinkFacts } from './rtnetlink-decoder.js'

/**
 * Brings `table` in line with getifaddrs(3), for where netlink is refused. It tells less: no scope, kind or master, and nothing of the
 * state of an address. MTU and operational state are read from /sys where it is there.
 *
 * @throws {@link SocketError} of getifaddrs.
 */
export function readAddressList(addon: Addon, table: InterfaceTable): void {
  const entries = addon.interfaces()
  if (typeof entries === 'number') throw new SocketError('getifaddrs', entries)
  const links = new Map<number, LinkFacts>()
  for (const entry of entries) {
    // An alias (`eth0:1`) is a label of an address, not an interface; the index is the interface's.
    if (entry.index > 0 && (!links.has(entry.index) || isLinkLayer(entry))) links.set(entry.index, linkOf(entry))
  }
  table.beginDump('links')
  for (const link of links.values()) table.applyDumped({ type: 'link', removed: false, link })
  table.endDump()
  table.beginDump('addresses')
  for (const entry of entries) {
    const value = addressOf(entry)
    if (value === undefined) continue
    table.applyDumped({ type: 'address', removed: false, index: entry.index, address: { key: addressKey(value), value } })
  }
  table.endDump()
}

function linkOf(entry: NativeInterfaceEntry): LinkFacts {
  const name = entry.name.replace(/:.*/, '')
  const state = OPERATIONAL_STATES.find((known) => known === readSysfs(name, 'operstate'))
  const details = {
    mtuBytes: Number(readSysfs(name, 'mtu') ?? 0),
    hardwareAddress: hardwareAddressOf(entry),
    kind: undefined,
    operationalState: state ?? 'unknown',
    master: undefined,
  } as const
  return { index: entry.index, name, flags: entry.flags, details }
}

function addressOf({ address, netmask, broadcast, flags }: NativeInterfaceEntry): InterfaceAddress | undefined {
  const local = address === null ? undefined : decodeSockaddr(address)
  if (local === undefined) return undefined
  const { family } = local
  const mask = netmask === null ? undefined : decodeSockaddr(netmask)
  const all = family === 'IPv4' ? 32 : 128
  return Object.freeze({
    family,
    address: local.address.replace(/%.*/, ''),
    prefixLength: mask === undefined ? all : countBits(mask),
    scope: scopeOf(local),
    broadcast: family === 'IPv4' && (flags & 0x2) !== 0 && broadcast !== null ? decodeSockaddr(broadcast)?.address : undefined,
    peer: undefined,
    tentative: false,
    deprecated: false,
    temporary: false,
    duplicate: false,
    permanent: false,
  })
}

function countBits({ words }: Endpoint): number {
  return words.reduce((bits, word) => bits + word.toString(2).replaceAll('0', '').length, 0)
}

/** By the address itself (RFC 4291 section 2.5, RFC 3927): what an administrator said otherwise is not told here. */
function scopeOf({ isIpv4, words }: Endpoint): InterfaceAddress['scope'] {
  if (isIpv4) {
    if (words[3] >>> 24 === 127) return 'host'
    return words[3] >>> 16 === 0xa9fe ? 'link' : 'global'
  }
  if (words[0] === 0 && words[1] === 0 && words[2] === 0 && words[3] === 1) return 'host'
  return words[0] >>> 22 === 0x3fa ? 'link' : 'global'
}

function isLinkLayer({ address }: NativeInterfaceEntry): boolean {
  return address !== null && viewOf(address).getUint16(0, LITTLE_ENDIAN) === AF_PACKET
}

/** struct sockaddr_ll: the length in byte 11, the address from byte 12. */
function hardwareAddressOf(entry: NativeInterfaceEntry): string | undefined {
  if (!isLinkLayer(entry) || entry.address!.length < 20) return undefined
  return formatHardwareAddress(entry.address!.subarray(12, 12 + Math.min(entry.address![11]!, 8)))
}

function readSysfs(name: string, file: string): string | undefined {
  try {
    return readFileSync(`/sys/class/net/${name}/${file}`, 'utf8').trim()
  } catch {
    // Gone, or hidden from this process.
    return undefined
  }
}
