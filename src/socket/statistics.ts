/**
 * What a socket counted since it was opened. Every datagram is in exactly one place:
 * `datagramsQueued = datagramsSent + datagramsFailed + datagramsDiscarded + queuedDatagrams`.
 */
export interface SocketStatistics {
  /** Datagrams taken from the kernel, and their payload bytes: handed to the user, or counted in `datagramsAfterClose`. */
  datagramsReceived: number
  bytesReceived: number
  /** Batches, each one system call and one JavaScript call. */
  batchesReceived: number
  /** Datagrams that the kernel handed over coalesced (UDP_GRO). */
  segmentsReceived: number
  /** Datagrams longer than `maxDatagramBytes`, delivered cut. */
  truncated: number
  /** Received datagrams that found no place in the batch's table; 0 unless the kernel coalesces more than it documents. */
  overflowed: number
  /** Datagrams of a batch that had no 'datagram' event because a handler closed the socket or gave the batch back. */
  datagramsAfterClose: number
  /**
   * Messages that the kernel dropped at this socket, because its receive buffer was full or a checksum was wrong (SO_RXQ_OVFL,
   * SO_MEMINFO). It counts a coalesced message once, however many datagrams were in it.
   */
  kernelDrops: number
  /** Datagrams accepted by `send` and `commit`. */
  datagramsQueued: number
  /** Datagrams that the kernel took, and their payload bytes. */
  datagramsSent: number
  bytesSent: number
  /** sendmmsg(2) calls that the kernel took something of. */
  batchesSent: number
  /** Messages that carried more than one datagram (UDP_SEGMENT), and the datagrams in them. */
  coalescedSends: number
  segmentsSent: number
  /** Messages that were cut up and sent again because the kernel refused to segment them. */
  offloadFallbacks: number
  /** Times the kernel's send buffer was full. */
  wouldBlock: number
  /** Datagrams that `send` or `reserve` refused because the queue was full. */
  datagramsRefused: number
  /** Datagrams that the kernel refused, in total and by error code. */
  datagramsFailed: number
  sendErrors: Record<string, number>
  /** Datagrams still queued when the socket was closed. */
  datagramsDiscarded: number
  /** ICMP errors reported by 'peerError'. */
  peerErrors: number
  /** The send queue now. */
  queuedDatagrams: number
  queuedBytes: number
}

/** What is counted as it happens; the rest of {@link SocketStatistics} is known when it is asked for. */
export type Counters = Omit<SocketStatistics, 'kernelDrops' | 'datagramsQueued' | 'queuedDatagrams' | 'queuedBytes'>

/** All of it, at this moment. */
export function statisticsOf(
  counters: Counters,
  kernelDrops: number,
  queue: { readonly queuedDatagrams: number; readonly queuedBytes: number } | undefined,
): SocketStatistics {
  const { datagramsSent, datagramsFailed, datagramsDiscarded } = counters
  const { queuedDatagrams, queuedBytes } = queue ?? { queuedDatagrams: 0, queuedBytes: 0 }
  const datagramsQueued = datagramsSent + datagramsFailed + datagramsDiscarded + queuedDatagrams
  const sendErrors = { ...counters.sendErrors }
  return { ...counters, sendErrors, kernelDrops, datagramsQueued, queuedDatagrams, queuedBytes }
}

export function emptyCounters(): Counters {
  return {
    datagramsReceived: 0,
    bytesReceived: 0,
    batchesReceived: 0,
    segmentsReceived: 0,
    truncated: 0,
    overflowed: 0,
    datagramsAfterClose: 0,
    datagramsSent: 0,
    bytesSent: 0,
    batchesSent: 0,
    coalescedSends: 0,
    segmentsSent: 0,
    offloadFallbacks: 0,
    wouldBlock: 0,
    datagramsRefused: 0,
    datagramsFailed: 0,
    sendErrors: {},
    datagramsDiscarded: 0,
    peerErrors: 0,
  }
}

/** A counter of the kernel's that wraps at 2^32, made into one that does not. */
export class WrappingCounter {
  total = 0
  #last = 0

  /**
   * Takes a reading, less than 2^31 events from the last one. An older one changes nothing: what a datagram brings was noted when it
   * was queued, before what the socket says when it is asked.
   */
  update(reading: number): void {
    const more = (reading - this.#last) | 0
    if (more <= 0) return
    this.total += more
    this.#last = reading
  }
}
