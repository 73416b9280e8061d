/**
 * `UdpSocket`: the option table, batches in and out, capabilities, statistics.
 *
 * May import core and binding. Knows nothing of protocols, links or interface changes.
 */
export { capabilities, type Capabilities } from './capabilities.js'
export { cachingLookup, type CachingLookupOptions } from './caching-lookup.js'
export { endpoint } from './endpoint-input.js'
export type { GroupOptions } from './groups.js'
export { PATH_MTU_DISCOVERY, type KernelOptionName, type KernelOptionValues, type PathMtuDiscovery } from './option-table.js'
export { PeerError } from './peer-error.js'
export type { SendOptions } from './send-control.js'
export type { SocketType, UdpSocketOptions } from './socket-options.js'
export { streamSocketOptions } from './stream-socket.js'
export type { SocketStatistics } from './statistics.js'
export type { UdpSocketEvents } from './socket-events.js'
export { UdpSocket, type BindOptions } from './udp-socket.js'
