import type { LinkStatistics } from '../core/index.js'
import type { KindLinkStatistics } from './link-events.js'
import type { LinkInbox } from './link-inbox.js'
import type { Requests } from './requests.js'

/**
 * What a kind of link counts: what the link below counted less the headers, and what became of what was received.
 *
 * @param refused Datagrams that never came to the link below.
 */
export function linkStatistics(
  sums: LinkStatistics,
  inbox: LinkInbox['counters'],
  asked: Requests['counters'],
  headerBytes: number,
  refused: number,
): KindLinkStatistics {
  const { received, bytesReceived, malformed, own, foreign, unheard, requests } = inbox
  return {
    datagramsQueued: sums.datagramsQueued,
    datagramsSent: sums.datagramsSent,
    datagramsFailed: sums.datagramsFailed,
    datagramsDiscarded: sums.datagramsDiscarded,
    queuedDatagrams: sums.queuedDatagrams,
    queuedBytes: sums.queuedBytes - headerBytes * sums.queuedDatagrams,
    bytesSent: sums.bytesSent - headerBytes * sums.datagramsSent,
    datagramsRefused: sums.datagramsRefused + refused,
    datagramsReceived: received,
    bytesReceived,
    datagramsMalformed: malformed,
    datagramsOwn: own,
    datagramsForeign: foreign,
    datagramsUnheard: unheard,
    requestsSent: asked.sent,
    requestsRepeated: asked.repeated,
    requestsAnswered: asked.answered,
    requestsTimedOut: asked.timedOut,
    requestsCancelled: asked.cancelled,
    requestsReceived: requests,
    responsesUnexpected: asked.unexpected,
  }
}
