import {
  emptyFrameCounters,
  type DecoderLimits,
  type FrameCounters,
  type FrameDecoder,
  type Framing,
  type FrameSink,
} from './framing.js'

/** Two bytes of length, most significant first, and the payload. A length that lies puts the stream out of step for good. */
export const lengthFraming: Framing = {
  isAddressed: false,
  maxPayloadBytes: 65_507,
  maxFrameBytes: (lengthBytes) => LENGTH_BYTES + lengthBytes,
  payloadOffset: () => LENGTH_BYTES,
  complete: (out, at, lengthBytes) => {
    out.writeUInt16BE(lengthBytes, at)
    return at + LENGTH_BYTES + lengthBytes
  },
  encode: (payload, _endpoint, out, at) => {
    out.set(payload, at + LENGTH_BYTES)
    return lengthFraming.complete(out, at, payload.length, undefined)
  },
  decoder: (sink, limits) => new LengthDecoder(sink, limits),
}

/** Cuts at the lengths; also the outer half of the addressed framing. */
export class LengthDecoder implements FrameDecoder {
  readonly counters: FrameCounters = emptyFrameCounters()
  readonly #sink: FrameSink
  readonly #maxBytes: number
  /** A frame that the last chunk ended in: its payload so far, once its length is known. */
  #partial: Buffer | undefined
  #partialUsed = 0
  /** The first of two bytes of length. */
  #firstByte = NO_BYTE
  #isBroken = false

  constructor(sink: FrameSink, limits: Pick<DecoderLimits, 'maxDatagramBytes'>) {
    this.#sink = sink
    this.#maxBytes = limits.maxDatagramBytes
  }

  push(chunk: Buffer): boolean {
    if (this.#isBroken) {
      this.counters.skippedBytes += chunk.length
      return false
    }
    let at = this.#finishPartial(chunk)
    while (at + LENGTH_BYTES <= chunk.length && !this.#isBroken) {
      const length = (chunk[at]! << 8) | chunk[at + 1]!
      const end = at + LENGTH_BYTES + length
      if (length > this.#maxBytes) this.#break(chunk.length - at)
      else if (end <= chunk.length) {
        this.#sink(chunk.subarray(at + LENGTH_BYTES, end), undefined)
        at = end
      } else {
        this.#begin(length)
        this.#take(chunk, at + LENGTH_BYTES)
        return true
      }
    }
    if (at < chunk.length && !this.#isBroken) this.#firstByte = chunk[at]!
    return !this.#isBroken
  }

  end(): void {
    if (this.#partial === undefined && this.#firstByte === NO_BYTE) return
    this.counters.incomplete++
    this.counters.skippedBytes += this.#partial === undefined ? 1 : LENGTH_BYTES + this.#partialUsed
    this.#partial = undefined
    this.#firstByte = NO_BYTE
  }

  /** Goes on with what the last chunk began. Returns where the next frame begins. */
  #finishPartial(chunk: Buffer): number {
    let at = 0
    if (this.#firstByte !== NO_BYTE && chunk.length > 0) {
      const length = (this.#firstByte << 8) | chunk[0]!
      this.#firstByte = NO_BYTE
      at = 1
      if (length > this.#maxBytes) {
        this.#break(chunk.length + 1)
        return chunk.length
      }
      this.#begin(length)
    }
    return this.#partial === undefined ? at : this.#take(chunk, at)
  }

  #begin(length: number): void {
    this.#partial = Buffer.allocUnsafe(length)
    this.#partialUsed = 0
  }

  /** Returns where the frame ends in the chunk. */
  #take(chunk: Buffer, at: number): number {
    const partial = this.#partial!
    const end = Math.min(chunk.length, at + partial.length - this.#partialUsed)
    chunk.copy(partial, this.#partialUsed, at, end)
    this.#partialUsed += end - at
    if (this.#partialUsed === partial.length) {
      this.#partial = undefined
      this.#sink(partial, undefined)
    }
    return end
  }

  #break(skippedBytes: number): void {
    this.#isBroken = true
    this.counters.oversized++
    this.counters.skippedBytes += skippedBytes
  }
}

export const LENGTH_BYTES = 2
const NO_BYTE = -1
