/** How long a peer may be silent, in milliseconds. */
export interface SilenceLimits {
  /** After so long it is asked whether it is there. */
  readonly keepAliveMs: number
  /** After so long it is given up. */
  readonly peerTimeoutMs: number
}

/** Whether a peer is there, by what comes from it: section "Silence, and leaving". Pure. */
export class Liveness {
  /** When something came last. */
  heardMs: number
  /** When to {@link check} next. */
  dueMs: number
  readonly #limits: SilenceLimits

  constructor(limits: SilenceLimits, nowMs: number) {
    this.#limits = limits
    this.heardMs = nowMs
    this.dueMs = nowMs + limits.keepAliveMs
  }

  /** Once it is due: is the peer to be asked, or given up? */
  check(nowMs: number): 'heard' | 'silent' | 'gone' {
    const { keepAliveMs, peerTimeoutMs } = this.#limits
    // This process stood still: what has come meanwhile was not looked at yet.
    const lateMs = nowMs - this.dueMs
    if (lateMs > STOOD_STILL_MS) this.heardMs += lateMs
    const silenceMs = this.silenceMs(nowMs)
    if (silenceMs >= peerTimeoutMs) return 'gone'
    // Not later than the silence becomes too long; and time is to go on, however little of it is left.
    this.dueMs = nowMs + Math.max(MIN_PAUSE_MS, Math.min(keepAliveMs, peerTimeoutMs - silenceMs))
    return silenceMs >= keepAliveMs ? 'silent' : 'heard'
  }

  silenceMs(nowMs: number): number {
    return nowMs - this.heardMs
  }
}

/** No timer of a process that runs is so late. */
const STOOD_STILL_MS = 100
const MIN_PAUSE_MS = 1
