import { capabilities } from './capabilities.js'
import type { UdpSocketOptions } from './socket-options.js'

/**
 * What a UDP socket that carries streams wants, as far as there is such a thing here: a receive buffer of about a stream's window, and
 * that frames are not fragmented, so that how long they may be can be found out.
 */
export function streamSocketOptions(): Pick<UdpSocketOptions, 'receiveBufferBytes' | 'pathMtuDiscovery'> {
  const isNative = capabilities().backend === 'native'
  return { receiveBufferBytes: RECEIVE_BUFFER_BYTES, ...(isNative && { pathMtuDiscovery: 'do' }) }
}

const RECEIVE_BUFFER_BYTES = 4 << 20
