import { formatIpv4, type Endpoint } from '../core/index.js'

/** A key for maps. An IPv4 address has one, whether or not it is in the clothes that a socket of both families gives it. */
export function endpointKey(endpoint: Endpoint): string {
  return endpoint.isIpv4 ? `${formatIpv4(endpoint.words[3])}:${endpoint.port}` : endpoint.toString()
}
