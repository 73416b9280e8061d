import type { PacketRange } from './control-frame.js'
import type { GroupMember } from './group-member.js'
import type { FrameSlot } from './frame-pool.js'
import type { Refusal } from './path.js'
import type { Echo } from './repair-planner.js'
import type { Heartbeat, SendCounters, Sent } from './sending.js'
import type { SpanMask } from './span-mask.js'

/** How far the receivers of a group are who count. Packets are counted as the sender does. */
export interface GroupProgress {
  /** The first packet that one of them misses. */
  readonly next: number
  /** The first that one of them has not read. */
  readonly consumed: number
  /** How many the one has that has the fewest. */
  readonly delivered: number
}

export interface GroupSendCounters extends SendCounters {
  /** Repairs sent, each the XOR of several packets. */
  repairsSent: number
  nakEchoesSent: number
}

/** The sending direction of a stream to many, numbered or not. Pure: time comes in, frames go out. */
export interface GroupSending {
  readonly counters: GroupSendCounters
  /** How much longer than those of one receiver the answers of a group may take. */
  answerDelayMs: number
  readonly deadlineMs: number
  readonly hasWork: boolean
  /** Is some of that what receivers have asked for? It does not wait for the window. */
  readonly hasRepairs: boolean
  readonly isEnded: boolean
  readonly queuedPackets: number
  readonly refusedBy: Refusal | undefined
  /** The oldest packet that is kept, the first that never left, the first that does not exist. */
  readonly base: number
  readonly next: number
  readonly filled: number
  /** A packet as numbers on the wire say it. */
  fromWire(wire: number): number
  toWire(packet: number): number
  push(message: Uint8Array, handler: number): boolean
  end(nowMs: number): void
  sendNext(nowMs: number): Sent
  onProgress(progress: GroupProgress, nowMs: number): void
  onNak(member: GroupMember, ranges: readonly PacketRange[], nowMs: number): void
  /** What is due without anything having come. */
  onTime(nowMs: number): void
  takeHeartbeat(nowMs: number): Heartbeat | undefined
  dispose(): void
  trim(): void
}

/** What a sending direction to many needs of its publication. Packets have numbers as on the wire. */
export interface GroupSendingOwner {
  /** Hands a data frame to the link, for all or for one receiver. False: the link is full. @internal */
  transmit(slot: FrameSlot, packet: number, transmission: number, receiver: GroupMember | undefined): boolean
  /** Sends a repair over the packets of `mask`, whose first bit is `packet`. False: the link is full. @internal */
  transmitRepair(packet: number, mask: SpanMask, slotOf: (index: number) => FrameSlot): boolean
  /** @internal */ sendEcho(packet: number, echo: Echo): void
  /** @internal */ onDrain(): void
}

export function emptyGroupSendCounters(base: SendCounters): GroupSendCounters {
  return Object.assign(base, { repairsSent: 0, nakEchoesSent: 0 })
}
