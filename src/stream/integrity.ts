import { createHmac, timingSafeEqual } from 'node:crypto'
import { readUint32, writeUint32 } from './bytes.js'
import { crc32c } from './crc32c.js'
import { INTEGRITY } from './wire.js'

/** What a frame has behind it so that a changed one is recognised. */
export interface Integrity {
  /** As the header names it. */
  readonly mode: number
  /** Bytes behind the frame. */
  readonly trailerBytes: number
  /** Fills the trailer: the last {@link trailerBytes} of `frame`. */
  seal(frame: Uint8Array): void
  /** Is the trailer right? */
  verify(frame: Uint8Array): boolean
}

/** The checksum of UDP alone. */
export const noIntegrity: Integrity = {
  mode: INTEGRITY.none,
  trailerBytes: 0,
  seal: () => undefined,
  verify: () => true,
}

/** CRC-32C: against paths that change bits. */
export const crcIntegrity: Integrity = {
  mode: INTEGRITY.crc32c,
  trailerBytes: 4,
  seal: (frame) => writeUint32(frame, frame.length - 4, crc32c(frame, frame.length - 4)),
  verify: (frame) => readUint32(frame, frame.length - 4) === crc32c(frame, frame.length - 4),
}

/** HMAC-SHA-256 with a shared secret, cut to 16 bytes: against people who change or invent frames. It hides nothing. */
export function secretIntegrity(secret: Uint8Array): Integrity {
  const key = Buffer.from(secret)
  const tagOf = (frame: Uint8Array): Uint8Array =>
    createHmac('sha256', key)
      .update(frame.subarray(0, frame.length - TAG_BYTES))
      .digest()
      .subarray(0, TAG_BYTES)
  return {
    mode: INTEGRITY.secret,
    trailerBytes: TAG_BYTES,
    seal: (frame) => frame.set(tagOf(frame), frame.length - TAG_BYTES),
    verify: (frame) => timingSafeEqual(tagOf(frame), frame.subarray(frame.length - TAG_BYTES)),
  }
}

const TAG_BYTES = 16
