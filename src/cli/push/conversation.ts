import type { Stream } from '../../index.js'
import { CommandError } from '../exit.js'

/** What came, its bytes in memory of its own. */
export interface Message {
  readonly type: number
  readonly bytes: Buffer
}

/** The sender's side of a stream, for a program that waits: for room, and for an answer. */
export class Conversation {
  readonly #stream: Stream
  readonly #answers: Message[] = []
  #isOver = false
  #error: Error | undefined
  #wake: () => void = () => undefined

  constructor(stream: Stream) {
    this.#stream = stream
    stream.on('message', (message, type) => {
      // Nobody has so much to say: whoever does is no receiver of files.
      if (this.#answers.length === MAX_ANSWERS) return stream.reset()
      this.#answers.push({ type, bytes: Buffer.from(message) })
      this.#wake()
    })
    stream.on('drain', () => this.#wake())
    stream.on('end', () => this.#end(undefined))
    stream.on('close', (error) => this.#end(error))
  }

  /** Is there an answer to be read? */
  get hasAnswer(): boolean {
    return this.#answers.length > 0
  }

  /** Sends as soon as there is room. False: an answer came before, nothing was sent. @throws Why the stream is over. */
  async send(bytes: Uint8Array, type: number): Promise<boolean> {
    while (!this.hasAnswer) {
      if (this.#isOver) throw this.#error ?? new CommandError('the receiver ended without an answer')
      if (this.#stream.send(bytes, type)) return true
      await this.#change()
    }
    return false
  }

  /** The next answer. @throws Why there is none. */
  async answer(): Promise<Message> {
    while (!this.hasAnswer) {
      if (this.#isOver) throw this.#error ?? new CommandError('the receiver ended without an answer')
      await this.#change()
    }
    return this.#answers.shift()!
  }

  #change(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve))
  }

  #end(error: Error | undefined): void {
    this.#isOver = true
    this.#error ??= error
    this.#wake()
  }
}

const MAX_ANSWERS = 8
