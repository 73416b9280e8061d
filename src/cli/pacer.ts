/**
 * Spreads datagrams over time: so many a second, so many payload bits a second, or both. A datagram is due when what went before it
 * has had its time. Who comes late may catch up, but only {@link MAX_CATCH_UP_MS}: afterwards a pause is not followed by a burst.
 */
export class Pacer {
  readonly #datagramMs: number
  readonly #bitMs: number
  #dueMs = -Infinity

  constructor(datagramsPerSecond: number | undefined, bitsPerSecond: number | undefined) {
    this.#datagramMs = datagramsPerSecond === undefined ? 0 : 1000 / datagramsPerSecond
    this.#bitMs = bitsPerSecond === undefined ? 0 : 1000 / bitsPerSecond
  }

  /** How long the next datagram has to wait. */
  waitMs(nowMs: number): number {
    return Math.max(0, this.#dueMs - nowMs)
  }

  /** A datagram of `lengthBytes` leaves now. */
  spend(lengthBytes: number, nowMs: number): void {
    const from = this.#dueMs === -Infinity ? nowMs : Math.max(this.#dueMs, nowMs - MAX_CATCH_UP_MS)
    this.#dueMs = from + Math.max(this.#datagramMs, lengthBytes * 8 * this.#bitMs)
  }
}

/** Several turns of a timer, whose resolution is a millisecond. */
export const MAX_CATCH_UP_MS = 20
