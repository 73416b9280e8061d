import { readUint32, writeUint32 } from './bytes.js'
import type { NodeId } from './node-id.js'
import { DATA, FLAG, HEADER, HEADER_BYTES, KNOWN_FLAGS, VERSION } from './wire.js'

/** Why the beginning of a datagram is not that of a frame for us; the name of the counter. */
export type HeaderDefect = 'short' | 'foreign' | 'version' | 'malformed' | 'integrityMode'

/** What is wrong with a header, before anything else of the frame is looked at; undefined: nothing. */
export function headerDefect(bytes: Uint8Array, integrityMode: number, trailerBytes: number): HeaderDefect | undefined {
  if (bytes.length < HEADER_BYTES + trailerBytes) return 'short'
  const flags = bytes[HEADER.flags]!
  if ((flags & MARK_MASK) !== FLAG.mark) return 'foreign'
  if (bytes[HEADER.version] !== VERSION) return 'version'
  if ((flags & ~KNOWN_FLAGS) !== 0) return 'malformed'
  if (bytes[HEADER.integrity] !== integrityMode) return 'integrityMode'
  return undefined
}

export function readSender(bytes: Uint8Array): NodeId {
  return { place: readUint32(bytes, HEADER.senderPlace), life: readUint32(bytes, HEADER.senderLife) }
}

export function readReceiver(bytes: Uint8Array): NodeId {
  return { place: readUint32(bytes, HEADER.receiverPlace), life: readUint32(bytes, HEADER.receiverLife) }
}

export function writeHeader(
  out: Uint8Array,
  flags: number,
  type: number,
  integrityMode: number,
  sender: NodeId,
  receiver: NodeId,
): void {
  out[HEADER.flags] = flags | FLAG.mark
  out[HEADER.type] = type
  out[HEADER.integrity] = integrityMode
  out[HEADER.version] = VERSION
  writeUint32(out, HEADER.senderPlace, sender.place)
  writeUint32(out, HEADER.senderLife, sender.life)
  writeUint32(out, HEADER.receiverPlace, receiver.place)
  writeUint32(out, HEADER.receiverLife, receiver.life)
}

/** What differs between the data frames of a stream, behind the header. */
export function writeDataFields(out: Uint8Array, stream: number, packet: number, timestamp: number): void {
  writeUint32(out, DATA.stream, stream)
  writeUint32(out, DATA.packet, packet)
  writeUint32(out, DATA.timestamp, timestamp)
}

/** Who exchanges data frames, and how they are protected. */
export interface DataRoute {
  readonly integrityMode: number
  readonly sender: NodeId
  readonly receiver: NodeId
}

/** All that stands before the chunks of a data frame; a word is written at a time. */
export function writeDataHeader(
  words: Int32Array,
  route: DataRoute,
  flags: number,
  transmission: number,
  stream: number,
  packet: number,
  timestamp: number,
): void {
  const { integrityMode, sender, receiver } = route
  words[0] = flags | FLAG.mark | (transmission << 8) | (integrityMode << 16) | (VERSION << 24)
  words[HEADER.senderPlace / 4] = sender.place
  words[HEADER.senderLife / 4] = sender.life
  words[HEADER.receiverPlace / 4] = receiver.place
  words[HEADER.receiverLife / 4] = receiver.life
  words[DATA.stream / 4] = stream
  words[DATA.packet / 4] = packet
  words[DATA.timestamp / 4] = timestamp
}

const MARK_MASK = 0xc0
