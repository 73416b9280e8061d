import { invalidArgType } from './errors.js'

/** What `send` takes. A string is sent as UTF-8. */
export type Payload = Uint8Array | DataView | string

/** The length of a payload in bytes. @throws `ERR_INVALID_ARG_TYPE`. */
export function payloadBytes(payload: Payload): number {
  if (typeof payload === 'string') return Buffer.byteLength(payload)
  if (!ArrayBuffer.isView(payload)) {
    throw invalidArgType('payload', 'of type string or an instance of Buffer, TypedArray, or DataView', payload)
  }
  return payload.byteLength
}

/** Copies a payload to `target` at `offset`, where it has room. */
export function writePayload(payload: Payload, target: Buffer, offset: number): void {
  if (typeof payload === 'string') target.write(payload, offset)
  else target.set(asBytes(payload), offset)
}

function asBytes(payload: Uint8Array | DataView): Uint8Array {
  if (payload instanceof Uint8Array) return payload
  return new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength)
}
