import type { Clock, Timer } from '../../../../src/core/index.js'

/** Time that passes when the test says so. */
export class ManualClock implements Clock {
  #nowMs = 0
  #timers: { atMs: number; callback: () => void; isUnref: boolean }[] = []

  nowMs(): number {
    return this.#nowMs
  }

  wallMicroseconds(): number {
    return this.#nowMs * 1000
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const timer = { atMs: this.#nowMs + delayMs, callback, isUnref: false }
    this.#timers.push(timer)
    return {
      cancel: () => void (this.#timers = this.#timers.filter((other) => other !== timer)),
      unref: () => void (timer.isUnref = true),
    }
  }

  /** Timers that keep a process alive. */
  get held(): number {
    return this.#timers.filter(({ isUnref }) => !isUnref).length
  }

  pass(ms: number): void {
    const endMs = this.#nowMs + ms
    for (;;) {
      const due = this.#timers.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (due === undefined) break
      this.#timers = this.#timers.filter((timer) => timer !== due)
      this.#nowMs = due.atMs
      due.callback()
    }
    this.#nowMs = endMs
  }
}
