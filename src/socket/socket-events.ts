import type { SocketError } from '../binding/index.js'
import type { Endpoint, ReceiveBatch } from '../core/index.js'
import type { PeerError } from './peer-error.js'

/** The events of a `UdpSocket`, with their arguments. */
export interface UdpSocketEvents {
  /** Datagrams have arrived. The batch lives until the handler returns. */
  batch: [batch: ReceiveBatch]
  /** One datagram has arrived; also datagram `i` of `batch`. The payload is a view that lives until the handler returns. */
  datagram: [payload: Buffer, endpoint: Endpoint, batch: ReceiveBatch, i: number]
  /** After `bind`. */
  listening: []
  /** After `connect`. */
  connect: []
  /** There is room in the send queue again: after `send` or `reserve` refused, or `flush` returned false. */
  drain: []
  /** The kernel refused a datagram. Others of the same flush are not concerned. At most {@link MAX_REPORTED_ERRORS} a tick. */
  sendError: [error: SocketError, endpoint: Endpoint | undefined]
  /** The network could not deliver an earlier datagram (ICMP). */
  peerError: [error: PeerError]
  /** The kernel gave less than was asked; the message has the command that would help. Without a listener: a process warning. */
  warning: [message: string]
  /** The socket can no longer receive; it is closed by itself. */
  error: [error: Error]
  close: []
}

/** 'sendError' events in one tick; all of them are counted in `stats().sendErrors`. */
export const MAX_REPORTED_ERRORS = 64
