import { Repetition } from './repetition.js'
import type { RoundTrip } from './round-trip.js'
import { keyOf, type Numbered } from './stream-table.js'

/** A reset that is to be said. */
export interface PendingReset extends Numbered {
  readonly reason: number
}

/**
 * Resets that the other side has not confirmed: each is said again, because nothing else might ever tell it that its stream is over;
 * section "Ends".
 */
export class PendingResets {
  /** When {@link take} has something; not later. */
  deadlineMs = Infinity
  readonly #most: number
  /** By the stream's key. */
  readonly #pending = new Map<number, { readonly reset: PendingReset; readonly repetition: Repetition }>()

  /** @param most Beyond so many, the oldest is not said again: its stream ends with the peer at the latest. */
  constructor(most: number) {
    this.#most = most
  }

  /** One that is being said for the first time. */
  add(reset: PendingReset, nowMs: number, roundTrip: RoundTrip): void {
    const repetition = new Repetition()
    repetition.take(nowMs, roundTrip)
    this.#pending.set(keyOf(reset.id, reset.isOpener), { reset, repetition })
    if (this.#pending.size > this.#most) this.#pending.delete(this.#pending.keys().next().value!)
    this.deadlineMs = Math.min(this.deadlineMs, repetition.deadlineMs)
  }

  /** False: it was not waited for. */
  confirm(id: number, isOpener: boolean): boolean {
    return this.#pending.delete(keyOf(id, isOpener))
  }

  /** What is to be said again now. */
  take(nowMs: number, roundTrip: RoundTrip): PendingReset[] {
    if (nowMs < this.deadlineMs) return []
    const due: PendingReset[] = []
    this.deadlineMs = Infinity
    for (const { reset, repetition } of this.#pending.values()) {
      if (repetition.take(nowMs, roundTrip)) due.push(reset)
      this.deadlineMs = Math.min(this.deadlineMs, repetition.deadlineMs)
    }
    return due
  }
}
