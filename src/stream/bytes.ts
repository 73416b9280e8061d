import { invalidArgType } from '../core/index.js'

/** Little-endian integers at any place, as `Buffer` has them, without checks that the hot path has made already; and texts. */

export function readUint16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8)
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
}

export function writeUint16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
}

export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}

/** What `send` takes, as bytes. @throws `ERR_INVALID_ARG_TYPE`. */
export function messageBytes(message: Uint8Array | DataView | string): Uint8Array {
  if (message instanceof Uint8Array) return message
  if (typeof message === 'string') return Buffer.from(message)
  if (!ArrayBuffer.isView(message)) {
    throw invalidArgType('message', 'of type string or an instance of Buffer, TypedArray, or DataView', message)
  }
  return new Uint8Array(message.buffer, message.byteOffset, message.byteLength)
}

/** Writes UTF-8, and its length into the byte at `lengthAt`; returns where it ends. */
export function writeText(out: Buffer, lengthAt: number, at: number, text: string): number {
  const length = out.write(text, at, MAX_TEXT_BYTES)
  out[lengthAt] = length
  return at + length
}

/** Undefined when it would reach beyond `end`. */
export function readText(bytes: Buffer, lengthAt: number, at: number, end: number): string | undefined {
  const length = bytes[lengthAt]!
  return at + length > end ? undefined : bytes.toString('utf8', at, at + length)
}

const MAX_TEXT_BYTES = 255
