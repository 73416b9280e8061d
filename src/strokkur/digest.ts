import * as crypto from 'node:crypto'
import { invalidArgType, outOfRange } from '../core/index.js'
import type { MessageHash } from './chunk-header.js'
import { writeUint32 } from './classic-codec.js'
import { DIGEST_BYTES, ID_BYTES, MAX_KEY_BYTES, MIN_KEY_BYTES } from './limits.js'

/** Computes and compares digests of messages. */
export class Digester {
  /** What stands before a message under its key: the key's block, then the message's id and length. */
  readonly #prefix: Buffer | undefined

  /** @throws `ERR_INVALID_ARG_TYPE` or `ERR_OUT_OF_RANGE` for a key that cannot be one. */
  constructor(key?: Uint8Array) {
    if (key === undefined) return
    if (!(key instanceof Uint8Array)) throw invalidArgType('options.key', 'an instance of Uint8Array', key)
    if (key.length < MIN_KEY_BYTES || key.length > MAX_KEY_BYTES) {
      throw outOfRange('options.key.length', `>= ${MIN_KEY_BYTES} && <= ${MAX_KEY_BYTES}`, key.length)
    }
    this.#prefix = Buffer.alloc(SHA3_256_BLOCK_BYTES + ID_BYTES + 4)
    this.#prefix[0] = key.length
    this.#prefix.set(key, 1)
  }

  get isKeyed(): boolean {
    return this.#prefix !== undefined
  }

  /** The digest of a message in one piece. */
  digest(hash: MessageHash, id: Uint8Array, message: Uint8Array): Uint8Array {
    if (hash !== 'keyed-sha3-256' && ONE_SHOT !== undefined) return ONE_SHOT(hash, message, 'buffer')
    return this.begin(hash, id, message.length).update(message).digest()
  }

  /** For a message that comes piece by piece. */
  begin(hash: MessageHash, id: Uint8Array, messageBytes: number): crypto.Hash {
    if (hash !== 'keyed-sha3-256') return crypto.createHash(hash)
    const prefix = this.#prefix!
    prefix.set(id, SHA3_256_BLOCK_BYTES)
    writeUint32(prefix, SHA3_256_BLOCK_BYTES + ID_BYTES, messageBytes)
    return crypto.createHash('sha3-256').update(prefix)
  }

  /** Is `expected`, from byte `at` on, the digest of `message`? */
  matches(hash: MessageHash, id: Uint8Array, message: Uint8Array, expected: Uint8Array, at: number): boolean {
    if (hash === 'keyed-sha3-256' || ONE_SHOT === undefined) return isSame(this.digest(hash, id, message), expected, at)
    // For short messages, making a Buffer of the digest would take longer than a third of the hashing.
    const digest = ONE_SHOT(hash, message, 'latin1')
    let difference = 0
    for (let i = 0; i < DIGEST_BYTES; i++) difference |= digest.charCodeAt(i) ^ expected[at + i]!
    return difference === 0
  }
}

/** Compares in a time that does not depend on where they differ. */
export function isSame(digest: Uint8Array, expected: Uint8Array, at: number): boolean {
  return crypto.timingSafeEqual(digest, expected.subarray(at, at + DIGEST_BYTES))
}

/** `crypto.hash`, since Node 20.12: half the time of a Hash object for a kilobyte. */
const ONE_SHOT = (crypto as unknown as { hash?: OneShot }).hash

interface OneShot {
  (algorithm: string, data: Uint8Array, encoding: 'buffer'): Buffer
  (algorithm: string, data: Uint8Array, encoding: 'latin1'): string
}

/** The rate of SHA3-256 (FIPS 202, table 3): a key's block is absorbed by itself. */
const SHA3_256_BLOCK_BYTES = 136
