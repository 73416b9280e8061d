import type { GroupMember } from './group-member.js'

/** What to do about a receiver that holds the others up. */
export type SlowReceivers = 'wait' | 'drop' | { readonly quorum: number }

export interface SlowReceiversOptions {
  readonly kind: 'reliable' | 'bestEffort' | 'fireAndForget'
  readonly slowReceivers: SlowReceivers
  readonly stallMs: number
  readonly windowPackets: number
}

/** Finds the receivers of a reliable group that hold the others up. */
export class SlowWatch {
  /** When to look again; Infinity: nobody can be slow. */
  deadlineMs = Infinity
  readonly #options: SlowReceiversOptions
  /** Since when the sender waits for its window; Infinity: it does not. */
  #fullSinceMs = Infinity

  constructor(options: SlowReceiversOptions) {
    this.#options = options
  }

  /**
   * Who is to be dropped: who was, for `stallMs`, half a window behind the first, or, while the sender had to wait, without having read
   * anything.
   *
   * @param isBusy Is something on the way? @param isFull Does the sender wait for its window?
   */
  take(members: readonly GroupMember[], isBusy: boolean, isFull: boolean, nowMs: number): readonly GroupMember[] {
    const { kind, slowReceivers, stallMs } = this.#options
    if (kind !== 'reliable' || slowReceivers === 'wait') return NOBODY_SLOW
    if (!isFull) this.#fullSinceMs = Infinity
    else if (this.#fullSinceMs === Infinity) this.#fullSinceMs = nowMs
    if (nowMs < this.deadlineMs && this.deadlineMs !== Infinity) return NOBODY_SLOW
    this.deadlineMs = isBusy ? nowMs + Math.max(1, stallMs / LOOKS) : Infinity
    const slow = this.#find(members, nowMs)
    const quorum = slowReceivers === 'drop' ? 0 : slowReceivers.quorum
    return members.length - slow.length >= Math.ceil(quorum * members.length) ? slow : NOBODY_SLOW
  }

  #find(members: readonly GroupMember[], nowMs: number): GroupMember[] {
    const { stallMs, windowPackets } = this.#options
    const first = members.reduce((most, { consumed }) => Math.max(most, consumed), 0)
    const last = members.reduce((least, { consumed }) => Math.min(least, consumed), Infinity)
    return members.filter((member) => {
      const behind = first - member.consumed
      if (behind >= windowPackets * BEHIND_SHARE) member.behindSinceMs = Math.min(member.behindSinceMs, nowMs)
      else if (behind < windowPackets * CAUGHT_UP_SHARE) member.behindSinceMs = Infinity
      const isStuck = member.consumed === last && nowMs - Math.max(this.#fullSinceMs, member.progressMs) >= stallMs
      return isStuck || nowMs - member.behindSinceMs >= stallMs
    })
  }
}

const NOBODY_SLOW: readonly GroupMember[] = []
/** In the time that somebody may be slow. */
const LOOKS = 4
/** Of the window: so far behind the first, somebody holds the others up; nearer than this, no more. */
const BEHIND_SHARE = 1 / 2
const CAUGHT_UP_SHARE = 1 / 4
