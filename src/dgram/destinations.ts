import { Endpoint, parseAddress } from '../core/index.js'

/**
 * The endpoint of a literal and a port: one object a destination, so that datagrams to it coalesce. Undefined for a name, for a scoped
 * address, and for a port that is none. Bounded, and then forgotten all at once.
 */
export function destination(address: string, port: number): Endpoint | undefined {
  if (!Number.isInteger(port) || port < 1 || port > MAX_PORT) return undefined
  let ports = destinations.get(address)
  if (ports === undefined) {
    const parsed = parseAddress(address)
    if (parsed === undefined || parsed.zone !== '') return undefined
    if (destinations.size >= MAX_DESTINATIONS) destinations.clear()
    ports = new Map()
    destinations.set(address, ports)
  }
  let endpoint = ports.get(port)
  if (endpoint === undefined) {
    if (ports.size >= MAX_DESTINATIONS) ports.clear()
    endpoint = Endpoint.of(address, port)
    ports.set(port, endpoint)
  }
  return endpoint
}

const destinations = new Map<string, Map<number, Endpoint>>()
const MAX_DESTINATIONS = 1024
const MAX_PORT = 65_535
