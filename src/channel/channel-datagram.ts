/**
 * The datagram of a channel: `PULI`, the length of the name, the name, the sequence number, the payload.
 *
 * @see docs/wire/channel.md, section 2
 */

/** What stands before the sequence number in each datagram of a channel. */
export function datagramPrefix(name: string): Buffer {
  return Buffer.concat([MAGIC, Buffer.of(name.length), Buffer.from(name, 'latin1')])
}

/** Writes what stands before the payload. `target` is at least {@link headerBytes} long. */
export function writeHeader(target: Uint8Array, prefix: Uint8Array, sequence: number): void {
  target.set(prefix)
  let at = prefix.length
  target[at++] = sequence >>> 24
  target[at++] = sequence >>> 16
  target[at++] = sequence >>> 8
  target[at] = sequence
}

/** Bytes before the payload. */
export function headerBytes(nameBytes: number): number {
  return FIXED_BYTES + nameBytes
}

/**
 * The length of the name in a datagram whose header is whole; otherwise a negative number: {@link NOT_PULICAST} or {@link TOO_SHORT}.
 * Looks at bytes, keeps nothing, throws nothing.
 */
export function nameBytesOf(datagram: Uint8Array): number {
  if (datagram.length < FIXED_BYTES) return TOO_SHORT
  if (datagram[0] !== 0x50 || datagram[1] !== 0x55 || datagram[2] !== 0x4c || datagram[3] !== 0x49) return NOT_PULICAST
  const nameBytes = datagram[4]!
  return datagram.length < FIXED_BYTES + nameBytes ? TOO_SHORT : nameBytes
}

/** Does the datagram begin so? */
export function hasPrefix(datagram: Uint8Array, prefix: Uint8Array): boolean {
  if (datagram.length < prefix.length) return false
  for (let i = NAME_LENGTH_AT; i < prefix.length; i++) if (datagram[i] !== prefix[i]) return false
  return true
}

/** The sequence number behind a name of `nameBytes` bytes. */
export function sequenceOf(datagram: Uint8Array, nameBytes: number): number {
  const at = NAME_AT + nameBytes
  return ((datagram[at]! << 24) | (datagram[at + 1]! << 16) | (datagram[at + 2]! << 8) | datagram[at + 3]!) >>> 0
}

/** The name as text. */
export function nameOf(datagram: Buffer, nameBytes: number): string {
  return datagram.toString('latin1', NAME_AT, NAME_AT + nameBytes)
}

/** It does not begin with `PULI`. */
export const NOT_PULICAST = -1
/** It ends before its sequence number does. */
const TOO_SHORT = -2

export const NAME_AT = 5
/** The most that fits behind 20 bytes of IPv4 and 8 of UDP. */
export const MAX_DATAGRAM_BYTES = 65_507
const NAME_LENGTH_AT = 4
const MAGIC = Buffer.from('PULI', 'latin1')
/** Magic, length of the name, sequence number. */
const FIXED_BYTES = 9
