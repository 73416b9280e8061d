/**
 * Channels: publish and subscribe by name over IPv4 multicast, on the wire as pulicast (docs/wire/channel.md).
 *
 * May import core, binding, socket, net, system, and of `node:*` events alone. The datagram, the sequence numbers, the tables of sources and the
 * inbox are pure: bytes and the time go in. The rules of multicast sockets are those of net; the node and the senders join the two.
 */
export { Channel, type ChannelEvents, type ChannelGap } from './channel.js'
export { multicastGroupForChannel } from './channel-name.js'
export { createChannelNode, type ChannelNode, type ChannelNodeEvents } from './channel-node.js'
export {
  observeChannels,
  type ChannelObserver,
  type ChannelObserverOptions,
  type ChannelObserverStatistics,
  type ObservedChannel,
} from './channel-observer.js'
export type { ChannelNodeStatistics, ChannelStatistics } from './channel-statistics.js'
export type { MalformedReason } from './channel-inbox.js'
export type { ReceiveCounters } from './receive-ledger.js'
export type { ChannelMessage } from './message.js'
export type { ChannelNodeOptions } from './node-options.js'
export type { ChannelSource } from './source-table.js'
export type { MessageHandler, SubscribeOptions, Subscription, SubscriptionStatistics } from './subscription.js'
