import { Endpoint, checkPeerPort, invalidArgValue, type EndpointLike } from '../core/index.js'

/** The one peer of a link: naming it is allowed, naming another is not. */
export function checkOnlyPeer(endpoint: Endpoint | EndpointLike | undefined, peer: Endpoint): void {
  if (endpoint === undefined || endpoint === peer) return
  const given = Endpoint.from(endpoint)
  checkPeerPort('endpoint.port', given.port)
  if (!given.equals(peer))
    throw invalidArgValue('endpoint', given.toString(), `must be ${peer.toString()}, the peer of this link`)
}
