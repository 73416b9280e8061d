import type { GroupMember } from './group-member.js'
import type { GroupProgress } from './group-sending.js'
import type { RoundTrip } from './round-trip.js'

/** What to do about a receiver that holds the others up. */
export type SlowReceivers = 'wait' | 'drop' | { readonly quorum: number }

/** The receivers of a publication: how far they are together, who is too slow, who loses most. */
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
  isRepresentative(member: GroupMember): boolean {
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

  /**
   * Who has held the others up for `stallMs`, and may be dropped by the policy: half a window behind the first of them all that time,
   * or, while the sender has to wait, without having read anything.
   *
   * @param fullSinceMs Since when the sender waits for its window; Infinity: it does not.
   */
  takeSlow(policy: SlowReceivers, stallMs: number, windowPackets: number, fullSinceMs: number, nowMs: number): GroupMember[] {
    if (policy === 'wait') return []
    const first = this.members.reduce((most, { consumed }) => Math.max(most, consumed), 0)
    const last = this.members.reduce((least, { consumed }) => Math.min(least, consumed), Infinity)
    const slow = this.members.filter((member) => {
      const behind = first - member.consumed
      if (behind >= windowPackets / 2) member.behindSinceMs = Math.min(member.behindSinceMs, nowMs)
      else if (behind < windowPackets / 4) member.behindSinceMs = Infinity
      const isStuck = member.consumed === last && nowMs - Math.max(fullSinceMs, member.progressMs) >= stallMs
      return isStuck || nowMs - member.behindSinceMs >= stallMs
    })
    const quorum = policy === 'drop' ? 0 : policy.quorum
    return this.members.length - slow.length >= Math.ceil(quorum * this.members.length) ? slow : []
  }

  #findRepresentative(): void {
    this.representative = undefined
    for (const member of this.members) {
      if (member.lossRate > (this.representative?.lossRate ?? 0)) this.representative = member
    }
  }
}

const ROUND_TRIP_EVERY_MS = 100
