import { Duplex } from 'node:stream'
import { checkInteger, type Endpoint, type Timer } from '../core/index.js'
import type { Stream } from '../stream/index.js'
import { systemClock } from '../system/index.js'
import { netError } from './net-error.js'

/** As `net.Socket.address()` gives it. */
export interface SocketAddress {
  readonly address: string
  readonly family: 'IPv4' | 'IPv6'
  readonly port: number
}

/** What a socket keeps alive, and lets go of when it is closed. @internal */
export interface Holder {
  localAddress(): Endpoint | undefined
  ref(): void
  unref(): void
  release(): void
}

/**
 * A reliable stream in the shape of `net.Socket`. Made by `connect`, or by a server.
 *
 * Events besides those of a Duplex: 'connect', 'ready', 'timeout', 'lookup' (never, for compatibility), and 'close' with `hadError`.
 */
export class Socket extends Duplex {
  connecting = false
  bytesRead = 0
  bytesWritten = 0
  /** Milliseconds; undefined: none. */
  timeout: number | undefined
  readonly #holder: Holder
  #stream: Stream | undefined
  #remote: Endpoint | undefined
  #local: Endpoint | undefined
  #waiting: { chunk: Buffer; offset: number; done: (error?: Error | null) => void } | undefined
  #final: ((error?: Error | null) => void) | undefined
  #timer: Timer | undefined
  #lastMs = 0
  #hadError = false

  /** @internal */
  constructor(holder: Holder, allowHalfOpen: boolean) {
    super({ allowHalfOpen, emitClose: false })
    this.#holder = holder
  }

  /** The stream below, for its statistics; undefined while connecting. */
  get stream(): Stream | undefined {
    return this.#stream
  }

  get remoteAddress(): string | undefined {
    return this.#remote?.address
  }

  get remotePort(): number | undefined {
    return this.#remote?.port
  }

  get remoteFamily(): 'IPv4' | 'IPv6' | undefined {
    return this.#remote?.family
  }

  get localAddress(): string | undefined {
    return this.#local?.address
  }

  get localPort(): number | undefined {
    return this.#local?.port
  }

  get localFamily(): 'IPv4' | 'IPv6' | undefined {
    return this.#local?.family
  }

  get pending(): boolean {
    return this.#stream === undefined
  }

  get readyState(): 'opening' | 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.connecting) return 'opening'
    if (this.readable && this.writable) return 'open'
    return this.readable ? 'readOnly' : this.writable ? 'writeOnly' : 'closed'
  }

  address(): SocketAddress | Record<string, never> {
    return this.#local?.toJSON() ?? {}
  }

  /** 'timeout' after so much silence in both directions; 0: none. The socket stays as it is. */
  setTimeout(timeoutMs: number, listener?: () => void): this {
    this.timeout = checkInteger('timeoutMs', timeoutMs, 0, MAX_TIMEOUT_MS)
    this.#timer?.cancel()
    this.#timer = undefined
    if (listener !== undefined) {
      if (timeoutMs === 0) this.off('timeout', listener)
      else this.once('timeout', listener)
    }
    if (timeoutMs > 0 && !this.destroyed) this.#watchSilence()
    return this
  }

  /** Messages leave at the end of the tick in any case. */
  setNoDelay(_noDelay?: boolean): this {
    return this
  }

  /** Peers are looked after in any case: see `keepAliveMs` of nodes. */
  setKeepAlive(_enable?: boolean, _initialDelayMs?: number): this {
    return this
  }

  ref(): this {
    this.#holder.ref()
    return this
  }

  unref(): this {
    this.#holder.unref()
    return this
  }

  /** Ends when what was written has been taken, and lets go. */
  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy())
  }

  /** Gives up with a reset, whatever is under way. */
  resetAndDestroy(): this {
    this.#stream?.reset()
    return this.destroy()
  }

  /** The stream is there. @internal */
  attach(stream: Stream): void {
    this.#stream = stream
    this.#remote = stream.peer.endpoint
    this.#local = this.#holder.localAddress()
    this.connecting = false
    stream.allowHalfOpen = true
    stream.on('drain', () => this.#writeMore())
    stream.on('end', () => this.push(null))
    stream.on('close', (error) => this.#onStreamClose(error))
    stream.on('message', (message) => {
      this.#touch()
      this.bytesRead += message.length
      // A Duplex keeps what it is given beyond the handler.
      if (!this.push(Buffer.from(message))) stream.pause()
    })
    this.#writeMore()
    if (this.#final !== undefined) this._final(this.#final)
  }

  /** There will be no stream. @internal */
  fail(error: Error, endpoint: Endpoint | undefined): void {
    this.connecting = false
    this.destroy(netError(error, 'connect', endpoint))
  }

  override _read(): void {
    this.#stream?.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#waiting = { chunk, offset: 0, done }
    this.#writeMore()
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#stream === undefined) {
      this.#final = done
      return
    }
    this.#final = undefined
    this.#stream.end()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#hadError = error !== null
    this.#timer?.cancel()
    this.#waiting = undefined
    const stream = this.#stream
    const finish = (): void => {
      this.#holder.release()
      // As net.Socket: whether there was an error comes along.
      process.nextTick(() => this.emit('close', this.#hadError))
    }
    if (stream === undefined || stream.closed) finish()
    else if (error !== null) {
      stream.once('close', finish)
      stream.reset()
    } else {
      // What was written still arrives, as it does with TCP; what comes is thrown away.
      stream.removeAllListeners('message')
      void stream.close({ deadlineMs: LINGER_MS }).then(finish)
    }
    done(error)
  }

  #writeMore(): void {
    const waiting = this.#waiting
    const stream = this.#stream
    if (waiting === undefined || stream === undefined || stream.closed) return
    this.#touch()
    while (waiting.offset < waiting.chunk.length) {
      const end = Math.min(waiting.offset + MAX_WRITE_BYTES, waiting.chunk.length)
      if (!stream.send(waiting.chunk.subarray(waiting.offset, end))) return
      this.bytesWritten += end - waiting.offset
      waiting.offset = end
    }
    this.#waiting = undefined
    waiting.done()
  }

  #onStreamClose(error: Error | undefined): void {
    if (this.destroyed) return
    if (error !== undefined) this.destroy(netError(error, 'read', this.#remote))
    else if (this.readableEnded) this.destroy()
  }

  #touch(): void {
    if (this.timeout !== undefined && this.timeout > 0) this.#lastMs = systemClock.nowMs()
  }

  #watchSilence(): void {
    this.#lastMs = systemClock.nowMs()
    const watch = (): void => {
      const leftMs = this.timeout! - (systemClock.nowMs() - this.#lastMs)
      if (leftMs <= 0) {
        this.#timer = undefined
        this.emit('timeout')
        return
      }
      this.#timer = systemClock.setTimer(watch, leftMs)
      this.#timer.unref()
    }
    this.#timer = systemClock.setTimer(watch, this.timeout!)
    this.#timer.unref()
  }
}

const MAX_TIMEOUT_MS = 2 ** 31 - 1
/** A long write is several messages, so that its receiver reads the first while the last is being sent. */
const MAX_WRITE_BYTES = 65_536
/** How long what was written may take to arrive after the socket was let go. */
const LINGER_MS = 10_000
