/**
 * What became of a sequence number.
 *
 * - `next`, `gap`: it is ahead of all before it, by one or by more. The first of a source is `next`.
 * - `late`: it fills a place that had been passed; `duplicate`: that place was filled before. Further back than {@link WINDOW} the two
 *   cannot be told apart, and it is called late.
 * - `restart`: the source has begun anew.
 */
export type SequenceOutcome = 'next' | 'gap' | 'late' | 'duplicate' | 'restart'

/**
 * The sequence numbers of one source in one channel, modulo 2^32: how far each is ahead, and whether the source has begun anew.
 *
 * A number is ahead when it is 1 to {@link MAX_AHEAD} above the highest one. Any other is behind, and means a restart when
 * - it is more than {@link MAX_BEHIND} behind, or so far ahead that nothing else explains it; or
 * - nothing ahead has come for `restartAfterMs`; or
 * - it is the {@link RESTART_RUN}th in a run of consecutive numbers, none within the last {@link WINDOW}, with nothing ahead in between.
 *
 * A source that began anew within the last 64 numbers catches up by itself.
 *
 * @see docs/wire/channel.md, section 4
 */
export class SourceSequence {
  /** Of the number that {@link take} took last. */
  outcome: SequenceOutcome = 'next'
  readonly #restartAfterMs: number
  #highest: number
  #aheadMs: number
  /** Bit i: the number `#highest - i` has come; i from 0 to 31, and 32 to 63. */
  #recent = 1
  #older = 0
  /** The next number of a run behind, and how long it is. */
  #runNext = 0
  #runLength = 0
  #isFirst = true

  constructor(first: number, nowMs: number, restartAfterMs: number) {
    this.#highest = first
    this.#aheadMs = nowMs
    this.#restartAfterMs = restartAfterMs
  }

  get highest(): number {
    return this.#highest
  }

  /** The lead of a number: how far it is ahead of the highest before it; 0 or less when it is not. After a restart 1, as at first. */
  take(sequence: number, nowMs: number): number {
    if (this.#isFirst) {
      this.#isFirst = false
      return 1
    }
    const ahead = (sequence - this.#highest) >>> 0
    if (ahead !== 0 && ahead <= MAX_AHEAD) {
      this.#advance(sequence, ahead, nowMs)
      this.outcome = ahead === 1 ? 'next' : 'gap'
      return ahead
    }
    const behind = (this.#highest - sequence) >>> 0
    if (this.#isRestart(sequence, behind, nowMs)) {
      this.#begin(sequence, nowMs)
      this.outcome = 'restart'
      return 1
    }
    this.outcome = this.#mark(behind) ? 'duplicate' : 'late'
    return -behind | 0
  }

  #begin(sequence: number, nowMs: number): void {
    this.#highest = sequence
    this.#aheadMs = nowMs
    this.#recent = 1
    this.#older = 0
    this.#runLength = 0
  }

  #advance(sequence: number, ahead: number, nowMs: number): void {
    this.#highest = sequence
    this.#aheadMs = nowMs
    this.#runLength = 0
    if (ahead < 32) {
      this.#older = (this.#older << ahead) | (this.#recent >>> (32 - ahead))
      this.#recent = (this.#recent << ahead) | 1
    } else {
      this.#older = ahead < WINDOW ? this.#recent << (ahead - 32) : 0
      this.#recent = 1
    }
  }

  #isRestart(sequence: number, behind: number, nowMs: number): boolean {
    if (behind > MAX_BEHIND || nowMs - this.#aheadMs >= this.#restartAfterMs) return true
    if (behind < WINDOW) return false
    this.#runLength = sequence === this.#runNext ? this.#runLength + 1 : 1
    this.#runNext = (sequence + 1) >>> 0
    return this.#runLength >= RESTART_RUN
  }

  /** Notes that the number has come. @returns Had it come before? */
  #mark(behind: number): boolean {
    if (behind >= WINDOW) return false
    const bit = 1 << (behind & 31)
    const wasSet = ((behind < 32 ? this.#recent : this.#older) & bit) !== 0
    if (behind < 32) this.#recent |= bit
    else this.#older |= bit
    return wasSet
  }
}

/** Numbers back from the highest for which it is known whether they have come. */
const WINDOW = 64
/** More datagrams lost in a row than any gap has. */
const MAX_AHEAD = 2 ** 24
/** Further back than a network reorders. */
const MAX_BEHIND = 1024
const RESTART_RUN = 8
