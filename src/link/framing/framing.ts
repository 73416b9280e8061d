import type { Endpoint } from '../../core/index.js'

/**
 * How datagrams are marked off in a byte stream (docs/wire/links.md, "Framings"). Pure: nothing here knows a stream or a clock.
 */
export interface Framing {
  /** Does every frame carry an address, so that one stream serves many peers? */
  readonly isAddressed: boolean
  /** The longest payload that a frame can carry. */
  readonly maxPayloadBytes: number
  /** The most bytes that a payload of `lengthBytes` can become. */
  maxFrameBytes(lengthBytes: number): number
  /**
   * Where a payload begins in its frame, if it stands there as it is, so that it can be written in place; undefined if it has to be
   * changed.
   */
  payloadOffset(endpoint: Endpoint | undefined): number | undefined
  /** Completes the frame at `at`, whose payload of `lengthBytes` is in its place already. Returns where the frame ends. */
  complete(out: Buffer, at: number, lengthBytes: number, endpoint: Endpoint | undefined): number
  /** Writes the frame of `payload` at `at`. Returns where it ends. */
  encode(payload: Uint8Array, endpoint: Endpoint | undefined, out: Buffer, at: number): number
  /** A decoder for one stream, from its beginning or anywhere in it. */
  decoder(sink: FrameSink, limits: DecoderLimits): FrameDecoder
}

/** Takes a datagram: a view of the chunk, or of memory of its own; never memory that is used again. */
export type FrameSink = (payload: Buffer, endpoint: Endpoint | undefined) => void

export interface DecoderLimits {
  /** Longer datagrams are not taken. */
  readonly maxDatagramBytes: number
  /** For seeding hash tables. */
  readonly seed: number
}

/** Cuts a stream into datagrams. Holds back at most one incomplete frame. */
export interface FrameDecoder {
  /**
   * Takes the next bytes, however they were cut; hands every datagram that they complete to the sink.
   *
   * @returns False when the stream cannot be understood any more: nothing of it is taken from then on.
   */
  push(chunk: Buffer): boolean
  /** The stream has ended: what is incomplete is counted. */
  end(): void
  readonly counters: FrameCounters
}

export interface FrameCounters {
  /** Frames that were whole but made no sense, or were damaged. */
  malformed: number
  /** Frames longer than allowed. */
  oversized: number
  /** Frames that the stream ended, or a new frame began, in the middle of. */
  incomplete: number
  /** Bytes outside of frames, or of frames that were given up. */
  skippedBytes: number
}

export function emptyFrameCounters(): FrameCounters {
  return { malformed: 0, oversized: 0, incomplete: 0, skippedBytes: 0 }
}
