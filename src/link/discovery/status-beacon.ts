import { randomFraction, type Endpoint, type Timer } from '../../core/index.js'
import type { Surroundings } from '../platform.js'
import { encodeStatus } from './status-message.js'

export interface BeaconOptions {
  readonly name: string
  readonly periodMs: number
  /** Each period is longer or shorter by up to so much. */
  readonly jitterMs: number
  readonly clientGroup: Endpoint | undefined
}

/** Says again and again that a server is there, and at the end that it is not. */
export class StatusBeacon {
  readonly #options: BeaconOptions
  readonly #surroundings: Surroundings
  readonly #send: (status: Buffer) => void
  readonly #startedMicroseconds: number
  #sequence = 0
  #timer: Timer | undefined

  constructor(options: BeaconOptions, surroundings: Surroundings, send: (status: Buffer) => void) {
    this.#options = options
    this.#surroundings = surroundings
    this.#send = send
    this.#startedMicroseconds = surroundings.clock.wallMicroseconds()
  }

  start(): void {
    this.#say(this.#options.periodMs)
    const { periodMs, jitterMs } = this.#options
    const delayMs = periodMs + jitterMs * (2 * randomFraction(this.#surroundings.random) - 1)
    this.#timer = this.#surroundings.clock.setTimer(() => this.start(), delayMs)
    // The server's socket keeps the process alive while somebody listens to it.
    this.#timer.unref()
  }

  /** Says goodbye. */
  stop(): void {
    this.#timer?.cancel()
    this.#say(0)
  }

  #say(periodMs: number): void {
    const { name, clientGroup } = this.#options
    this.#send(
      encodeStatus({ startedMicroseconds: this.#startedMicroseconds, sequence: this.#sequence, periodMs, name, clientGroup }),
    )
    this.#sequence = (this.#sequence + 1) >>> 0
  }
}
