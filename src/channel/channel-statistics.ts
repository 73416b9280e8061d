import type { MembershipStatistics } from '../net/index.js'
import type { InboxCounters } from './channel-inbox.js'
import type { ReceiveCounters } from './receive-ledger.js'
import type { SendSums } from './channel-sender.js'

/**
 * What a channel has counted. Of {@link SendSums}, each interface counts for itself; with one interface
 * `datagramsPublished = datagramsSent + datagramsFailed + datagramsDiscarded + datagramsUnsent + queuedDatagrams`.
 */
export interface ChannelStatistics extends SendSums, ReceiveCounters {
  /** Accepted by `publish` and `commit`, and the bytes of their payloads. */
  datagramsPublished: number
  bytesPublished: number
  /** Published while no interface had a socket: see 'sendError'. */
  datagramsUnsent: number
  /** Sources that are known now. */
  sources: number
  /** Forgotten for their silence, and to make room for others. */
  sourcesExpired: number
  sourcesEvicted: number
  subscriptions: number
  sendSockets: number
}

/**
 * What a node has counted. Of its channels that are open and were closed,
 * `datagramsDelivered = datagramsReceived of all channels + notPulicast + tooShort + truncatedDropped + otherChannels + undelivered`.
 */
export interface ChannelNodeStatistics extends Omit<InboxCounters, 'truncated'> {
  channels: number
  /** Longer than the receiving sockets take. */
  truncatedDropped: number
  /** Of the receiving sockets. */
  membership: MembershipStatistics
}
