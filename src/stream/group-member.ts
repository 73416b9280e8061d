import type { Endpoint } from '../core/index.js'
import type { ControlFrame, PacketRange, StatusFrame } from './control-frame.js'
import type { StreamHost } from './host.js'
import { LOSS_MEMORY_PACKETS } from './path.js'
import { Repetition } from './repetition.js'
import type { SendingContext } from './sending.js'
import { SentAgain } from './sent-again.js'
import type { StreamError } from './stream-error.js'
import { TYPE } from './wire.js'

/** What a publication needs of the peers that it sends to: a `Peer`. */
export interface GroupPeer {
  readonly endpoint: Endpoint
  readonly closed: boolean
  /** @internal */ readonly host: StreamHost
  /** What the path to it is known to be like. @internal */ readonly sending: SendingContext
  /** An id for the peer's stream of the group. @internal */ takeStreamId(): number
  /** What comes from the peer for a member's stream goes to the member. @internal */
  readonly groups: { addMember(member: GroupMember): void; removeMember(member: GroupMember): void }
  /** @internal */ sendStreamControl(frame: ControlFrame, isOpener: boolean): void
  /** @internal */ sendReset(stream: { readonly id: number; readonly isOpener: boolean }, reason: number): void
  /** @internal */ suspectPath(): void
}

/** What a member tells its publication. */
export interface GroupMemberOwner {
  /** @internal */ onStatus(member: GroupMember, frame: StatusFrame, nowMs: number): void
  /** @internal */ onNak(member: GroupMember, ranges: readonly PacketRange[], nowMs: number): void
  /** Its stream there has ended: `reason` as a reset says it. @internal */
  onReset(member: GroupMember, reason: number): void
  /** @internal */ onPeerGone(member: GroupMember, error: StreamError): void
}

/** A receiver of a group, as the sender knows it. Packets are counted as the sender does. */
export class GroupMember {
  readonly peer: GroupPeer
  /** The peer's stream of the group, which was opened here. */
  readonly id: number
  readonly isOpener = true
  /** The first packet that is for it. */
  readonly first: number
  /** Says that there is this stream, until the peer is known to know it. */
  opening: Repetition | undefined = new Repetition()
  /** As of its latest status: the first packet that it misses, and that its user has not read. */
  next: number
  consumed: number
  /** How many it has, as if they were all at the beginning. */
  delivered: number
  /** When its user last read something. */
  progressMs: number
  /** Since when it is behind the others; Infinity: it is not. */
  behindSinceMs = Infinity
  /** What was sent to it alone. */
  readonly sentAgain = new SentAgain()
  /** Of the packets sent, which share was missing at first; smoothed. */
  lossRate = 0
  readonly #owner: GroupMemberOwner
  #highest: number
  #missed = 0

  constructor(owner: GroupMemberOwner, peer: GroupPeer, first: number, nowMs: number) {
    this.#owner = owner
    this.peer = peer
    this.id = peer.takeStreamId()
    this.first = this.next = this.consumed = this.delivered = this.#highest = first
    this.progressMs = nowMs
  }

  /** What its latest status says about losses. Returns how many are new. */
  countLosses(highest: number, missed: number): number {
    const packets = highest - this.#highest
    const lost = (missed - this.#missed) | 0
    this.#missed = missed
    if (packets > 0) {
      this.#highest = highest
      const weight = 1 - Math.exp(-packets / LOSS_MEMORY_PACKETS)
      this.lossRate += weight * (Math.min(1, Math.max(0, lost) / packets) - this.lossRate)
    }
    return Math.max(0, lost)
  }

  /** A frame from the peer for its stream. False: it has no business there. */
  onControl(frame: ControlFrame, nowMs: number): boolean {
    if (frame.type === TYPE.status) this.#owner.onStatus(this, frame, nowMs)
    else if (frame.type === TYPE.nak) this.#owner.onNak(this, frame.ranges, nowMs)
    else if (frame.type === TYPE.reset) this.#owner.onReset(this, frame.reason)
    else return false
    return true
  }

  onPeerGone(error: StreamError): void {
    this.#owner.onPeerGone(this, error)
  }
}
