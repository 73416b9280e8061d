import { readText, readUint16, readUint32, writeText, writeUint16, writeUint32 } from './bytes.js'
import {
  readHeartbeatFields,
  readOpenFields,
  writeHeartbeatFields,
  writeOpenFields,
  type HeartbeatFields,
  type OpenFields,
} from './frame-fields.js'
import { decodeGroupControl, encodeGroupControl, type GroupControlFrame } from './group-frame.js'
import {
  BYE,
  CHALLENGE,
  COOKIE_BYTES,
  STREAM_GONE,
  HEARTBEAT,
  HELLO,
  MAX_NAK_RANGES,
  MAX_WINDOW_PACKETS,
  NAK,
  NAK_RANGE_BYTES,
  OPEN,
  PING,
  PONG,
  PROBE,
  REFUSE,
  RESET,
  STATUS,
  STRANGER,
  TYPE,
  WELCOME,
} from './wire.js'

/** Missing packets: `count` of them from `first` on. Numbers as on the wire. */
export interface PacketRange {
  readonly first: number
  readonly count: number
}

export interface HelloFrame {
  readonly type: typeof TYPE.hello
  readonly minVersion: number
  readonly maxVersion: number
  /** Empty in the first one. */
  readonly cookie: Uint8Array
  readonly frameBytes: number
  readonly timestamp: number
  /** What the sender calls the session that is to be; not 0. */
  readonly session: number
  readonly name: string
}

export interface WelcomeFrame {
  readonly type: typeof TYPE.welcome
  readonly version: number
  readonly frameBytes: number
  readonly timestamp: number
  /** What the sender calls the session. */
  readonly session: number
  /** What the hello called it. */
  readonly asked: number
  readonly name: string
}

export interface StatusFrame {
  readonly type: typeof TYPE.status
  readonly stream: number
  readonly next: number
  readonly consumed: number
  readonly highest: number
  readonly beyond: number
  readonly timestamp: number
  readonly delay: number
  readonly flags: number
  /** How many packets were missing so far, whether they came later or not; modulo 2^32. */
  readonly missed: number
}

export interface OpenFrame extends OpenFields {
  readonly type: typeof TYPE.open
  readonly stream: number
}

export interface HeartbeatFrame extends HeartbeatFields {
  readonly type: typeof TYPE.heartbeat
  readonly stream: number
}

/** A control frame without its header. Layouts: `docs/wire/stream.md`, "Control frames". */
export type ControlFrame =
  | HelloFrame
  | { readonly type: typeof TYPE.challenge; readonly timestamp: number; readonly cookie: Uint8Array }
  | WelcomeFrame
  | {
      readonly type: typeof TYPE.refuse
      readonly reason: number
      readonly minVersion: number
      readonly maxVersion: number
      /** What the hello called the session. */
      readonly asked: number
    }
  /** `session`: as the sender calls it. */
  | { readonly type: typeof TYPE.bye; readonly reason: number; readonly session: number }
  /** `session`: that of the ping which it answers; 0: it answers another frame. */
  | { readonly type: typeof TYPE.stranger; readonly place: number; readonly life: number; readonly session: number }
  /** `session`: as the receiver calls it. */
  | { readonly type: typeof TYPE.ping; readonly timestamp: number; readonly session: number }
  | { readonly type: typeof TYPE.pong; readonly timestamp: number }
  | { readonly type: typeof TYPE.probe; readonly frameBytes: number }
  | { readonly type: typeof TYPE.probeAck; readonly frameBytes: number }
  | OpenFrame
  | StatusFrame
  | { readonly type: typeof TYPE.nak; readonly stream: number; readonly ranges: readonly PacketRange[] }
  | HeartbeatFrame
  | { readonly type: typeof TYPE.reset; readonly stream: number; readonly reason: number }
  | GroupControlFrame
  | { readonly type: typeof TYPE.gone; readonly stream: number }

/** Writes the body of a control frame behind the place of its header; returns where it ends. `out` has room for the longest. */
export function encodeControl(out: Buffer, frame: ControlFrame): number {
  switch (frame.type) {
    case TYPE.hello:
      return encodeHello(out, frame)
    case TYPE.challenge:
      writeUint32(out, CHALLENGE.timestamp, frame.timestamp)
      out.set(frame.cookie, CHALLENGE.cookie)
      return CHALLENGE.bytes
    case TYPE.welcome:
      out[WELCOME.version] = frame.version
      writeUint16(out, WELCOME.frameBytes, frame.frameBytes)
      writeUint32(out, WELCOME.timestamp, frame.timestamp)
      writeUint32(out, WELCOME.session, frame.session)
      writeUint32(out, WELCOME.asked, frame.asked)
      return writeText(out, WELCOME.nameBytes, WELCOME.name, frame.name)
    case TYPE.refuse:
      writeUint16(out, REFUSE.reason, frame.reason)
      out[REFUSE.minVersion] = frame.minVersion
      out[REFUSE.maxVersion] = frame.maxVersion
      writeUint32(out, REFUSE.asked, frame.asked)
      return REFUSE.bytes
    case TYPE.bye:
      writeUint16(out, BYE.reason, frame.reason)
      writeUint32(out, BYE.session, frame.session)
      return BYE.bytes
    case TYPE.stranger:
      writeUint32(out, STRANGER.place, frame.place)
      writeUint32(out, STRANGER.life, frame.life)
      writeUint32(out, STRANGER.session, frame.session)
      return STRANGER.bytes
    case TYPE.ping:
      writeUint32(out, PING.timestamp, frame.timestamp)
      writeUint32(out, PING.session, frame.session)
      writeUint32(out, PING.session + 4, 0)
      return PING.bytes
    case TYPE.pong:
      writeUint32(out, PONG.timestamp, frame.timestamp)
      return PONG.bytes
    case TYPE.probe:
    case TYPE.probeAck:
      writeUint16(out, PROBE.frameBytes, frame.frameBytes)
      return PROBE.bytes
    case TYPE.openGroup:
    case TYPE.groupHeartbeat:
    case TYPE.nakEcho:
      return encodeGroupControl(out, frame)
    default:
      return encodeStreamControl(out, frame)
  }
}

/** The body of a control frame that ends at `end`; undefined when it is malformed. A type that is unknown gives undefined as well. */
export function decodeControl(bytes: Buffer, type: number, end: number): ControlFrame | undefined {
  switch (type) {
    case TYPE.hello:
      return decodeHello(bytes, end)
    case TYPE.challenge:
      if (end < CHALLENGE.bytes) return undefined
      return {
        type,
        timestamp: readUint32(bytes, CHALLENGE.timestamp),
        cookie: Buffer.from(bytes.subarray(CHALLENGE.cookie, CHALLENGE.cookie + COOKIE_BYTES)),
      }
    case TYPE.welcome:
      return decodeWelcome(bytes, end)
    case TYPE.refuse:
      if (end < REFUSE.bytes) return undefined
      return {
        type,
        reason: readUint16(bytes, REFUSE.reason),
        minVersion: bytes[REFUSE.minVersion]!,
        maxVersion: bytes[REFUSE.maxVersion]!,
        asked: readUint32(bytes, REFUSE.asked),
      }
    case TYPE.bye:
      if (end < BYE.bytes) return undefined
      return { type, reason: readUint16(bytes, BYE.reason), session: readUint32(bytes, BYE.session) }
    case TYPE.stranger:
      if (end < STRANGER.bytes) return undefined
      return {
        type,
        place: readUint32(bytes, STRANGER.place),
        life: readUint32(bytes, STRANGER.life),
        session: readUint32(bytes, STRANGER.session),
      }
    case TYPE.ping:
      if (end < PING.bytes) return undefined
      return { type, timestamp: readUint32(bytes, PING.timestamp), session: readUint32(bytes, PING.session) }
    case TYPE.pong:
      return end < PONG.bytes ? undefined : { type, timestamp: readUint32(bytes, PONG.timestamp) }
    case TYPE.probe:
    case TYPE.probeAck:
      return end < PROBE.bytes ? undefined : { type, frameBytes: readUint16(bytes, PROBE.frameBytes) }
    case TYPE.openGroup:
    case TYPE.groupHeartbeat:
    case TYPE.nakEcho:
      return decodeGroupControl(bytes, type, end)
    default:
      return decodeStreamControl(bytes, type, end)
  }
}

type StreamControlFrame = Exclude<Extract<ControlFrame, { readonly stream: number }>, GroupControlFrame>

function encodeStreamControl(out: Buffer, frame: StreamControlFrame): number {
  writeUint32(out, STREAM, frame.stream)
  switch (frame.type) {
    case TYPE.open:
      out[OPEN.labelBytes + 1] = 0
      return writeOpenFields(out, frame, OPEN.label)
    case TYPE.status:
      writeUint32(out, STATUS.next, frame.next)
      writeUint32(out, STATUS.consumed, frame.consumed)
      writeUint32(out, STATUS.highest, frame.highest)
      writeUint32(out, STATUS.beyond, frame.beyond)
      writeUint32(out, STATUS.timestamp, frame.timestamp)
      writeUint32(out, STATUS.delay, frame.delay)
      out[STATUS.flags] = frame.flags
      writeUint32(out, STATUS.missed, frame.missed)
      return STATUS.bytes
    case TYPE.nak:
      return encodeNak(out, frame.ranges)
    case TYPE.heartbeat:
      writeHeartbeatFields(out, frame)
      return HEARTBEAT.bytes
    case TYPE.reset:
      writeUint16(out, RESET.reason, frame.reason)
      return RESET.bytes
    case TYPE.gone:
      return STREAM_GONE.bytes
  }
}

function decodeStreamControl(bytes: Buffer, type: number, end: number): ControlFrame | undefined {
  if (end < STREAM + 4) return undefined
  const stream = readUint32(bytes, STREAM)
  switch (type) {
    case TYPE.open: {
      const fields = readOpenFields(bytes, OPEN.label, end)
      return fields && { type, stream, ...fields }
    }
    case TYPE.status:
      if (end < STATUS.bytes) return undefined
      return {
        type,
        stream,
        next: readUint32(bytes, STATUS.next),
        consumed: readUint32(bytes, STATUS.consumed),
        highest: readUint32(bytes, STATUS.highest),
        beyond: readUint32(bytes, STATUS.beyond),
        timestamp: readUint32(bytes, STATUS.timestamp),
        delay: readUint32(bytes, STATUS.delay),
        flags: bytes[STATUS.flags]!,
        missed: readUint32(bytes, STATUS.missed),
      }
    case TYPE.nak: {
      const ranges = decodeNak(bytes, end)
      return ranges && { type, stream, ranges }
    }
    case TYPE.heartbeat:
      return end < HEARTBEAT.bytes ? undefined : { type, stream, ...readHeartbeatFields(bytes) }
    case TYPE.reset:
      return end < RESET.bytes ? undefined : { type, stream, reason: readUint16(bytes, RESET.reason) }
    case TYPE.gone:
      return { type, stream }
    default:
      return undefined
  }
}

function encodeHello(out: Buffer, frame: HelloFrame): number {
  out[HELLO.minVersion] = frame.minVersion
  out[HELLO.maxVersion] = frame.maxVersion
  out[HELLO.cookieBytes] = frame.cookie.length
  writeUint16(out, HELLO.frameBytes, frame.frameBytes)
  writeUint16(out, HELLO.frameBytes + 2, 0)
  writeUint32(out, HELLO.timestamp, frame.timestamp)
  out.fill(0, HELLO.cookie, HELLO.cookie + COOKIE_BYTES)
  out.set(frame.cookie, HELLO.cookie)
  writeUint32(out, HELLO.session, frame.session)
  return writeText(out, HELLO.nameBytes, HELLO.name, frame.name)
}

function decodeHello(bytes: Buffer, end: number): ControlFrame | undefined {
  if (end < HELLO.name) return undefined
  const cookieBytes = bytes[HELLO.cookieBytes]!
  if (cookieBytes !== 0 && cookieBytes !== COOKIE_BYTES) return undefined
  const session = readUint32(bytes, HELLO.session)
  if (session === 0) return undefined
  const name = readText(bytes, HELLO.nameBytes, HELLO.name, end)
  if (name === undefined) return undefined
  return {
    type: TYPE.hello,
    minVersion: bytes[HELLO.minVersion]!,
    maxVersion: bytes[HELLO.maxVersion]!,
    cookie: Buffer.from(bytes.subarray(HELLO.cookie, HELLO.cookie + cookieBytes)),
    frameBytes: readUint16(bytes, HELLO.frameBytes),
    timestamp: readUint32(bytes, HELLO.timestamp),
    session,
    name,
  }
}

function decodeWelcome(bytes: Buffer, end: number): ControlFrame | undefined {
  if (end < WELCOME.name) return undefined
  const session = readUint32(bytes, WELCOME.session)
  if (session === 0) return undefined
  const name = readText(bytes, WELCOME.nameBytes, WELCOME.name, end)
  if (name === undefined) return undefined
  return {
    type: TYPE.welcome,
    version: bytes[WELCOME.version]!,
    frameBytes: readUint16(bytes, WELCOME.frameBytes),
    timestamp: readUint32(bytes, WELCOME.timestamp),
    session,
    asked: readUint32(bytes, WELCOME.asked),
    name,
  }
}

function encodeNak(out: Buffer, ranges: readonly PacketRange[]): number {
  writeUint16(out, NAK.count, ranges.length)
  writeUint16(out, NAK.count + 2, 0)
  let at = NAK.ranges
  for (const { first, count } of ranges) {
    writeUint32(out, at, first)
    writeUint32(out, at + 4, count)
    at += NAK_RANGE_BYTES
  }
  return at
}

function decodeNak(bytes: Buffer, end: number): PacketRange[] | undefined {
  if (end < NAK.ranges) return undefined
  const count = readUint16(bytes, NAK.count)
  if (count === 0 || count > MAX_NAK_RANGES || NAK.ranges + count * NAK_RANGE_BYTES > end) return undefined
  const ranges: PacketRange[] = []
  let packets = 0
  for (let at = NAK.ranges; ranges.length < count; at += NAK_RANGE_BYTES) {
    const range = { first: readUint32(bytes, at), count: readUint32(bytes, at + 4) }
    packets += range.count
    // All of a window, each packet once: who asks for more wants to keep us busy.
    if (range.count === 0 || packets > MAX_WINDOW_PACKETS) return undefined
    ranges.push(range)
  }
  return ranges
}

/** Every control frame of a stream begins with its id. */
const STREAM = OPEN.stream
