import type { LookupFunction } from 'node:net'
import {
  checkBoolean,
  checkFunction,
  checkLocalPort,
  checkPeerPort,
  checkSignal,
  checkString,
  invalidArgType,
  invalidArgValue,
  outOfRange,
} from '../core/index.js'
import { StreamNode, type NodeOptions } from '../stream/index.js'

/** Options of `new Socket`. Others are ignored, as `net.Socket` does. */
export interface SocketOptions {
  /** Does the socket stay open for writing when the other side has ended? Default false. */
  allowHalfOpen?: boolean | undefined
  /** Destroys the socket when it is aborted. */
  signal?: AbortSignal | undefined
  /** A node to connect with, which goes on. Default: one that lives as long as the socket. */
  node?: StreamNode | undefined
  /** Options of the socket's own node, such as `secret` or `congestionControl`. */
  nodeOptions?: Omit<NodeOptions, 'link'> | undefined
}

/**
 * Where `socket.connect` connects to. Options that are not here are ignored, as `net.Socket` does: Node's http passes on all that it
 * knows of a request. Only `path`, `fd`, `handle`, `onread` and `blockList` are refused: nothing here would do what they ask for.
 */
export interface SocketConnectOptions {
  /** As a string as well: URLs have it so. */
  port: number | string
  /** A name or a literal. Default 'localhost', as IPv4. */
  host?: string | undefined
  /** 4 or 6. Default: 6 for a literal that is one, otherwise 4. */
  family?: number | undefined
  /** As `setTimeout` takes it. */
  timeout?: number | undefined
  /** A literal to bind the socket's own UDP socket to. Default: all addresses. */
  localAddress?: string | undefined
  /** Default: the kernel chooses. */
  localPort?: number | undefined
  /** Default: `dns.lookup`. */
  lookup?: LookupFunction | undefined
}

/** Options of `connect`. */
export type ConnectOptions = SocketOptions & SocketConnectOptions

/** {@link ConnectOptions} as they come through Node's http, which has filled in the port. */
export type PassedOptions = Omit<ConnectOptions, 'port' | 'host'> & {
  port?: number | string | null | undefined
  host?: string | null | undefined
}

/** {@link SocketConnectOptions}, checked. */
export interface ConnectPlace {
  readonly port: number
  readonly host: string
  readonly isIpv6: boolean
  readonly timeoutMs: number | undefined
  readonly localAddress: string | undefined
  readonly localPort: number | undefined
  readonly lookup: LookupFunction | undefined
}

/** @throws Misuse, naming the option. */
export function checkSocketOptions(options: SocketOptions): SocketOptions {
  checkObject(options)
  const { allowHalfOpen, signal, node, nodeOptions } = options
  if (allowHalfOpen !== undefined) checkBoolean('options.allowHalfOpen', allowHalfOpen)
  checkSignal('options.signal', signal)
  if (node !== undefined && !(node instanceof StreamNode)) {
    throw invalidArgType('options.node', 'an instance of StreamNode', node)
  }
  return { allowHalfOpen, signal, node, nodeOptions }
}

/** @throws Misuse, naming the option. */
export function checkConnectOptions(options: PassedOptions, { node }: SocketOptions): ConnectPlace {
  checkObject(options)
  for (const name of IMPOSSIBLE) {
    const value = (options as Record<string, unknown>)[name]
    // Agents of http have a `path` of null, so that none is taken for one of the file system.
    if (value !== undefined && value !== null && value !== '') {
      throw invalidArgValue(`options.${name}`, value, 'is for sockets of node:net alone')
    }
  }
  const { family = 0, timeout, localAddress, localPort, lookup } = options
  const host = checkString('options.host', options.host ?? '') || 'localhost'
  if (family !== 0 && family !== 4 && family !== 6) throw invalidArgValue('options.family', family, 'must be 0, 4 or 6')
  if (localAddress !== undefined) checkString('options.localAddress', localAddress)
  if (localPort !== undefined) checkLocalPort('options.localPort', localPort)
  if (lookup !== undefined) checkFunction('options.lookup', lookup)
  if (node !== undefined && (localAddress ?? localPort) !== undefined) {
    throw invalidArgValue('options.node', '…', 'is bound already, and excludes localAddress and localPort')
  }
  return {
    port: checkPeerPort('options.port', asNumber(options.port)),
    host,
    isIpv6: family === 6 || (family === 0 && host.includes(':')),
    timeoutMs: timeout === undefined ? undefined : checkTimeout('options.timeout', timeout),
    localAddress,
    localPort,
    lookup,
  }
}

/** Milliseconds, as timers take them. */
export function checkTimeout(name: string, value: unknown): number {
  if (typeof value !== 'number') throw invalidArgType(name, 'of type number', value)
  if (!(value >= 0 && value <= MAX_TIMEOUT_MS)) throw outOfRange(name, `>= 0 && <= ${MAX_TIMEOUT_MS}`, value)
  return value
}

function checkObject(options: unknown): void {
  if (typeof options !== 'object' || options === null) throw invalidArgType('options', 'of type object', options)
}

function asNumber(port: unknown): unknown {
  return typeof port === 'string' && /^\d+$/.test(port) ? Number(port) : port
}

/** What `net.Socket` would do something with that cannot be done here: to go on without it would be something else than was asked for. */
const IMPOSSIBLE = ['path', 'fd', 'handle', 'onread', 'blockList'] as const
const MAX_TIMEOUT_MS = 2 ** 31 - 1
