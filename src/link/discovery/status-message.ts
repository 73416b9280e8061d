import { Endpoint } from '../../core/index.js'

/** What a server says of itself in a status message (docs/wire/links.md, "The status message"). Its sender stands in the header. */
export interface ServerStatus {
  /** When this instance of the server started, in microseconds since the Unix epoch. */
  readonly startedMicroseconds: number
  /** One more each time; wraps. */
  readonly sequence: number
  /** After how long the next message comes; 0: the server ends. */
  readonly periodMs: number
  readonly name: string
  /** Where clients send to, where that is a group. */
  readonly clientGroup: Endpoint | undefined
}

/** The bytes of a status message behind the header. */
export function encodeStatus(status: ServerStatus): Buffer {
  const name = Buffer.from(status.name)
  const group = status.clientGroup
  const address = group === undefined ? [] : group.isIpv4 ? [group.words[3]] : group.words
  const bytes = Buffer.alloc(FIXED_BYTES + 4 * address.length + 1 + name.length)
  bytes.writeBigUInt64BE(BigInt(status.startedMicroseconds), 0)
  bytes.writeUInt32BE(status.sequence, 8)
  bytes.writeUInt32BE(status.periodMs, 12)
  bytes[16] = group === undefined ? 0 : group.isIpv4 ? 4 : 6
  bytes.writeUInt16BE(group?.port ?? 0, 17)
  let at = FIXED_BYTES
  for (const word of address) at = bytes.writeUInt32BE(word, at)
  bytes[at] = name.length
  name.copy(bytes, at + 1)
  return bytes
}

/** Undefined for what is no status message. What stands behind it is for later versions, and ignored. */
export function decodeStatus(bytes: Buffer): ServerStatus | undefined {
  if (bytes.length < FIXED_BYTES + 1) return undefined
  const family = bytes[16]!
  const words = ADDRESS_WORDS[family]
  const nameAt = words === undefined ? 0 : FIXED_BYTES + 4 * words
  if (words === undefined || bytes.length <= nameAt) return undefined
  const end = nameAt + 1 + bytes[nameAt]!
  if (bytes.length < end) return undefined
  const started = Number(bytes.readBigUInt64BE(0))
  const periodMs = bytes.readUInt32BE(12)
  if (!Number.isSafeInteger(started) || periodMs > MAX_PERIOD_MS) return undefined
  const clientGroup = words === 0 ? undefined : readGroup(bytes, family, bytes.readUInt16BE(17))
  if (words > 0 && clientGroup === undefined) return undefined
  return {
    startedMicroseconds: started,
    sequence: bytes.readUInt32BE(8),
    periodMs,
    name: bytes.toString('utf8', nameAt + 1, end),
    clientGroup,
  }
}

function readGroup(bytes: Buffer, family: number, port: number): Endpoint | undefined {
  const word = (i: number): number => bytes.readUInt32BE(FIXED_BYTES + 4 * i)
  const group =
    family === 4
      ? new Endpoint('IPv4', [0, 0, 0, word(0)], port)
      : new Endpoint('IPv6', [word(0), word(1), word(2), word(3)], port)
  return group.isMulticast && port !== 0 ? group : undefined
}

const FIXED_BYTES = 19
const ADDRESS_WORDS: Readonly<Record<number, number>> = { 0: 0, 4: 1, 6: 4 }
/** An hour, as the option has it. */
const MAX_PERIOD_MS = 3_600_000
