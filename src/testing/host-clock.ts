import type { Clock, Timer } from '../core/index.js'
import type { VirtualClock } from './virtual-clock.js'

/** How the clock of a host differs from the network's. */
export interface ClockSkew {
  /** How far its wall clock is ahead. Default 0. */
  offsetMs?: number
  /** How much faster it runs, in millionths. A crystal has 20 or so. Default 0. */
  driftPpm?: number
}

/**
 * The clock of a host, with its skew. While the host is paused no timer runs; what was due in the meantime runs when it goes on. A
 * restart forgets all timers.
 */
export class HostClock implements Clock {
  readonly #clock: VirtualClock
  readonly #offsetMicroseconds: number
  /** Its milliseconds a millisecond of the network. */
  readonly #rate: number
  readonly #timers = new Set<HostTimer>()
  #isPaused = false
  #overdue: HostTimer[] = []

  constructor(clock: VirtualClock, skew: Required<ClockSkew>) {
    this.#clock = clock
    this.#offsetMicroseconds = skew.offsetMs * 1000
    this.#rate = 1 + skew.driftPpm / 1e6
  }

  nowMs(): number {
    return this.#clock.nowMs() * this.#rate
  }

  wallMicroseconds(): number {
    const driftMs = this.nowMs() - this.#clock.nowMs()
    return Math.floor(this.#clock.wallMicroseconds() + this.#offsetMicroseconds + driftMs * 1000)
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const timer = new HostTimer(callback, this)
    timer.inner = this.#clock.setTimer(() => this.#fire(timer), delayMs / this.#rate)
    this.#timers.add(timer)
    return timer
  }

  /** @internal */
  pause(): void {
    this.#isPaused = true
  }

  /** @internal */
  resume(): void {
    this.#isPaused = false
    for (const timer of this.#overdue.splice(0)) {
      // Behind one another, so that what one throws costs the others nothing.
      timer.inner = this.#clock.setTimer(() => this.#fire(timer), 0)
    }
  }

  /** @internal */
  forgetTimers(): void {
    for (const timer of this.#timers) timer.inner?.cancel()
    this.#timers.clear()
    this.#overdue = []
    this.#isPaused = false
  }

  /** @internal */
  forget(timer: HostTimer): void {
    this.#timers.delete(timer)
    const i = this.#overdue.indexOf(timer)
    if (i >= 0) this.#overdue.splice(i, 1)
  }

  #fire(timer: HostTimer): void {
    if (this.#isPaused) {
      this.#overdue.push(timer)
      return
    }
    this.#timers.delete(timer)
    timer.callback()
  }
}

class HostTimer implements Timer {
  inner: Timer | undefined

  constructor(
    readonly callback: () => void,
    readonly clock: HostClock,
  ) {}

  cancel(): void {
    this.inner?.cancel()
    this.clock.forget(this)
  }

  unref(): void {
    this.inner?.unref()
  }
}
