/** A token bucket: so many bytes a second, so many at once. */
export class BytePacer {
  readonly #bytesPerMs: number
  readonly #burstBytes: number
  #tokens: number
  #filledMs: number | undefined

  constructor(bytesPerSecond: number, burstBytes: number) {
    this.#bytesPerMs = bytesPerSecond / 1000
    this.#burstBytes = burstBytes
    this.#tokens = burstBytes
  }

  /** May something leave now? One datagram may overdraw, and is paid back by waiting. */
  mayLeave(nowMs: number): boolean {
    if (this.#bytesPerMs === Infinity) return true
    const elapsedMs = nowMs - (this.#filledMs ?? nowMs)
    this.#filledMs = nowMs
    this.#tokens = Math.min(this.#burstBytes, this.#tokens + elapsedMs * this.#bytesPerMs)
    return this.#tokens > 0
  }

  spend(bytes: number): void {
    this.#tokens -= bytes
  }

  /** How long until something may leave: until half of a burst may, so that a timer is worth its while. */
  waitMs(): number {
    return (Math.min(this.#burstBytes / 2, MAX_WAIT_BYTES) - this.#tokens) / this.#bytesPerMs
  }
}

const MAX_WAIT_BYTES = 65_536
