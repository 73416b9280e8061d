/** The messages of a push, as docs/wire/push.md has them. A message's type is its handler id. */
import { isUtf8 } from 'node:buffer'

/** What the stream of a file is for, and the version. */
export const PUSH_LABEL = 'geysir push 1'

/** Types of what the sender of a file says. */
export const OFFER = 1
export const START = 2
export const DATA = 3
export const COMPLETE = 4
export const START_GROUP = 5

/** Types of what its receiver says. */
export const HAVE = 1
export const STORED = 2
export const REFUSED = 3

/** Why a receiver does not take a file. */
export const REFUSAL = {
  /** The sender broke the protocol. */
  protocol: 1,
  /** A name that could not be a file of the directory, or that is kept for partly received ones. */
  name: 2,
  /** There is a file of this name with other content. */
  exists: 3,
  /** Longer than the receiver takes. */
  size: 4,
  /** Not so much room. */
  space: 5,
  /** Writing failed. */
  disk: 6,
  /** What arrived is not what the sender has. */
  digest: 7,
  /** The same file is being received, or too many are. It may be offered again. */
  busy: 8,
  /** The receiver takes no more files. */
  ending: 9,
  /** The group's stream ended before the file did. */
  lost: 10,
} as const

export type RefusalName = keyof typeof REFUSAL

/** A file as it is offered. */
export interface Offer {
  readonly name: string
  readonly size: number
}

/** So much of the file has the receiver; the digest is that of these bytes. */
export interface Have {
  readonly offset: number
  readonly digest: Buffer
}

/** A start whose data come by the stream of a group. */
export interface GroupStart {
  /** From where on this receiver needs data. */
  readonly offset: number
  /** Where the data of the group's stream begin: not behind `offset`. */
  readonly groupOffset: number
  /** Of the group's stream. */
  readonly number: number
}

export interface Refusal {
  readonly reason: RefusalName | undefined
  readonly text: string
}

export function encodeOffer({ name, size }: Offer): Buffer {
  return Buffer.concat([encodeOffset(size), Buffer.from(name)])
}

/** Undefined: malformed. */
export function decodeOffer(bytes: Buffer): Offer | undefined {
  const size = decodeOffset(bytes.subarray(0, OFFSET_BYTES))
  const name = bytes.subarray(OFFSET_BYTES)
  return size === undefined || !isUtf8(name) ? undefined : { size, name: name.toString() }
}

export function encodeHave({ offset, digest }: Have): Buffer {
  return Buffer.concat([encodeOffset(offset), digest])
}

/** Undefined: malformed. */
export function decodeHave(bytes: Buffer): Have | undefined {
  const offset = decodeOffset(bytes.subarray(0, OFFSET_BYTES))
  const digest = bytes.subarray(OFFSET_BYTES)
  return offset === undefined || digest.length !== DIGEST_BYTES ? undefined : { offset, digest: Buffer.from(digest) }
}

export function encodeGroupStart({ offset, groupOffset, number }: GroupStart): Buffer {
  const last = Buffer.alloc(NUMBER_BYTES)
  last.writeUInt32LE(number)
  return Buffer.concat([encodeOffset(offset), encodeOffset(groupOffset), last])
}

/** Undefined: malformed. */
export function decodeGroupStart(bytes: Buffer): GroupStart | undefined {
  if (bytes.length !== 2 * OFFSET_BYTES + NUMBER_BYTES) return undefined
  const offset = decodeOffset(bytes.subarray(0, OFFSET_BYTES))
  const groupOffset = decodeOffset(bytes.subarray(OFFSET_BYTES, 2 * OFFSET_BYTES))
  if (offset === undefined || groupOffset === undefined || groupOffset > offset) return undefined
  return { offset, groupOffset, number: bytes.readUInt32LE(2 * OFFSET_BYTES) }
}

/** What the stream of a group is for that brings data. */
export function groupLabel(number: number): string {
  return `${GROUP_LABEL} ${number}`
}

export function isGroupLabel(label: string): boolean {
  return label.startsWith(`${GROUP_LABEL} `)
}

export function encodeRefusal(reason: RefusalName, text: string): Buffer {
  return Buffer.concat([Buffer.of(REFUSAL[reason]), Buffer.from(text).subarray(0, MAX_TEXT_BYTES)])
}

/** A reason that is not known here is undefined, its text is there all the same. */
export function decodeRefusal(bytes: Buffer): Refusal {
  const number = bytes[0]
  const found = Object.entries(REFUSAL).find(([, value]) => value === number)
  const text = bytes.subarray(1, 1 + MAX_TEXT_BYTES).toString()
  return { reason: found?.[0] as RefusalName | undefined, text: withoutControls(text) }
}

export function encodeOffset(offset: number): Buffer {
  const bytes = Buffer.alloc(OFFSET_BYTES)
  bytes.writeBigUInt64LE(BigInt(offset))
  return bytes
}

/** Undefined: malformed, or more than a number holds exactly. */
export function decodeOffset(bytes: Buffer): number | undefined {
  if (bytes.length !== OFFSET_BYTES) return undefined
  const value = Number(bytes.readBigUInt64LE())
  return Number.isSafeInteger(value) ? value : undefined
}

/** Why no file of a directory could have this name; undefined if one could. */
export function nameDefect(name: string): string | undefined {
  if (name === '' || name === '.' || name === '..') return 'that is no name of a file'
  if (name.includes('/') || name.includes('\\')) return 'a name has no slashes'
  if (withoutControls(name) !== name) return 'a name has no control characters'
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return `a name has at most ${MAX_NAME_BYTES} bytes`
  if (name.endsWith(PART_SUFFIX)) return `names that end with ${PART_SUFFIX} are kept for partly received files`
  return undefined
}

/** What is written to a terminal must not steer it, nor turn its letters around. */
function withoutControls(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu, '')
}

const GROUP_LABEL = `${PUSH_LABEL} group`
/** Sent to a group: whoever wants files joins the node that this came from. No frame of a stream begins like this. */
export const ANNOUNCEMENT = Buffer.concat([Buffer.of(0x87), Buffer.from(PUSH_LABEL)])
/** What is added to the name of a file, behind a dot in front, while it is not there yet. */
export const PART_SUFFIX = '.geysir-part'
export const DIGEST_BYTES = 32
/** Each message of data has at most so much; other messages are shorter by far. */
export const MAX_DATA_BYTES = 65_536
/** What is left of 255 (NAME_MAX of Linux's file systems) for the name of a part. */
const MAX_NAME_BYTES = 255 - 1 - PART_SUFFIX.length
const MAX_TEXT_BYTES = 512
const OFFSET_BYTES = 8
const NUMBER_BYTES = 4
