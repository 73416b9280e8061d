import { Repetition } from './repetition.js'
import type { RoundTrip } from './round-trip.js'

/** A reset that is to be said. */
export interface PendingReset {
  readonly id: number
  /** Did this side open the stream? */
  readonly isOpener: boolean
  readonly reason: number
}

/**
 * Resets that the other side has not confirmed: each is said again, because nothing else might ever tell it that its stream is over;
 * section "Ends".
 */
export class PendingResets {
  readonly #pending: (PendingReset & { readonly repetition: Repetition })[] = []

  /** When {@link take} has something. */
  get deadlineMs(): number {
    return this.#pending.reduce((least, { repetition }) => Math.min(least, repetition.deadlineMs), Infinity)
  }

  add(reset: PendingReset): void {
    if (this.#pending.length >= MAX_PENDING) this.#pending.shift()
    this.#pending.push({ ...reset, repetition: new Repetition() })
  }

  /** False: it was not waited for. */
  confirm(id: number, isOpener: boolean): boolean {
    const index = this.#pending.findIndex((reset) => reset.id === id && reset.isOpener === isOpener)
    if (index >= 0) this.#pending.splice(index, 1)
    return index >= 0
  }

  /** What is to be said now. */
  take(nowMs: number, roundTrip: RoundTrip): PendingReset[] {
    return this.#pending.filter(({ repetition }) => repetition.take(nowMs, roundTrip))
  }
}

/** Beyond it, the oldest is not said again: its stream ends with the peer at the latest. */
const MAX_PENDING = 256
