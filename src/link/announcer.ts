import type { Endpoint } from '../core/index.js'

/** Sends a payload to one client; false when the queue is full. */
export type SendTo = (payload: Buffer, endpoint: Endpoint) => boolean

/** Announcements to many clients, which go on by themselves when the send queue was full in their middle. Bounded. */
export class Announcer {
  readonly #send: SendTo
  readonly #waiting: { readonly payload: Buffer; readonly endpoints: readonly Endpoint[]; next: number }[] = []

  constructor(send: SendTo) {
    this.#send = send
  }

  /** Datagrams that still have to go. */
  get remaining(): number {
    let remaining = 0
    for (const { endpoints, next } of this.#waiting) remaining += endpoints.length - next
    return remaining
  }

  /** @returns False when too many wait already: nothing was sent. */
  announce(payload: Buffer, endpoints: readonly Endpoint[]): boolean {
    if (this.#waiting.length >= MAX_WAITING) return false
    this.#waiting.push({ payload, endpoints, next: 0 })
    if (this.#waiting.length === 1) this.goOn()
    const last = this.#waiting.at(-1)
    // What waits is kept beyond this call, so it has to be ours.
    if (last?.payload === payload) this.#waiting[this.#waiting.length - 1] = { ...last, payload: Buffer.from(payload) }
    return true
  }

  /** There is room again. */
  goOn(): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      for (; first.next < first.endpoints.length; first.next++) {
        if (!this.#send(first.payload, first.endpoints[first.next]!)) return
      }
      this.#waiting.shift()
    }
  }

  /** How many datagrams will not go any more. */
  discard(): number {
    const { remaining } = this
    this.#waiting.length = 0
    return remaining
  }
}

/** Announcements that may be on their way at a time. */
const MAX_WAITING = 16
