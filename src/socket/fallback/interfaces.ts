import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { AF_INET, AF_INET6, encodeSockaddr, type NativeInterfaceEntry } from '../../binding/index.js'
import { Endpoint, parseAddress } from '../../core/index.js'

/** getifaddrs(3), as far as Node tells: interfaces that are up and have an address. */
export function listInterfaces(): NativeInterfaceEntry[] {
  const entries: NativeInterfaceEntry[] = []
  for (const [name, addresses = []] of Object.entries(networkInterfaces())) {
    const scope = addresses.find((address) => address.family === 'IPv6' && address.scopeid !== 0)
    const index = interfaceIndex(name) || (scope?.family === 'IPv6' ? scope.scopeid : 0)
    for (const { address, netmask, internal } of addresses) {
      const flags = IFF_UP | IFF_RUNNING | IFF_MULTICAST | (internal ? IFF_LOOPBACK : 0)
      entries.push({ name, index, flags, address: sockaddr(address, index), netmask: sockaddr(netmask, 0), broadcast: null })
    }
  }
  return entries
}

/** The number that the kernel has for an interface; 0 where it does not say. */
export function interfaceIndex(name: string): number {
  try {
    return Number.parseInt(readFileSync(`/sys/class/net/${name}/ifindex`, 'utf8'), 10)
  } catch {
    return 0
  }
}

/** The name of the interface with this index; undefined when there is none. */
export function interfaceName(index: number): string | undefined {
  return listInterfaces().find((entry) => entry.index === index)?.name
}

/** The first IPv4 address of an interface. */
export function interfaceIpv4(index: number): string | undefined {
  const name = interfaceName(index)
  return name === undefined ? undefined : networkInterfaces()[name]?.find((address) => address.family === 'IPv4')?.address
}

/** Is it everybody on a network of ours, whom only a socket with the option `broadcast` may reach? */
export function isBroadcast(endpoint: Endpoint): boolean {
  if (!endpoint.isIpv4) return false
  const word = endpoint.words[3]
  const networks = Object.values(networkInterfaces()).flatMap((addresses = []) =>
    addresses.filter(({ family }) => family === 'IPv4'),
  )
  const broadcasts = networks.map(({ address, netmask }) => (ipv4Word(address) | ~ipv4Word(netmask)) >>> 0)
  return word === LIMITED_BROADCAST || broadcasts.includes(word)
}

function ipv4Word(address: string): number {
  return parseAddress(address)?.words[3] ?? 0
}

function sockaddr(text: string, index: number): Uint8Array | null {
  const parsed = parseAddress(text)
  if (parsed === undefined) return null
  if (parsed.family === 4) return encodeSockaddr(new Endpoint('IPv4', parsed.words, 0), AF_INET) ?? null
  const isLinkLocal = parsed.words[0] >>> 22 === LINK_LOCAL_PREFIX
  return encodeSockaddr(new Endpoint('IPv6', parsed.words, 0, isLinkLocal ? index : 0), AF_INET6) ?? null
}

/** fe80::/10 (RFC 4291 section 2.5.6). */
const LINK_LOCAL_PREFIX = 0xfe80 >>> 6
/** 255.255.255.255 (RFC 919). */
const LIMITED_BROADCAST = 0xffff_ffff
/** netdevice(7). */
const IFF_UP = 0x1
const IFF_LOOPBACK = 0x8
const IFF_RUNNING = 0x40
const IFF_MULTICAST = 0x1000
