import type { Endpoint } from '../core/index.js'

/** What a socket stands on: keeps the process alive, and is let go of when the socket is closed. */
export interface Holder {
  localAddress(): Endpoint | undefined
  ref(): void
  unref(): void
  release(): void
}

/** Streams that are sockets. */
export const STREAM_LABEL = 'geysir/net'
