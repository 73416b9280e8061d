/** What a {@link DuplexWriter} needs of its stream. */
export interface MessageSink {
  readonly closed: boolean
  readonly maxMessageBytes: number
  /** As `send`, also between `end` and {@link endBytes}. */
  sendBytes(part: Uint8Array): boolean
  /** All that was written has been sent. */
  endBytes(): void
}

/** Who writes a stream as bytes, a Duplex: what it was given goes out before the stream ends. */
export interface ByteWriter {
  readonly destroyed: boolean
  /** No more is written. {@link MessageSink.endBytes} follows. */
  end(): unknown
}

/** What a Duplex writes into a stream: one write at a time, each a message, or several. Every write hears what became of it. */
export class DuplexWriter {
  #waiting: { readonly chunk: Buffer; offset: number; readonly done: (error?: Error) => void } | undefined

  /** Is there a write that is not wholly sent? */
  get isWaiting(): boolean {
    return this.#waiting !== undefined
  }

  /** Takes a write, which {@link sendTo} sends. */
  begin(chunk: Buffer, done: (error?: Error) => void): void {
    this.#waiting = { chunk, offset: 0, done }
  }

  /** Sends what there is room for. A stream that is closed, or takes no more, fails the write. */
  sendTo(stream: MessageSink): void {
    const waiting = this.#waiting
    if (waiting === undefined) return
    if (stream.closed) return this.fail(destroyedError())
    const partBytes = Math.min(MAX_PART_BYTES, stream.maxMessageBytes)
    try {
      while (waiting.offset < waiting.chunk.length) {
        const end = Math.min(waiting.offset + partBytes, waiting.chunk.length)
        if (!stream.sendBytes(waiting.chunk.subarray(waiting.offset, end))) return
        waiting.offset = end
      }
    } catch (error) {
      // Whoever has the stream itself has ended it.
      return this.fail(error as Error)
    }
    this.#waiting = undefined
    waiting.done()
  }

  /** Nothing more of the write is sent. */
  fail(error: Error): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.done(error)
  }
}

/** What Node tells the writes that wait behind the one that was cut off. */
export function destroyedError(): Error {
  return Object.assign(new Error('Cannot call write after a stream was destroyed'), { code: 'ERR_STREAM_DESTROYED' })
}

/** A long write is several messages, so that its receiver reads the first while the last is being sent. */
const MAX_PART_BYTES = 65_536
