import { obeySignal, type Clock, type Endpoint, type Random, type Timer } from '../core/index.js'
import { backoffMs } from './backoff.js'

/** What one request asks for. */
export interface RequestPlan {
  readonly payload: Buffer
  /** Whom it asks; undefined: the link's peer. A response is taken from there only. */
  readonly endpoint: Endpoint | undefined
  readonly timeoutMs: number
  /** 0: it is sent once. */
  readonly retryMs: number
  readonly signal: AbortSignal | undefined
}

export interface RequestsOwner {
  readonly clock: Clock
  readonly random: Random
  readonly maxPending: number
  /** Sends a request. False: the queue is full or nobody is there; it is tried again later. */
  transmit(plan: RequestPlan, correlation: number): boolean
  /** The number of pending requests has become 0, or 1. */
  onPendingChange(): void
  /** Nobody answered. */
  onTimeOut?(plan: RequestPlan): void
}

/** Requests that wait for their responses: numbered, repeated until answered, and settled exactly once. */
export class Requests {
  readonly counters = { sent: 0, repeated: 0, answered: 0, timedOut: 0, cancelled: 0, unexpected: 0 }
  readonly #owner: RequestsOwner
  readonly #pending = new Map<number, PendingRequest>()

  constructor(owner: RequestsOwner) {
    this.#owner = owner
  }

  get pending(): number {
    return this.#pending.size
  }

  start(plan: RequestPlan): Promise<Buffer> {
    if (plan.signal?.aborted) {
      this.counters.cancelled++
      return Promise.reject(abortError(plan.signal))
    }
    if (this.#pending.size >= this.#owner.maxPending) return Promise.reject(tooManyError(this.#owner.maxPending))
    return new Promise((resolve, reject) => {
      const request: PendingRequest = {
        plan,
        correlation: this.#freeCorrelation(),
        resolve,
        reject,
        deadlineMs: this.#owner.clock.nowMs() + plan.timeoutMs,
        attempts: 0,
        timer: undefined,
        letGo: obeySignal(plan.signal, () => {
          this.counters.cancelled++
          this.#settle(request)
          reject(abortError(plan.signal!))
        }),
      }
      this.#pending.set(request.correlation, request)
      if (this.#pending.size === 1) this.#owner.onPendingChange()
      this.#transmit(request)
      this.#wait(request)
    })
  }

  /** A response has come. False: nobody waits for it. `payload` is copied. */
  answered(correlation: number, payload: Buffer, from: Endpoint): boolean {
    const request = this.#pending.get(correlation)
    const asked = request?.plan.endpoint
    if (request === undefined || (asked !== undefined && !asked.equals(from))) {
      this.counters.unexpected++
      return false
    }
    this.counters.answered++
    this.#settle(request)
    request.resolve(Buffer.from(payload))
    return true
  }

  /** The peer is there now, or another one: what nobody in particular was asked is sent again at once. */
  repeatAll(): void {
    for (const request of this.#pending.values()) {
      if (request.plan.endpoint !== undefined) continue
      request.timer?.cancel()
      this.#transmit(request)
      this.#wait(request)
    }
  }

  /** Rejects everything. */
  end(error: Error): void {
    for (const request of [...this.#pending.values()]) {
      this.#settle(request)
      request.reject(error)
    }
  }

  #transmit(request: PendingRequest): void {
    if (!this.#owner.transmit(request.plan, request.correlation)) return
    if (request.attempts++ === 0) this.counters.sent++
    else this.counters.repeated++
  }

  #wait(request: PendingRequest): void {
    const leftMs = request.deadlineMs - this.#owner.clock.nowMs()
    const { retryMs } = request.plan
    const attempt = Math.max(0, request.attempts - 1)
    const retryInMs = retryMs === 0 ? Infinity : backoffMs(attempt, retryMs, MAX_RETRY_MS, this.#owner.random)
    const isLast = retryInMs >= leftMs
    request.timer = this.#owner.clock.setTimer(
      () => {
        if (isLast) this.#timeOut(request)
        else {
          this.#transmit(request)
          this.#wait(request)
        }
      },
      Math.max(0, isLast ? leftMs : retryInMs),
    )
    // The link's sockets keep the process alive while it waits, unless it is unreferenced.
    request.timer.unref()
  }

  #timeOut(request: PendingRequest): void {
    this.counters.timedOut++
    this.#settle(request)
    request.reject(timeoutError(request))
    this.#owner.onTimeOut?.(request.plan)
  }

  #settle(request: PendingRequest): void {
    request.timer?.cancel()
    request.letGo()
    this.#pending.delete(request.correlation)
    if (this.#pending.size === 0) this.#owner.onPendingChange()
  }

  /** At random: who cannot see the request cannot forge its response. Never 0. */
  #freeCorrelation(): number {
    for (;;) {
      const correlation = this.#owner.random.uint32()
      if (correlation !== 0 && !this.#pending.has(correlation)) return correlation
    }
  }
}

interface PendingRequest {
  readonly plan: RequestPlan
  readonly correlation: number
  readonly resolve: (payload: Buffer) => void
  readonly reject: (error: Error) => void
  readonly deadlineMs: number
  readonly letGo: () => void
  attempts: number
  timer: Timer | undefined
}

function timeoutError({ plan, attempts }: PendingRequest): Error {
  const sent = attempts === 0 ? 'it could not be sent' : `it was sent ${attempts} time${attempts === 1 ? '' : 's'}`
  return Object.assign(new Error(`No response within ${plan.timeoutMs} ms (${sent})`), { code: 'ETIMEDOUT' })
}

/** As Node's own functions that take a signal. */
function abortError(signal: AbortSignal): Error {
  const error = new Error('The operation was aborted', { cause: signal.reason })
  error.name = 'AbortError'
  return Object.assign(error, { code: 'ABORT_ERR' })
}

function tooManyError(limit: number): Error {
  return Object.assign(new Error(`${limit} requests wait for a response already (maxPendingRequests)`), { code: 'ENOBUFS' })
}

/** However long a request may take: who waits for a minute has a try every few seconds. */
const MAX_RETRY_MS = 4000
