import type { Hash } from 'node:crypto'
import type { Decoder } from '../fec/index.js'
import type { MessageHash } from './chunk-header.js'
import { CLASSIC, readUint32 } from './classic-codec.js'
import { COMPACT, computeTag } from './compact-codec.js'
import { isSame } from './digest.js'
import { ID_BYTES } from './limits.js'
import type { ReceiverContext } from './receiver-context.js'

/**
 * Is what has been put together the message that its digest belongs to? The front of the message is hashed as it grows, while it is in the
 * cache, and not all at the end.
 */
export class IncomingDigest {
  readonly #context: ReceiverContext
  readonly #hash: MessageHash
  readonly #common: Uint8Array
  readonly #content: Uint8Array
  readonly #messageBytes: number
  readonly #decoder: Decoder
  /** Blocks that are there without a gap, from the first one on. */
  #frontBlocks = 0
  #hashedBytes = 0
  #running: Hash | undefined

  /** @param common What all chunks of the message begin with. @param content The message, and in the compact format its digest. */
  constructor(
    context: ReceiverContext,
    hash: MessageHash,
    common: Uint8Array,
    content: Uint8Array,
    messageBytes: number,
    decoder: Decoder,
  ) {
    this.#context = context
    this.#hash = hash
    this.#common = common
    this.#content = content
    this.#messageBytes = messageBytes
    this.#decoder = decoder
  }

  /** Block `i` has come. */
  advance(i: number): void {
    if (i !== this.#frontBlocks || this.#hash === 'none') return
    const decoder = this.#decoder
    while (this.#frontBlocks < decoder.blocks && decoder.has(this.#frontBlocks)) this.#frontBlocks++
    const bytes = Math.min(this.#frontBlocks * decoder.blockBytes, this.#messageBytes)
    if (bytes - this.#hashedBytes < STEP_BYTES) return
    this.#running ??= this.#context.digester.begin(this.#hash, this.#id, this.#messageBytes)
    this.#running.update(this.#content.subarray(this.#hashedBytes, bytes))
    this.#hashedBytes = bytes
  }

  /** When everything is there, for the first time. */
  matches(): boolean {
    if (this.#running === undefined) return this.matchesAtOnce()
    this.#running.update(this.#content.subarray(this.#hashedBytes, this.#messageBytes))
    const digest = this.#running.digest()
    this.#running = undefined
    return this.#hasTag() && isSame(digest, this.#expected, this.#expectedAt)
  }

  /** Once more, from the beginning, because something was changed. */
  matchesAtOnce(): boolean {
    if (this.#hash === 'none') return true
    const message = this.#content.subarray(0, this.#messageBytes)
    const { digester } = this.#context
    return this.#hasTag() && digester.matches(this.#hash, this.#id, message, this.#expected, this.#expectedAt)
  }

  /** Compact: the header belongs to this digest. */
  #hasTag(): boolean {
    if (this.#isClassic) return true
    return readUint32(this.#common, COMPACT.tag) === computeTag(this.#common, this.#content, this.#messageBytes)
  }

  get #isClassic(): boolean {
    return this.#context.codec.format === 'classic'
  }

  get #expected(): Uint8Array {
    return this.#isClassic ? this.#common : this.#content
  }

  get #expectedAt(): number {
    return this.#isClassic ? CLASSIC.hash : this.#messageBytes
  }

  get #id(): Uint8Array {
    const { idStart } = this.#context.codec
    return this.#common.subarray(idStart, idStart + ID_BYTES)
  }
}

/** Long enough that a call weighs nothing, short enough to stay in the second-level cache. */
const STEP_BYTES = 65_536
