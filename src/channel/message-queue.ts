import type { ChannelMessage } from './message.js'

/** Messages that wait for an iteration: bounded, and at the bound the oldest goes. */
export class MessageQueue {
  /** Went unseen, because others came after them. */
  overflowed = 0
  readonly #maxMessages: number
  readonly #maxBytes: number
  #messages: ChannelMessage[] = []
  #head = 0
  #bytes = 0

  constructor(maxMessages: number, maxBytes: number) {
    this.#maxMessages = maxMessages
    this.#maxBytes = maxBytes
  }

  get length(): number {
    return this.#messages.length - this.#head
  }

  push(message: ChannelMessage): void {
    this.#messages.push(message)
    this.#bytes += message.payload.length
    while (this.length > this.#maxMessages || (this.#bytes > this.#maxBytes && this.length > 1)) {
      this.shift()
      this.overflowed++
    }
  }

  shift(): ChannelMessage | undefined {
    if (this.length === 0) return undefined
    const message = this.#messages[this.#head]!
    this.#bytes -= message.payload.length
    this.#messages[this.#head++] = EMPTY
    if (this.#head >= MIN_WASTE && this.#head * 2 >= this.#messages.length) {
      this.#messages = this.#messages.slice(this.#head)
      this.#head = 0
    }
    return message
  }

  /** @returns How many there were. */
  clear(): number {
    const { length } = this
    this.#messages = []
    this.#head = 0
    this.#bytes = 0
    return length
  }
}

const EMPTY = undefined as unknown as ChannelMessage
/** Empty places at the front before the rest is moved: so rarely that each message pays next to nothing. */
const MIN_WASTE = 64
