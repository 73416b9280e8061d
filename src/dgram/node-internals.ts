import dgram from 'node:dgram'
import util from 'node:util'

/**
 * The few things of Node's own dgram that the drop-in builds on, found at run time so that a Node that lacks one of them is noticed
 * and left alone (`supported`), instead of misused.
 */

/** What `socket[kStateSymbol]` holds (lib/dgram.js, the same since Node 12). */
export interface SocketState {
  handle: UdpHandle | null
  receiving: boolean
  bindState: number
  connectState: number
  queue: unknown[] | undefined
  reuseAddr?: boolean
  reusePort?: boolean
  ipv6Only?: boolean
}

/** The contract between lib/dgram.js and its handle (src/udp_wrap.cc). Numbers are 0 or more, or a negated errno. */
export interface UdpHandle {
  lookup(address: string | undefined, callback: LookupCallback): void
  bind(address: string, port: number, flags: number): number
  connect(address: string, port: number): number
  disconnect(): number
  send(request: SendRequest, list: Uint8Array[], count: number, ...rest: unknown[]): number
  open(fd: number): number
  recvStart(): number
  recvStop(): number
  getsockname(out: object): number
  getpeername(out: object): number
  setBroadcast(on: number): number
  setTTL(ttl: number): number
  setMulticastTTL(ttl: number): number
  setMulticastLoopback(on: number): number
  setMulticastInterface(address: string): number
  addMembership(group: string, interfaceAddress?: string): number
  dropMembership(group: string, interfaceAddress?: string): number
  addSourceSpecificMembership(source: string, group: string, interfaceAddress?: string): number
  dropSourceSpecificMembership(source: string, group: string, interfaceAddress?: string): number
  bufferSize(size: number, isReceive: boolean, context: BufferSizeContext): number | undefined
  getSendQueueSize(): number
  getSendQueueCount(): number
  ref(): void
  unref(): void
  hasRef(): boolean
  close(callback?: () => void): void
  getAsyncId(): number
  readonly fd: number
  onmessage?: MessageCallback | undefined
}

export type MessageCallback = (nread: number, handle: UdpHandle, buffer: Buffer | undefined, rinfo: object | undefined) => void

export type LookupCallback = (error: Error | null, address?: string) => void

/** A `SendWrap` of src/udp_wrap.cc: what a send that could not finish at once reports to. */
export interface SendRequest {
  oncomplete?: (this: SendRequest, error: number, sentBytes?: number) => void
}

/** What a failed `bufferSize` says (UVException). */
export interface BufferSizeContext {
  errno?: number
  code?: string
  message?: string
  syscall?: string
}

export const BIND_STATE_BOUND = 2
export const CONNECT_STATE_DISCONNECTED = 0
export const CONNECT_STATE_CONNECTED = 2
/** Flags of uv_udp_bind (uv.h). */
export const UV_UDP_IPV6ONLY = 1
export const UV_UDP_REUSEADDR = 4
export const UV_UDP_REUSEPORT = 64

interface Internals {
  readonly state: symbol
  readonly owner: symbol
  /** The class of Node's handles. */
  readonly Handle: new () => UdpHandle
}

function find(): Internals | undefined {
  const socket = dgram.createSocket('udp4')
  try {
    const state = symbolOf(socket, 'state symbol')
    const handle = state && (socket as unknown as Record<symbol, SocketState>)[state]?.handle
    const owner = handle ? symbolOf(handle, 'owner_symbol') : undefined
    if (!state || !owner || typeof handle?.recvStart !== 'function') return undefined
    return { state, owner, Handle: handle.constructor as Internals['Handle'] }
  } finally {
    socket.close()
  }
}

function symbolOf(target: object, description: string): symbol | undefined {
  return Object.getOwnPropertySymbols(target).find((symbol) => symbol.description === description)
}

/** Undefined where this Node's dgram is built differently. */
export const internals = find()

/** `send EMSGSIZE 127.0.0.1:9`, as Node makes it. */
export function sendError(errno: number, address: string | null | undefined, port: number | undefined): Error {
  return exceptionWithHostPort(errno, 'send', address, port)
}

const exceptionWithHostPort = (
  util as unknown as {
    _exceptionWithHostPort: (errno: number, syscall: string, address?: string | null, port?: number) => Error
  }
)._exceptionWithHostPort

/** Runs what a listener scheduled with nextTick and promises, as Node does between two messages. */
export const runTicks: () => void =
  (process as unknown as { _tickCallback?: () => void })._tickCallback ??
  ((): void => {
    // Without it, they run after the batch.
  })
