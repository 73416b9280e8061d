import { isIP, isIPv6 } from 'node:net'
import { InvalidArgumentError } from 'commander'
import { endpoint, type Endpoint } from '../../index.js'
import { UsageError } from '../exit.js'
import type { PlaceOptions } from '../places.js'

/** `server`, `server:9000`, `127.0.0.1:9000`, `[::1]:9000`, `::1`. */
export function remotePlace(text: string, defaultPort: number): { host: string; port: number } {
  // A zone is not for isIPv6 of older versions.
  if (isIPv6(text.replace(/%.*$/, ''))) return { host: text, port: defaultPort }
  const match = /^(?:\[(?<bracketed>[^\]]+)\]|(?<plain>[^:[\]]+))(?::(?<port>\d{1,5}))?$/.exec(text)
  const host = match?.groups?.['bracketed'] ?? match?.groups?.['plain']
  if (host === undefined)
    throw new UsageError(`'${text}' is no host, nor host:port; an IPv6 address with a port stands in brackets`)
  const port = Number(match?.groups?.['port'] ?? defaultPort)
  if (port < 1 || port > 65_535) throw new UsageError(`'${text}': a port is from 1 to 65535`)
  return { host, port }
}

/** `239.1.2.3:7497`, `[ff15::1]:7497`. */
export function groupPlace(text: string): Endpoint {
  const match = /^(?:\[(?<bracketed>[^\]]+)\]|(?<plain>[^:]+)):(?<port>\d{1,5})$/.exec(text)
  const address = match?.groups?.['bracketed'] ?? match?.groups?.['plain'] ?? ''
  const port = Number(match?.groups?.['port'])
  const group = isIP(address.replace(/%.*$/, '')) !== 0 && port > 0 && port <= 65_535 ? endpoint(address, port) : undefined
  if (!group?.isMulticast) throw new InvalidArgumentError('It must be a multicast address and a port, such as 239.1.2.3:7497.')
  return group
}

/** A group has a family: `-4` and `-6` cannot ask for the other one. */
export function checkFamily(group: Endpoint, { ipv4, ipv6 }: PlaceOptions): void {
  if (group.isIpv4 && ipv6) throw new UsageError(`${group.address} is an IPv4 group, and -6 was given`)
  if (!group.isIpv4 && ipv4) throw new UsageError(`${group.address} is an IPv6 group, and -4 was given`)
}
