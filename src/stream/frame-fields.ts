import { readText, readUint32, writeText, writeUint32 } from './bytes.js'
import { HEARTBEAT, KIND, MAX_WINDOW_PACKETS, OPEN } from './wire.js'

/** What a stream is opened with, to one as to many. */
export interface OpenFields {
  readonly kind: number
  readonly options: number
  readonly packet: number
  readonly windowPackets: number
  readonly label: string
}

/** How far a sender is. */
export interface HeartbeatFields {
  readonly floor: number
  readonly next: number
  readonly timestamp: number
  readonly flags: number
}

/** Returns where the label ends, which begins at `labelAt`. */
export function writeOpenFields(out: Buffer, frame: OpenFields, labelAt: number): number {
  out[OPEN.kind] = frame.kind
  out[OPEN.options] = frame.options
  writeUint32(out, OPEN.packet, frame.packet)
  writeUint32(out, OPEN.windowPackets, frame.windowPackets)
  return writeText(out, OPEN.labelBytes, labelAt, frame.label)
}

/** Undefined: malformed. */
export function readOpenFields(bytes: Buffer, labelAt: number, end: number): OpenFields | undefined {
  if (end < labelAt) return undefined
  const label = readText(bytes, OPEN.labelBytes, labelAt, end)
  const kind = bytes[OPEN.kind]!
  const windowPackets = readUint32(bytes, OPEN.windowPackets)
  if (label === undefined || kind < KIND.fireAndForget || kind > KIND.reliable) return undefined
  if (windowPackets === 0 || windowPackets > MAX_WINDOW_PACKETS) return undefined
  return { kind, options: bytes[OPEN.options]!, packet: readUint32(bytes, OPEN.packet), windowPackets, label }
}

export function writeHeartbeatFields(out: Buffer, frame: HeartbeatFields): void {
  writeUint32(out, HEARTBEAT.floor, frame.floor)
  writeUint32(out, HEARTBEAT.next, frame.next)
  writeUint32(out, HEARTBEAT.timestamp, frame.timestamp)
  out[HEARTBEAT.flags] = frame.flags
}

/** Of a frame that is long enough. */
export function readHeartbeatFields(bytes: Buffer): HeartbeatFields {
  return {
    floor: readUint32(bytes, HEARTBEAT.floor),
    next: readUint32(bytes, HEARTBEAT.next),
    timestamp: readUint32(bytes, HEARTBEAT.timestamp),
    flags: bytes[HEARTBEAT.flags]!,
  }
}
