import { EventEmitter } from 'node:events'
import { lookup } from 'node:dns'
import { checkLocalPort, checkOptions, checkSignal, checkString, obeySignal, type Endpoint } from '../core/index.js'
import { UdpSocket } from '../socket/index.js'
import { createNode, type NodeOptions, type Stream, type StreamNode } from '../stream/index.js'
import { STREAM_LABEL } from './holder.js'
import { Socket, type SocketAddress } from './socket.js'

/** Options of {@link createServer}. */
export interface ServerOptions {
  /** Do sockets stay open for writing when the other side has ended? Default false. */
  allowHalfOpen?: boolean
  /** Do sockets begin paused? Default false. */
  pauseOnConnect?: boolean
  /** Options of the server's node, such as `secret` or `congestionControl`. */
  nodeOptions?: Omit<NodeOptions, 'link'>
}

/** Where to listen. */
export interface ListenOptions {
  /** Default 0: the kernel chooses. */
  port?: number
  /** A literal or a name. Default: all addresses of IPv4. One of IPv6 makes a server for both families if it is '::'. */
  host?: string
  /** Closes the server when it is aborted. */
  signal?: AbortSignal
}

/** A connection that was refused because there are too many. */
export interface DroppedConnection {
  readonly localAddress: string
  readonly localPort: number
  readonly localFamily: string
  readonly remoteAddress: string
  readonly remotePort: number
  readonly remoteFamily: string
}

/** The events of a {@link Server}, as `net.Server` has them. */
export interface ServerEvents {
  listening: []
  connection: [socket: Socket]
  /** There are `maxConnections` already. */
  drop: [connection: DroppedConnection]
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
  /** More connections at the same time are refused; undefined: no bound but those of the node. */
  maxConnections: number | undefined
  readonly #options: ServerOptions
  readonly #sockets = new Set<Socket>()
  /** Those of them that keep the process alive. */
  readonly #referenced = new Set<Socket>()
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
  listen(port?: number, host?: string, backlog?: number, listener?: () => void): this
  listen(port?: number, host?: string, listener?: () => void): this
  listen(port?: number, backlog?: number, listener?: () => void): this
  listen(listener: () => void): this
  listen(...words: unknown[]): this {
    if (this.#udp !== undefined) throw alreadyListening()
    // As node:net: what is given is told apart by its type. A backlog is for connections that wait; none do here.
    const listener = words.find((word): word is () => void => typeof word === 'function')
    const given = typeof words[0] === 'object' ? (words[0] as ListenOptions) : {}
    checkOptions('options', given, LISTEN_OPTIONS)
    const host = given.host ?? (typeof words[1] === 'string' ? words[1] : '0.0.0.0')
    const port = checkLocalPort('options.port', given.port ?? (typeof words[0] === 'number' ? words[0] : 0))
    const address = checkString('options.host', host)
    const signal = checkSignal('options.signal', given.signal)
    if (listener !== undefined) this.once('listening', listener)
    if (signal !== undefined) this.#closeOn(signal)
    const udp = new UdpSocket({ type: address.includes(':') ? 'udp6' : 'udp4', lookup })
    const node = this.#createNode(udp)
    this.#udp = udp
    this.#isClosing = false
    udp.on('error', (error) => this.#onFailure(udp, error))
    // Of itself, when one of its links is closed.
    node.on('close', () => this.#onEnd(udp))
    // What listeners throw is not the promise's.
    udp.bind({ port, address }).then(
      () => process.nextTick(() => this.#open(node)),
      (error: Error) => {
        node.destroy()
        udp.close()
        // Closed meanwhile: that is why.
        if (this.#udp !== udp) return
        this.#udp = undefined
        process.nextTick(() => this.emit('error', error))
      },
    )
    return this
  }

  get listening(): boolean {
    return this.#node !== undefined && !this.#isClosing
  }

  /** Null unless it listens. */
  address(): SocketAddress | null {
    return !this.listening ? null : this.#udp!.address().toJSON()
  }

  getConnections(callback: (error: Error | null, count: number) => void): this {
    process.nextTick(callback, null, this.#sockets.size)
    return this
  }

  /** Takes no more connections; 'close' when those that are there have ended. */
  close(callback?: (error?: Error) => void): this {
    if (callback) {
      const error = this.#udp === undefined || this.#isClosing ? notRunning() : undefined
      this.once('close', () => callback(error))
    }
    if (this.#udp === undefined) {
      process.nextTick(() => this.emit('close'))
      return this
    }
    this.#isClosing = true
    this.#keepAlive()
    this.#closeIfIdle()
    return this
  }

  /** May listening keep the process alive? It does until `unref`. Each of the sockets does for itself, as those of `node:net`. */
  ref(): this {
    this.#isReferenced = true
    this.#keepAlive()
    return this
  }

  unref(): this {
    this.#isReferenced = false
    this.#keepAlive()
    return this
  }

  [Symbol.asyncDispose](): Promise<void> {
    return new Promise((resolve) => this.close(() => resolve()))
  }

  #createNode(udp: UdpSocket): StreamNode {
    try {
      return createNode({ ...this.#options.nodeOptions, link: udp })
    } catch (error) {
      udp.close()
      throw error
    }
  }

  #open(node: StreamNode): void {
    if (this.#isClosing || node.closed) return node.destroy()
    this.#node = node
    node.on('stream', (stream) => this.#onStream(stream))
    this.#keepAlive()
    this.emit('listening')
  }

  /** The UDP socket can no longer work, and has closed itself. */
  #onFailure(udp: UdpSocket, error: Error): void {
    if (this.#udp !== udp) return
    // What the node will say to them is that its link was closed.
    for (const socket of this.#sockets) socket.destroy(error)
    this.#onEnd(udp)
    this.emit('error', error)
  }

  /** Nothing comes any more; the sockets end as well. */
  #onEnd(udp: UdpSocket): void {
    if (this.#udp !== udp) return
    this.#isClosing = true
    this.#closeIfIdle()
  }

  #onStream(stream: Stream): void {
    const isSocket = stream.label === STREAM_LABEL && stream.kind === 'reliable' && stream.ordered
    if (this.#isClosing || !isSocket) {
      stream.reset(REFUSED)
      return
    }
    if (this.maxConnections !== undefined && this.#sockets.size >= this.maxConnections) {
      stream.reset(REFUSED)
      this.emit('drop', this.#describe(stream.peer.endpoint))
      return
    }
    const { allowHalfOpen = false, pauseOnConnect = false } = this.#options
    const socket: Socket = new Socket(
      { allowHalfOpen },
      {
        localAddress: (): Endpoint | undefined => this.#udp?.address(),
        ref: () => this.#refer(socket),
        unref: () => this.#unrefer(socket),
        release: () => {
          this.#sockets.delete(socket)
          this.#unrefer(socket)
          this.#closeIfIdle()
        },
      },
    )
    this.#sockets.add(socket)
    this.#refer(socket)
    socket.attach(stream)
    if (pauseOnConnect) socket.pause()
    this.emit('connection', socket)
  }

  #refer(socket: Socket): void {
    if (!this.#sockets.has(socket)) return
    this.#referenced.add(socket)
    this.#keepAlive()
  }

  #unrefer(socket: Socket): void {
    this.#referenced.delete(socket)
    this.#keepAlive()
  }

  /** One UDP socket is under the server and all of its sockets: it stays as long as one of them wants the process to. */
  #keepAlive(): void {
    const isWanted = (this.#isReferenced && !this.#isClosing) || this.#referenced.size > 0
    for (const held of [this.#udp, this.#node]) {
      if (isWanted) held?.ref()
      else held?.unref()
    }
  }

  #describe(remote: Endpoint): DroppedConnection {
    const local = this.#udp!.address()
    return {
      localAddress: local.address,
      localPort: local.port,
      localFamily: local.family,
      remoteAddress: remote.address,
      remotePort: remote.port,
      remoteFamily: remote.family,
    }
  }

  #closeOn(signal: AbortSignal): void {
    const letGo = obeySignal(signal, () => this.close())
    this.once('close', letGo)
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

function alreadyListening(): Error {
  const text = 'Listen method has been called more than once without closing.'
  return Object.assign(new Error(text), { code: 'ERR_SERVER_ALREADY_LISTEN' })
}

function notRunning(): Error {
  return Object.assign(new Error('Server is not running.'), { code: 'ERR_SERVER_NOT_RUNNING' })
}

/** RESET_REASON.refused of docs/wire/stream.md. */
const REFUSED = 2
const KNOWN: ReadonlySet<string> = new Set<keyof ServerOptions>(['allowHalfOpen', 'pauseOnConnect', 'nodeOptions'])
const LISTEN_OPTIONS: ReadonlySet<string> = new Set<keyof ListenOptions>(['port', 'host', 'signal'])
