import cluster from 'node:cluster'
import dgram from 'node:dgram'
import { AF_INET, AF_INET6, addonProblem, loadAddon, type Addon } from '../binding/index.js'
import { Endpoint, parseAddress } from '../core/index.js'
import { BatchingHandle, PendingSend } from './handle.js'
import {
  BIND_STATE_BOUND,
  CONNECT_STATE_CONNECTED,
  internals,
  sendError,
  type SocketState,
  type UdpHandle,
} from './node-internals.js'

type SendCallback = (error: Error | null, bytes: number) => void
type Payload = Uint8Array | string

/**
 * `dgram.Socket`, with batches underneath.
 *
 * It *is* Node's own socket: its checks, events, errors, states and deprecations are lib/dgram.js of the Node that runs it. What is
 * replaced is the handle below ({@link BatchingHandle}), and the common forms of `send`, which would cost an object and two lookups
 * a datagram. What only Node's own handle can do, it does: handles shared by `cluster`, descriptors and handles from outside.
 */
export class Socket extends dgram.Socket {
  #batching: BatchingHandle | undefined
  // The last destination: most programs send to one, or a few in turn.
  #lastAddress: string | undefined
  #lastPort = 0
  #lastEndpoint: Endpoint | undefined

  constructor(type: dgram.SocketType | dgram.SocketOptions, listener?: (message: Buffer, rinfo: dgram.RemoteInfo) => void) {
    // @ts-expect-error -- the declaration has no constructor; the function takes what createSocket takes
    super(type, listener)
    if (addon !== undefined && internals !== undefined) this.#install(addon)
  }

  override bind(...args: unknown[]): this {
    if (this.#batching !== undefined && needsNodeHandle(args[0])) this.#giveBack()
    return super.bind(...(args as []))
  }

  override send(...args: unknown[]): void {
    const handle = this.#batching
    if (handle?.isBound !== true || !this.#sendFast(handle, args)) super.send(...(args as [Payload]))
  }

  /** Puts our handle where Node's was. */
  #install(addon: Addon): void {
    const state = stateOf(this)
    const node = state.handle
    if (node === null) return // closed by an aborted signal
    const handle = new BatchingHandle(addon, (this as unknown as { type: string }).type === 'udp6' ? AF_INET6 : AF_INET, node)
    ;(handle as unknown as Record<symbol, unknown>)[internals!.owner] = this
    state.handle = handle
    this.#batching = handle
  }

  /** Puts Node's handle back, for what only it can do. */
  #giveBack(): void {
    const state = stateOf(this)
    if (state.handle === this.#batching) state.handle = this.#batching.takeNodeHandle()
    this.#batching = undefined
  }

  /** The forms of `send` that need none of Node's checks. False: let Node have it. */
  #sendFast(handle: BatchingHandle, args: unknown[]): boolean {
    const state = stateOf(this) as SocketState & { sendBlockList?: unknown }
    if (state.handle !== (handle as UdpHandle) || state.bindState !== BIND_STATE_BOUND || state.sendBlockList) return false
    const connected = state.connectState === CONNECT_STATE_CONNECTED
    if (!connected && state.connectState !== 0) return false
    return connected ? this.#sendConnected(handle, args) : this.#sendTo(handle, args)
  }

  #sendConnected(handle: BatchingHandle, args: unknown[]): boolean {
    // (message[, callback]), or (message, offset, length[, callback])
    const sliced = typeof args[2] === 'number'
    const callback = sliced ? args[3] : args[1]
    if (args.length > (sliced ? 4 : 2)) return false
    const payload = sliced ? slice(args[0], args[1], args[2]) : asPayload(args[0])
    if (payload === undefined) return false
    this.#queueSend(handle, payload, undefined, undefined, undefined, callback)
    return true
  }

  #sendTo(handle: BatchingHandle, args: unknown[]): boolean {
    // (message, port[, address][, callback]), or (message, offset, length, port[, address][, callback])
    const sliced = Boolean(args[4]) || (Boolean(args[3]) && typeof args[3] !== 'function')
    const payload = sliced ? slice(args[0], args[1], args[2]) : asPayload(args[0])
    const port = sliced ? args[3] : args[1]
    let address = sliced ? args[4] : args[2]
    let callback = sliced ? args[5] : args[3]
    if (typeof address === 'function') {
      callback = address
      address = undefined
    }
    if (
      payload === undefined ||
      typeof port !== 'number' ||
      !(address === undefined || address === null || typeof address === 'string')
    )
      return false
    const endpoint = this.#endpointOf(address ?? undefined, port)
    if (endpoint === undefined) return false
    this.#queueSend(handle, payload, endpoint, address ?? undefined, port, callback)
    return true
  }

  #queueSend(
    handle: BatchingHandle,
    payload: Payload,
    endpoint: Endpoint | undefined,
    address: string | undefined,
    port: number | undefined,
    callback: unknown,
  ): void {
    if (typeof callback !== 'function') {
      handle.enqueue(payload, endpoint, NOBODY_ASKS)
      handle.scheduleFlush()
      return
    }
    const send = new ReportedSend(handle, callback as SendCallback, address, port)
    send.bytes = handle.enqueue(payload, endpoint, send)
    // Scheduled here, so that the callback has the async context of this call, and its place among what else is scheduled.
    process.nextTick(endpoint === undefined ? finishConnected : finishUnconnected, send)
  }

  #endpointOf(address: string | undefined, port: number): Endpoint | undefined {
    if (port === this.#lastPort && address === this.#lastAddress) return this.#lastEndpoint
    const endpoint = destination(address || this.#defaultAddress(), port, (this as unknown as { type: string }).type)
    if (endpoint === undefined) return undefined
    this.#lastPort = port
    this.#lastAddress = address
    this.#lastEndpoint = endpoint
    return endpoint
  }

  #defaultAddress(): string {
    return (this as unknown as { type: string }).type === 'udp6' ? '::1' : '127.0.0.1'
  }
}

export function createSocket(
  type: dgram.SocketType | dgram.SocketOptions,
  listener?: (message: Buffer, rinfo: dgram.RemoteInfo) => void,
): Socket {
  return new Socket(type, listener)
}

/** A send with a callback. */
class ReportedSend extends PendingSend {
  bytes = 0
  constructor(
    readonly handle: BatchingHandle,
    readonly callback: SendCallback,
    readonly address: string | undefined,
    readonly port: number | undefined,
  ) {
    super()
  }
}

/** The tick in which Node's lookup of a literal would have called back, and the datagram left. */
function finishUnconnected(send: ReportedSend): void {
  if (!isSettled(send)) return
  if (send.result === 0) process.nextTick(send.callback, null, send.bytes)
  else process.nextTick(send.callback, sendError(send.result!, send.address, send.port))
}

/** The tick in which Node calls back for what left inside the call. */
function finishConnected(send: ReportedSend): void {
  if (isSettled(send)) report(send)
}

/** False when the kernel has no room yet, or the socket was closed before its turn: then, as with Node, nobody is called. */
function isSettled(send: ReportedSend): boolean {
  if (send.result === undefined) send.handle.flush()
  if (send.result !== undefined) return true
  if (send.handle.isBound) send.handle.whenSettled(send, () => report(send))
  return false
}

function report(send: ReportedSend): void {
  if (send.result === 0) send.callback(null, send.bytes)
  else (send.callback as (error: Error) => void)(sendError(send.result!, send.address, send.port))
}

function stateOf(socket: Socket): SocketState {
  return (socket as unknown as Record<symbol, SocketState>)[internals!.state]!
}

/** Descriptors and handles from outside, and ports that the workers of a cluster share. */
function needsNodeHandle(target: unknown): boolean {
  const options = target as { recvStart?: unknown; fd?: unknown; exclusive?: unknown } | null | undefined
  const isObject = typeof options === 'object' && options !== null
  if (isObject && (typeof options.recvStart === 'function' || typeof options.fd === 'number')) return true
  return cluster.isWorker && !(isObject && options.exclusive)
}

/** One object a destination, so that datagrams to it coalesce; bounded, and then forgotten all at once. */
function destination(address: string, port: number, type: string): Endpoint | undefined {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return undefined
  let ports = destinations.get(address)
  if (ports === undefined) {
    const parsed = parseAddress(address)
    if (parsed === undefined || parsed.zone !== '') return undefined
    if (destinations.size >= MAX_DESTINATIONS) destinations.clear()
    ports = new Map()
    destinations.set(address, ports)
  }
  let endpoint = ports.get(port)
  if (endpoint === undefined) {
    if (ports.size >= MAX_DESTINATIONS) ports.clear()
    endpoint = Endpoint.of(address, port)
    ports.set(port, endpoint)
  }
  return (endpoint.family === 'IPv4') === (type === 'udp4') ? endpoint : undefined
}

function asPayload(value: unknown): Payload | undefined {
  return typeof value === 'string' || value instanceof Uint8Array ? value : undefined
}

function slice(value: unknown, offset: unknown, length: unknown): Uint8Array | undefined {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value
  if (!(bytes instanceof Uint8Array) || !isUint32(offset) || !isUint32(length)) return undefined
  return offset + length <= bytes.byteLength ? bytes.subarray(offset, offset + length) : undefined
}

function isUint32(value: unknown): value is number {
  return typeof value === 'number' && value >>> 0 === value
}

/** The addon, where it loads and nothing forbids it: under Node's permission model its own handle asks what ours could not. */
function usableAddon(): Addon | undefined {
  if (process.env['GEYSIR_DISABLE'] === '1' || addonProblem() !== undefined) return undefined
  return (process as { permission?: unknown }).permission === undefined ? loadAddon() : undefined
}

const addon = usableAddon()
const destinations = new Map<string, Map<number, Endpoint>>()
const MAX_DESTINATIONS = 1024
/** For sends without a callback: Node drops their errors. */
const NOBODY_ASKS = new PendingSend()
