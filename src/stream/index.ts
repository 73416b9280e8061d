/**
 * Sequenced streams of messages between nodes on any link: fire-and-forget, best effort, reliable. Wire: `docs/wire/stream.md`.
 *
 * May import core, system (the default clock and randomness), `node:crypto`, `node:events`, `node:stream`. Knows links, no sockets.
 * Codecs, halves of streams, congestion control and path are pure: time, bytes and randomness are passed in.
 */
export { fixedRate, type CongestionControl, type CongestionControlFactory, type RoundTripTimes } from './congestion-control.js'
export { createNode, StreamNode, type NodeEvents, type NodeStatistics } from './node.js'
export { cubic, type NodeOptions } from './node-options.js'
export { Peer, type PeerEvents, type PeerStatistics } from './peer.js'
export { Stream, type StreamPeer } from './stream.js'
export { Publication, type PublicationEvents, type PublicationReceiver, type PublicationStatistics } from './publication.js'
export type { PublicationOptions } from './publication-options.js'
export type { SlowReceivers } from './group-receivers.js'
export { StreamDuplex } from './duplex.js'
export { StreamError, type StreamErrorCode } from './stream-error.js'
export type { StreamEvents, StreamStatistics } from './stream-events.js'
export type { StreamKind, StreamOptions } from './stream-options.js'
