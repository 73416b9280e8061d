import type { MembershipStatistics } from '../net/index.js'
import type { InboxCounters } from './channel-inbox.js'
import type { SendSums } from './channel-sender.js'

/**
 * What a channel has counted. Of {@link SendSums}, each interface counts for itself; with one interface
 * `datagramsPublished = datagramsSent + datagramsFailed + datagramsDiscarded + datagramsUnsent + queuedDatagrams`.
 */
export interface ChannelStatistics extends SendSums {
  /** Accepted by `publish` and `commit`, and the bytes of their payloads. */
  datagramsPublished: number
  bytesPublished: number
  /** Published while no interface had a socket: see 'sendError'. */
  datagramsUnsent: number
  /** Of this channel, from all sources, whoever took them; and the bytes of their payloads. */
  datagramsReceived: number
  bytesReceived: number
  /** Times that numbers of a source were missing, and how many in all. */
  gaps: number
  missing: number
  /** Came after all, after others had passed them: these were counted as missing, if they were not published twice. */
  late: number
  duplicates: number
  restarts: number
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
