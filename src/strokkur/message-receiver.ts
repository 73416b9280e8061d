import { invalidState, outOfRange } from '../core/index.js'
import { Decoder, type BitMatrix } from '../fec/index.js'
import { ChunkHeader, type ChunkRejection, type MessageHash } from './chunk-header.js'
import { hasEqualMask, lastBlockOfCutRow } from './classic-rows.js'
import { readUint32 } from './classic-codec.js'
import { COMPACT } from './compact-codec.js'
import { IncomingDigest } from './incoming-digest.js'
import { ID_BYTES, LEAST_TRIALS_AT_ONCE, MAX_TRIALS, SPARE_ROWS, TRIAL_BYTES } from './limits.js'
import { drawCompactMasks } from './message-sender.js'
import { ReceiverContext, type MessageReceiverOptions } from './receiver-context.js'

/**
 * Puts one message together from its chunks. No I/O, no timers; memory comes from the pool: for the message with its first chunk, for
 * redundant rows with the first of them, and nothing afterwards. Of what it is given it keeps copies: {@link recycle} hands chunks back.
 */
export class MessageReceiver {
  readonly #context: ReceiverContext
  readonly #header = new ChunkHeader()
  #common: Uint8Array = NOTHING
  #state: 'empty' | 'receiving' | 'ready' = 'empty'
  #memory: Uint8Array | undefined
  #content: Uint8Array = NOTHING
  #rowMemory: Uint8Array | undefined
  #decoder: Decoder | undefined
  #messageBytes = 0
  #rowCount = 0
  #hash: MessageHash = 'none'
  #timestamp = 0
  #lost = 0
  #digest: IncomingDigest | undefined
  #isDamaged = false
  #trials = 0
  #rejection: ChunkRejection | undefined
  #received = 0
  #takenBack = 0
  #needed = 0
  #given: Uint8Array | undefined

  /** @param options Or a context, which many receivers can share. @throws `ERR_OUT_OF_RANGE`, `ERR_INVALID_ARG_TYPE` for a key that cannot be one. */
  constructor(options: MessageReceiverOptions | ReceiverContext) {
    this.#context = options instanceof ReceiverContext ? options : new ReceiverContext(options)
  }

  /** Begins a message by one of its chunks, whichever. "rejected": it has not begun. @throws `ERR_INVALID_STATE` when one is under way. */
  init(chunk: Uint8Array): 'more' | 'ready' | 'rejected' {
    if (this.#state !== 'empty') throw invalidState('a message is under way')
    this.#given = chunk
    return this.#readHeader(chunk) ? this.begin(chunk, this.#header) : 'rejected'
  }

  /**
   * Adds a chunk.
   *
   * @returns "more": at least {@link needed} more are needed; "ready": the message is whole, and its digest is right; "rejected": the
   *   chunk was of no use, for {@link rejection}.
   * @throws `ERR_INVALID_STATE` without a message.
   */
  addChunk(chunk: Uint8Array): 'more' | 'ready' | 'rejected' {
    if (this.#state === 'empty') throw invalidState('there is no message: begin one by init')
    this.#given = chunk
    return this.#readHeader(chunk) ? this.add(chunk, this.#header) : 'rejected'
  }

  /**
   * Hands back the chunk that {@link init} or {@link addChunk} was given last, whatever came of it, to receive the next datagram in: once for
   * each, then undefined. What is kept of a chunk is a copy, so it is free at once; a loop that takes its buffers from here stays balanced.
   */
  recycle(): Uint8Array | undefined {
    const given = this.#given
    this.#given = undefined
    return given
  }

  /** Is a message under way, or ready? */
  get initialised(): boolean {
    return this.#state !== 'empty'
  }

  /** Is the message whole, with the right digest? */
  get ready(): boolean {
    return this.#state === 'ready'
  }

  /** At least so many more chunks are needed; 0 when it is ready. */
  get needed(): number {
    return this.#needed
  }

  /** Why the last chunk was rejected. */
  get rejection(): ChunkRejection | undefined {
    return this.#rejection
  }

  /** Everything is there, but the digest does not match: more redundant chunks may show which chunk was damaged. */
  get isDamaged(): boolean {
    return this.#isDamaged
  }

  get messageBytes(): number {
    return this.#messageBytes
  }

  get chunkCount(): number {
    return this.#decoder?.blocks ?? 0
  }

  /** Chunks taken, redundant ones among them. */
  get chunksReceived(): number {
    return this.#received
  }

  /** Source chunks that had not come when the message was ready, and were computed. */
  get chunksRepaired(): number {
    return this.#lost
  }

  /** Chunks that had come damaged, and were found out. */
  get chunksDamaged(): number {
    return this.#takenBack
  }

  get hash(): MessageHash {
    return this.#hash
  }

  /** The sender's time stamp, microseconds; in the compact format its low 32 bits. */
  get timestamp(): number {
    return this.#timestamp
  }

  /** Bytes that it has taken from the pool. */
  get memoryBytes(): number {
    return (this.#memory?.length ?? 0) + (this.#rowMemory?.length ?? 0)
  }

  /** Source chunks that have not come. */
  get chunksMissing(): number {
    return this.#decoder === undefined ? 0 : Math.max(this.#decoder.missing, this.#lost)
  }

  /** What all its chunks begin with. @internal */
  get common(): Uint8Array {
    return this.#common
  }

  /** The 16 bytes that name the message. A copy. */
  get id(): Buffer {
    const { idStart } = this.#context.codec
    return Buffer.from(this.#common.subarray(idStart, idStart + ID_BYTES))
  }

  /**
   * Copies the message to the front of `into`, and ends as {@link deinit} does. Without `into` only tells the size.
   *
   * @returns The length of the message.
   * @throws `ERR_INVALID_STATE` before it is ready, `ERR_OUT_OF_RANGE` for a buffer that is too short: it stays ready.
   */
  extract(into?: Uint8Array): number {
    const bytes = this.#messageBytes
    if (into === undefined && this.#state !== 'empty') return bytes
    if (this.#state !== 'ready') throw invalidState('the message is not ready')
    if (into!.length < bytes) throw outOfRange('into.length', `>= ${bytes}`, into!.length)
    into!.set(this.#content.subarray(0, bytes))
    this.deinit()
    return bytes
  }

  /**
   * The message in the memory in which it was received, which leaves the pool; ends as {@link deinit} does. Whoever has no use for it any
   * more may give its whole memory to the pool's `adopt`.
   *
   * @throws as {@link extract}.
   */
  take(): Buffer {
    if (this.#state !== 'ready') throw invalidState('the message is not ready')
    const memory = this.#memory!
    this.#context.pool.letGo(memory)
    this.#memory = undefined
    const message = Buffer.from(memory.buffer, memory.byteOffset, this.#messageBytes)
    this.deinit()
    return message
  }

  /** Forgets the message and gives all memory back to the pool. Harmless to repeat. */
  deinit(): void {
    const { pool } = this.#context
    if (this.#memory !== undefined) pool.give(this.#memory)
    if (this.#rowMemory !== undefined) pool.give(this.#rowMemory)
    this.#memory = this.#rowMemory = undefined
    this.#decoder = undefined
    this.#digest = undefined
    this.#content = NOTHING
    this.#state = 'empty'
  }

  /** As {@link init}, with a header that was read before. @internal */
  begin(chunk: Uint8Array, header: ChunkHeader): 'more' | 'ready' | 'rejected' {
    const { pool, codec, run } = this.#context
    const memory = pool.take(header.contentBytes)
    if (memory === undefined) return this.#reject('memory')
    this.#memory = memory
    this.#content = memory.subarray(0, header.contentBytes)
    this.#common = Uint8Array.prototype.slice.call(chunk, 0, codec.commonBytes)
    this.#messageBytes = header.messageBytes
    this.#rowCount = header.rowCount
    this.#hash = header.hash
    this.#timestamp = header.timestamp
    const draw = codec.format === 'compact' ? this.#drawMasks : undefined
    this.#decoder = new Decoder(header.chunkCount, header.chunkBytes, this.#content, run, draw)
    this.#lost = this.#trials = this.#received = this.#takenBack = 0
    this.#digest = new IncomingDigest(this.#context, header.hash, this.#common, this.#content, header.messageBytes, this.#decoder)
    this.#isDamaged = false
    this.#state = 'receiving'
    const result = this.add(chunk, header)
    if (result === 'rejected') this.deinit()
    return result
  }

  /** As {@link addChunk}, with a header that was read before. @internal */
  add(chunk: Uint8Array, header: ChunkHeader): 'more' | 'ready' | 'rejected' {
    const { codec } = this.#context
    if (!this.belongs(chunk)) return this.#reject('disagrees')
    if (this.#state === 'ready') return this.#reject('surplus')
    const rejection =
      header.chunk >= 0
        ? this.#addSource(chunk, header)
        : this.#addRow(chunk.subarray(codec.headerBytes, codec.headerBytes + header.payloadBytes), chunk, header)
    if (rejection !== undefined) return this.#reject(rejection)
    this.#received++
    this.#needed = this.#decoder!.needed()
    if (this.#needed === 0) return this.#finish()
    return 'more'
  }

  /** Has it the front in common with the chunks of this message? @internal */
  belongs(chunk: Uint8Array): boolean {
    const common = this.#common
    for (let i = 0; i < common.length; i++) if (common[i] !== chunk[i]) return false
    return true
  }

  #readHeader(chunk: Uint8Array): boolean {
    const { codec, settings } = this.#context
    this.#rejection = codec.read(chunk, this.#header, settings)
    return this.#rejection === undefined
  }

  #reject(rejection: ChunkRejection): 'rejected' {
    this.#rejection = rejection
    return 'rejected'
  }

  #addSource(chunk: Uint8Array, { chunk: i, chunkBytes, payloadBytes }: ChunkHeader): ChunkRejection | undefined {
    const decoder = this.#decoder!
    if (decoder.has(i)) {
      // The only chunk of a message, damaged: the next one may be better.
      if (!this.#isDamaged || decoder.blocks > 1) return 'repeated'
    } else if (decoder.missing === 0) return 'surplus'
    const { headerBytes } = this.#context.codec
    // Cheaper than a Buffer's subarray.
    this.#content.set(new Uint8Array(chunk.buffer, chunk.byteOffset + headerBytes, payloadBytes), i * chunkBytes)
    if (decoder.has(i)) return undefined
    decoder.markSource(i)
    this.#digest!.advance(i)
    return undefined
  }

  #addRow(payload: Uint8Array, chunk: Uint8Array, header: ChunkHeader): ChunkRejection | undefined {
    const decoder = this.#decoder!
    if (decoder.missing === 0 && !this.#isDamaged) return 'surplus'
    const { codec, pool } = this.#context
    if (!decoder.hasRowMemory) {
      const maxRows = Math.min(this.#rowCount, decoder.missing + SPARE_ROWS)
      const maskRows = codec.format === 'compact' ? this.#rowCount : maxRows
      const memory = pool.take(decoder.rowMemoryBytes(maxRows, maskRows))
      if (memory === undefined) return 'memory'
      this.#rowMemory = memory
      decoder.setRowMemory(memory, maxRows, maskRows)
    }
    if (!decoder.hasRoomForRow) return 'surplus'
    if (codec.format === 'compact') {
      if (decoder.hasRow(header.row)) return 'repeated'
      decoder.addRow(header.row, payload)
      return undefined
    }
    const row = decoder.rowCount
    codec.readMask(chunk, decoder.masks, row)
    if (hasEqualMask(decoder.masks, row)) return 'repeated'
    if (payload.length < header.chunkBytes) return this.#useCutRow(decoder, row, payload)
    decoder.addRow(row, payload)
    return undefined
  }

  #useCutRow(decoder: Decoder, row: number, payload: Uint8Array): ChunkRejection | undefined {
    const rejection = lastBlockOfCutRow(decoder, row, payload, this.#content, this.#context.run)
    if (rejection === undefined) this.#lost++
    return rejection
  }

  #finish(): 'more' | 'ready' | 'rejected' {
    const decoder = this.#decoder!
    if (!this.#isDamaged) this.#lost += decoder.missing
    decoder.solve()
    if (this.#isDamaged ? this.#repair(decoder) || this.#isReplaced(decoder) : this.#digest!.matches()) {
      this.#state = 'ready'
      this.#isDamaged = false
      return 'ready'
    }
    if (!this.#isDamaged) {
      this.#isDamaged = true
      // Rows that were not needed may show it at once.
      if (this.#repair(decoder)) {
        this.#state = 'ready'
        this.#isDamaged = false
        return 'ready'
      }
    }
    this.#needed = 1
    return 'more'
  }

  #repair(decoder: Decoder): boolean {
    const atOnce = Math.max(LEAST_TRIALS_AT_ONCE, Math.floor(TRIAL_BYTES / this.#messageBytes))
    const most = Math.min(atOnce, MAX_TRIALS - this.#trials)
    if (most <= 0 || decoder.blocks === 1) return false
    const asked = decoder.repair(() => this.#digest!.matchesAtOnce(), most)
    this.#trials += Math.abs(asked)
    if (asked >= 0) return false
    this.#takenBack = 1
    return true
  }

  /** The only chunk of a message has come again. */
  #isReplaced(decoder: Decoder): boolean {
    if (decoder.blocks > 1 || !this.#digest!.matchesAtOnce()) return false
    this.#takenBack = 1
    return true
  }

  readonly #drawMasks = (masks: BitMatrix): void => {
    drawCompactMasks(readUint32(this.#common, COMPACT.tag), masks, this.#rowCount)
  }
}

const NOTHING = new Uint8Array(0)
