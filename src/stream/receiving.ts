import type { MessageMemory, RingMemory } from './assembly-budget.js'
import type { PacketRange } from './control-frame.js'
import type { FrameSource } from './frame-share.js'
import type { RoundTrip } from './round-trip.js'

/** What a receiving direction shares with the others from the same peer. */
export interface ReceivingContext {
  readonly pool: FrameSource
  readonly roundTrip: RoundTrip
  readonly memory: MessageMemory & RingMemory
  readonly maxMessageBytes: number
}

/** What a receiving direction tells its stream. */
export interface ReceivingOwner {
  /** @internal A message; the view lives until this returns. */
  onMessage(message: Buffer, handler: number): void
  /** @internal `packets` are missing for good. */
  onGap(packets: number): void
  /** @internal All that was ever sent has been handed over. */
  onEnd(): void
  /** @internal Something was handed over in between: the sender is to be told. */
  onResumed(): void
  /** @internal The other side breaks the protocol, or a limit: `reason` as a reset says it. */
  onFailure(reason: number): void
}

/**
 * Decides which of the packets that are missing to ask for, and when. Packets are numbered as in {@link ReceiveWindow}, which it looks
 * into.
 */
export interface NakSchedule {
  /** When {@link take} has something; Infinity: never. */
  readonly deadlineMs: number
  /** Packets from `first` to before `end` were found to be missing; those of them that are here in a moment do not matter. */
  onMissing(first: number, end: number, nowMs: number): void
  /** A packet that was missing has come: by its first sending (0), or another. */
  onFound(packet: number, transmission: number, nowMs: number): void
  /** Nothing is missing. */
  onComplete(): void
  /** What to ask for now, with numbers as on the wire; empty: nothing. */
  take(nowMs: number): PacketRange[]
}

/** Decides when the sender is to be told how far the receiver is. */
export interface StatusSchedule {
  /** When {@link isDue} says so although nothing has happened; Infinity: never. */
  readonly deadlineMs: number
  /** A packet has come. */
  onPacket(): void
  /** At the next opportunity, whatever has been said before. */
  force(): void
  /** The end of a batch: more is not there. `consumed`: packets handed to the user. */
  isDue(consumed: number, nowMs: number): boolean
  /** Is there something that was not said? Without this, the half that has it is never taken to be idle. */
  hasMore?(consumed: number): boolean
  /** After `isDue` was true. */
  onSaid(consumed: number, nowMs: number): void
}

export interface ReceiveCounters {
  messagesReceived: number
  /** Bytes of messages. */
  bytesReceived: number
  packetsReceived: number
  duplicates: number
  /** Packets that came out of order, and waited for others. */
  reordered: number
  /** Packets and heartbeats dropped because they are beyond the window: the other side breaks the rules, or very late ones. */
  beyondWindow: number
  /** Packets, and pieces of packets, dropped for lack of memory; they are asked for again. */
  noMemory: number
  /** Packets that were given up: a best-effort stream's. */
  packetsLost: number
  /** Packets dropped because nobody was reading, or they came behind the end: a fire-and-forget stream's. */
  unread: number
  naksSent: number
  statusesSent: number
  /** Repairs that came, and packets found by them: a group's stream. */
  repairsReceived: number
  packetsRepaired: number
}

/** What is left of a half while nothing happens. */
export interface IdleReceiving {
  /** Undefined: it has never been anything else. */
  readonly counters: ReceiveCounters | undefined
  /** The number of the next packet, as on the wire. */
  readonly position: number
  readonly isPaused: boolean
}

export interface Status {
  readonly next: number
  readonly consumed: number
  readonly highest: number
  readonly beyond: number
  readonly timestamp: number
  readonly delay: number
  readonly isEnded: boolean
}

export function emptyReceiveCounters(): ReceiveCounters {
  return {
    messagesReceived: 0,
    bytesReceived: 0,
    packetsReceived: 0,
    duplicates: 0,
    reordered: 0,
    beyondWindow: 0,
    noMemory: 0,
    packetsLost: 0,
    unread: 0,
    naksSent: 0,
    statusesSent: 0,
    repairsReceived: 0,
    packetsRepaired: 0,
  }
}
