import { lookup } from 'node:dns'
import { checkOptions, checkPeerPort, checkString, type Endpoint } from '../core/index.js'
import { UdpSocket } from '../socket/index.js'
import { createNode, type NodeOptions, type StreamNode } from '../stream/index.js'
import { Socket, type Holder } from './socket.js'

/** Where to connect, and how. */
export interface ConnectOptions {
  port: number
  /** A name or a literal. Default 'localhost', as IPv4. */
  host?: string
  /** 4 or 6. Default: 6 for a literal that is one, otherwise 4. */
  family?: number
  allowHalfOpen?: boolean
  timeout?: number
  /** A node to connect with, which goes on. Default: one that lives as long as the socket. */
  node?: StreamNode
  /** Options of the socket's own node, such as `secret` or `congestionControl`. */
  nodeOptions?: Omit<NodeOptions, 'link'>
}

/** Connects to a server of `geysir/net`. As `net.connect`. */
export function connect(options: ConnectOptions, listener?: () => void): Socket
export function connect(port: number, host?: string, listener?: () => void): Socket
export function connect(first: ConnectOptions | number, second?: string | (() => void), third?: () => void): Socket {
  const options = typeof first === 'number' ? { port: first, ...(typeof second === 'string' ? { host: second } : {}) } : first
  const listener = typeof second === 'function' ? second : third
  checkOptions('options', options, KNOWN)
  const port = checkPeerPort('options.port', options.port)
  const host = checkString('options.host', options.host ?? 'localhost')
  const holder = new ClientHolder(options, host)
  const socket = new Socket(holder, options.allowHalfOpen === true)
  socket.connecting = true
  if (options.timeout !== undefined) socket.setTimeout(options.timeout)
  if (listener !== undefined) socket.once('connect', listener)
  void open(socket, holder, host, port)
  return socket
}

/** The same, as `node:net` has it. */
export const createConnection = connect

async function open(socket: Socket, holder: ClientHolder, host: string, port: number): Promise<void> {
  let endpoint: Endpoint | undefined
  try {
    endpoint = await holder.resolve(host, port)
    const peer = await holder.node!.connect(endpoint)
    if (socket.destroyed) return
    socket.attach(peer.openStream({ label: STREAM_LABEL, allowHalfOpen: true }))
    socket.emit('connect')
    socket.emit('ready')
  } catch (error) {
    if (!socket.destroyed) socket.fail(error as Error, endpoint)
  }
}

/** The node and the UDP socket of one connection. */
class ClientHolder implements Holder {
  node: StreamNode | undefined
  readonly #options: ConnectOptions
  readonly #udp: UdpSocket
  readonly #isOwn: boolean
  #isReferenced = true

  constructor(options: ConnectOptions, host: string) {
    this.#options = options
    const isIpv6 = options.family === 6 || (options.family === undefined && host.includes(':'))
    this.#udp = new UdpSocket({ type: isIpv6 ? 'udp6' : 'udp4', ipv6Only: isIpv6, lookup })
    this.#isOwn = options.node === undefined
    this.node = options.node
  }

  async resolve(host: string, port: number): Promise<Endpoint> {
    const endpoint = await this.#udp.resolve(host, port)
    if (this.#isOwn) {
      await this.#udp.bind()
      this.node = createNode({ ...this.#options.nodeOptions, link: this.#udp })
      if (!this.#isReferenced) this.unref()
    }
    return endpoint
  }

  localAddress(): Endpoint | undefined {
    return this.#isOwn ? this.#udp.address() : undefined
  }

  ref(): void {
    this.#isReferenced = true
    if (this.#isOwn) this.#udp.ref()
    if (this.#isOwn) this.node?.ref()
  }

  unref(): void {
    this.#isReferenced = false
    if (this.#isOwn) this.#udp.unref()
    if (this.#isOwn) this.node?.unref()
  }

  release(): void {
    if (this.#isOwn) this.node?.destroy()
    this.#udp.close()
  }
}

/** Streams that are sockets. */
export const STREAM_LABEL = 'geysir/net'
const KNOWN: ReadonlySet<string> = new Set<keyof ConnectOptions>([
  'port',
  'host',
  'family',
  'allowHalfOpen',
  'timeout',
  'node',
  'nodeOptions',
])
