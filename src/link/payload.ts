import { outOfRange, payloadBytes, type Payload } from '../core/index.js'

/** The bytes of a payload, not copied. @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE` beyond `maxBytes`. */
export function payloadBuffer(payload: Payload, maxBytes: number): Buffer {
  const length = payloadBytes(payload)
  if (length > maxBytes) throw outOfRange('payload.length', `<= ${maxBytes}, the longest payload of this link`, length)
  if (typeof payload === 'string') return Buffer.from(payload)
  return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
}
