import type { Readable, Writable } from 'node:stream'
import { Endpoint } from '../../core/index.js'

/** Bytes in both directions, however they came to be. */
export interface ByteStream {
  readonly readable: Readable
  readonly writable: Writable
  /** Who is at the other end; {@link NO_ADDRESS} where that has none. */
  readonly peer: Endpoint
  /** Does the other end get the very memory that was written here, as that of a Duplex in this process may? */
  readonly sharesMemory: boolean
  /** Ends at once, whatever is still on its way. */
  destroy(): void
  ref(): void
  unref(): void
}

/** What a source of streams tells. */
export interface StreamSourceOwner {
  /** A stream is open. It takes the place of the one before. */
  opened(stream: ByteStream): void
  /** A try to open one has failed; the source goes on trying. */
  failed(error: Error): void
  /** There will be no other stream. */
  ended(): void
}

/** Where streams come from: a place to connect to, a place to be connected at, a child, or one that is given. */
export interface StreamSource {
  /** Begins. Rejects when there can never be a stream. */
  start(owner: StreamSourceOwner): Promise<void>
  /** The last stream has ended: shall there be another? */
  lost(): void
  /** The place that others connect to. */
  address(): Endpoint | undefined
  /** No more streams. The open one is its user's. */
  close(): void
  ref(): void
  unref(): void
}

/** The endpoint of a peer that has none: at the other end of a pipe, a Unix socket, a stream. */
export const NO_ADDRESS = Endpoint.of('0.0.0.0', 0)
