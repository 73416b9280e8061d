import { NLA_TYPE_MASK } from './netlink-constants.js'

/**
 * The framing of netlink(7): messages in a buffer, attributes in a message. All in the byte order of this host, aligned to four bytes.
 * What does not add up is left out and counted; nothing here throws, and every step goes forward.
 */

/** struct nlmsghdr, and where the payload is. */
export interface MessageFrame {
  readonly type: number
  readonly flags: number
  readonly sequence: number
  /** Offsets into the buffer. */
  readonly start: number
  readonly end: number
}

/** A span of a buffer: the payload of an attribute. */
export interface Span {
  readonly start: number
  readonly end: number
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Calls `visit` for each complete message. Returns how many broken ones ended the buffer: 0 or 1. */
export function splitMessages(view: DataView, visit: (frame: MessageFrame) => void): number {
  let at = 0
  while (at + MESSAGE_HEADER_BYTES <= view.byteLength) {
    const length = view.getUint32(at, LITTLE_ENDIAN)
    if (length < MESSAGE_HEADER_BYTES || length > view.byteLength - at) return 1
    visit({
      type: view.getUint16(at + 4, LITTLE_ENDIAN),
      flags: view.getUint16(at + 6, LITTLE_ENDIAN),
      sequence: view.getUint32(at + 8, LITTLE_ENDIAN),
      start: at + MESSAGE_HEADER_BYTES,
      end: at + length,
    })
    at += aligned(length)
  }
  return at < view.byteLength ? 1 : 0
}

/** Attributes by type; of one that comes twice the last counts. Undefined when one reaches beyond `end`. */
export function readAttributes(view: DataView, start: number, end: number): Map<number, Span> | undefined {
  const attributes = new Map<number, Span>()
  let at = start
  while (at + ATTRIBUTE_HEADER_BYTES <= end) {
    const length = view.getUint16(at, LITTLE_ENDIAN)
    if (length < ATTRIBUTE_HEADER_BYTES || length > end - at) return undefined
    attributes.set(view.getUint16(at + 2, LITTLE_ENDIAN) & NLA_TYPE_MASK, {
      start: at + ATTRIBUTE_HEADER_BYTES,
      end: at + length,
    })
    at += aligned(length)
  }
  return attributes
}

/** A 32-bit attribute; undefined when it is not there or too short. */
export function readUint32(view: DataView, span: Span | undefined): number | undefined {
  return span === undefined || span.end - span.start < 4 ? undefined : view.getUint32(span.start, LITTLE_ENDIAN)
}

export function readByte(view: DataView, span: Span | undefined): number | undefined {
  return span === undefined || span.end === span.start ? undefined : view.getUint8(span.start)
}

/** Text up to its NUL. A name is any bytes but NUL and `/` (dev_valid_name), so what is no UTF-8 is replaced. */
export function readText(view: DataView, span: Span | undefined): string | undefined {
  if (span === undefined) return undefined
  const bytes = readBytes(view, span)
  const terminator = bytes.indexOf(0)
  return bytes.toString('utf8', 0, terminator < 0 ? bytes.length : terminator)
}

export function readBytes(view: DataView, span: Span): Buffer {
  return Buffer.from(view.buffer, view.byteOffset + span.start, span.end - span.start)
}

/** NLMSG_ALIGN and RTA_ALIGN. */
export function aligned(bytes: number): number {
  return (bytes + 3) & ~3
}

export const MESSAGE_HEADER_BYTES = 16
export const ATTRIBUTE_HEADER_BYTES = 4
export const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1
