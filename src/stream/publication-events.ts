import type { GroupSendCounters } from './group-sending.js'
import type { SendLimit } from './path.js'
import type { Peer } from './peer.js'
import type { StreamError } from './stream-error.js'

/** The events of a `Publication`, with their arguments. */
export interface PublicationEvents {
  /** There is room again after `send` returned false. */
  drain: []
  /** A receiver has answered: it takes the stream. */
  receiver: [peer: Peer]
  /**
   * A receiver is there no more. Without an error: it was removed, or has read everything. `ERR_RECEIVER_SLOW`: it was dropped because it
   * held the others up; other errors are those of streams and peers.
   */
  receiverGone: [peer: Peer, error: StreamError | undefined]
  /** The publication is over, by agreement or with an error. The last event. */
  close: [error: StreamError | undefined]
}

/** A receiver of a `Publication`, as it stands. */
export interface PublicationReceiver {
  readonly peer: Peer
  /** Has it answered? */
  readonly isOpen: boolean
  /** Packets that were sent and that its user has not read, as far as known. */
  readonly lagPackets: number
  /** Which share of the packets it missed at first; of the last hundreds. */
  readonly lossRate: number
}

/** What a publication counted, and how it stands. */
export interface PublicationStatistics extends GroupSendCounters {
  receivers: number
  /** Packets that wait to leave or to be acknowledged. */
  sendQueuePackets: number
  /** The longest of its receivers', in milliseconds; undefined before the first sample. */
  roundTripMs: number | undefined
  /** What keeps the sender from sending more. */
  limitedBy: SendLimit
}
