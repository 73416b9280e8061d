import type { BitMatrix } from '../fec/index.js'

/** How messages are written on the wire. @see docs/wire/strokkur.md */
export type MessageFormat = 'classic' | 'compact'

/**
 * The hash that a message carries.
 *
 * - `sha256`, `sha3-256`: whoever made the message made the digest, too. It shows damage, not forgery.
 * - `keyed-sha3-256`: only who has the key can make it.
 * - `none`: the message has no digest (classic only, see `acceptUnhashed`).
 */
export type MessageHash = 'sha256' | 'sha3-256' | 'keyed-sha3-256' | 'none'

/** Why a chunk was not used. */
export type ChunkRejection =
  /** Shorter than a header. */
  | 'short'
  /** A version, kind or flag that is not known here. */
  | 'version'
  /** A hash that is not known or not wanted here: keyed without a key, without one where there is a key. */
  | 'hash'
  /** No digest at all, and `acceptUnhashed` is not set. */
  | 'unhashed'
  /** A message of no bytes, a payload longer or shorter than its place. */
  | 'length'
  /** The message is longer than is allowed here. */
  | 'tooLong'
  /** The number of chunks is not that of so many bytes, or beyond the limit. */
  | 'count'
  /** No such chunk, and no such row. */
  | 'index'
  /** The mask is empty, or has bits past the last chunk. */
  | 'mask'
  /** A redundant chunk that was cut, and covers chunks longer than itself that have not arrived. */
  | 'truncated'
  /** It belongs to another message than this receiver's. */
  | 'disagrees'
  /** It has come before. */
  | 'repeated'
  /** Nothing is missing any more, or there are rows enough. */
  | 'surplus'
  /** The memory for messages on their way is used up. */
  | 'memory'
  /** Its message was delivered or dropped before. */
  | 'late'

/** What a chunk says about itself and its message; one object is filled again and again. */
export class ChunkHeader {
  messageBytes = 0
  /** What is cut into chunks: the message, and in the compact format its digest behind it. */
  contentBytes = 0
  chunkCount = 0
  chunkBytes = 0
  /** Redundant rows that there may be. */
  rowCount = 0
  hash: MessageHash = 'none'
  /** Microseconds; how many bits of it are on the wire depends on the format. */
  timestamp = 0
  /** The source chunk, or -1 for a redundant row. */
  chunk = -1
  /** The redundant row (compact), or -1. */
  row = -1
  payloadBytes = 0
}

/** What the two formats differ in. */
export interface ChunkCodec {
  readonly format: MessageFormat
  readonly headerBytes: number
  /** The front of a header that all chunks of a message have in common: it ends here. */
  readonly commonBytes: number
  /** The part of it that names the message, beside its sender: id and digest. */
  readonly identityStart: number
  readonly identityEnd: number
  readonly idStart: number
  readonly messageBytesAt: number
  readonly maxMessageBytes: number
  /** Reads and checks the header of `chunk`. Undefined: it is in order. */
  read(chunk: Uint8Array, header: ChunkHeader, settings: ReadSettings): ChunkRejection | undefined
  /** Writes the mask of a row that `read` accepted. */
  readMask(chunk: Uint8Array, masks: BitMatrix, row: number): void
  /** Microseconds between a header's time stamp and `nowMicroseconds`. */
  latencyMicroseconds(timestamp: number, nowMicroseconds: number): number
}

export interface ReadSettings {
  readonly maxMessageBytes: number
  /** The hash where the wire does not name it. */
  readonly hash: MessageHash
  readonly isKeyed: boolean
  readonly acceptUnhashed: boolean
}
