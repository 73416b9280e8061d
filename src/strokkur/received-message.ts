import type { Endpoint } from '../core/index.js'
import type { MessageHash } from './chunk-header.js'
import { ID_BYTES } from './limits.js'

/** A message that has arrived whole, with the right digest. */
export class ReceivedMessage {
  #bytes: Buffer
  /** Who sent it. */
  readonly endpoint: Endpoint
  /** What its digest was made with; `none` only with `acceptUnhashed`. */
  readonly hash: MessageHash
  readonly chunkCount: number
  /** Chunks that were lost, and made again from redundant ones. */
  readonly chunksRepaired: number
  /** Chunks that came damaged, and were found out. */
  readonly chunksDamaged: number
  /** From the sender's time stamp to now, by both wall clocks: as right as they are. */
  readonly latencyMs: number
  readonly #identity: string
  readonly #reuse: (() => void) | undefined
  #isReleased = false

  /** @internal `identity` begins with the 16 bytes of the id, as Latin-1; `reuse` takes the memory back. */
  constructor(
    bytes: Buffer,
    endpoint: Endpoint,
    hash: MessageHash,
    chunkCount: number,
    chunksRepaired: number,
    chunksDamaged: number,
    latencyMs: number,
    identity: string,
    reuse?: () => void,
  ) {
    this.#bytes = bytes
    this.endpoint = endpoint
    this.hash = hash
    this.chunkCount = chunkCount
    this.chunksRepaired = chunksRepaired
    this.chunksDamaged = chunksDamaged
    this.latencyMs = latencyMs
    this.#identity = identity
    this.#reuse = reuse
  }

  /** The message, in memory of its own: it may be kept. Empty after {@link release}. */
  get bytes(): Buffer {
    return this.#bytes
  }

  /**
   * Gives the memory back, so that it serves the next message. Never needed; it spares the system fresh memory for each long message, which
   * takes a fifth of the time that its digest takes. What has been taken of {@link bytes} must not be used afterwards. Harmless to repeat.
   */
  release(): void {
    if (this.#isReleased) return
    this.#isReleased = true
    this.#bytes = NOTHING
    this.#reuse?.()
  }

  /** The UUID that the sender gave it. */
  get id(): string {
    return formatId(this.#identity)
  }
}

const NOTHING = Buffer.alloc(0)

/** Why a message that had begun was not delivered. */
export type MessageDropReason =
  /** Nothing of it came for `expiryMs`. */
  | 'expired'
  /** Its memory was needed for others, which had come further more recently. */
  | 'evicted'
  /** All of it came, but its digest did not match, until it expired. */
  | 'damaged'
  /** It is longer than `maxMessageBytes`, its memory is more than there is, or nobody read the messages before it. */
  | 'limit'
  /** It waited for async iteration, which was left. */
  | 'unread'

/** A message that was not delivered. */
export interface DroppedMessage {
  readonly reason: MessageDropReason
  readonly endpoint: Endpoint
  readonly id: string
  readonly messageBytes: number
  readonly chunkCount: number
  readonly chunksReceived: number
}

/** The text of a UUID (RFC 9562), from its bytes as Latin-1. */
export function formatId(identity: string): string {
  const hex = Buffer.from(identity.slice(0, ID_BYTES), 'latin1').toString('hex')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}
