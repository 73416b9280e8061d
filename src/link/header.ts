/**
 * The optional header of a link's datagrams (docs/wire/links.md, "The header"). Pure: bytes in, numbers out.
 */

/** What a datagram with a header is. */
export const DATAGRAM_TYPE = { datagram: 0, request: 1, response: 2, status: 3 } as const

export const HEADER_BYTES = 16

/** A header, to be filled by {@link readHeader}; one object serves for all datagrams of a link. */
export interface LinkHeader {
  type: number
  /** Who sent it: a random number that a link chooses for itself, never 0. */
  sender: number
  /** In a response, the sender of the request; otherwise 0. */
  addressee: number
  /** Joins a response to its request; 0 in others. */
  correlation: number
}

export function emptyHeader(): LinkHeader {
  return { type: 0, sender: 0, addressee: 0, correlation: 0 }
}

/** Reads the header at the beginning of `payload` into `header`. False: this is none, or one of another version. */
export function readHeader(payload: Buffer, header: LinkHeader): boolean {
  if (payload.length < HEADER_BYTES) return false
  if (payload.readUInt16BE(0) !== MAGIC || payload[2] !== VERSION) return false
  const type = payload[3]!
  if (type > DATAGRAM_TYPE.status) return false
  header.type = type
  header.sender = payload.readUInt32BE(4)
  header.addressee = payload.readUInt32BE(8)
  header.correlation = payload.readUInt32BE(12)
  return header.sender !== 0
}

export function writeHeader(out: Buffer, type: number, sender: number, addressee = 0, correlation = 0): void {
  out.writeUInt16BE(MAGIC, 0)
  out[2] = VERSION
  out[3] = type
  out.writeUInt32BE(sender, 4)
  out.writeUInt32BE(addressee, 8)
  out.writeUInt32BE(correlation, 12)
}

/** ASCII "GY". */
const MAGIC = 0x4759
const VERSION = 1
