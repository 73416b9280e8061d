/**
 * A datagram of the bench: five little-endian words, then bytes that differ from template to template.
 *
 *     0  run id             a random number, the same in all datagrams of a run
 *     4  number, low word   counts datagrams from 0
 *     8  number, high word
 *    12  sum                of words 0 to 2 and of all words of the body, modulo 2^32
 *    16  sum of sums        of the values that `sum` went through: it sees words that changed places (Fletcher)
 *    20  body               its last word filled up with zeros
 */
export const HEADER_BYTES = 20

/** Writes datagrams: the sums of a body are known beforehand, only those of the header are made anew. */
export class DatagramTemplate {
  readonly bytes: Buffer
  readonly #runId: number
  readonly #bodyWords: number
  readonly #bodySum: number
  readonly #bodySums: number

  constructor(runId: number, index: number, lengthBytes: number) {
    this.bytes = Buffer.alloc(lengthBytes)
    this.#runId = runId
    fillBody(this.bytes, index)
    const view = viewOf(this.bytes)
    this.#bodyWords = Math.ceil((lengthBytes - HEADER_BYTES) / 4)
    // The header is all zeros yet, and adds nothing.
    sumUp(view, 0, lengthBytes)
    this.#bodySum = sum
    this.#bodySums = sumOfSums
  }

  /** Makes the `bytes.length` bytes at `offset` datagram `number`. Without `body` only its header is written. */
  write(target: Buffer, view: DataView, offset: number, number: number, body: boolean): void {
    if (body) target.set(this.bytes)
    const high = (number / WORD) | 0
    const low = number | 0
    // The sum after the header goes into every one of the sums that follow it.
    const header = (this.#runId + low + high) | 0
    const headerSums = (3 * this.#runId + 2 * low + high) | 0
    view.setInt32(offset, this.#runId, true)
    view.setInt32(offset + 4, low, true)
    view.setInt32(offset + 8, high, true)
    view.setInt32(offset + 12, header + this.#bodySum, true)
    view.setInt32(offset + 16, headerSums + Math.imul(this.#bodyWords, header) + this.#bodySums, true)
  }
}

/** The number of a datagram that was read before. */
export function numberOf(view: DataView, offset: number): number {
  return view.getUint32(offset + 8, true) * WORD + view.getUint32(offset + 4, true)
}

export function runIdOf(view: DataView, offset: number): number {
  return view.getInt32(offset, true)
}

/** Are all the bytes as they were written? */
export function isIntact(view: DataView, offset: number, lengthBytes: number): boolean {
  sumUp(view, offset, lengthBytes)
  return view.getInt32(offset + 12, true) === sum && view.getInt32(offset + 16, true) === sumOfSums
}

// Results of sumUp: two numbers, without an object a datagram.
let sum = 0
let sumOfSums = 0

/**
 * Sums up a datagram. Unrolled: this loop is what the sink's time goes into. `a` and `b` begin as numbers made here, not as arguments:
 * so the compiler knows that they are 32-bit integers, which is three times as fast where it does not inline this.
 */
function sumUp(view: DataView, offset: number, lengthBytes: number): void {
  let a = view.getInt32(offset, true)
  let b = a
  a = (a + view.getInt32(offset + 4, true)) | 0
  b = (b + a) | 0
  a = (a + view.getInt32(offset + 8, true)) | 0
  b = (b + a) | 0
  const end = offset + lengthBytes
  let at = offset + HEADER_BYTES
  for (const unrolledEnd = end - 15; at < unrolledEnd; at += 16) {
    a = (a + view.getInt32(at, true)) | 0
    b = (b + a) | 0
    a = (a + view.getInt32(at + 4, true)) | 0
    b = (b + a) | 0
    a = (a + view.getInt32(at + 8, true)) | 0
    b = (b + a) | 0
    a = (a + view.getInt32(at + 12, true)) | 0
    b = (b + a) | 0
  }
  for (; at + 4 <= end; at += 4) {
    a = (a + view.getInt32(at, true)) | 0
    b = (b + a) | 0
  }
  if (at < end) {
    let word = 0
    for (let shift = 0; at < end; at++, shift += 8) word |= view.getUint8(at) << shift
    a = (a + word) | 0
    b = (b + a) | 0
  }
  sum = a
  sumOfSums = b
}

/** Bytes that look like no other template's (Marsaglia's xorshift). */
function fillBody(bytes: Buffer, index: number): void {
  let state = Math.imul(index + 1, 0x9e37_79b1) | 1
  for (let i = HEADER_BYTES; i < bytes.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes[i] = state
  }
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

const WORD = 2 ** 32
