import type { LinkStatistics } from '../core/index.js'

/** What a `SimulatedLink` counted. */
export interface SimulatedLinkStatistics extends LinkStatistics {
  /** Datagrams that found no room in the receive buffer. */
  receiveBufferDrops: number
}

export function emptyLinkStatistics(): SimulatedLinkStatistics {
  return {
    datagramsReceived: 0,
    bytesReceived: 0,
    datagramsQueued: 0,
    datagramsSent: 0,
    bytesSent: 0,
    datagramsFailed: 0,
    datagramsDiscarded: 0,
    datagramsRefused: 0,
    queuedDatagrams: 0,
    queuedBytes: 0,
    receiveBufferDrops: 0,
  }
}
