import { lookup } from 'node:dns'
import { isIP } from 'node:net'
import { Endpoint, UdpSocket, capabilities, endpoint, type SocketType } from '../index.js'
import { UsageError } from './exit.js'
import { interfaceName } from './interface-text.js'

/** What `-4`, `-6` and `--interface` say. */
export interface PlaceOptions {
  readonly ipv4?: true
  readonly ipv6?: true
  readonly interface?: string
}

/**
 * The endpoint of a literal or a name; a literal never touches the name service. An IPv6 address that means something on one link
 * only gets the interface as its zone, unless it has one.
 */
export async function findEndpoint(host: string, port: number, options: PlaceOptions): Promise<Endpoint> {
  const literal = isIP(host.replace(/%.*$/, ''))
  if (literal !== 0) {
    if (literal === 6 && options.ipv4) throw new UsageError(`${host} is an IPv6 address, and -4 was given`)
    if (literal === 4 && options.ipv6) throw new UsageError(`${host} is an IPv4 address, and -6 was given`)
    const needsZone = options.interface !== undefined && LINK_SCOPED.test(host) && !host.includes('%')
    return endpoint(needsZone ? `${host}%${interfaceName(options.interface)}` : host, port)
  }
  const resolver = new UdpSocket({ ...socketTypeOf(undefined, options), lookup })
  try {
    // A port of 0, to let the kernel choose, is none to resolve.
    return (await resolver.resolve(host, PORT_OF_NO_MATTER)).withPort(port)
  } finally {
    resolver.close()
  }
}

/** The socket that reaches `local`, or without one both families where the host has both. */
export function socketTypeOf(local: Endpoint | undefined, options: PlaceOptions): { type: SocketType; ipv6Only?: boolean } {
  if (local?.family === 'IPv4') return { type: 'udp4' }
  if (local !== undefined) return { type: 'udp6', ipv6Only: options.ipv6 === true && !local.isIpv4 }
  if (options.ipv6) return { type: 'udp6', ipv6Only: true }
  return options.ipv4 || !capabilities().ipv6 ? { type: 'udp4' } : { type: 'udp6' }
}

/** An address as people write it: IPv4 without the clothes that a dual-stack socket gives it. */
export function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/, '')
}

export function plainEndpoint(peer: Endpoint): string {
  return peer.isIpv4 ? `${plainAddress(peer.address)}:${peer.port}` : peer.toString()
}

const PORT_OF_NO_MATTER = 1
/** fe80::/10, and the multicast scopes of interface and link (RFC 4291 sections 2.5.6 and 2.7). */
const LINK_SCOPED = /^(fe[89ab][\da-f]:|ff[\da-f][12]:)/i
