/** The public names of `geysir`. No logic here. */
export { Endpoint, type EndpointLike } from './core/endpoint.js'
export type { ReceiveBatch } from './core/receive-batch.js'
export type { Clock, Timer } from './core/clock.js'
export type { DatagramBatch, Link, LinkEvents, LinkStatistics } from './core/link.js'
export { SocketError } from './binding/socket-error.js'
export * from './socket/index.js'
export * from './stream/index.js'
