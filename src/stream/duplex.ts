import { Duplex } from 'node:stream'

/** What a {@link StreamDuplex} needs of its stream. */
export interface DuplexSource {
  readonly closed: boolean
  allowHalfOpen: boolean
  send(message: Uint8Array): boolean
  end(): void
  reset(): void
  pause(): unknown
  resume(): unknown
  on(event: 'message', listener: (message: Buffer) => void): unknown
  on(event: 'drain' | 'end', listener: () => void): unknown
  on(event: 'close', listener: (error: Error | undefined) => void): unknown
}

/** A stream as a Node Duplex of bytes. Each write is a message, or several; what is read is their bytes in order. */
export class StreamDuplex extends Duplex {
  readonly #stream: DuplexSource
  #waiting: { chunk: Buffer; offset: number; done: (error?: Error) => void } | undefined

  /** @internal */
  constructor(stream: DuplexSource, allowHalfOpen: boolean) {
    super({ allowHalfOpen })
    this.#stream = stream
    // Whether to end when the other side has is up to the Duplex, which may be in the middle of a write.
    stream.allowHalfOpen = true
    stream.on('drain', () => this.#writeMore())
    stream.on('end', () => this.push(null))
    stream.on('close', (error) => this.#onClose(error))
    stream.on('message', (message) => {
      // A Duplex keeps what it is given beyond the handler.
      if (!this.push(Buffer.from(message))) stream.pause()
    })
    stream.pause()
    if (stream.closed) this.destroy()
  }

  override _read(): void {
    this.#stream.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    this.#waiting = { chunk, offset: 0, done }
    this.#writeMore()
  }

  override _final(done: (error?: Error) => void): void {
    if (this.#stream.closed) return done()
    this.#stream.end()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#waiting?.done(error ?? destroyedError())
    this.#waiting = undefined
    // Everything was ended in order: what is under way still arrives.
    if (!(this.writableFinished && this.readableEnded) || error !== null) this.#stream.reset()
    done(error)
  }

  #writeMore(): void {
    const waiting = this.#waiting
    if (waiting === undefined || this.#stream.closed) return
    while (waiting.offset < waiting.chunk.length) {
      const end = Math.min(waiting.offset + MAX_WRITE_BYTES, waiting.chunk.length)
      if (!this.#stream.send(waiting.chunk.subarray(waiting.offset, end))) return
      waiting.offset = end
    }
    this.#waiting = undefined
    waiting.done()
  }

  #onClose(error: Error | undefined): void {
    if (error !== undefined) {
      this.destroy(error)
      return
    }
    this.#waiting?.done()
    this.#waiting = undefined
  }
}

/** What Node tells the writes that wait behind this one. */
function destroyedError(): Error {
  return Object.assign(new Error('Cannot call write after a stream was destroyed'), { code: 'ERR_STREAM_DESTROYED' })
}

/** A long write is several messages, so that its receiver reads the first while the last is being sent. */
const MAX_WRITE_BYTES = 65_536
