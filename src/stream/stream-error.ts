import { RESET_REASON } from './wire.js'

/** Why a stream or a peer ended before its time. */
export class StreamError extends Error {
  readonly code: StreamErrorCode
  /** What the other side said when it reset the stream. */
  readonly reason: string | undefined

  constructor(code: StreamErrorCode, message: string, reason?: string) {
    super(message)
    this.name = 'StreamError'
    this.code = code
    this.reason = reason
  }
}

export type StreamErrorCode =
  /** Nobody answered in time. */
  | 'ERR_CONNECT_TIMEOUT'
  /** The other node refuses: `reason` says 'version' or 'full'. */
  | 'ERR_CONNECT_REFUSED'
  /** The peer's process has started anew. Nothing that was under way will arrive. */
  | 'ERR_PEER_RESTARTED'
  /** Nothing was heard from the peer for too long. */
  | 'ERR_PEER_SILENT'
  /** A receiver of a group held the others up, and was dropped. */
  | 'ERR_RECEIVER_SLOW'
  /** The peer has left. */
  | 'ERR_PEER_LEFT'
  /** The stream was reset, by the other side or by this one: `reason` says why. */
  | 'ERR_STREAM_RESET'
  /** This node, or the peer at this node, was closed; or the stream was, before everything that came was read. */
  | 'ERR_CLOSED'
  /** Aborted by its signal. */
  | 'ABORT_ERR'

/** A stream was reset for a `reason` as a reset says it. */
export function resetError(reason: number, by: 'this side' | 'the other side'): StreamError {
  const name = Object.entries(RESET_REASON).find(([, value]) => value === reason)?.[0] ?? `reason ${reason}`
  return new StreamError('ERR_STREAM_RESET', `The stream was reset by ${by}: ${name}`, name)
}

/** What a reader gets whose stream was closed before it had read everything. */
export function cutOffError(): StreamError {
  return new StreamError('ERR_CLOSED', 'The stream was closed before everything was read')
}
