/**
 * Memory for payloads, cut from larger pieces: a buffer each would cost more than all the rest. Every payload begins at a multiple of
 * four bytes and has zeros up to the next one, so that it can be read word by word.
 */
export class PayloadMemory {
  #slab = Buffer.alloc(0)
  #words = new Uint32Array(0)
  #usedBytes = 0

  /** Room for `lengthBytes` bytes, all zero. */
  take(lengthBytes: number): Buffer {
    const neededBytes = (lengthBytes + 3) & ~3
    if (this.#usedBytes + neededBytes > this.#slab.length) this.#replaceSlab(neededBytes)
    const start = this.#usedBytes
    this.#usedBytes += neededBytes
    return this.#slab.subarray(start, start + lengthBytes)
  }

  /** A 32-bit hash of bytes that {@link take} gave out. */
  hash(payload: Buffer): number {
    const words = payload.buffer === this.#words.buffer ? this.#words : new Uint32Array(payload.buffer)
    let at = payload.byteOffset >> 2
    const end = at + ((payload.length + 3) >> 2)
    // Two lanes, because one multiplication waits for the one before it.
    let even = payload.length
    let odd = 0x6b43_a9b5
    for (; at + 1 < end; at += 2) {
      even = (Math.imul(even ^ words[at]!, 0x9e37_79b1) + (even >>> 15)) | 0
      odd = (Math.imul(odd ^ words[at + 1]!, 0x85eb_ca77) + (odd >>> 13)) | 0
    }
    if (at < end) even = (Math.imul(even ^ words[at]!, 0x9e37_79b1) + (even >>> 15)) | 0
    return Math.imul(even, 0x2c1b_3c6d) ^ odd
  }

  #replaceSlab(neededBytes: number): void {
    // Not from Node's pool, which is neither zero nor ours alone.
    this.#words = new Uint32Array(Math.max(SLAB_BYTES, neededBytes) >> 2)
    this.#slab = Buffer.from(this.#words.buffer)
    this.#usedBytes = 0
  }
}

/** Who keeps one payload keeps this much, so it is not too large. */
const SLAB_BYTES = 32_768
