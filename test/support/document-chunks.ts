/** Messages in packets, as `docs/wire/stream.md` has them; written from it alone. */
import { pack, unpack } from './document-frames.js'

export interface Chunk {
  readonly flags: number
  readonly handler: number
  readonly messageBytes: number
  readonly bytes: Buffer
}

export const FIRST = 1
export const LAST = 2

/** The chunks of packets: small messages share one, long ones are cut. */
export function cut(messages: readonly Buffer[], handler: number, room: number): Buffer[] {
  const packets: Buffer[] = []
  let packet = Buffer.alloc(0)
  const close = (): void => {
    if (packet.length > 0) packets.push(packet)
    packet = Buffer.alloc(0)
  }
  for (const message of messages) {
    const isCut = 4 + message.length > room
    if (!isCut && packet.length + 4 + message.length > room) close()
    let offset = 0
    do {
      const isFirst = offset === 0
      const headBytes = isCut && isFirst ? 8 : 4
      if (isCut && packet.length + headBytes >= room) close()
      const bytes = message.subarray(offset, offset + room - packet.length - headBytes)
      const isLast = offset + bytes.length === message.length
      const head = pack('112', 4 | (isFirst ? FIRST : 0) | (isLast ? LAST : 0), handler, bytes.length)
      packet = Buffer.concat([packet, head, isFirst && isCut ? pack('4', message.length) : Buffer.alloc(0), bytes])
      offset += bytes.length
    } while (offset < message.length)
  }
  close()
  return packets
}

export function parse(bytes: Buffer, onFault: () => void): Chunk[] {
  const chunks: Chunk[] = []
  for (let offset = 0; bytes.length - offset >= 4 && bytes[offset] !== 0;) {
    const [flags, handler, length] = unpack('112', bytes, offset) as [number, number, number]
    const isCut = (flags & (FIRST | LAST)) === FIRST
    const from = offset + (isCut ? 8 : 4)
    offset = from + length
    if ((flags & ~3) !== 4 || offset > bytes.length || (flags !== 7 && length === 0)) onFault()
    chunks.push({
      flags,
      handler,
      messageBytes: isCut ? bytes.readUInt32LE(from - 4) : length,
      bytes: bytes.subarray(from, offset),
    })
  }
  return chunks
}
