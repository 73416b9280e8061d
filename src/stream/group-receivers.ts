import type { StatusFrame } from './control-frame.js'
import type { GroupMember } from './group-member.js'
import type { GroupProgress, GroupSending } from './group-sending.js'
import type { RoundTrip } from './round-trip.js'

/** The receivers of a publication: how far they are together, and who loses most. */
export class GroupReceivers {
  /** Those whose stream has not ended. */
  readonly members: GroupMember[] = []
  /** Who has not answered yet. */
  readonly unanswered = new Set<GroupMember>()
  /** Who loses most: its losses are what congestion control hears of. */
  representative: GroupMember | undefined
  /** Has somebody come or gone, or gone on, since {@link progress} was asked for? */
  hasChanged = false
  #roundTripMs = -Infinity

  add(member: GroupMember): void {
    this.members.push(member)
    this.unanswered.add(member)
    this.hasChanged = true
  }

  /** False: it was not there. */
  remove(member: GroupMember): boolean {
    const index = this.members.indexOf(member)
    if (index < 0) return false
    this.members.splice(index, 1)
    this.unanswered.delete(member)
    if (this.representative === member) this.#findRepresentative()
    this.hasChanged = true
    return true
  }

  /** When one is to be told again that there is this stream. */
  get deadlineMs(): number {
    let deadlineMs = Infinity
    for (const { opening } of this.unanswered) deadlineMs = Math.min(deadlineMs, opening!.deadlineMs)
    return deadlineMs
  }

  /** A member says how far it is. Did it lose something, and loses most of all? Undefined: what it says cannot be. */
  onStatus(member: GroupMember, frame: StatusFrame, sending: GroupSending, nowMs: number): boolean | undefined {
    const next = sending.fromWire(frame.next)
    const consumed = sending.fromWire(frame.consumed)
    if (next > sending.next || consumed > next || frame.beyond > sending.next - next) return undefined
    const lost = member.countLosses(sending.fromWire(frame.highest), frame.missed)
    sending.counters.packetsFoundLost += lost
    if (consumed > member.consumed) member.progressMs = nowMs
    member.next = Math.max(member.next, next)
    member.consumed = Math.max(member.consumed, consumed)
    member.delivered = Math.max(member.delivered, next + frame.beyond)
    this.hasChanged = true
    return lost > 0 && this.#isRepresentative(member)
  }

  /** How far all of them are; undefined without receivers. */
  progress(): GroupProgress | undefined {
    this.hasChanged = false
    if (this.members.length === 0) return undefined
    let [next, consumed, delivered] = [Infinity, Infinity, Infinity]
    for (const member of this.members) {
      if (member.next < next) next = member.next
      if (member.consumed < consumed) consumed = member.consumed
      if (member.delivered < delivered) delivered = member.delivered
    }
    return { next, consumed, delivered }
  }

  /** Those from whom something is still to come, of those who have answered. */
  laggards(next: number, isEnded: boolean): GroupMember[] {
    return this.members.filter((member) => member.opening === undefined && (isEnded || member.consumed < next))
  }

  /** A member has told of losses: is it the one that loses most? */
  #isRepresentative(member: GroupMember): boolean {
    const before = this.representative
    if (before === undefined || member.lossRate >= before.lossRate) this.representative = member
    else if (before === member) this.#findRepresentative()
    return this.representative === member
  }

  /** Now and then: the round trip of a group is the longest of its receivers'. */
  updateRoundTrip(roundTrip: RoundTrip, nowMs: number): void {
    if (nowMs - this.#roundTripMs < ROUND_TRIP_EVERY_MS) return
    this.#roundTripMs = nowMs
    let longestMs = -1
    for (const { peer } of this.members) {
      const { hasSample, smoothedMs } = peer.sending.path.roundTrip
      if (hasSample && smoothedMs > longestMs) longestMs = smoothedMs
    }
    roundTrip.update(longestMs)
  }

  #findRepresentative(): void {
    this.representative = undefined
    for (const member of this.members) {
      if (member.lossRate > (this.representative?.lossRate ?? 0)) this.representative = member
    }
  }
}

const ROUND_TRIP_EVERY_MS = 100
