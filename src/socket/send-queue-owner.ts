import type { SocketError } from '../binding/index.js'
import type { Endpoint } from '../core/index.js'

export interface SendQueueOptions {
  readonly maxBytes: number
  readonly maxDatagrams: number
  readonly offload: boolean
  /** The family of the socket, AF_INET or AF_INET6. */
  readonly family: number
}

/** What a send queue tells its socket. */
export interface SendQueueOwner {
  /** The kernel's send buffer is full: call {@link SendQueue.writable} when it is not. */
  onBlocked(): void
  /** There is room again after a refusal or an incomplete flush. */
  onDrain(): void
  /** The kernel refused a datagram to `endpoint`. */
  onSendError(error: SocketError, endpoint: Endpoint | undefined): void
  /**
   * A send failed with `result`: may the kernel only have delivered, by failing it, an ICMP error that an earlier datagram met?
   * Such an error is gone with its delivery, so that the same send can be tried again.
   */
  mayBePending(result: number): boolean
  /** It was one: the same send passed at the next try. */
  onPendingError(result: number): void
  /** The peer of a connected socket. */
  remoteEndpoint(): Endpoint | undefined
  /** The next `datagrams` datagrams, in the order in which they were queued, are sent (0) or have failed (the negated errno). */
  onSettled?(datagrams: number, result: number): void
}
