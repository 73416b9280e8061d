import type { LookupFunction } from 'node:net'
import type { Addon } from '../binding/index.js'
import { Endpoint, checkLocalPort, checkString, invalidArgValue, parseAddress } from '../core/index.js'
import { selectBackend } from './fallback/backend.js'
import { findInterface } from './interface-lookup.js'

/**
 * The endpoint of a literal address and a port, to send to again and again: datagrams of one size to one endpoint coalesce.
 *
 * @param address An IPv4 or IPv6 literal. The zone of a link-local one may be an interface index or name: `fe80::1%eth0`.
 * @throws `ERR_INVALID_ARG_VALUE` for anything but a literal, `ERR_OUT_OF_RANGE` for a port that is none; a `SocketError` with
 *   `ENODEV` for a zone that names no interface.
 */
export function endpoint(address: string, port: number): Endpoint {
  checkString('address', address)
  checkLocalPort('port', port)
  const found = literalEndpoint(address, port, selectBackend)
  if (found === undefined) {
    throw invalidArgValue('address', address, 'must be an IPv4 or IPv6 literal; for a name there is socket.resolve')
  }
  return found
}

/** The endpoint of a literal, undefined for a name. */
export function literalEndpoint(address: string, port: number, addon: () => Addon): Endpoint | undefined {
  const parsed = parseAddress(address)
  if (parsed === undefined) return undefined
  if (parsed.zone === '' || /^\d+$/.test(parsed.zone)) return Endpoint.of(address, port)
  const { index } = findInterface(addon(), 'address', parsed.zone)
  return new Endpoint('IPv6', parsed.words, port, index)
}

/** Asks `lookup` for one address of a name. */
export function lookUp(lookup: LookupFunction, hostname: string, family: 0 | 4 | 6): Promise<string> {
  return new Promise((resolve, reject) => {
    lookup(hostname, { family }, (error, address) => {
      if (error) reject(error)
      else resolve(typeof address === 'string' ? address : (address[0]?.address ?? ''))
    })
  })
}
