/**
 * Sequenced streams of messages between nodes on any link: fire-and-forget, best effort, reliable. Wire: `docs/wire/stream.md`.
 *
 * May import core, fec (repairs of groups), system (the default clock and randomness), `node:crypto`, `node:events`, `node:stream`. Knows
 * links, no sockets. Codecs, halves of streams, congestion control and path are pure: time, bytes and randomness are passed in.
 */
export { fixedRate, type CongestionControl, type CongestionControlFactory, type RoundTripTimes } from './congestion-control.js'
export { createNode, StreamNode, type NodeEvents, type NodeStatistics } from './node.js'
export { cubic, type NodeOptions } from './node-options.js'
export { Peer } from './peer.js'
export type { PeerEvents, PeerStatistics } from './peer-events.js'
export { Stream } from './stream.js'
export type { StreamPeer } from './stream-peer.js'
export { Publication } from './publication.js'
export type { PublicationEvents, PublicationReceiver, PublicationStatistics } from './publication-events.js'
export type { PublicationOptions } from './publication-options.js'
export type { SlowReceivers } from './slow-receivers.js'
export { StreamDuplex } from './duplex.js'
export { StreamError, type StreamErrorCode } from './stream-error.js'
export type { StreamEvents, StreamStatistics } from './stream-events.js'
export type { StreamKind, StreamOptions } from './stream-options.js'
