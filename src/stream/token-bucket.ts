/** Allows something so often a second, and as many times at once as a second earns. */
export class TokenBucket {
  readonly #perSecond: number
  #tokens: number
  #earnedMs = 0

  constructor(perSecond: number) {
    this.#perSecond = perSecond
    this.#tokens = perSecond
  }

  take(nowMs: number): boolean {
    const earned = ((nowMs - this.#earnedMs) * this.#perSecond) / 1000
    this.#tokens = Math.min(this.#perSecond, this.#tokens + earned)
    this.#earnedMs = nowMs
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}
