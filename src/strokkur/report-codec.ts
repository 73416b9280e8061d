import { readUint32, writeUint32 } from './classic-codec.js'
import { COMPACT, COMPACT_VERSION, KIND } from './compact-codec.js'
import { ID_BYTES } from './limits.js'

/** What a receiver may tell a sender about a message that has ended. @see docs/wire/strokkur.md "Reports" */
export interface Report {
  /** Id and tag of the message, as Latin-1. */
  identity: string
  chunkCount: number
  /** Of these, not arrived when the message was whole or given up. */
  chunksMissing: number
}

/** Writes a report about the message that `common` is the front of. */
export function writeReport(into: Uint8Array, common: Uint8Array, chunkCount: number, chunksMissing: number): void {
  into.fill(0, 0, REPORT_BYTES)
  into[COMPACT.version] = COMPACT_VERSION
  into[COMPACT.kind] = KIND.report
  writeUint32(into, CHUNK_COUNT, chunkCount)
  writeUint32(into, CHUNKS_MISSING, chunksMissing)
  into.set(common.subarray(COMPACT.id, COMPACT.id + ID_BYTES + TAG_BYTES), COMPACT.id)
}

export function isReport(datagram: Uint8Array): boolean {
  return (
    datagram.length >= REPORT_BYTES && datagram[COMPACT.version] === COMPACT_VERSION && datagram[COMPACT.kind] === KIND.report
  )
}

/** Undefined for one that contradicts itself. */
export function readReport(datagram: Buffer): Report | undefined {
  const chunkCount = readUint32(datagram, CHUNK_COUNT)
  const chunksMissing = readUint32(datagram, CHUNKS_MISSING)
  if (chunkCount === 0 || chunksMissing > chunkCount) return undefined
  return { identity: datagram.toString('latin1', COMPACT.id, COMPACT.id + ID_BYTES + TAG_BYTES), chunkCount, chunksMissing }
}

export const REPORT_BYTES = 32
const CHUNK_COUNT = 4
const CHUNKS_MISSING = 8
const TAG_BYTES = 4
