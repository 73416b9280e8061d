import { XorRun, type MemoryPool } from '../fec/index.js'
import type { ChunkCodec, MessageFormat, ReadSettings } from './chunk-header.js'
import { classicCodec } from './classic-codec.js'
import { compactCodec } from './compact-codec.js'
import { Digester } from './digest.js'
import { DEFAULT_MAX_MESSAGE_BYTES } from './limits.js'
import type { UnkeyedHash } from './message-sender.js'

export interface MessageReceiverOptions {
  readonly format: MessageFormat
  /** Classic, whose wire does not name it: default `sha256`. */
  readonly hash?: UnkeyedHash
  /** Preshared: only messages that were made with it are taken. */
  readonly key?: Uint8Array
  /** Classic: takes messages whose digest is all zeros, unchecked. Default false. */
  readonly acceptUnhashed?: boolean
  /** Default 4 MiB. */
  readonly maxMessageBytes?: number
  /** Where the memory comes from; its limit is the caller's. */
  readonly pool: MemoryPool
}

/** What the receivers of one kind have in common. */
export class ReceiverContext {
  readonly codec: ChunkCodec
  readonly digester: Digester
  readonly settings: ReadSettings
  readonly pool: MemoryPool
  readonly run: XorRun

  constructor(options: MessageReceiverOptions, run: XorRun = new XorRun()) {
    this.run = run
    this.codec = options.format === 'classic' ? classicCodec : compactCodec
    this.digester = new Digester(options.key)
    const { isKeyed } = this.digester
    this.settings = {
      maxMessageBytes: options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES,
      hash: isKeyed ? 'keyed-sha3-256' : (options.hash ?? 'sha256'),
      isKeyed,
      acceptUnhashed: !isKeyed && (options.acceptUnhashed ?? false),
    }
    this.pool = options.pool
  }

  /** The same, with memory from elsewhere. */
  withPool(pool: MemoryPool): ReceiverContext {
    return Object.assign(Object.create(ReceiverContext.prototype) as ReceiverContext, this, { pool })
  }
}
