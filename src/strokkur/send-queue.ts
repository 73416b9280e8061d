import type { Clock, Endpoint, Link, Timer } from '../core/index.js'
import { closedError, obeySignal } from '../core/index.js'
import type { MessageParameters, MessageSender } from './message-sender.js'
import type { BytePacer } from './pacer.js'

/** A message that waits to be sent, or is being sent. */
export interface SendJob {
  readonly message: Uint8Array
  readonly endpoint: Endpoint | undefined
  readonly parameters: () => MessageParameters
  readonly deadlineMs: number
  readonly signal: AbortSignal | undefined
  readonly resolve: () => void
  readonly reject: (error: Error) => void
  letGo?: () => void
  timer?: Timer
}

/** Why a message was not sent. */
export class MessageError extends Error {
  /** `ERR_MESSAGE_QUEUE_FULL`: too much waits already. `ERR_MESSAGE_DEADLINE`: it could not leave in time. */
  readonly code: 'ERR_MESSAGE_QUEUE_FULL' | 'ERR_MESSAGE_DEADLINE'

  constructor(code: MessageError['code'], message: string) {
    super(message)
    this.name = 'MessageError'
    this.code = code
  }
}

export interface SendCounters {
  messagesQueued: number
  messagesSent: number
  messageBytesSent: number
  chunksSent: number
  /** Given up before their last chunk had left: aborted, late, or closed. */
  messagesFailed: number
}

/** Sends messages one after the other, chunk by chunk, at the pace that it is given. */
export class SendQueue {
  readonly counters: SendCounters = { messagesQueued: 0, messagesSent: 0, messageBytesSent: 0, chunksSent: 0, messagesFailed: 0 }
  readonly #link: Link
  readonly #sender: MessageSender
  readonly #pacer: BytePacer
  readonly #clock: Clock
  readonly #jobs = new Set<SendJob>()
  readonly #left: SendJob[] = []
  #queuedBytes = 0
  #timer: Timer | undefined
  #scheduled = false
  #running = false

  constructor(link: Link, sender: MessageSender, pacer: BytePacer, clock: Clock) {
    this.#link = link
    this.#sender = sender
    this.#pacer = pacer
    this.#clock = clock
  }

  get messages(): number {
    return this.#jobs.size
  }

  get bytes(): number {
    return this.#queuedBytes
  }

  add(job: SendJob): void {
    this.#jobs.add(job)
    this.#queuedBytes += job.message.length
    this.counters.messagesQueued++
    if (job.signal !== undefined) job.letGo = obeySignal(job.signal, () => this.#fail(job, abortReason(job.signal!)))
    if (job.deadlineMs !== Infinity) {
      job.timer = this.#clock.setTimer(() => this.#fail(job, tooLate()), Math.max(0, job.deadlineMs - this.#clock.nowMs()))
    }
    this.#schedule()
  }

  /** Goes on: the link has room again. */
  resume(): void {
    this.#schedule()
  }

  /** Gives up everything that has not left. */
  close(): void {
    this.#timer?.cancel()
    for (const job of [...this.#jobs]) this.#fail(job, closedError('messenger'))
    this.#settle()
  }

  /** At the end of this turn, so that messages queued together leave together. */
  #schedule(): void {
    if (this.#scheduled || this.#running) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      this.#run()
    })
  }

  #run(): void {
    if (this.#link.closed) return
    this.#timer?.cancel()
    this.#timer = undefined
    this.#running = true
    const nowMs = this.#clock.nowMs()
    let turnBytes = 0
    for (const job of this.#jobs) {
      if (job.deadlineMs <= nowMs && !this.#sender.initialised) {
        this.#fail(job, tooLate())
        continue
      }
      const bytes = this.#send(job, nowMs, TURN_BYTES - turnBytes)
      turnBytes += bytes
      if (this.#jobs.has(job)) break
    }
    this.#running = false
    if (turnBytes > 0) this.#link.flush()
    this.#settle()
    if (this.#jobs.size > 0 && this.#timer === undefined && turnBytes >= TURN_BYTES) this.#wait(0)
  }

  /** Sends what may leave of one message now, and returns how many bytes that was. */
  #send(job: SendJob, nowMs: number, mostBytes: number): number {
    const sender = this.#sender
    const link = this.#link
    let bytes = 0
    try {
      if (!sender.initialised) sender.init(job.message, job.parameters())
      for (let state = 'more'; state === 'more';) {
        if (bytes >= mostBytes) return bytes
        if (!this.#pacer.mayLeave(nowMs)) {
          this.#wait(this.#pacer.waitMs())
          return bytes
        }
        const { nextBytes } = sender
        const room = link.reserve(nextBytes, job.endpoint)
        if (room === undefined) return bytes
        state = sender.pump(room)
        link.commit()
        this.#pacer.spend(nextBytes)
        this.counters.chunksSent++
        bytes += nextBytes
      }
    } catch (error) {
      this.#fail(job, error as Error)
      return bytes
    }
    this.#remove(job)
    this.#left.push(job)
    return bytes
  }

  #settle(): void {
    if (this.#left.length === 0) return
    for (const job of this.#left.splice(0)) {
      this.counters.messagesSent++
      this.counters.messageBytesSent += job.message.length
      job.resolve()
    }
  }

  #wait(delayMs: number): void {
    if (this.#timer !== undefined) return
    this.#timer = this.#clock.setTimer(() => {
      this.#timer = undefined
      this.#run()
    }, delayMs)
  }

  #fail(job: SendJob, error: Error): void {
    const [first] = this.#jobs
    if (!this.#remove(job)) return
    // The sender has only ever begun the first one.
    if (job === first) this.#sender.deinit()
    this.counters.messagesFailed++
    job.reject(error)
    if (this.#jobs.size > 0 && !this.#link.closed) this.#schedule()
  }

  #remove(job: SendJob): boolean {
    if (!this.#jobs.delete(job)) return false
    this.#queuedBytes -= job.message.length
    job.timer?.cancel()
    job.letGo?.()
    return true
  }
}

function tooLate(): MessageError {
  return new MessageError('ERR_MESSAGE_DEADLINE', 'The message could not leave in time')
}

export function abortReason(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('The send was aborted', { cause: signal.reason })
}

/** What leaves before other callbacks get their turn. */
const TURN_BYTES = 4 << 20
