import { readUint16, readUint32 } from './classic-codec.js'
import type { ChunkCodec, ChunkHeader, ChunkRejection, MessageHash, ReadSettings } from './chunk-header.js'
import { DIGEST_BYTES, MAX_CHUNKS, MAX_MESSAGE_BYTES, MAX_ROWS, MIN_CHUNK_BYTES } from './limits.js'

/** What all chunks of a message have in common: everything but the index. */
const COMMON_BYTES = 36

/** The 40-byte header for real networks. @see docs/wire/strokkur.md "The compact format" */
export const compactCodec: ChunkCodec = {
  format: 'compact',
  headerBytes: 40,
  commonBytes: COMMON_BYTES,
  idStart: 12,
  messageBytesAt: 4,
  identityStart: 12,
  identityEnd: 32,
  maxMessageBytes: MAX_MESSAGE_BYTES,
  read,
  readMask: () => undefined,
  // The time stamp wraps every 72 minutes.
  latencyMicroseconds: (timestamp, nowMicroseconds) => ((nowMicroseconds % 2 ** 32) - timestamp) | 0,
}

function read(chunk: Uint8Array, header: ChunkHeader, settings: ReadSettings): ChunkRejection | undefined {
  if (chunk.length < COMPACT_HEADER_BYTES) return 'short'
  if (chunk[COMPACT.version] !== COMPACT_VERSION || chunk[COMPACT.kind] !== KIND.chunk) return 'version'
  if ((chunk[COMPACT.flags]! & MUST_UNDERSTAND) !== 0) return 'version'
  const hash = HASHES[chunk[COMPACT.hash]!]
  if (hash === undefined || (hash === 'keyed-sha3-256') !== settings.isKeyed) return 'hash'
  const messageBytes = readUint32(chunk, COMPACT.messageBytes)
  if (messageBytes === 0) return 'length'
  if (messageBytes > settings.maxMessageBytes) return 'tooLong'
  const contentBytes = messageBytes + DIGEST_BYTES
  const chunkBytes = readUint16(chunk, COMPACT.chunkBytes)
  if (chunkBytes === 0 || (chunkBytes < MIN_CHUNK_BYTES && chunkBytes !== contentBytes)) return 'length'
  const chunkCount = Math.ceil(contentBytes / chunkBytes)
  const rowCount = readUint16(chunk, COMPACT.rowCount)
  if (chunkCount > MAX_CHUNKS || rowCount > MAX_ROWS) return 'count'
  const index = readUint32(chunk, COMPACT.index)
  if (index >= chunkCount + rowCount) return 'index'
  header.messageBytes = messageBytes
  header.contentBytes = contentBytes
  header.chunkCount = chunkCount
  header.chunkBytes = chunkBytes
  header.rowCount = rowCount
  header.hash = hash
  header.timestamp = readUint32(chunk, COMPACT.timestamp)
  header.chunk = index < chunkCount ? index : -1
  header.row = index < chunkCount ? -1 : index - chunkCount
  header.payloadBytes = chunk.length - COMPACT_HEADER_BYTES
  const expected = index < chunkCount ? Math.min(chunkBytes, contentBytes - index * chunkBytes) : chunkBytes
  return header.payloadBytes === expected ? undefined : 'length'
}

/**
 * The tag of a message: the front of its digest, with the rest of the header stirred in, so that a header that was damaged does not fit
 * the digest. Every step is one to one, so no single damaged word goes unnoticed.
 *
 * @param header The part that all chunks have in common; what stands in the tag's place is not looked at.
 */
export function computeTag(header: Uint8Array, digest: Uint8Array, digestAt: number): number {
  let tag = readUint32(digest, digestAt)
  for (let at = 0; at < COMMON_BYTES; at += 4) {
    if (at === COMPACT.tag) continue
    tag = Math.imul(tag ^ readUint32(header, at), TAG_FACTOR)
    tag ^= tag >>> 15
  }
  return tag >>> 0
}

/** The number of a hash on the wire is its place here. */
export const HASHES: readonly (MessageHash | undefined)[] = [undefined, 'sha256', 'sha3-256', 'keyed-sha3-256']

/** Where the fields stand. */
export const COMPACT = {
  version: 0,
  kind: 1,
  hash: 2,
  flags: 3,
  messageBytes: 4,
  timestamp: 8,
  id: 12,
  tag: 28,
  chunkBytes: 32,
  rowCount: 34,
  index: 36,
} as const
export const COMPACT_HEADER_BYTES = 40
export const COMPACT_VERSION = 1
export const KIND = { chunk: 0, report: 1 } as const
/** Odd, so that multiplying by it is one to one. @see splitmix32 */
const TAG_FACTOR = 0x21f0_aaad
/** Flags that change the meaning of a chunk; the others may be ignored. */
const MUST_UNDERSTAND = 0xf0
