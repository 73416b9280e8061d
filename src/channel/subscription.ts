import {
  checkBoolean,
  checkInteger,
  checkOptions,
  checkSignal,
  closedError,
  invalidState,
  obeySignal,
  throwLater,
} from '../core/index.js'
import type { ChannelMessage } from './message.js'
import { MessageQueue } from './message-queue.js'

/** Options of `channel.subscribe`. */
export interface SubscribeOptions {
  /** Only what is ahead of all before it from its source (lead 1 and more): nothing late, nothing twice. Default false. */
  ordered?: boolean
  /** For an iteration: messages that may wait, 1 to 1 048 576. Default 1024. Beyond it the oldest goes, and is counted. */
  queueMessages?: number
  /** For an iteration: payload bytes that may wait, though always one message, 1 to 1 GiB. Default 4 MiB. */
  queueBytes?: number
  /** Closes the subscription when it is aborted. */
  signal?: AbortSignal
}

export type MessageHandler = (message: ChannelMessage) => void

/** What a subscription has counted. `matched = delivered + skipped + overflowed + discarded + queued`. */
export interface SubscriptionStatistics {
  /** Messages of the channel since it began. */
  matched: number
  delivered: number
  /** Behind, and not for an ordered subscription. */
  skipped: number
  /** Lost because the iteration was too slow. */
  overflowed: number
  /** Waiting when it was closed. */
  discarded: number
  queued: number
}

/** One user of a channel's messages: a handler, or async iteration. It receives until it is closed. */
export class Subscription implements AsyncIterable<ChannelMessage> {
  readonly ordered: boolean
  readonly #handler: MessageHandler | undefined
  readonly #onClose: (subscription: Subscription) => void
  readonly #letGo: () => void
  readonly #queue: MessageQueue
  readonly #waiting: ((step: Step) => void)[] = []
  #closed = false
  #matched = 0
  #delivered = 0
  #skipped = 0
  #discarded = 0

  /** @internal Use `channel.subscribe`. @throws Misuse. */
  constructor(handler: MessageHandler | undefined, options: SubscribeOptions, onClose: (subscription: Subscription) => void) {
    checkOptions('options', options, KNOWN)
    this.ordered = checkBoolean('options.ordered', options.ordered ?? false)
    this.#queue = new MessageQueue(
      checkInteger('options.queueMessages', options.queueMessages ?? DEFAULT_QUEUE_MESSAGES, 1, MAX_QUEUE_MESSAGES),
      checkInteger('options.queueBytes', options.queueBytes ?? DEFAULT_QUEUE_BYTES, 1, MAX_QUEUE_BYTES),
    )
    this.#handler = handler
    this.#onClose = onClose
    this.#letGo = obeySignal(checkSignal('options.signal', options.signal), () => this.close())
  }

  get closed(): boolean {
    return this.#closed
  }

  stats(): SubscriptionStatistics {
    return {
      matched: this.#matched,
      delivered: this.#delivered,
      skipped: this.#skipped,
      overflowed: this.#queue.overflowed,
      discarded: this.#discarded,
      queued: this.#queue.length,
    }
  }

  /** Ends it; what still waits is discarded. Harmless to repeat. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#letGo()
    this.#discarded += this.#queue.clear()
    for (const resolve of this.#waiting.splice(0)) resolve(DONE)
    this.#onClose(this)
  }

  /**
   * Messages as they come, from the time of `subscribe` on. Leaving the loop closes the subscription.
   *
   * @throws `ERR_CLOSED`; `ERR_INVALID_STATE` for a subscription with a handler.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<ChannelMessage> {
    if (this.#closed) throw closedError('subscription')
    if (this.#handler !== undefined) throw invalidState('a subscription with a handler cannot be iterated')
    const iterator: AsyncIterableIterator<ChannelMessage> = {
      next: () => {
        const message = this.#queue.shift()
        if (message !== undefined) {
          this.#delivered++
          return Promise.resolve({ done: false, value: message })
        }
        if (this.#closed) return Promise.resolve(DONE)
        return new Promise((resolve) => this.#waiting.push(resolve))
      },
      return: () => {
        this.close()
        return Promise.resolve(DONE)
      },
      [Symbol.asyncIterator]: () => iterator,
    }
    return iterator
  }

  /** @internal */
  deliver(message: ChannelMessage): void {
    if (this.#closed) return
    this.#matched++
    if (this.ordered && message.lead < 1) {
      this.#skipped++
      return
    }
    if (this.#handler === undefined) {
      this.#enqueue(message)
      return
    }
    this.#delivered++
    try {
      this.#handler(message)
    } catch (error) {
      throwLater(error)
    }
  }

  #enqueue({ payload, source, sequence, lead }: ChannelMessage): void {
    const kept = { payload: Buffer.from(payload), source, sequence, lead }
    const resolve = this.#waiting.shift()
    if (resolve === undefined) {
      this.#queue.push(kept)
      return
    }
    this.#delivered++
    resolve({ done: false, value: kept })
  }
}

type Step = IteratorResult<ChannelMessage, undefined>
const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined }
const KNOWN: ReadonlySet<string> = new Set(['ordered', 'queueMessages', 'queueBytes', 'signal'])
const DEFAULT_QUEUE_MESSAGES = 1024
const MAX_QUEUE_MESSAGES = 1_048_576
const DEFAULT_QUEUE_BYTES = 4 * 1_048_576
const MAX_QUEUE_BYTES = 1_073_741_824
