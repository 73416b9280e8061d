import type { Path } from './path.js'
import type { StreamError } from './stream-error.js'
import type { Stream } from './stream.js'

/** The events of a `Peer`, with their arguments. */
export interface PeerEvents {
  /** The peer has opened a stream. If nobody listens here or at the node, it is refused. */
  stream: [stream: Stream]
  /** The peer is gone: its streams have ended. With an error unless it was closed here. */
  close: [error: StreamError | undefined]
}

/** How a peer stands. */
export interface PeerStatistics {
  /** Milliseconds, smoothed; undefined before the first sample. */
  roundTripMs: number | undefined
  roundTripVariationMs: number
  minRoundTripMs: number
  /** Packets sent that have neither arrived nor are known to be lost, and how many may be. */
  inFlightPackets: number
  windowPackets: number
  /** Which share of the packets to it was lost on the way, as far as found out; of the last hundreds, of all streams. */
  lossRate: number
  /** The longest frame sent to it. */
  frameBytes: number
  streams: number
}

export function peerStatistics(
  { roundTrip, inFlightPackets, congestion, lossRate, frameBytes }: Path,
  streams: number,
): PeerStatistics {
  return {
    roundTripMs: roundTrip.hasSample ? roundTrip.smoothedMs : undefined,
    roundTripVariationMs: roundTrip.variationMs,
    minRoundTripMs: roundTrip.minMs,
    inFlightPackets,
    windowPackets: congestion.windowPackets,
    lossRate,
    frameBytes,
    streams,
  }
}
