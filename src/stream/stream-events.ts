import type { Halves } from './halves.js'
import type { Path, SendLimit } from './path.js'
import type { ReceiveCounters } from './receiving.js'
import type { SendCounters } from './sending.js'
import type { StreamError } from './stream-error.js'

/** The events of a {@link Stream}, with their arguments. */
export interface StreamEvents {
  /** A message has arrived. **The view lives until the handler returns**; who keeps it copies it. */
  message: [message: Buffer, handler: number]
  /** There is room again after `send` returned false. */
  drain: []
  /** So many packets are lost for good: a best-effort stream. Messages of theirs are missing here. */
  gap: [packets: number]
  /** The other side has ended; all that it sent has been handed over. Not after a `close` that threw some of it away. */
  end: []
  /** The stream is over, by agreement or with an error. The last event. */
  close: [error: StreamError | undefined]
}

/** What a stream counted, and how it stands. */
export interface StreamStatistics extends SendCounters, ReceiveCounters {
  /** Packets that wait to leave or to be acknowledged. */
  sendQueuePackets: number
  /** Packets that wait for others, or for the user. */
  receiveQueuePackets: number
  /** What keeps the sender from sending more. */
  limitedBy: SendLimit
}

/** How a stream stands, whichever of its directions it has now. */
export function streamStatistics(path: Path, halves: Halves): StreamStatistics {
  const { sending, receiving } = halves
  return {
    ...halves.counted(),
    sendQueuePackets: sending?.queuedPackets ?? 0,
    receiveQueuePackets: receiving?.queuedPackets ?? 0,
    limitedBy: path.limit(sending?.hasWork === true, sending?.refusedBy),
  }
}
