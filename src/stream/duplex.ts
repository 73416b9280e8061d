import { Duplex } from 'node:stream'
import { DuplexWriter, destroyedError, type MessageSink } from './duplex-writer.js'
import { cutOffError } from './stream-error.js'

/** What a {@link StreamDuplex} needs of its stream. */
export interface DuplexSource extends MessageSink {
  allowHalfOpen: boolean
  /** Has everything that was sent been handed over, and the end told? */
  readonly hasEnded: boolean
  /** Was something thrown away that came? */
  readonly isCutOff: boolean
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
  readonly #writer = new DuplexWriter()

  /** @internal */
  constructor(stream: DuplexSource, allowHalfOpen: boolean) {
    super({ allowHalfOpen })
    this.#stream = stream
    // Whether to end when the other side has is up to the Duplex, which may be in the middle of a write.
    stream.allowHalfOpen = true
    stream.on('drain', () => this.#writer.sendTo(stream))
    stream.on('end', () => this.push(null))
    stream.on('close', (error) => this.#onClose(error))
    stream.on('message', (message) => {
      // A Duplex keeps what it is given beyond the handler.
      if (!this.push(Buffer.from(message))) stream.pause()
    })
    stream.pause()
    if (stream.closed) this.destroy()
    else if (stream.hasEnded) this.push(null)
  }

  override _read(): void {
    this.#stream.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    this.#writer.begin(chunk, done)
    this.#writer.sendTo(this.#stream)
  }

  override _final(done: (error?: Error) => void): void {
    this.#stream.endBytes()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#writer.fail(error ?? destroyedError())
    // Everything was ended in order: what is under way still arrives.
    if (!(this.writableFinished && this.readableEnded) || error !== null) this.#stream.reset()
    done(error)
  }

  #onClose(error: Error | undefined): void {
    const reason = error ?? (this.#stream.isCutOff ? cutOffError() : undefined)
    if (reason !== undefined) return void this.destroy(reason)
    this.#writer.fail(destroyedError())
    // Nothing is left to be read: then nobody need do so.
    this.read(0)
  }
}
