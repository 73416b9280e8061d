/**
 * Memory for received messages, which belong to the program for as long as it keeps them.
 *
 * The rule: a message of up to 64 bytes has memory of its own (V8 keeps that small an array inside its heap, at no extra cost).
 * One of more than 4 KiB too. Between them, messages of similar size share a chunk of sixteen to thirty-two of them: a kept
 * message keeps at most 32 times its own size alive, never more than 64 KiB.
 */
export function copyMessage(source: Buffer): Buffer {
  const { length } = source
  if (length <= MAX_OWN_SMALL_BYTES || length > MAX_SHARED_BYTES) {
    const own = Buffer.allocUnsafeSlow(length)
    own.set(source)
    return own
  }
  const sizeClass = 32 - Math.clz32(length - 1) // 2^(sizeClass - 1) < length <= 2^sizeClass
  let chunk = chunks[sizeClass]
  let at = used[sizeClass]!
  if (chunk === undefined || at + length > chunk.length) {
    chunk = Buffer.allocUnsafeSlow(MESSAGES_A_CHUNK << sizeClass)
    chunks[sizeClass] = chunk
    at = 0
  }
  used[sizeClass] = at + length
  chunk.set(source, at)
  return chunk.subarray(at, at + length)
}

/** `typed_array_max_size_in_heap` of V8. */
const MAX_OWN_SMALL_BYTES = 64
const MAX_SHARED_BYTES = 4096
const MESSAGES_A_CHUNK = 16
const SIZE_CLASSES = 13
const chunks = new Array<Buffer | undefined>(SIZE_CLASSES).fill(undefined)
const used = new Array<number>(SIZE_CLASSES).fill(0)
