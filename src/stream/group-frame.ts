import { readText, readUint32, writeText, writeUint32 } from './bytes.js'
import {
  readHeartbeatFields,
  readOpenFields,
  writeHeartbeatFields,
  writeOpenFields,
  type HeartbeatFields,
  type OpenFields,
} from './frame-fields.js'
import type { SpanMask } from './span-mask.js'
import {
  GROUP_HEARTBEAT,
  HEARTBEAT,
  MAX_BACK_OFF_MICROSECONDS,
  MAX_GROUP_RECEIVERS,
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

export interface OpenGroupFrame extends OpenFields, GroupTerms {
  readonly type: typeof TYPE.openGroup
  readonly stream: number
  /** Where the group's frames are sent to; '' when each receiver is sent its own. */
  readonly endpoint: string
}

export interface GroupHeartbeatFrame extends HeartbeatFields, GroupTerms {
  readonly type: typeof TYPE.groupHeartbeat
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
      writeHeartbeatFields(out, frame)
      out.fill(0, HEARTBEAT.bytes, GROUP_HEARTBEAT.receivers)
      writeTerms(out, GROUP_HEARTBEAT, frame)
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
      return terms && { type, ...terms, ...readHeartbeatFields(bytes) }
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
  writeTerms(out, OPEN_GROUP, frame)
  const endpointAt = writeOpenFields(out, frame, OPEN_GROUP.label)
  return writeText(out, OPEN_GROUP.endpointBytes, endpointAt, frame.endpoint)
}

function decodeOpenGroup(bytes: Buffer, end: number): OpenGroupFrame | undefined {
  const fields = readOpenFields(bytes, OPEN_GROUP.label, end)
  if (fields === undefined) return undefined
  const terms = readTerms(bytes, OPEN_GROUP)
  const endpointAt = OPEN_GROUP.label + bytes[OPEN_GROUP.labelBytes]!
  const endpoint = readText(bytes, OPEN_GROUP.endpointBytes, endpointAt, end)
  if (terms === undefined || endpoint === undefined) return undefined
  return { type: TYPE.openGroup, stream: readUint32(bytes, OPEN_GROUP.stream), ...fields, ...terms, endpoint }
}

function writeTerms(out: Buffer, at: GroupTerms, { group, receivers, backOff }: GroupTerms): void {
  writeUint32(out, at.group, group)
  writeUint32(out, at.receivers, receivers)
  writeUint32(out, at.backOff, backOff)
}

/** `at`: where they are. */
function readTerms(bytes: Buffer, at: GroupTerms): GroupTerms | undefined {
  const group = readUint32(bytes, at.group)
  const receivers = readUint32(bytes, at.receivers)
  const backOff = readUint32(bytes, at.backOff)
  if (group === 0 || receivers === 0 || receivers > MAX_GROUP_RECEIVERS || backOff > MAX_BACK_OFF_MICROSECONDS) return undefined
  return { group, receivers, backOff }
}
