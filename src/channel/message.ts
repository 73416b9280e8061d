import type { Endpoint } from '../core/index.js'

/** A datagram of a channel. */
export interface ChannelMessage {
  /** In a handler a view that lives until the handler returns; in an iteration memory of its own. */
  readonly payload: Buffer
  /** Who sent it. */
  readonly source: Endpoint
  /** The source's own count of what it has published in this channel, 0 to 2^32 - 1. */
  readonly sequence: number
  /**
   * How far the sequence number is ahead of the highest one before it from this source: 1 without loss, more with a gap, 0 or less for
   * what came late or twice. The first from a source, and the first after its restart, has 1.
   */
  readonly lead: number
}
