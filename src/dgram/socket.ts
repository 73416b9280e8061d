import cluster from 'node:cluster'
import dgram from 'node:dgram'
import dns from 'node:dns'
import { AF_INET, AF_INET6, loadAddon, type Addon } from '../binding/index.js'
import type { Endpoint } from '../core/index.js'
import { passSocketsToChildren } from './child-handles.js'
import { BatchingHandle, type Lookup } from './handle.js'
import {
  BIND_STATE_BOUND,
  CONNECT_STATE_CONNECTED,
  CONNECT_STATE_DISCONNECTED,
  internals,
  sendError,
  type SocketState,
} from './node-internals.js'
import { MAX_PARTS } from './parts.js'
import { PendingSend, type Sending } from './sending.js'
import { addonIsUsable } from './usable-addon.js'

type SendCallback = (error: Error | null, bytes: number) => void
type Payload = Uint8Array | string

/**
 * `dgram.Socket`, with batches underneath.
 *
 * It *is* Node's own socket: its checks, events, errors, states and deprecations are lib/dgram.js of the Node that runs it. What is
 * replaced is the handle below ({@link BatchingHandle}), and the common forms of `send`, which would cost an object and two lookups
 * a datagram. What only Node's own handle can do, it does: handles shared by `cluster`, descriptors and handles from outside.
 *
 * A function and not a class, because Node's is one, and programs inherit from it as from one (`Socket.call(this, 'udp4')`).
 */
function SocketFunction(this: DropInSocket, type: unknown, listener: unknown): void {
  nodeSocket.call(this, type, listener)
  if (addon !== undefined && internals !== undefined) install(this, addon, type)
}

/** The type of a socket is Node's. */
export type Socket = dgram.Socket

interface DropInSocket {
  type: string
  [key: symbol]: SocketState
}

type NodeSocketFunction = (this: unknown, type: unknown, listener: unknown) => void
type NodeMethod = (this: unknown, ...args: unknown[]) => unknown

const nodeSocket = dgram.Socket as unknown as NodeSocketFunction
const nodePrototype = dgram.Socket.prototype as unknown as { send: NodeMethod; bind: NodeMethod }
const nodeSend = nodePrototype.send
const nodeBind = nodePrototype.bind

// Two methods are ours, the others Node's. All are there, as in Node; and a socket is an instance of Node's Socket, too: a dependency may
// ask that.
const prototype = Object.create(nodePrototype, Object.getOwnPropertyDescriptors(nodePrototype)) as Record<string, unknown>
// As in lib/dgram.js, the functions have no names.
prototype['send'] = (() =>
  function (
    this: DropInSocket,
    buffer: unknown,
    offset: unknown,
    length: unknown,
    port: unknown,
    address: unknown,
    callback: unknown,
  ): unknown {
    const handle = batchingHandleOf(this)
    if (handle?.isBound === true && sendFast(this, handle.sending, buffer, offset, length, port, address, callback))
      return undefined
    return nodeSend.call(this, buffer, offset, length, port, address, callback)
  })()
prototype['bind'] = (() =>
  function (this: DropInSocket, port: unknown, _address: unknown): unknown {
    if (needsNodeHandle(port)) giveBack(this)
    // eslint-disable-next-line prefer-rest-params -- Node tells a callback by the number of arguments
    return nodeBind.apply(this, arguments as unknown as unknown[])
  })()
Object.defineProperty(prototype, 'constructor', { value: SocketFunction, configurable: true, writable: true })
Object.defineProperty(SocketFunction, 'prototype', { value: prototype, writable: true })
Object.defineProperty(SocketFunction, 'name', { value: 'Socket', configurable: true })
Object.setPrototypeOf(SocketFunction, Object.getPrototypeOf(dgram.Socket) as object)

export const Socket = SocketFunction as unknown as typeof dgram.Socket & {
  new (type: dgram.SocketType | dgram.SocketOptions, listener?: MessageListener): dgram.Socket
}

export type MessageListener = (message: Buffer, rinfo: dgram.RemoteInfo) => void

export function createSocket(type: dgram.SocketType, listener?: MessageListener): dgram.Socket
export function createSocket(options: dgram.SocketOptions, listener?: MessageListener): dgram.Socket
export function createSocket(type: dgram.SocketType | dgram.SocketOptions, listener?: MessageListener): dgram.Socket {
  return new Socket(type, listener)
}

/** Puts our handle where Node's was. */
function install(socket: DropInSocket, addon: Addon, options: unknown): void {
  const state = stateOf(socket)
  const node = state.handle
  // Closed by an aborted signal, or used already, by a subscriber of the diagnostics channel.
  if (node === null || node.fd >= 0) return
  const lookup = (options as { lookup?: Lookup } | null)?.lookup ?? dns.lookup
  const handle = new BatchingHandle(addon, socket.type === 'udp6' ? AF_INET6 : AF_INET, node, lookup)
  ;(handle as unknown as Record<symbol, unknown>)[internals!.owner] = socket
  state.handle = handle
}

/** Puts Node's handle back, for what only it can do. */
function giveBack(socket: DropInSocket): void {
  const handle = batchingHandleOf(socket)
  if (handle !== undefined && !handle.isBound) stateOf(socket).handle = handle.takeNodeHandle()
}

function batchingHandleOf(socket: DropInSocket): BatchingHandle | undefined {
  const handle = internals && socket[internals.state]?.handle
  return handle instanceof BatchingHandle ? handle : undefined
}

/** The forms of `send` that need none of Node's checks. False: let Node have it. */
function sendFast(
  socket: DropInSocket,
  sending: Sending,
  buffer: unknown,
  offset: unknown,
  length: unknown,
  port: unknown,
  address: unknown,
  callback: unknown,
): boolean {
  const state = stateOf(socket) as SocketState & { sendBlockList?: unknown }
  if (state.bindState !== BIND_STATE_BOUND || state.sendBlockList) return false
  if (state.handle!.send !== ownSend || state.handle!.lookup !== ownLookup) return false
  if (state.connectState === CONNECT_STATE_CONNECTED)
    return sendConnected(sending, buffer, offset, length, port, address, callback)
  if (state.connectState !== CONNECT_STATE_DISCONNECTED) return false

  // (message, port[, address][, callback]), or (message, offset, length, port[, address][, callback])
  const sliced = Boolean(address) || (Boolean(port) && typeof port !== 'function')
  const payload = sliced ? slice(buffer, offset, length) : asPayload(buffer)
  const toPort = sliced ? port : offset
  let to = sliced ? address : length
  let done = sliced ? callback : port
  if (typeof to === 'function') {
    done = to
    to = undefined
  }
  if (payload === undefined || typeof toPort !== 'number') return false
  if (!(to === undefined || to === null || typeof to === 'string')) return false
  const endpoint = sending.destination(to || undefined, toPort)
  if (endpoint === undefined) return false
  queueSend(sending, payload, endpoint, to, toPort, done)
  return true
}

/** (message[, callback]), or (message, offset, length[, callback]) */
function sendConnected(
  sending: Sending,
  buffer: unknown,
  offset: unknown,
  length: unknown,
  port: unknown,
  address: unknown,
  callback: unknown,
): boolean {
  const sliced = typeof length === 'number'
  const calledByPort = sliced && typeof port === 'function'
  if (address || (port && !calledByPort)) return false
  const payload = sliced ? slice(buffer, offset, length) : asPayload(buffer)
  if (payload === undefined) return false
  queueSend(sending, payload, undefined, undefined, undefined, sliced ? (calledByPort ? port : callback) : offset)
  return true
}

function queueSend(
  sending: Sending,
  payload: Payload,
  endpoint: Endpoint | undefined,
  address: string | null | undefined,
  port: number | undefined,
  callback: unknown,
): void {
  if (typeof callback !== 'function') {
    sending.queue(payload, endpoint, NOBODY_ASKS)
    sending.scheduleFlush()
    return
  }
  const send = new ReportedSend(sending, callback as SendCallback, address, port)
  send.bytes = sending.queue(payload, endpoint, send)
  // Scheduled here, so that the callback has the async context of this call, and its place among what else is scheduled.
  process.nextTick(endpoint === undefined ? finishConnected : finishUnconnected, send)
}

/** A send with a callback. */
class ReportedSend extends PendingSend {
  bytes = 0
  constructor(
    readonly sending: Sending,
    readonly callback: SendCallback,
    /** As the program gave it: so it stands in an error. */
    readonly address: string | null | undefined,
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
  if (send.result === undefined) send.sending.flush()
  if (send.result !== undefined) return true
  if (send.sending.isOpen) send.sending.whenSettled(send, () => report(send))
  return false
}

function report(send: ReportedSend): void {
  const { callback } = send // called without a this, as Node does
  if (send.result === 0) callback(null, send.bytes)
  else (callback as (error: Error) => void)(sendError(send.result!, send.address, send.port))
}

function stateOf(socket: DropInSocket): SocketState {
  return socket[internals!.state]!
}

/** Handles from outside, and ports that the workers of a cluster share. A descriptor comes by `open` of our handle. */
function needsNodeHandle(target: unknown): boolean {
  const options = target as { recvStart?: unknown; exclusive?: unknown } | null | undefined
  const isObject = typeof options === 'object' && options !== null
  if (isObject && typeof options.recvStart === 'function') return true
  return cluster.isWorker && !(isObject && options.exclusive)
}

/** What `send` takes, as bytes or text; undefined for what Node has to judge. */
function asPayload(value: unknown): Payload | undefined {
  if (typeof value === 'string' || value instanceof Uint8Array) return value
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  if (!Array.isArray(value) || value.length > MAX_PARTS) return undefined
  // Also how lib/dgram.js hands over what it queued before the socket was bound: as a list of one.
  const parts = value.map((part: unknown) => (Array.isArray(part) ? undefined : asPayload(part)))
  if (parts.includes(undefined)) return undefined
  const bytes = (parts as Payload[]).map((part) => (typeof part === 'string' ? Buffer.from(part) : part))
  return bytes.length === 1 ? bytes[0] : Buffer.concat(bytes)
}

function slice(value: unknown, offset: unknown, length: unknown): Uint8Array | undefined {
  const bytes = typeof value === 'string' ? Buffer.from(value) : Array.isArray(value) ? undefined : asPayload(value)
  if (!(bytes instanceof Uint8Array) || !isUint32(offset) || !isUint32(length)) return undefined
  return offset + length <= bytes.byteLength ? bytes.subarray(offset, offset + length) : undefined
}

function isUint32(value: unknown): value is number {
  return typeof value === 'number' && value >>> 0 === value
}

const addon = addonIsUsable() ? loadAddon() : undefined
if (addon !== undefined && internals !== undefined) passSocketsToChildren((value) => value instanceof SocketFunction)
/** A program, or a test of one, may put others into a handle: then Node calls them. */
const { send: ownSend, lookup: ownLookup } = BatchingHandle.prototype as Record<'send' | 'lookup', unknown>
/** For sends without a callback: Node drops their errors. */
const NOBODY_ASKS = new PendingSend()
