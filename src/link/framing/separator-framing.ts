import { internetChecksum } from './checksum.js'
import {
  emptyFrameCounters,
  type DecoderLimits,
  type FrameCounters,
  type FrameDecoder,
  type Framing,
  type FrameSink,
} from './framing.js'

/**
 * A begin mark, the payload and its checksum with every marker byte in them escaped, and an end mark: so a reader can join in the middle,
 * and finds the next datagram after any damage.
 */
export const separatorFraming: Framing = {
  isAddressed: false,
  maxPayloadBytes: 65_507,
  maxFrameBytes: (lengthBytes) => 2 * MARK_BYTES + 2 * (lengthBytes + CHECKSUM_BYTES),
  payloadOffset: () => undefined,
  complete: () => {
    throw new Error('a payload between separators is never written in place')
  },
  encode: (payload, _endpoint, out, at) => {
    const checksum = internetChecksum(payload)
    let to = writeMark(out, at, BEGIN)
    to = writeEscaped(payload, out, to)
    to = writeEscaped(Uint8Array.of(checksum >>> 8, checksum & 0xff), out, to)
    return writeMark(out, to, END)
  },
  decoder: (sink, limits) => new SeparatorDecoder(sink, limits),
}

/** Where the decoder is. */
const STATE = { outside: 0, inside: 1 } as const

class SeparatorDecoder implements FrameDecoder {
  readonly counters: FrameCounters = emptyFrameCounters()
  readonly #sink: FrameSink
  readonly #maxBytes: number
  #state: number = STATE.outside
  /** The last byte of the last chunk was a marker. */
  #isMarked = false
  /** What the frame has so far, where it is not one piece of one chunk. */
  #partial: Buffer | undefined
  #used = 0

  constructor(sink: FrameSink, limits: DecoderLimits) {
    this.#sink = sink
    this.#maxBytes = limits.maxDatagramBytes + CHECKSUM_BYTES
  }

  push(chunk: Buffer): boolean {
    let at = 0
    if (this.#isMarked && chunk.length > 0) {
      this.#isMarked = false
      this.#mark(chunk[0]!)
      at = 1
    }
    while (at < chunk.length) {
      const marker = chunk.indexOf(MARKER, at)
      const end = marker < 0 ? chunk.length : marker
      if (marker >= 0 && marker + 1 < chunk.length) {
        // The usual frame: one piece of this chunk.
        if (this.#state === STATE.inside && this.#used === 0 && chunk[marker + 1] === END) this.#finish(chunk.subarray(at, end))
        else {
          this.#take(chunk, at, end)
          this.#mark(chunk[marker + 1]!)
        }
        at = marker + 2
      } else {
        this.#take(chunk, at, end)
        this.#isMarked = marker >= 0
        at = chunk.length
      }
    }
    return true
  }

  end(): void {
    if (this.#state === STATE.inside) this.#giveUp('incomplete')
    this.#isMarked = false
  }

  /** A marker and `code` stood in the stream. */
  #mark(code: number): void {
    if (code === BEGIN) {
      if (this.#state === STATE.inside) this.#giveUp('incomplete')
      this.#state = STATE.inside
      this.#used = 0
    } else if (this.#state === STATE.outside) {
      this.counters.skippedBytes += MARK_BYTES
    } else if (code === END) {
      // The memory goes to the user.
      const bytes = this.#partial?.subarray(0, this.#used) ?? Buffer.alloc(0)
      this.#partial = undefined
      this.#finish(bytes)
    } else if (code === ESCAPED) {
      this.#take(MARKER_ALONE, 0, 1)
    } else {
      this.#giveUp('malformed')
    }
  }

  #take(chunk: Buffer, start: number, end: number): void {
    const length = end - start
    if (this.#state === STATE.outside) {
      this.counters.skippedBytes += length
      return
    }
    if (length === 0) return
    if (this.#used + length > this.#maxBytes) {
      this.counters.skippedBytes += length
      this.#giveUp('oversized')
      return
    }
    this.#partial = roomFor(this.#partial, this.#used, length, this.#maxBytes)
    chunk.copy(this.#partial, this.#used, start, end)
    this.#used += length
  }

  #finish(bytes: Buffer): void {
    this.#state = STATE.outside
    this.#used = 0
    const length = bytes.length - CHECKSUM_BYTES
    if (length < 0 || bytes.readUInt16BE(length) !== internetChecksum(bytes, 0, length)) {
      this.counters.malformed++
      this.counters.skippedBytes += bytes.length
    } else if (bytes.length > this.#maxBytes) {
      this.counters.oversized++
      this.counters.skippedBytes += bytes.length
    } else {
      this.#sink(bytes.subarray(0, length), undefined)
    }
  }

  #giveUp(reason: 'incomplete' | 'malformed' | 'oversized'): void {
    this.counters[reason]++
    this.counters.skippedBytes += this.#used
    this.#state = STATE.outside
    this.#used = 0
  }
}

function roomFor(partial: Buffer | undefined, used: number, more: number, maxBytes: number): Buffer {
  if (partial !== undefined && used + more <= partial.length) return partial
  const grown = Buffer.allocUnsafeSlow(Math.min(maxBytes, Math.max(FIRST_PARTIAL_BYTES, 2 * (used + more))))
  partial?.copy(grown, 0, 0, used)
  return grown
}

function writeMark(out: Buffer, at: number, code: number): number {
  out[at] = MARKER
  out[at + 1] = code
  return at + MARK_BYTES
}

function writeEscaped(bytes: Uint8Array, out: Buffer, at: number): number {
  let from = 0
  for (let marker = bytes.indexOf(MARKER); marker >= 0; marker = bytes.indexOf(MARKER, from)) {
    out.set(bytes.subarray(from, marker), at)
    at = writeMark(out, at + marker - from, ESCAPED)
    from = marker + 1
  }
  out.set(from === 0 ? bytes : bytes.subarray(from), at)
  return at + bytes.length - from
}

/** No byte of UTF-8 text (RFC 3629), so that texts are not escaped. */
const MARKER = 0xf5
const ESCAPED = 0
const BEGIN = 1
const END = 2
const MARK_BYTES = 2
const CHECKSUM_BYTES = 2
const MARKER_ALONE = Buffer.of(MARKER)
const FIRST_PARTIAL_BYTES = 2048
