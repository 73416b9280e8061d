import { Socket, type ConnectOptions } from './socket.js'

/** Connects to a server of `geysir/net`. As `net.connect`. */
export function connect(options: ConnectOptions, listener?: () => void): Socket
export function connect(port: number, host?: string, listener?: () => void): Socket
export function connect(port: number, listener: () => void): Socket
export function connect(first: ConnectOptions | number, second?: string | (() => void), third?: () => void): Socket {
  if (typeof first === 'number') return new Socket().connect(first, second as string, third)
  // What is about the socket itself is the socket's; it is checked with the rest.
  const { allowHalfOpen, signal, node, nodeOptions, ...place } = first
  const socket = new Socket(withoutUndefined({ allowHalfOpen, signal, node, nodeOptions }))
  return socket.connect(place, second as () => void)
}

/** The same, as `node:net` has it. */
export const createConnection = connect

function withoutUndefined<T extends object>(options: T): { [Name in keyof T]: Exclude<T[Name], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never
}
