import { isIP } from 'node:net'
import { Duplex, addAbortSignal } from 'node:stream'
import { checkFunction, invalidState, type Endpoint, type Timer } from '../core/index.js'
import type { Stream } from '../stream/index.js'
import { DuplexWriter, destroyedError } from '../stream/duplex-writer.js'
import { systemClock } from '../system/index.js'
import { ClientHolder } from './client-holder.js'
import {
  checkConnectOptions,
  checkSocketOptions,
  checkTimeout,
  type SocketConnectOptions,
  type SocketOptions,
} from './connect-options.js'
import { STREAM_LABEL, type Holder } from './holder.js'
import { closedBeforeConnection, endedByOther, netError } from './net-error.js'

/** As `net.Socket.address()` gives it. */
export interface SocketAddress {
  readonly address: string
  readonly family: 'IPv4' | 'IPv6'
  readonly port: number
}

/**
 * A reliable stream in the shape of `net.Socket`. Made by `connect`, by a server, or by `new Socket()` and then `connect`.
 *
 * Events besides those of a Duplex: 'lookup', 'connect', 'ready', 'timeout', and 'close' with `hadError`.
 */
export class Socket extends Duplex {
  connecting = false
  bytesRead = 0
  /** Milliseconds; undefined or 0: none. */
  timeout: number | undefined
  readonly #options: SocketOptions
  #holder: Holder | undefined
  #stream: Stream | undefined
  #remote: Endpoint | undefined
  #local: Endpoint | undefined
  readonly #writer = new DuplexWriter()
  #final: ((error?: Error | null) => void) | undefined
  #writtenBytes = 0
  #timer: Timer | undefined
  #lastMs = 0
  #hadError = false
  #isReferenced = true

  /** @param accepted Of a server's socket. @internal */
  constructor(options: SocketOptions = {}, accepted?: Holder) {
    const checked = checkSocketOptions(options)
    super({ allowHalfOpen: checked.allowHalfOpen === true, emitClose: false })
    this.#options = checked
    this.#holder = accepted
    if (options.signal !== undefined) addAbortSignal(options.signal, this)
    this.on('end', () => {
      if (!this.allowHalfOpen) this.write = this.#writeAfterEnd
    })
  }

  /**
   * Connects; 'connect' when it is joined, or 'error'. Once in the life of a socket.
   *
   * @throws Misuse.
   */
  connect(options: SocketConnectOptions, listener?: () => void): this
  connect(port: number, host?: string, listener?: () => void): this
  connect(port: number, listener: () => void): this
  connect(first: SocketConnectOptions | number, second?: string | (() => void), third?: () => void): this {
    const options = typeof first === 'object' ? first : { port: first, host: typeof second === 'string' ? second : undefined }
    const listener = typeof second === 'function' ? second : third
    const place = checkConnectOptions(options, this.#options)
    if (this.#holder !== undefined || this.destroyed) throw invalidState('a socket is connected once')
    const holder = new ClientHolder(place, this.#options, (error) => this.destroy(error))
    this.#holder = holder
    this.connecting = true
    if (!this.#isReferenced) holder.unref()
    if (place.timeoutMs !== undefined) this.setTimeout(place.timeoutMs)
    if (listener !== undefined) this.once('connect', listener)
    void this.#connect(holder, place.host)
    return this
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

  /** The address that the socket below is bound to: that of all addresses unless it was given one. */
  get localAddress(): string | undefined {
    return this.#local?.address
  }

  get localPort(): number | undefined {
    return this.#local?.port
  }

  get localFamily(): 'IPv4' | 'IPv6' | undefined {
    return this.#local?.family
  }

  /** What was written, whether it has left or not. */
  get bytesWritten(): number {
    return this.#writtenBytes + this.writableLength
  }

  get pending(): boolean {
    return this.#stream === undefined || this.destroyed
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
    checkTimeout('timeoutMs', timeoutMs)
    if (listener !== undefined) checkFunction('listener', listener)
    if (this.destroyed) return this
    this.timeout = timeoutMs
    this.#timer?.cancel()
    this.#timer = undefined
    if (listener !== undefined) {
      if (timeoutMs === 0) this.off('timeout', listener)
      else this.once('timeout', listener)
    }
    if (timeoutMs > 0) this.#watchSilence()
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
    this.#isReferenced = true
    this.#holder?.ref()
    return this
  }

  unref(): this {
    this.#isReferenced = false
    this.#holder?.unref()
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
    if (this.#stream !== undefined) this.#stream.reset()
    return this.destroy()
  }

  /** The stream is there. @internal */
  attach(stream: Stream): void {
    this.#stream = stream
    this.#remote = stream.peer.endpoint
    this.#local = this.#holder!.localAddress()
    this.connecting = false
    stream.allowHalfOpen = true
    stream.on('drain', () => this.#writeMore())
    stream.on('end', () => this.#endReading())
    stream.on('close', (error) => this.#onStreamClose(error))
    stream.on('message', (message) => {
      this.#touch()
      this.bytesRead += message.length
      // A Duplex keeps what it is given beyond the handler.
      if (!this.push(Buffer.from(message))) stream.pause()
    })
    this.#touch()
    this.#writeMore()
    if (this.#final !== undefined) this._final(this.#final)
  }

  override _read(): void {
    this.#stream?.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#writer.begin(chunk, (error) => {
      this.#writtenBytes += chunk.length
      done(error)
    })
    this.#writeMore()
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#stream === undefined) {
      this.#final = done
      return
    }
    this.#final = undefined
    this.#stream.end()
    // Not at once: who destroys the socket in this very tick has not finished.
    process.nextTick(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#hadError = error !== null
    this.#timer?.cancel()
    const isCutOff = this.#writer.isWaiting
    this.connecting = false
    const stream = this.#stream
    const finish = (): void => {
      this.#holder?.release()
      // As net.Socket: whether there was an error comes along.
      process.nextTick(() => this.emit('close', this.#hadError))
    }
    // The error is told first, then what became of the write that is under way; as net.Socket, when that is.
    done(error)
    if (stream === undefined) this.once('close', () => this.#writer.fail(closedBeforeConnection()))
    else process.nextTick(() => this.#writer.fail(error ?? destroyedError()))
    if (stream === undefined || stream.closed) finish()
    else if (error !== null && isCutOff) {
      // In the middle of a write: the other side must not take what it has for the whole.
      stream.once('close', finish)
      stream.reset()
    } else {
      // What was written still arrives, as it does with TCP; what comes is thrown away.
      stream.removeAllListeners('message')
      void stream.close({ deadlineMs: LINGER_MS }).then(finish)
    }
  }

  async #connect(holder: ClientHolder, host: string): Promise<void> {
    let endpoint: Endpoint | undefined
    let stream: Stream
    try {
      endpoint = await holder.resolve()
      if (this.destroyed) return
      if (isIP(host) === 0) this.emit('lookup', null, endpoint.address, endpoint.family === 'IPv6' ? 6 : 4, host)
      const peer = await holder.join(endpoint)
      if (this.destroyed) return
      stream = peer.openStream({ label: STREAM_LABEL, allowHalfOpen: true })
    } catch (error) {
      if (!this.destroyed) this.destroy(netError(error as Error, 'connect', endpoint))
      return
    }
    // What a listener throws is no failure to connect.
    process.nextTick(() => {
      if (this.destroyed) return stream.reset()
      this.attach(stream)
      this.emit('connect')
      this.emit('ready')
    })
  }

  #endReading(): void {
    this.push(null)
    // As net.Socket: where nothing is left to read, 'end' waits for no reader.
    this.read(0)
  }

  #writeMore(): void {
    if (this.#stream === undefined || !this.#writer.isWaiting) return
    this.#touch()
    this.#writer.sendTo(this.#stream)
  }

  /** As net.Socket: who writes although both sides have ended is told whose doing it was. */
  readonly #writeAfterEnd = (chunk: unknown, encoding?: unknown, callback?: unknown): boolean => {
    if (!this.writableEnded) return super.write(chunk, encoding as BufferEncoding, callback as () => void)
    const error = endedByOther()
    const done = typeof encoding === 'function' ? encoding : callback
    if (typeof done === 'function') process.nextTick(done, error)
    this.destroy(error)
    return false
  }

  #onStreamClose(error: Error | undefined): void {
    if (this.destroyed) return
    if (error !== undefined) this.destroy(netError(error, 'read', this.#remote))
    else if (this.readableEnded) this.destroy()
    else this.#writer.fail(destroyedError())
  }

  #touch(): void {
    if (this.timeout === undefined || this.timeout === 0) return
    // A socket that was silent for too long, and has something to say again, is watched again.
    if (this.#timer === undefined && !this.destroyed) this.#watchSilence()
    else this.#lastMs = systemClock.nowMs()
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

/** How long what was written may take to arrive after the socket was let go. */
const LINGER_MS = 10_000
