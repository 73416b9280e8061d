import { AF_INET, AF_INET6, ERRNO, SocketError, decodeSockaddr, type Addon, type NativeInterfaceEntry } from '../binding/index.js'
import { Endpoint, checkInteger, invalidArgType, parseAddress } from '../core/index.js'

/** An interface that a caller named, and the addresses that go with it. */
export interface FoundInterface {
  readonly index: number
  readonly name: string
  /** Its first IPv4 address, or the one by which it was named. */
  readonly ipv4: Endpoint | undefined
}

/**
 * The interface that `value` names: by index, by name, or by one of its addresses, which may have a zone (`fe80::1%eth0`,
 * `192.0.2.1%eth0`).
 *
 * @throws `ERR_INVALID_ARG_TYPE`; a {@link SocketError} with `ENODEV` for a name or index that is not there and
 *   `EADDRNOTAVAIL` for an address that no interface has.
 */
export function findInterface(addon: Addon, optionName: string, value: string | number): FoundInterface {
  checkInterface(optionName, value)
  const entries = listEntries(addon)
  // A zone after an IPv4 address is no standard's, but two interfaces may have one address.
  const [, literal = '', zone] = /^([^%]*)(?:%(.*))?$/.exec(String(value)) ?? []
  const wanted = typeof value === 'string' && parseAddress(literal) ? Endpoint.of(literal, 0) : undefined
  const isInZone = (entry: NativeInterfaceEntry): boolean =>
    zone === undefined || entry.name === zone || String(entry.index) === zone
  const matches = (entry: NativeInterfaceEntry): boolean => {
    if (typeof value === 'number') return entry.index === value
    if (wanted === undefined) return entry.name === value
    const address = addressOf(entry)
    return address?.family === wanted.family && isInZone(entry) && address.words.every((word, i) => word === wanted.words[i])
  }
  const found = entries.find(matches)
  if (found === undefined) {
    throw new SocketError('getifaddrs', wanted ? -ERRNO.EADDRNOTAVAIL : -ERRNO.ENODEV, String(value))
  }
  const named = wanted?.family === 'IPv4' ? wanted : undefined
  return { index: found.index, name: found.name, ipv4: named ?? firstIpv4(entries, found.index) }
}

/** Is it something that can name an interface? @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`. */
export function checkInterface(optionName: string, value: unknown): void {
  if (typeof value === 'number') checkInteger(optionName, value, 0, MAX_INTERFACE_INDEX)
  else if (typeof value !== 'string') throw invalidArgType(optionName, 'an interface name, index or address', value)
}

function listEntries(addon: Addon): NativeInterfaceEntry[] {
  const entries = addon.interfaces()
  if (typeof entries === 'number') throw new SocketError('getifaddrs', entries)
  return entries
}

function firstIpv4(entries: readonly NativeInterfaceEntry[], index: number): Endpoint | undefined {
  for (const entry of entries) {
    const address = entry.index === index ? addressOf(entry) : undefined
    if (address?.family === 'IPv4') return address
  }
  return undefined
}

function addressOf(entry: NativeInterfaceEntry): Endpoint | undefined {
  const family = entry.address === null ? 0 : new DataView(entry.address.buffer, entry.address.byteOffset).getUint16(0, LITTLE)
  return family === AF_INET || family === AF_INET6 ? decodeSockaddr(entry.address!) : undefined
}

const LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1
const MAX_INTERFACE_INDEX = 0x7fff_ffff
