import type { Endpoint } from '../core/index.js'
import { MemoryPool } from '../fec/index.js'
import { ChunkHeader, type ChunkRejection } from './chunk-header.js'
import { readUint32 } from './classic-codec.js'
import { COMPACT, computeTag } from './compact-codec.js'
import { ID_BYTES } from './limits.js'
import { MessageReceiver } from './message-receiver.js'
import { ReceivedMessage, formatId, type DroppedMessage, type MessageDropReason } from './received-message.js'
import { ReceiverContext } from './receiver-context.js'
import { Remembered } from './remembered.js'

export interface TableLimits {
  /** Messages on their way at one time: in all, and of one peer. */
  readonly maxMessages: number
  readonly maxPeerMessages: number
  /** Memory of one peer's messages; that of all is the pool's limit. */
  readonly maxPeerBytes: number
  /** A message of which nothing new has come for so long is given up. */
  readonly expiryMs: number
  /** Messages remembered after their end, so that late chunks do nothing. */
  readonly rememberedMessages: number
}

/** What comes of it. */
export interface TableEvents {
  onMessage(message: ReceivedMessage): void
  onDropped(dropped: DroppedMessage): void
  /** A message has ended, one way or the other: so many of its chunks had not come. */
  onEnded(chunk: Uint8Array, endpoint: Endpoint, chunkCount: number, chunksMissing: number): void
}

/** What a table counts. `chunksReceived` is the sum of `chunksUsed` and all of `chunksRejected`. */
export interface TableCounters {
  chunksReceived: number
  chunksUsed: number
  chunksRejected: Record<ChunkRejection, number>
  messagesReceived: number
  messageBytesReceived: number
  messagesDropped: Record<MessageDropReason, number>
  chunksRepaired: number
  chunksDamaged: number
  /** Messages begun under the name of another one that differs in its header: one of the two was damaged, or forged. */
  messagesConflicting: number
}

interface Peer {
  readonly key: string
  readonly pool: MemoryPool
  readonly context: ReceiverContext
  /** In order of their last progress. */
  readonly entries: Set<Entry>
}

interface Entry {
  readonly key: string
  readonly peer: Peer
  readonly endpoint: Endpoint
  readonly receiver: MessageReceiver
  progressMs: number
  /** The next one with this key, of another header. */
  sibling: Entry | undefined
}

/**
 * Messages of many peers on their way: chunks in, messages out. Pure: time is told, memory is the pool's.
 *
 * A message is known by its sender's endpoint, its id and its digest. Where headers under one name disagree, each makes a message of its
 * own, up to {@link MAX_SIBLINGS}: a chunk whose header was damaged must not spoil the others. The first that proves right wins.
 */
export class MessageTable {
  readonly counters: TableCounters = emptyCounters()
  readonly #context: ReceiverContext
  readonly #limits: TableLimits
  readonly #events: TableEvents
  readonly #header = new ChunkHeader()
  readonly #entries = new Map<string, Entry>()
  /** In order of their last progress. */
  readonly #order = new Set<Entry>()
  readonly #peers = new Map<string, Peer>()
  readonly #endpointKeys = new WeakMap<Endpoint, string>()
  readonly #delivered: Remembered
  readonly #dropped: Remembered
  #lastEndpoint: Endpoint | undefined
  #lastEndpointKey = ''
  #last: Entry | undefined

  constructor(context: ReceiverContext, limits: TableLimits, events: TableEvents) {
    this.#context = context
    this.#limits = limits
    this.#events = events
    this.#delivered = new Remembered(limits.rememberedMessages)
    this.#dropped = new Remembered(limits.rememberedMessages)
  }

  /** Messages on their way. */
  get messages(): number {
    return this.#order.size
  }

  get peers(): number {
    return this.#peers.size
  }

  /** When {@link expire} has something to do; Infinity: not before a chunk comes. */
  get deadlineMs(): number {
    for (const { progressMs } of this.#order) return progressMs + this.#limits.expiryMs
    return Infinity
  }

  /** Takes a chunk. Messages and drops that follow are told before it returns. */
  receive(chunk: Buffer, endpoint: Endpoint, nowMs: number, wallMicroseconds: number): void {
    this.counters.chunksReceived++
    const header = this.#header
    const { codec, settings } = this.#context
    const rejection = codec.read(chunk, header, settings) ?? this.#receive(chunk, header, endpoint, nowMs, wallMicroseconds)
    if (rejection === undefined) {
      this.counters.chunksUsed++
      return
    }
    this.counters.chunksRejected[rejection]++
    if (rejection === 'tooLong') this.#dropUnbegun(chunk, endpoint)
  }

  /** Gives up what has expired. */
  expire(nowMs: number): void {
    for (const entry of this.#order) {
      if (entry.progressMs + this.#limits.expiryMs > nowMs) return
      this.#drop(entry, entry.receiver.isDamaged ? 'damaged' : 'expired')
    }
  }

  /** Gives up everything in silence, and gives all memory back. */
  clear(): void {
    for (const entry of this.#order) this.#remove(entry)
  }

  #receive(
    chunk: Buffer,
    header: ChunkHeader,
    endpoint: Endpoint,
    nowMs: number,
    wallMicroseconds: number,
  ): ChunkRejection | undefined {
    const last = this.#last
    if (last !== undefined && last.endpoint === endpoint && last.receiver.belongs(chunk)) {
      return this.#add(last, chunk, header, nowMs, wallMicroseconds)
    }
    const endpointKey = this.#endpointKey(endpoint)
    const { codec } = this.#context
    const identity = chunk.toString('latin1', codec.identityStart, codec.identityEnd)
    const key = identity + endpointKey
    if (this.#delivered.has(key)) return 'late'
    const first = this.#entries.get(key)
    if (first === undefined && header.chunkCount === 1 && this.#isWhole(chunk, header)) {
      const bytes = Buffer.from(chunk.subarray(codec.headerBytes, codec.headerBytes + header.messageBytes))
      const latencyMs = codec.latencyMicroseconds(header.timestamp, wallMicroseconds) / 1000
      this.#deliver(key, new ReceivedMessage(bytes, endpoint, header.hash, 1, 0, 0, latencyMs, identity))
      this.#events.onEnded(chunk, endpoint, 1, 0)
      return undefined
    }
    let siblings = 0
    for (let entry = first; entry !== undefined; entry = entry.sibling) {
      if (entry.receiver.belongs(chunk)) return this.#add(entry, chunk, header, nowMs, wallMicroseconds)
      siblings++
    }
    if (this.#dropped.has(this.#commonKey(chunk, endpointKey))) return 'late'
    if (siblings >= MAX_SIBLINGS) return 'disagrees'
    return this.#begin(key, endpointKey, chunk, header, endpoint, nowMs, wallMicroseconds)
  }

  #begin(
    key: string,
    endpointKey: string,
    chunk: Buffer,
    header: ChunkHeader,
    endpoint: Endpoint,
    nowMs: number,
    wallMicroseconds: number,
  ): ChunkRejection | undefined {
    const { maxMessages, maxPeerMessages, maxPeerBytes } = this.#limits
    const most = Math.min(maxPeerBytes, this.#context.pool.limitBytes)
    if (MemoryPool.roundedBytes(header.contentBytes) > most) {
      this.#dropUnbegun(chunk, endpoint)
      return 'memory'
    }
    const peer = this.#peer(endpointKey)
    if (peer.entries.size >= maxPeerMessages) this.#evict(peer.entries, undefined)
    if (this.#order.size >= maxMessages) this.#evict(this.#order, undefined)
    // The peer may have gone with its last message.
    this.#peers.set(endpointKey, peer)
    const receiver = new MessageReceiver(peer.context)
    const entry: Entry = { key, peer, endpoint, receiver, progressMs: nowMs, sibling: undefined }
    let result = receiver.begin(chunk, header)
    while (result === 'rejected' && receiver.rejection === 'memory' && this.#makeRoom(peer, entry))
      result = receiver.begin(chunk, header)
    this.#peers.set(endpointKey, peer)
    if (result === 'rejected') {
      this.#forgetIfIdle(peer)
      return receiver.rejection
    }
    const first = this.#entries.get(key)
    if (first !== undefined) {
      this.counters.messagesConflicting++
      entry.sibling = first
    }
    this.#entries.set(key, entry)
    this.#order.add(entry)
    peer.entries.add(entry)
    this.#last = entry
    if (result === 'ready') this.#complete(entry, chunk, wallMicroseconds)
    return undefined
  }

  #add(entry: Entry, chunk: Buffer, header: ChunkHeader, nowMs: number, wallMicroseconds: number): ChunkRejection | undefined {
    const { receiver, peer } = entry
    let result = receiver.add(chunk, header)
    while (result === 'rejected' && receiver.rejection === 'memory' && this.#makeRoom(peer, entry))
      result = receiver.add(chunk, header)
    if (result === 'rejected') return receiver.rejection
    if (entry !== this.#last || entry.progressMs !== nowMs) {
      this.#last = entry
      entry.progressMs = nowMs
      this.#order.delete(entry)
      this.#order.add(entry)
      peer.entries.delete(entry)
      peer.entries.add(entry)
    }
    if (result === 'ready') this.#complete(entry, chunk, wallMicroseconds)
    return undefined
  }

  #complete(entry: Entry, chunk: Buffer, wallMicroseconds: number): void {
    const { key, endpoint, receiver } = entry
    const { chunkCount, chunksRepaired, chunksDamaged, hash, timestamp } = receiver
    const latencyMs = this.#context.codec.latencyMicroseconds(timestamp, wallMicroseconds) / 1000
    const bytes = receiver.take()
    // What else there is under this name can only be damage.
    for (let other = this.#entries.get(key); other !== undefined; other = other.sibling) this.#remove(other)
    this.counters.chunksRepaired += chunksRepaired
    this.counters.chunksDamaged += chunksDamaged
    const { pool } = this.#context
    const reuse = (): void => pool.adopt(new Uint8Array(bytes.buffer))
    const message = new ReceivedMessage(bytes, endpoint, hash, chunkCount, chunksRepaired, chunksDamaged, latencyMs, key, reuse)
    this.#deliver(key, message)
    this.#events.onEnded(chunk, endpoint, chunkCount, chunksRepaired)
  }

  #deliver(key: string, message: ReceivedMessage): void {
    this.#delivered.add(key)
    this.counters.messagesReceived++
    this.counters.messageBytesReceived += message.bytes.length
    this.#events.onMessage(message)
  }

  /** Evicts for want of memory: the peer's own oldest where its share is used up, else anybody's. False: there is nobody but `keep`. */
  #makeRoom(peer: Peer, keep: Entry): boolean {
    return this.#evict(peer.pool.refusedByParent ? this.#order : peer.entries, keep)
  }

  #evict(from: ReadonlySet<Entry>, keep: Entry | undefined): boolean {
    for (const entry of from) {
      if (entry === keep) continue
      this.#drop(entry, 'evicted')
      return true
    }
    return false
  }

  #drop(entry: Entry, reason: MessageDropReason): void {
    const { receiver, endpoint, key, peer } = entry
    const { messageBytes, chunkCount, chunksReceived, chunksMissing } = receiver
    const common = receiver.common
    this.#remove(entry)
    this.#dropped.add(this.#commonKey(common, peer.key))
    this.counters.messagesDropped[reason]++
    this.#events.onDropped({ reason, endpoint, id: formatId(key), messageBytes, chunkCount, chunksReceived })
    this.#events.onEnded(common, endpoint, chunkCount, chunksMissing)
  }

  /** A message that is beyond the limits: told once. */
  #dropUnbegun(chunk: Buffer, endpoint: Endpoint): void {
    const key = this.#commonKey(chunk, this.#endpointKey(endpoint))
    if (this.#dropped.has(key)) return
    this.#dropped.add(key)
    this.counters.messagesDropped.limit++
    const { codec } = this.#context
    const messageBytes = chunk.readUInt32LE(codec.messageBytesAt)
    const id = formatId(chunk.toString('latin1', codec.identityStart, codec.identityEnd))
    this.#events.onDropped({ reason: 'limit', endpoint, id, messageBytes, chunkCount: 0, chunksReceived: 0 })
  }

  #remove(entry: Entry): void {
    const { key, peer, receiver } = entry
    receiver.deinit()
    this.#order.delete(entry)
    peer.entries.delete(entry)
    this.#forgetIfIdle(peer)
    if (this.#last === entry) this.#last = undefined
    const first = this.#entries.get(key)
    if (first === entry) {
      if (entry.sibling === undefined) this.#entries.delete(key)
      else this.#entries.set(key, entry.sibling)
      return
    }
    for (let other = first; other !== undefined; other = other.sibling) {
      if (other.sibling === entry) other.sibling = entry.sibling
    }
  }

  #forgetIfIdle(peer: Peer): void {
    if (peer.entries.size === 0) this.#peers.delete(peer.key)
  }

  #isWhole(chunk: Buffer, header: ChunkHeader): boolean {
    const { codec, digester } = this.#context
    if (header.hash === 'none') return true
    const { headerBytes, idStart, identityStart } = codec
    const end = headerBytes + header.messageBytes
    const message = chunk.subarray(headerBytes, end)
    const id = digester.isKeyed ? chunk.subarray(idStart, idStart + ID_BYTES) : chunk
    if (codec.format === 'classic') return digester.matches(header.hash, id, message, chunk, identityStart + ID_BYTES)
    return (
      readUint32(chunk, COMPACT.tag) === computeTag(chunk, chunk, end) && digester.matches(header.hash, id, message, chunk, end)
    )
  }

  #peer(key: string): Peer {
    const found = this.#peers.get(key)
    if (found !== undefined) return found
    const pool = new MemoryPool(this.#limits.maxPeerBytes, this.#context.pool)
    return { key, pool, context: this.#context.withPool(pool), entries: new Set() }
  }

  #endpointKey(endpoint: Endpoint): string {
    if (endpoint === this.#lastEndpoint) return this.#lastEndpointKey
    let key = this.#endpointKeys.get(endpoint)
    if (key === undefined) this.#endpointKeys.set(endpoint, (key = endpoint.toString()))
    this.#lastEndpoint = endpoint
    this.#lastEndpointKey = key
    return key
  }

  #commonKey(chunk: Uint8Array, endpointKey: string): string {
    const { buffer, byteOffset } = chunk
    return Buffer.from(buffer, byteOffset, this.#context.codec.commonBytes).toString('latin1') + endpointKey
  }
}

function emptyCounters(): TableCounters {
  const chunksRejected = Object.fromEntries(CHUNK_REJECTIONS.map((reason) => [reason, 0])) as Record<ChunkRejection, number>
  return {
    chunksReceived: 0,
    chunksUsed: 0,
    chunksRejected,
    messagesReceived: 0,
    messageBytesReceived: 0,
    messagesDropped: { expired: 0, evicted: 0, damaged: 0, limit: 0, unread: 0 },
    chunksRepaired: 0,
    chunksDamaged: 0,
    messagesConflicting: 0,
  }
}

const CHUNK_REJECTIONS: readonly ChunkRejection[] = [
  ...(['short', 'version', 'hash', 'unhashed', 'length', 'tooLong', 'count', 'index', 'mask'] as const),
  ...(['truncated', 'disagrees', 'repeated', 'surplus', 'memory', 'late'] as const),
]
/** Messages on their way under one name. */
const MAX_SIBLINGS = 4
