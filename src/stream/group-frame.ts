import { readText, readUint32, writeText, writeUint32 } from './bytes.js'
import type { SpanMask } from './span-mask.js'
import {
  GROUP_HEARTBEAT,
  KIND,
  MAX_BACK_OFF_MICROSECONDS,
  MAX_GROUP_RECEIVERS,
  MAX_WINDOW_PACKETS,
  NAK_ECHO,
  OPEN_GROUP,
  SPAN_PACKETS,
  TYPE,
} from './wire.js'

/** What makes a stream of its receiver one of a group's. */
export interface GroupTerms {
  /** The number by which the group's frames name it. */
  readonly group: number
  /** How many receivers there are now. */
  readonly receivers: number
  /** Microseconds that a receiver may put off asking because others may ask; 0: it asks as if it were alone. */
  readonly backOff: number
}

export interface OpenGroupFrame extends GroupTerms {
  readonly type: typeof TYPE.openGroup
  readonly stream: number
  readonly kind: number
  readonly options: number
  readonly packet: number
  readonly windowPackets: number
  readonly label: string
  /** Where the group's frames are sent to; '' when each receiver is sent its own. */
  readonly endpoint: string
}

export interface GroupHeartbeatFrame extends GroupTerms {
  readonly type: typeof TYPE.groupHeartbeat
  readonly floor: number
  readonly next: number
  readonly timestamp: number
  readonly flags: number
}

export interface NakEchoFrame {
  readonly type: typeof TYPE.nakEcho
  readonly group: number
  /** The packet of the mask's first bit. */
  readonly base: number
  readonly mask: SpanMask
  /** The most of them that a receiver may miss and yet be served by what follows. */
  readonly most: number
}

/** What a sender says to a group, and how a receiver comes into it; section "To many". */
export type GroupControlFrame = OpenGroupFrame | GroupHeartbeatFrame | NakEchoFrame

export function encodeGroupControl(out: Buffer, frame: GroupControlFrame): number {
  switch (frame.type) {
    case TYPE.openGroup:
      return encodeOpenGroup(out, frame)
    case TYPE.groupHeartbeat:
      writeUint32(out, GROUP_HEARTBEAT.group, frame.group)
      writeUint32(out, GROUP_HEARTBEAT.floor, frame.floor)
      writeUint32(out, GROUP_HEARTBEAT.next, frame.next)
      writeUint32(out, GROUP_HEARTBEAT.timestamp, frame.timestamp)
      writeUint32(out, GROUP_HEARTBEAT.flags, frame.flags)
      writeUint32(out, GROUP_HEARTBEAT.receivers, frame.receivers)
      writeUint32(out, GROUP_HEARTBEAT.backOff, frame.backOff)
      return GROUP_HEARTBEAT.bytes
    case TYPE.nakEcho:
      writeUint32(out, NAK_ECHO.group, frame.group)
      writeUint32(out, NAK_ECHO.base, frame.base)
      writeMask(out, NAK_ECHO.mask, frame.mask)
      out[NAK_ECHO.most] = frame.most
      return NAK_ECHO.bytes
  }
}

export function decodeGroupControl(bytes: Buffer, type: number, end: number): GroupControlFrame | undefined {
  switch (type) {
    case TYPE.openGroup:
      return decodeOpenGroup(bytes, end)
    case TYPE.groupHeartbeat: {
      if (end < GROUP_HEARTBEAT.bytes) return undefined
      const terms = readTerms(bytes, GROUP_HEARTBEAT)
      return (
        terms && {
          type,
          ...terms,
          floor: readUint32(bytes, GROUP_HEARTBEAT.floor),
          next: readUint32(bytes, GROUP_HEARTBEAT.next),
          timestamp: readUint32(bytes, GROUP_HEARTBEAT.timestamp),
          flags: bytes[GROUP_HEARTBEAT.flags]!,
        }
      )
    }
    case TYPE.nakEcho: {
      if (end < NAK_ECHO.bytes) return undefined
      const most = bytes[NAK_ECHO.most]!
      if (most === 0 || most > SPAN_PACKETS) return undefined
      const [group, base] = [readUint32(bytes, NAK_ECHO.group), readUint32(bytes, NAK_ECHO.base)]
      return { type, group, base, mask: readMask(bytes, NAK_ECHO.mask), most }
    }
    default:
      return undefined
  }
}

export function writeMask(out: Uint8Array, at: number, { low, high }: SpanMask): void {
  writeUint32(out, at, low)
  writeUint32(out, at + 4, high)
}

export function readMask(bytes: Uint8Array, at: number): SpanMask {
  return { low: readUint32(bytes, at), high: readUint32(bytes, at + 4) }
}

function encodeOpenGroup(out: Buffer, frame: OpenGroupFrame): number {
  writeUint32(out, OPEN_GROUP.stream, frame.stream)
  out[OPEN_GROUP.kind] = frame.kind
  out[OPEN_GROUP.options] = frame.options
  writeUint32(out, OPEN_GROUP.packet, frame.packet)
  writeUint32(out, OPEN_GROUP.windowPackets, frame.windowPackets)
  writeUint32(out, OPEN_GROUP.group, frame.group)
  writeUint32(out, OPEN_GROUP.receivers, frame.receivers)
  writeUint32(out, OPEN_GROUP.backOff, frame.backOff)
  const endpointAt = writeText(out, OPEN_GROUP.labelBytes, OPEN_GROUP.label, frame.label)
  return writeText(out, OPEN_GROUP.endpointBytes, endpointAt, frame.endpoint)
}

function decodeOpenGroup(bytes: Buffer, end: number): OpenGroupFrame | undefined {
  if (end < OPEN_GROUP.label) return undefined
  const terms = readTerms(bytes, OPEN_GROUP)
  const label = readText(bytes, OPEN_GROUP.labelBytes, OPEN_GROUP.label, end)
  if (terms === undefined || label === undefined) return undefined
  const endpointAt = OPEN_GROUP.label + bytes[OPEN_GROUP.labelBytes]!
  const endpoint = readText(bytes, OPEN_GROUP.endpointBytes, endpointAt, end)
  const kind = bytes[OPEN_GROUP.kind]!
  const windowPackets = readUint32(bytes, OPEN_GROUP.windowPackets)
  if (endpoint === undefined || kind < KIND.fireAndForget || kind > KIND.reliable) return undefined
  if (windowPackets === 0 || windowPackets > MAX_WINDOW_PACKETS) return undefined
  const stream = readUint32(bytes, OPEN_GROUP.stream)
  const packet = readUint32(bytes, OPEN_GROUP.packet)
  const options = bytes[OPEN_GROUP.options]!
  return { type: TYPE.openGroup, stream, kind, options, packet, windowPackets, ...terms, label, endpoint }
}

function readTerms(bytes: Buffer, at: { group: number; receivers: number; backOff: number }): GroupTerms | undefined {
  const [group, receivers, backOff] = [
    readUint32(bytes, at.group),
    readUint32(bytes, at.receivers),
    readUint32(bytes, at.backOff),
  ]
  if (group === 0 || receivers === 0 || receivers > MAX_GROUP_RECEIVERS || backOff > MAX_BACK_OFF_MICROSECONDS) return undefined
  return { group, receivers, backOff }
}
