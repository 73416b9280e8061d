import { spawn } from 'node:child_process'
import { constants, close, open } from 'node:fs'
import { Socket, connect, createServer, type Server } from 'node:net'
import type { Duplex } from 'node:stream'
import { obeySignal, type Endpoint, type Timer } from '../../core/index.js'
import { endpoint } from '../../socket/index.js'
import { backoffMs } from '../backoff.js'
import type { ResolvedProxied } from '../options/link-options.js'
import type { Surroundings } from '../platform.js'
import { NO_ADDRESS, type ByteStream, type StreamSource, type StreamSourceOwner } from './byte-stream.js'

/** The source of streams that the options ask for. */
export function streamSource(options: ResolvedProxied, surroundings: Surroundings): StreamSource {
  if (options.role === 'server') return new ListeningSource(options)
  const open = openerOf(options)
  return open === undefined ? new GivenSource(options) : new ReopeningSource(open, options, surroundings)
}

/** Opens one stream; the signal gives up. */
type OpenStream = (signal: AbortSignal) => Promise<ByteStream>

/** Undefined for a stream that is given once and for all. */
function openerOf(options: ResolvedProxied): OpenStream | undefined {
  switch (options.transport) {
    case 'tcp':
      return (signal) => openSocket(connect({ host: options.host!, port: options.port!, noDelay: true }), signal)
    case 'unix':
      return (signal) => openSocket(connect({ path: options.path! }), signal)
    case 'command':
      return (signal) => openCommand(options.command!, signal)
    case 'pipe':
      return () => openPipes(options.readPath!, options.writePath!)
    case 'stdio':
    case 'duplex':
      return undefined
  }
}

/** Opens a stream, and another one whenever it is lost, ever more patiently. */
class ReopeningSource implements StreamSource {
  readonly #open: OpenStream
  readonly #options: ResolvedProxied
  readonly #surroundings: Surroundings
  #owner: StreamSourceOwner | undefined
  #attempt = 0
  #openedMs = 0
  #timer: Timer | undefined
  #opening: AbortController | undefined
  #isReferenced = true

  constructor(open: OpenStream, options: ResolvedProxied, surroundings: Surroundings) {
    this.#open = open
    this.#options = options
    this.#surroundings = surroundings
  }

  start(owner: StreamSourceOwner): Promise<void> {
    this.#owner = owner
    this.#try()
    return Promise.resolve()
  }

  lost(): void {
    // A peer that takes a stream and drops it at once is no better than one that refuses it.
    if (this.#surroundings.clock.nowMs() - this.#openedMs >= this.#options.reconnectMaxMs) this.#attempt = 0
    this.#tryLater()
  }

  address(): undefined {
    return undefined
  }

  close(): void {
    this.#owner = undefined
    this.#timer?.cancel()
    this.#opening?.abort()
  }

  ref(): void {
    this.#isReferenced = true
  }

  /** A running pause ends as it was begun; the next one lets the process end. */
  unref(): void {
    this.#isReferenced = false
    this.#timer?.unref()
  }

  #try(): void {
    const opening = new AbortController()
    this.#opening = opening
    const timeout = this.#surroundings.clock.setTimer(
      () => opening.abort(timeoutError(this.#options)),
      this.#options.connectTimeoutMs,
    )
    timeout.unref()
    this.#open(opening.signal).then(
      (stream) => {
        timeout.cancel()
        this.#openedMs = this.#surroundings.clock.nowMs()
        if (this.#owner === undefined) stream.destroy()
        else this.#owner.opened(stream)
      },
      (error: unknown) => {
        timeout.cancel()
        this.#owner?.failed(error as Error)
        this.#tryLater()
      },
    )
  }

  #tryLater(): void {
    if (this.#owner === undefined) return
    const { reconnectMinMs, reconnectMaxMs } = this.#options
    const delayMs = backoffMs(this.#attempt++, reconnectMinMs, reconnectMaxMs, this.#surroundings.random)
    this.#timer = this.#surroundings.clock.setTimer(() => this.#try(), delayMs)
    if (!this.#isReferenced) this.#timer.unref()
  }
}

/** Waits for peers to connect; the newest one counts. */
class ListeningSource implements StreamSource {
  readonly #options: ResolvedProxied
  #server: Server | undefined

  constructor(options: ResolvedProxied) {
    this.#options = options
  }

  start(owner: StreamSourceOwner): Promise<void> {
    const server = createServer({ noDelay: true }, (socket) => owner.opened(streamOfSocket(socket)))
    this.#server = server
    const { transport, host, port, path } = this.#options
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(
        transport === 'unix' ? { path: path! } : { port: port!, ...(host === undefined || host === '*' ? {} : { host }) },
        () => {
          server.off('error', reject)
          // What fails later is one connection that could not be accepted.
          server.on('error', (error) => owner.failed(error))
          resolve()
        },
      )
    })
  }

  lost(): void {}

  address(): Endpoint | undefined {
    const address = this.#server?.address()
    return typeof address === 'object' && address !== null ? endpoint(address.address, address.port) : undefined
  }

  close(): void {
    this.#server?.close()
  }

  ref(): void {
    this.#server?.ref()
  }

  unref(): void {
    this.#server?.unref()
  }
}

/** One stream, and no other: our own standard input and output, or any Duplex. */
class GivenSource implements StreamSource {
  readonly #options: ResolvedProxied
  #owner: StreamSourceOwner | undefined

  constructor(options: ResolvedProxied) {
    this.#options = options
  }

  start(owner: StreamSourceOwner): Promise<void> {
    this.#owner = owner
    const { stream } = this.#options
    owner.opened(stream === undefined ? streamOfStdio() : streamOfDuplex(stream))
    return Promise.resolve()
  }

  lost(): void {
    this.#owner?.ended()
  }

  address(): undefined {
    return undefined
  }

  close(): void {
    this.#owner = undefined
  }

  ref(): void {}

  unref(): void {}
}

function openSocket(socket: Socket, signal: AbortSignal): Promise<ByteStream> {
  return new Promise((resolve, reject) => {
    const letGo = obeySignal(signal, () => socket.destroy(signal.reason instanceof Error ? signal.reason : undefined))
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('closed before it was open')))
    socket.once('connect', () => {
      letGo()
      socket.off('error', reject)
      resolve(streamOfSocket(socket))
    })
  })
}

function openCommand([program, ...args]: readonly string[], signal: AbortSignal): Promise<ByteStream> {
  const child = spawn(program!, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  return new Promise((resolve, reject) => {
    const letGo = obeySignal(signal, () => child.kill())
    child.once('error', reject)
    child.once('spawn', () => {
      letGo()
      child.off('error', reject)
      // It may be killed in vain; that is no error of the link.
      child.on('error', () => child.stdout.destroy())
      resolve({
        readable: child.stdout,
        writable: child.stdin,
        peer: NO_ADDRESS,
        sharesMemory: false,
        destroy: () => {
          child.stdin.destroy()
          child.stdout.destroy()
          child.kill()
        },
        ref: () => child.ref(),
        unref: () => {
          child.unref()
          for (const end of [child.stdin, child.stdout]) (end as Partial<Socket>).unref?.()
        },
      })
    })
  })
}

/**
 * Each pipe is opened for both directions: so opening does not wait for the other end, and its going away is not the end of ours, but a
 * pause (fifo(7): "Under Linux, opening a FIFO for read and write will succeed both in blocking and nonblocking mode").
 */
async function openPipes(readPath: string, writePath: string): Promise<ByteStream> {
  const readFd = await openPipe(readPath)
  let writeFd: number
  try {
    writeFd = await openPipe(writePath)
  } catch (error) {
    close(readFd)
    throw error
  }
  const readable = new Socket({ fd: readFd, readable: true, writable: false })
  const writable = new Socket({ fd: writeFd, readable: false, writable: true })
  return {
    readable,
    writable,
    peer: NO_ADDRESS,
    sharesMemory: false,
    destroy: () => [readable, writable].forEach((end) => end.destroy()),
    ref: () => [readable, writable].forEach((end) => end.ref()),
    unref: () => [readable, writable].forEach((end) => end.unref()),
  }
}

function openPipe(path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    open(path, constants.O_RDWR | constants.O_NONBLOCK, (error, fd) => {
      if (error) reject(error)
      else resolve(fd)
    })
  })
}

function streamOfSocket(socket: Socket): ByteStream {
  const { remoteAddress, remotePort } = socket
  return {
    readable: socket,
    writable: socket,
    peer: remoteAddress === undefined || remotePort === undefined ? NO_ADDRESS : endpoint(remoteAddress, remotePort),
    sharesMemory: false,
    destroy: () => void socket.destroy(),
    ref: () => void socket.ref(),
    unref: () => void socket.unref(),
  }
}

function streamOfDuplex(stream: Duplex): ByteStream {
  const socket = stream as Partial<Pick<Socket, 'ref' | 'unref'>>
  return {
    readable: stream,
    writable: stream,
    peer: NO_ADDRESS,
    sharesMemory: true,
    destroy: () => void stream.destroy(),
    ref: () => void socket.ref?.(),
    unref: () => void socket.unref?.(),
  }
}

function streamOfStdio(): ByteStream {
  const { stdin, stdout } = process
  return {
    readable: stdin,
    writable: stdout,
    peer: NO_ADDRESS,
    sharesMemory: false,
    destroy: () => void stdin.destroy(),
    ref: () => void stdin.ref(),
    unref: () => void stdin.unref(),
  }
}

function timeoutError({ connectTimeoutMs }: ResolvedProxied): Error {
  return Object.assign(new Error(`not open after ${connectTimeoutMs} ms`), { code: 'ETIMEDOUT' })
}
