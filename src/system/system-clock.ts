import { performance } from 'node:perf_hooks'
import { setTimeout, clearTimeout } from 'node:timers'
import type { Clock, Timer } from '../core/index.js'

/** Real time. */
export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMicroseconds: () => Date.now() * 1000,
  setTimer: (callback, delayMs) => new SystemTimer(callback, delayMs),
}

class SystemTimer implements Timer {
  readonly #timer: NodeJS.Timeout

  constructor(callback: () => void, delayMs: number) {
    this.#timer = setTimeout(callback, delayMs)
  }

  cancel(): void {
    clearTimeout(this.#timer)
  }

  unref(): void {
    this.#timer.unref()
  }
}
