import type { Endpoint } from '../core/index.js'
import { UdpSocket, streamSocketOptions, type UdpSocketOptions } from '../socket/index.js'

/** What a socket stands on: keeps the process alive, and is let go of when the socket is closed. */
export interface Holder {
  localAddress(): Endpoint | undefined
  ref(): void
  unref(): void
  release(): void
}

/** A UDP socket for streams. Programs that were written for TCP did not ask for a buffer: they take what this host gives, unwarned. */
export function openUdpSocket(options: UdpSocketOptions): UdpSocket {
  return new UdpSocket({ ...streamSocketOptions(), ...options }).on('warning', () => undefined)
}

/** Streams that are sockets. */
export const STREAM_LABEL = 'geysir/net'
