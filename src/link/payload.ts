import { invalidArgType, outOfRange } from '../core/index.js'

/** A payload as every `send` takes it. */
export type Payload = Uint8Array | DataView | string

export function payloadLength(payload: Payload): number {
  if (typeof payload === 'string') return Buffer.byteLength(payload)
  if (ArrayBuffer.isView(payload)) return payload.byteLength
  throw invalidArgType('payload', 'of type string, a Uint8Array or a DataView', payload)
}

export function viewOf(payload: Uint8Array | DataView): Uint8Array {
  if (payload instanceof Uint8Array) return payload
  return new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength)
}

/** The bytes of a payload, not copied. @throws `ERR_OUT_OF_RANGE` beyond `maxBytes`. */
export function payloadBytes(payload: Payload, maxBytes: number): Buffer {
  const length = payloadLength(payload)
  if (length > maxBytes) throw outOfRange('payload.length', `<= ${maxBytes}, the longest payload of this link`, length)
  if (typeof payload === 'string') return Buffer.from(payload)
  return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
}
