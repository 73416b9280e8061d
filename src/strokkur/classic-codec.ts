import { wordsFor, type BitMatrix } from '../fec/index.js'
import type { ChunkCodec, ChunkHeader, ChunkRejection, ReadSettings } from './chunk-header.js'
import { DEFAULT_MAX_MESSAGE_BYTES, DIGEST_BYTES } from './limits.js'

/** The 128-byte header of the original. @see docs/wire/strokkur.md "The classic format" */
export const classicCodec: ChunkCodec = {
  format: 'classic',
  headerBytes: 128,
  commonBytes: 62,
  idStart: 8,
  messageBytesAt: 56,
  identityStart: 8,
  identityEnd: 56,
  maxMessageBytes: DEFAULT_MAX_MESSAGE_BYTES,
  read,
  readMask,
  latencyMicroseconds: (timestamp, nowMicroseconds) => nowMicroseconds - timestamp,
}

function read(chunk: Uint8Array, header: ChunkHeader, settings: ReadSettings): ChunkRejection | undefined {
  if (chunk.length < HEADER_BYTES) return 'short'
  const messageBytes = readUint32(chunk, CLASSIC.messageBytes)
  const payloadBytes = readUint16(chunk, CLASSIC.chunkBytes)
  if (messageBytes === 0 || payloadBytes === 0 || payloadBytes > CLASSIC_CHUNK_BYTES) return 'length'
  if (payloadBytes !== chunk.length - HEADER_BYTES) return 'length'
  if (messageBytes > Math.min(DEFAULT_MAX_MESSAGE_BYTES, settings.maxMessageBytes)) return 'tooLong'
  const chunkCount = Math.ceil(messageBytes / CLASSIC_CHUNK_BYTES)
  if (readUint16(chunk, CLASSIC.chunkCount) !== chunkCount) return 'count'
  header.messageBytes = header.contentBytes = messageBytes
  header.chunkCount = chunkCount
  header.chunkBytes = chunkCount === 1 ? messageBytes : CLASSIC_CHUNK_BYTES
  header.rowCount = chunkCount === 1 ? 0 : MAX_CLASSIC_ROWS
  header.timestamp = readUint32(chunk, 0) + readUint32(chunk, 4) * 2 ** 32
  header.payloadBytes = payloadBytes
  header.row = -1
  header.hash = isHashed(chunk) ? settings.hash : 'none'
  return readMaskShape(chunk, header) ?? (header.hash === 'none' && !settings.acceptUnhashed ? 'unhashed' : undefined)
}

/** A mask of one bit is that source chunk. A payload that is longer than the chunk must be padding. */
function readMaskShape(chunk: Uint8Array, header: ChunkHeader): ChunkRejection | undefined {
  const { chunkCount } = header
  let bits = 0
  let last = -1
  for (let word = 0; word < MASK_WORDS; word++) {
    let rest = readUint32(chunk, CLASSIC.mask + 4 * word)
    while (rest !== 0) {
      const lowest = rest & -rest
      last = word * 32 + 31 - Math.clz32(lowest)
      bits++
      rest ^= lowest
    }
  }
  if (bits === 0 || last >= chunkCount) return 'mask'
  header.chunk = bits === 1 ? last : -1
  if (bits > 1) return undefined
  const expected = Math.min(CLASSIC_CHUNK_BYTES, header.messageBytes - last * CLASSIC_CHUNK_BYTES)
  if (header.payloadBytes < expected) return 'truncated'
  for (let i = HEADER_BYTES + expected; i < chunk.length; i++) if (chunk[i] !== 0) return 'length'
  header.payloadBytes = expected
  return undefined
}

function readMask(chunk: Uint8Array, masks: BitMatrix, row: number): void {
  const words = wordsFor(masks.columns)
  for (let i = 0; i < words; i++) masks.words[row * words + i] = readUint32(chunk, CLASSIC.mask + 4 * i)
}

function isHashed(chunk: Uint8Array): boolean {
  for (let i = CLASSIC.hash; i < CLASSIC.hash + DIGEST_BYTES; i++) if (chunk[i] !== 0) return true
  return false
}

export function readUint16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8)
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
}

export function writeUint16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  writeUint16(bytes, at, value)
  writeUint16(bytes, at + 2, value >>> 16)
}

/** Where the fields stand. */
export const CLASSIC = { timestamp: 0, id: 8, hash: 24, messageBytes: 56, chunkCount: 60, chunkBytes: 62, mask: 64 } as const
export const CLASSIC_CHUNK_BYTES = 8192
/** The all-ones row and 64 random ones. */
export const MAX_CLASSIC_ROWS = 65
export const MASK_WORDS = 16
const HEADER_BYTES = 128
