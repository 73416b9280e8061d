/** Numbers, integers and the checksum of `docs/wire/stream.md`, written from it alone. */
export const CONTROL = 0x01
export const OPENER = 0x02
export const NUMBERED = 0x04
export const PIECE = 0x08
export const ASKS = 0x20
export const MARK = 0x40

export const HELLO = 1
export const CHALLENGE = 2
export const WELCOME = 3
export const REFUSE = 4
export const BYE = 5
export const STRANGER = 6
export const PING = 7
export const PONG = 8
export const OPEN = 9
export const STATUS = 10
export const NAK = 11
export const HEARTBEAT = 12
export const RESET = 13
export const PROBE = 14
export const PROBE_ACK = 15
export const GONE = 19

export const KINDS = { fireAndForget: 1, bestEffort: 2, reliable: 3 } as const
export const INTEGRITIES = { none: 0, crc32c: 1, secret: 2 } as const
/** Integers of so many bytes each, one after the other: `pack('14', 7, 1000)` has five bytes. */
export function pack(widths: string, ...values: readonly number[]): Buffer {
  const parts = [...widths].map((width, i) => {
    const modulus = 256 ** Number(width)
    const part = Buffer.alloc(Number(width))
    part.writeUIntLE(((values[i]! % modulus) + modulus) % modulus, 0, Number(width))
    return part
  })
  return Buffer.concat(parts)
}

export function unpack(widths: string, frame: Buffer, offset: number): number[] {
  return [...widths].map((width) => {
    const value = frame.readUIntLE(offset, Number(width))
    offset += Number(width)
    return value
  })
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte
  for (let bit = 0; bit < 8; bit++) remainder = remainder & 1 ? (remainder >>> 1) ^ 0x82f6_3b78 : remainder >>> 1
  return remainder
})

export function crc32c(bytes: Buffer): number {
  let sum = 0xffff_ffff
  for (const byte of bytes) sum = (sum >>> 8) ^ CRC_TABLE[(sum ^ byte) & 255]!
  return ~sum >>> 0
}
