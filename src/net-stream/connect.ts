import type { ConnectOptions, PassedOptions } from './connect-options.js'
import { Socket } from './socket.js'

/**
 * Connects to a server of `geysir/net`. As `net.connect`; also as the `createConnection` of a request or an agent of Node's http.
 *
 * @throws Misuse.
 */
export function connect(options: ConnectOptions, listener?: () => void): Socket
export function connect(port: number, host?: string, listener?: () => void): Socket
export function connect(port: number, listener: () => void): Socket
export function connect(options: PassedOptions, listener?: (...words: never[]) => void): Socket
export function connect(first: PassedOptions | number, second?: unknown, third?: () => void): Socket {
  // One object says what is about the socket and where to: each takes its own.
  const socket = new Socket(typeof first === 'object' ? first : {})
  return socket.connect(first as number, second as string, third)
}

/** The same, as `node:net` has it. */
export const createConnection = connect
