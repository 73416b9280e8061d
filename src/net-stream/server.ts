import { EventEmitter } from 'node:events'
import { lookup } from 'node:dns'
import { checkLocalPort, checkOptions, checkString, invalidState, type Endpoint } from '../core/index.js'
import { UdpSocket } from '../socket/index.js'
import { createNode, type NodeOptions, type Stream, type StreamNode } from '../stream/index.js'
import { STREAM_LABEL } from './connect.js'
import { Socket, type SocketAddress } from './socket.js'

/** Options of {@link createServer}. */
export interface ServerOptions {
  allowHalfOpen?: boolean
  /** Options of the server's node, such as `secret` or `congestionControl`. */
  nodeOptions?: Omit<NodeOptions, 'link'>
}

/** Where to listen. */
export interface ListenOptions {
  /** Default 0: the kernel chooses. */
  port?: number
  /** A literal or a name. Default: all addresses of IPv4. One of IPv6 makes a server for both families if it is '::'. */
  host?: string
}

/** The events of a {@link Server}, as `net.Server` has them. */
export interface ServerEvents {
  listening: []
  connection: [socket: Socket]
  close: []
  error: [error: Error]
}

/** A server of reliable streams in the shape of `net.Server`. */
export function createServer(listener?: (socket: Socket) => void): Server
export function createServer(options: ServerOptions, listener?: (socket: Socket) => void): Server
export function createServer(first?: ServerOptions | ((socket: Socket) => void), second?: (socket: Socket) => void): Server {
  const options = typeof first === 'object' ? first : {}
  const server = new Server(options)
  const listener = typeof first === 'function' ? first : second
  if (listener !== undefined) server.on('connection', listener)
  return server
}

/** See {@link createServer}. */
export class Server extends EventEmitter<ServerEvents> {
  readonly #options: ServerOptions
  readonly #sockets = new Set<Socket>()
  #udp: UdpSocket | undefined
  #node: StreamNode | undefined
  #isClosing = false
  #isReferenced = true

  /** @internal */
  constructor(options: ServerOptions) {
    super()
    checkOptions('options', options, KNOWN)
    this.#options = options
  }

  /** Binds; 'listening', or 'error' with what bind(2) said. */
  listen(options: ListenOptions, listener?: () => void): this
  listen(port?: number, host?: string | (() => void), listener?: () => void): this
  listen(first?: ListenOptions | number, second?: string | (() => void), third?: () => void): this {
    if (this.#udp !== undefined) throw invalidState('the server is listening')
    const options =
      typeof first === 'object' ? first : { port: first ?? 0, ...(typeof second === 'string' ? { host: second } : {}) }
    checkOptions('options', options, LISTEN_OPTIONS)
    const listener = typeof second === 'function' ? second : third
    if (listener !== undefined) this.once('listening', listener)
    const port = checkLocalPort('options.port', options.port ?? 0)
    const address = checkString('options.host', options.host ?? '0.0.0.0')
    const udp = new UdpSocket({ type: address.includes(':') ? 'udp6' : 'udp4', lookup })
    this.#udp = udp
    this.#isClosing = false
    udp.bind({ port, address }).then(
      () => this.#open(udp),
      (error: Error) => {
        udp.close()
        this.#udp = undefined
        this.emit('error', error)
      },
    )
    return this
  }

  get listening(): boolean {
    return this.#node !== undefined
  }

  /** Null unless it listens. */
  address(): SocketAddress | null {
    return this.#node === undefined ? null : this.#udp!.address().toJSON()
  }

  getConnections(callback: (error: Error | null, count: number) => void): this {
    process.nextTick(callback, null, this.#sockets.size)
    return this
  }

  /** Takes no more connections; 'close' when those that are there have ended. */
  close(callback?: (error?: Error) => void): this {
    if (this.#udp === undefined) {
      if (callback)
        process.nextTick(callback, Object.assign(new Error('Server is not running.'), { code: 'ERR_SERVER_NOT_RUNNING' }))
      return this
    }
    if (callback) this.once('close', () => callback())
    this.#isClosing = true
    this.#closeIfIdle()
    return this
  }

  ref(): this {
    this.#isReferenced = true
    this.#udp?.ref()
    this.#node?.ref()
    return this
  }

  unref(): this {
    this.#isReferenced = false
    this.#udp?.unref()
    this.#node?.unref()
    return this
  }

  [Symbol.asyncDispose](): Promise<void> {
    return new Promise((resolve) => this.close(() => resolve()))
  }

  #open(udp: UdpSocket): void {
    if (this.#isClosing) return this.#closeIfIdle()
    const node = createNode({ ...this.#options.nodeOptions, link: udp })
    this.#node = node
    node.on('stream', (stream) => this.#onStream(stream))
    if (!this.#isReferenced) this.unref()
    this.emit('listening')
  }

  #onStream(stream: Stream): void {
    if (this.#isClosing || stream.label !== STREAM_LABEL || stream.kind !== 'reliable') {
      stream.reset(REFUSED)
      return
    }
    const socket: Socket = new Socket(
      {
        localAddress: (): Endpoint | undefined => this.#udp?.address(),
        ref: () => undefined,
        unref: () => undefined,
        release: () => {
          this.#sockets.delete(socket)
          this.#closeIfIdle()
        },
      },
      this.#options.allowHalfOpen === true,
    )
    this.#sockets.add(socket)
    socket.attach(stream)
    this.emit('connection', socket)
  }

  #closeIfIdle(): void {
    const udp = this.#udp
    if (!this.#isClosing || this.#sockets.size > 0 || udp === undefined) return
    this.#node?.destroy()
    this.#node = undefined
    this.#udp = undefined
    udp.close()
    process.nextTick(() => this.emit('close'))
  }
}

const REFUSED = 2
const KNOWN: ReadonlySet<string> = new Set(['allowHalfOpen', 'nodeOptions'])
const LISTEN_OPTIONS: ReadonlySet<string> = new Set(['port', 'host'])
