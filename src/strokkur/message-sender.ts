import { SeededRandom, checkInteger, invalidArgType, invalidState, outOfRange, type Random } from '../core/index.js'
import { BitMatrix, RowEncoder, drawBalancedRows, drawSparseRows, wordsFor } from '../fec/index.js'
import type { MessageFormat, MessageHash } from './chunk-header.js'
import {
  CLASSIC,
  CLASSIC_CHUNK_BYTES,
  MASK_WORDS,
  MAX_CLASSIC_ROWS,
  classicCodec,
  readUint32,
  writeUint16,
  writeUint32,
} from './classic-codec.js'
import { COMPACT, COMPACT_HEADER_BYTES, COMPACT_VERSION, HASHES, KIND, compactCodec, computeTag } from './compact-codec.js'
import { Digester } from './digest.js'
import { DIGEST_BYTES, ID_BYTES, MAX_CHUNKS, MAX_MESSAGE_BYTES, MAX_ROWS, MIN_CHUNK_BYTES } from './limits.js'

/** The hashes that need no key. */
export type UnkeyedHash = 'sha256' | 'sha3-256'

export interface MessageSenderOptions {
  readonly format: MessageFormat
  /** Default `sha256`. With a key it is `keyed-sha3-256`, whatever stands here. */
  readonly hash?: UnkeyedHash
  /** Preshared, 16 to 128 bytes: the digest then authenticates the message. */
  readonly key?: Uint8Array
}

/** What one message is sent with. */
export interface MessageParameters {
  /** 16 bytes, different for every message: a random UUID. */
  readonly id: Uint8Array
  /** Redundant chunks, besides the chunks of the message. */
  readonly redundantChunks: number
  /** Microseconds since the Unix epoch. */
  readonly timestampMicroseconds: number
  /** Compact: the longest datagram. The classic format has chunks of 8 KiB and 128 bytes, whatever the path. */
  readonly maxDatagramBytes?: number
  /** Another hash than the sender's, for this message. */
  readonly hash?: UnkeyedHash
  /** Classic: draws the redundant rows. The compact ones follow from the digest. */
  readonly random?: Random
}

/**
 * Cuts a message into chunks and makes redundant ones, one at a time into a buffer of the caller's. No I/O, no timers; memory is taken by
 * {@link init} only, and kept for the next message.
 */
export class MessageSender {
  readonly format: MessageFormat
  readonly #hash: MessageHash
  readonly #digester: Digester
  readonly #encoder = new RowEncoder()
  readonly #header: Uint8Array
  #message: Uint8Array | undefined
  #chunkBytes = 0
  #chunkCount = 0
  #redundantChunks = 0
  #next = 0
  /** What is not in the message: the end of the content from block `#tailChunk` on, with the digest (compact). */
  #tail = new Uint8Array(0)
  #tailBytes = 0
  #tailChunk = 0
  #maskWords = new Uint32Array(0)
  #masks: BitMatrix | undefined
  /** Rows that were made together and wait for their turn: `#rowsMade` of them, from row `#firstRowMade` on. */
  #rows = new Uint8Array(0)
  #firstRowMade = 0
  #rowsMade = 0
  #random: Random | undefined

  /** @throws `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE` for a key that cannot be one. */
  constructor(options: MessageSenderOptions) {
    this.format = options.format
    this.#digester = new Digester(options.key)
    this.#hash = this.#digester.isKeyed ? 'keyed-sha3-256' : (options.hash ?? 'sha256')
    this.#header = new Uint8Array((options.format === 'classic' ? classicCodec : compactCodec).headerBytes)
  }

  /**
   * Begins a message. Its bytes must stay as they are until {@link pump} says "done", or {@link deinit}.
   *
   * @throws `ERR_INVALID_STATE` when a message is under way, `ERR_OUT_OF_RANGE` for a message or a number of redundant chunks that the
   *   format has no room for.
   */
  init(message: Uint8Array, parameters: MessageParameters): void {
    if (this.#message !== undefined) throw invalidState('a message is under way')
    if (!(message instanceof Uint8Array)) throw invalidArgType('message', 'an instance of Uint8Array', message)
    const { id } = parameters
    if (id.length !== ID_BYTES) throw outOfRange('id.length', `${ID_BYTES}`, id.length)
    if (this.format === 'classic') this.#initClassic(message, parameters)
    else this.#initCompact(message, parameters)
    this.#takeRowMemory()
    this.#message = message
    this.#next = this.#rowsMade = 0
    this.#masks = undefined
  }

  /** Is a message under way? */
  get initialised(): boolean {
    return this.#message !== undefined
  }

  /** Chunks of this message, redundant ones and all. */
  get datagrams(): number {
    return this.#chunkCount + this.#redundantChunks
  }

  /** Chunks of this message without the redundant ones. */
  get chunkCount(): number {
    return this.#chunkCount
  }

  /** The length of what {@link pump} writes next; 0 when there is nothing. */
  get nextBytes(): number {
    if (this.#message === undefined || this.#next === this.datagrams) return 0
    return this.#header.length + this.#payloadBytes(this.#next)
  }

  /**
   * Writes the next chunk, {@link nextBytes} bytes, to the front of `into`.
   *
   * @returns "done" when it was the last one: then the message is over, as after {@link deinit}.
   * @throws `ERR_INVALID_STATE` without a message, `ERR_OUT_OF_RANGE` for a buffer that is too short.
   */
  pump(into: Uint8Array): 'more' | 'done' {
    if (this.#message === undefined) throw invalidState('there is no message to send')
    const bytes = this.nextBytes
    if (into.length < bytes) throw outOfRange('into.length', `>= ${bytes}`, into.length)
    const { length: headerBytes } = this.#header
    const isSource = this.#next < this.#chunkCount || this.#chunkCount === 1
    const row = isSource ? -1 : this.#next - this.#chunkCount
    into.set(this.#header)
    if (isSource) this.#writeSource(into, this.#chunkCount === 1 ? 0 : this.#next)
    else this.#writeRow(into, row, bytes - headerBytes)
    if (this.format === 'compact') writeUint32(into, COMPACT.index, this.#chunkCount === 1 ? 0 : this.#next)
    else this.#writeClassicMask(into, row, bytes - headerBytes)
    if (++this.#next < this.datagrams) return 'more'
    this.deinit()
    return 'done'
  }

  /** Forgets the message. Harmless to repeat. */
  deinit(): void {
    this.#message = undefined
    this.#masks = undefined
    this.#random = undefined
  }

  #initClassic(message: Uint8Array, parameters: MessageParameters): void {
    const { id, redundantChunks, timestampMicroseconds, random } = parameters
    checkInteger('message.length', message.length, 1, classicCodec.maxMessageBytes)
    checkInteger('redundantChunks', redundantChunks, 0, MAX_CLASSIC_ROWS)
    this.#chunkCount = Math.ceil(message.length / CLASSIC_CHUNK_BYTES)
    if (redundantChunks > 1 && this.#chunkCount > 1 && random === undefined) {
      throw invalidArgType('random', 'an object that draws the redundant rows', random)
    }
    this.#random = random
    this.#redundantChunks = redundantChunks
    this.#chunkBytes = CLASSIC_CHUNK_BYTES
    this.#tailChunk = this.#chunkCount
    this.#tailBytes = 0
    const header = this.#header
    writeUint32(header, CLASSIC.timestamp, timestampMicroseconds % 2 ** 32)
    writeUint32(header, CLASSIC.timestamp + 4, Math.floor(timestampMicroseconds / 2 ** 32))
    header.set(id, CLASSIC.id)
    header.set(this.#digester.digest(this.#hashOf(parameters), id, message), CLASSIC.hash)
    writeUint32(header, CLASSIC.messageBytes, message.length)
    writeUint16(header, CLASSIC.chunkCount, this.#chunkCount)
  }

  #initCompact(message: Uint8Array, parameters: MessageParameters): void {
    const { id, redundantChunks, timestampMicroseconds, maxDatagramBytes = DEFAULT_DATAGRAM_BYTES } = parameters
    const hash = this.#hashOf(parameters)
    checkInteger('message.length', message.length, 1, MAX_MESSAGE_BYTES)
    checkInteger('redundantChunks', redundantChunks, 0, MAX_ROWS)
    checkInteger('maxDatagramBytes', maxDatagramBytes, MIN_CHUNK_BYTES + COMPACT_HEADER_BYTES, MAX_DATAGRAM_BYTES)
    const contentBytes = message.length + DIGEST_BYTES
    const chunkBytes = chooseChunkBytes(contentBytes, maxDatagramBytes - COMPACT_HEADER_BYTES)
    const chunkCount = Math.ceil(contentBytes / chunkBytes)
    if (chunkCount > MAX_CHUNKS)
      throw outOfRange('message.length', `at most ${MAX_CHUNKS} chunks of ${chunkBytes} bytes`, message.length)
    this.#chunkBytes = chunkBytes
    this.#chunkCount = chunkCount
    this.#redundantChunks = redundantChunks
    const digest = this.#digester.digest(hash, id, message)
    const header = this.#header
    header[COMPACT.version] = COMPACT_VERSION
    header[COMPACT.kind] = KIND.chunk
    header[COMPACT.hash] = HASHES.indexOf(hash)
    writeUint32(header, COMPACT.messageBytes, message.length)
    writeUint32(header, COMPACT.timestamp, timestampMicroseconds % 2 ** 32)
    header.set(id, COMPACT.id)
    writeUint16(header, COMPACT.chunkBytes, chunkBytes)
    writeUint16(header, COMPACT.rowCount, chunkCount === 1 ? 0 : redundantChunks)
    writeUint32(header, COMPACT.tag, computeTag(header, digest, 0))
    // The blocks that the digest is in, which the message alone does not have whole.
    this.#tailChunk = Math.floor(message.length / chunkBytes)
    const tailStart = this.#tailChunk * chunkBytes
    this.#tailBytes = contentBytes - tailStart
    if (this.#tail.length < this.#tailBytes) this.#tail = new Uint8Array(chunkBytes + DIGEST_BYTES)
    if (tailStart < message.length) this.#tail.set(message.subarray(tailStart))
    this.#tail.set(digest, message.length - tailStart)
  }

  #takeRowMemory(): void {
    const rows = this.#chunkCount === 1 ? 0 : this.#redundantChunks
    const maskWords = rows * wordsFor(this.#chunkCount)
    if (this.#maskWords.length < maskWords) this.#maskWords = new Uint32Array(maskWords)
    const rowBytes = Math.min(rows, this.#rowsAtOnce) * this.#chunkBytes
    if (this.#rows.length < rowBytes) this.#rows = new Uint8Array(rowBytes)
  }

  get #rowsAtOnce(): number {
    return Math.max(1, Math.floor(ROWS_AT_ONCE_BYTES / this.#chunkBytes))
  }

  #hashOf(parameters: MessageParameters): MessageHash {
    return this.#digester.isKeyed ? this.#hash : (parameters.hash ?? this.#hash)
  }

  #payloadBytes(next: number): number {
    if (this.#chunkCount > 1 && next >= this.#chunkCount) return this.#rowBytes(next - this.#chunkCount)
    return this.#sourceBytes(this.#chunkCount === 1 ? 0 : next)
  }

  #sourceBytes(chunk: number): number {
    const contentBytes = this.format === 'classic' ? this.#message!.length : this.#message!.length + DIGEST_BYTES
    return Math.min(this.#chunkBytes, contentBytes - chunk * this.#chunkBytes)
  }

  /** A row over nothing but the last chunk is as long as that. */
  #rowBytes(row: number): number {
    if (this.format === 'compact') return this.#chunkBytes
    let first = -1
    this.#rowMasks().forEach(row, (column) => {
      if (first < 0) first = column
    })
    return this.#sourceBytes(first)
  }

  #writeSource(into: Uint8Array, chunk: number): void {
    const start = chunk * this.#chunkBytes
    const bytes = this.#sourceBytes(chunk)
    const { length: headerBytes } = this.#header
    if (chunk < this.#tailChunk) into.set(this.#message!.subarray(start, start + bytes), headerBytes)
    else {
      const tailStart = (chunk - this.#tailChunk) * this.#chunkBytes
      into.set(this.#tail.subarray(tailStart, tailStart + bytes), headerBytes)
    }
  }

  #writeRow(into: Uint8Array, row: number, payloadBytes: number): void {
    if (row >= this.#firstRowMade + this.#rowsMade || this.#rowsMade === 0) this.#makeRows(row)
    const start = (row - this.#firstRowMade) * this.#chunkBytes
    into.set(this.#rows.subarray(start, start + payloadBytes), this.#header.length)
  }

  #makeRows(first: number): void {
    const count = Math.min(this.#rowsAtOnce, this.#redundantChunks - first)
    const tail = this.#tail.subarray(0, this.#tailBytes)
    this.#encoder.encode(this.#rows, this.#rowMasks(), first, count, this.#message!, this.#chunkBytes, tail, this.#tailChunk)
    this.#firstRowMade = first
    this.#rowsMade = count
  }

  #writeClassicMask(into: Uint8Array, row: number, payloadBytes: number): void {
    writeUint16(into, CLASSIC.chunkBytes, payloadBytes)
    for (let i = 0; i < 4 * MASK_WORDS; i++) into[CLASSIC.mask + i] = 0
    if (row < 0) {
      const chunk = this.#chunkCount === 1 ? 0 : this.#next
      into[CLASSIC.mask + (chunk >>> 3)] = 1 << (chunk & 7)
      return
    }
    const masks = this.#rowMasks()
    const { wordsPerRow } = masks
    for (let i = 0; i < wordsPerRow; i++) writeUint32(into, CLASSIC.mask + 4 * i, masks.words[row * wordsPerRow + i]!)
  }

  #rowMasks(): BitMatrix {
    if (this.#masks !== undefined) return this.#masks
    const words = this.#redundantChunks * wordsFor(this.#chunkCount)
    this.#masks = new BitMatrix(this.#maskWords.subarray(0, words).fill(0), this.#chunkCount)
    if (this.format === 'classic') drawBalancedRows(this.#random!, this.#masks, this.#redundantChunks)
    else drawCompactMasks(readUint32(this.#header, COMPACT.tag), this.#masks, this.#redundantChunks)
    return this.#masks
  }
}

/** The masks of a compact message's rows, which follow from its tag. */
export function drawCompactMasks(tag: number, masks: BitMatrix, rows: number): void {
  drawSparseRows(new SeededRandom(tag), masks, rows)
}

/** As few chunks as possible, and all of about one size, so that the last one is not nearly empty. */
export function chooseChunkBytes(contentBytes: number, maxChunkBytes: number): number {
  if (contentBytes <= maxChunkBytes) return contentBytes
  const most = maxChunkBytes >= 2 * ALIGNMENT_BYTES ? maxChunkBytes - (maxChunkBytes % ALIGNMENT_BYTES) : maxChunkBytes
  const chunks = Math.ceil(contentBytes / most)
  const even = Math.ceil(contentBytes / chunks / ALIGNMENT_BYTES) * ALIGNMENT_BYTES
  return Math.max(MIN_CHUNK_BYTES, Math.min(most, even))
}

/** A cache line: blocks of whole ones are added up in two thirds of the time. */
const ALIGNMENT_BYTES = 64
/** Enough rows that a crossing of the native border weighs nothing, and no more than a few hundredths of a millisecond at a time. */
const ROWS_AT_ONCE_BYTES = 65_536
/** Ethernet's 1500 bytes (RFC 894) without IPv6 and UDP headers. */
export const DEFAULT_DATAGRAM_BYTES = 1452
const MAX_DATAGRAM_BYTES = 65_507
