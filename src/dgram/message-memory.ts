import { markAsUntransferable } from 'node:worker_threads'

/**
 * Memory for received messages, which belong to the program for as long as it keeps them.
 *
 * The rule: a message of more than 4 KiB has memory of its own. Messages of similar size below that share a chunk: four of up to 64
 * bytes, sixteen of more. A size counts as the next power of two, at least 32. So a message that is kept alone keeps alive at most
 * 256 bytes if it is small, else 32 times its own size, and never more than 64 KiB.
 */
export function copyMessage(source: Buffer): Buffer {
  const { length } = source
  if (length > MAX_SHARED_BYTES || length === 0) {
    const own = Buffer.allocUnsafeSlow(length)
    own.set(source)
    return own
  }
  const sizeClass = length <= MIN_CLASS_BYTES ? MIN_CLASS : 32 - Math.clz32(length - 1) // 2^(sizeClass - 1) < length <= 2^sizeClass
  let chunk = chunks[sizeClass]
  let at = used[sizeClass]!
  if (chunk === undefined || at + length > chunk.length) {
    chunk = Buffer.allocUnsafeSlow((length <= MAX_SMALL_BYTES ? SMALL_MESSAGES_A_CHUNK : MESSAGES_A_CHUNK) << sizeClass)
    // Transferring one message away would take the others along: then the transfer fails, as with Node's own pooled buffers.
    markAsUntransferable(chunk.buffer)
    chunks[sizeClass] = chunk
    at = 0
  }
  used[sizeClass] = (at + length + ALIGNMENT - 1) & -ALIGNMENT
  chunk.set(source, at)
  return chunk.subarray(at, at + length)
}

/** Any typed array can be laid over a message, as over one with memory of its own. */
const ALIGNMENT = 8
const MIN_CLASS = 5
const MIN_CLASS_BYTES = 1 << MIN_CLASS
const MAX_SMALL_BYTES = 64
const MAX_SHARED_BYTES = 4096
/** Enough that a kept message costs less than one with memory of its own, which the engine needs some 200 bytes to manage. */
const SMALL_MESSAGES_A_CHUNK = 4
/** Enough that making the chunk does not cost more than filling it. */
const MESSAGES_A_CHUNK = 16
const SIZE_CLASSES = 13
const chunks = new Array<Buffer | undefined>(SIZE_CLASSES).fill(undefined)
const used = new Array<number>(SIZE_CLASSES).fill(0)
