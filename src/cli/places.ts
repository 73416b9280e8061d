import { lookup } from 'node:dns'
import { isIP } from 'node:net'
import { Endpoint, UdpSocket, capabilities, endpoint, type SocketType } from '../index.js'
import { UsageError } from './exit.js'

/** What `-4` and `-6` say. */
export interface FamilyOptions {
  readonly ipv4?: true
  readonly ipv6?: true
}

/** The endpoint of a literal or a name; a literal never touches the name service. */
export async function findEndpoint(host: string, port: number, options: FamilyOptions): Promise<Endpoint> {
  const literal = isIP(host.replace(/%.*$/, ''))
  if (literal !== 0) {
    if (literal === 6 && options.ipv4) throw new UsageError(`${host} is an IPv6 address, and -4 was given`)
    if (literal === 4 && options.ipv6) throw new UsageError(`${host} is an IPv4 address, and -6 was given`)
    return endpoint(host, port)
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
export function socketTypeOf(local: Endpoint | undefined, options: FamilyOptions): { type: SocketType; ipv6Only?: boolean } {
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
