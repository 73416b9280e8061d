/** Time and timers. Protocols and drivers take one, so that the same code runs in real time and in a simulated network. */
export interface Clock {
  /** Milliseconds since some fixed moment, with fractions; never goes back. */
  nowMs(): number
  /** Microseconds since the Unix epoch: the wall clock, which may be set. Only for time stamps that others read. */
  wallMicroseconds(): number
  /** Calls `callback` once, `delayMs` from now or a little later, never before this returns. */
  setTimer(callback: () => void, delayMs: number): Timer
}

export interface Timer {
  /** Harmless after the callback has run. */
  cancel(): void
  /** Lets the process end although this timer runs. */
  unref(): void
}
