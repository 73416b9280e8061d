import { createWriteStream, openSync } from 'node:fs'
import { finished } from 'node:stream/promises'
import type { Writable } from 'node:stream'

/**
 * Aborted when whoever read standard output has gone, as `head` does when it has enough: no reason for a stack trace, and for whoever
 * writes again and again one to end.
 */
export function readerGone(): AbortSignal {
  if (gone === undefined) {
    const controller = new AbortController()
    gone = controller.signal
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      // An Output tells what else can go wrong.
      if (error.code === 'EPIPE' || process.stdout.listenerCount('error') > 1) controller.abort()
      else throw error
    })
  }
  return gone
}

let gone: AbortSignal | undefined

/** Where datagrams are written: standard output or a file. */
export class Output {
  readonly isFile: boolean
  readonly #stream: Writable
  #failure: Error | undefined
  #closedByReader = false

  /**
   * @param path A file, which is overwritten; undefined for standard output.
   * @param onDrain Called when it can take more, after {@link write} returned false.
   * @param onFailed Called when nothing more can be written.
   * @throws The system error of open(2).
   */
  constructor(path: string | undefined, onDrain: () => void, onFailed: () => void) {
    this.isFile = path !== undefined
    // Opened at once, so that a wrong path is an error before anything else happens.
    this.#stream = path === undefined ? process.stdout : createWriteStream(path, { fd: openSync(path, 'w') })
    this.#stream.on('drain', onDrain)
    this.#stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') this.#closedByReader = true
      else this.#failure = error
      onFailed()
    })
  }

  /** False when it should be given no more until `onDrain`. */
  write(chunk: Buffer | string): boolean {
    return chunk.length === 0 || this.#stream.write(chunk)
  }

  /** Whoever read the output has gone, as `head` does when it has enough. */
  get closedByReader(): boolean {
    return this.#closedByReader
  }

  /** Waits until everything is written. @throws What went wrong on the way. */
  async end(): Promise<void> {
    if (this.isFile && this.#failure === undefined) {
      this.#stream.end()
      await finished(this.#stream)
    }
    if (this.#failure !== undefined) throw this.#failure
  }
}
