import type { PacketRange } from './control-frame.js'
import type { FrameSlot } from './frame-pool.js'
import type { FrameSource } from './frame-share.js'
import type { FrameWriter } from './frame-writer.js'
import type { UnsentShare } from './unsent-memory.js'
import type { Path, Refusal } from './path.js'

/** The sending direction of a stream, numbered or not. Pure: time comes in, frames go out. */
export interface Sending {
  readonly counters: SendCounters
  readonly deadlineMs: number
  /** Is there something that may leave, window and pace apart? */
  readonly hasWork: boolean
  readonly isEnded: boolean
  readonly isEndAcknowledged: boolean
  /** Packets kept: sent and not known to have arrived, or waiting. */
  readonly queuedPackets: number
  /** Does nothing wait, and was everything acknowledged and consumed, without an end? Then `position` and `counters` are all there is to know. */
  readonly isIdle: boolean
  /** The number of the next packet, as on the wire. */
  readonly position: number
  /** Why the latest message was not taken, until there is room again. */
  readonly refusedBy: Refusal | undefined
  /** Takes a message. It is copied. False when there is no room: it was not taken, and `onDrain` follows. */
  push(message: Uint8Array, handler: number): boolean
  /** No more messages. */
  end(nowMs: number): void
  /** How many packets are full and have never left, once they are enough to be sent together; 0 otherwise. */
  takeBurst(): number
  /** Sends one packet if there is one; window and pace are the caller's. */
  sendNext(nowMs: number): Sent
  /** What the receiver says about itself; numbers as on the wire. */
  onStatus(nextWire: number, consumedWire: number, beyond: number, isEnd: boolean, nowMs: number): void
  /** The receiver misses packets. */
  onNak(ranges: readonly PacketRange[], nowMs: number): void
  /** What a heartbeat is to say, if one is due: numbers as on the wire. */
  takeHeartbeat(nowMs: number): Heartbeat | undefined
  /** Gives all memory back. */
  dispose(): void
  /** Gives back what is not needed while nothing is on the way. */
  trim(): void
}

/** What a sending direction shares with the others to the same destination. */
export interface SendingContext {
  readonly path: Path
  readonly pool: FrameSource
  readonly writer: FrameWriter
  /** For the rest of messages that frames have no room for yet. */
  readonly unsent: UnsentShare
}

/** What a sending direction needs of its stream. */
export interface SendingOwner {
  /** @internal Hands a data frame to the link. False: the link is full. */
  transmit(slot: FrameSlot, packet: number, transmission: number): boolean
  /** @internal There is room after a refusal. */
  onDrain(): void
  /** @internal A packet does not arrive, however often it is sent. */
  onStubborn(): void
}

export interface Heartbeat {
  readonly floor: number
  readonly next: number
  readonly isFinal: boolean
}

export interface SendCounters {
  messagesSent: number
  /** Bytes of messages. */
  bytesSent: number
  packetsSent: number
  packetsRetransmitted: number
  /** Packets found to be lost, those sent again included. Of a group: those that receivers missed, of all of them together. */
  packetsFoundLost: number
  naksReceived: number
  /** Packets that a best-effort stream forgot before they were acknowledged. */
  packetsForgotten: number
  messagesRefused: number
  heartbeatsSent: number
}

export enum Sent {
  nothing,
  packet,
  linkFull,
}

export function emptySendCounters(): SendCounters {
  return {
    messagesSent: 0,
    bytesSent: 0,
    packetsSent: 0,
    packetsRetransmitted: 0,
    packetsFoundLost: 0,
    naksReceived: 0,
    packetsForgotten: 0,
    messagesRefused: 0,
    heartbeatsSent: 0,
  }
}

/** Frames that are sent while they are still in the processor's cache, and before the tick ends: about what one coalesced message carries. */
export const BURST_BYTES = 65_536

/** In place of the number of a packet that has none. */
export const UNNUMBERED = -1
