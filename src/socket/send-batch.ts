import { MAX_MESSAGES_PER_CALL, OUTGOING_MESSAGE_WORDS } from '../core/index.js'

/**
 * A slab of payloads waiting to be sent, and the table of messages over it. It is filled from the front and, once all of it is
 * sent, filled again.
 */
export class SendBatch {
  readonly slab: Buffer
  readonly table: Uint32Array
  /** Messages in the table, and how many of them are sent. */
  messages = 0
  sent = 0
  usedBytes = 0
  /** Datagrams written since the slab was last empty. */
  datagrams = 0
  /** The first unsent message was refused as a whole: send its datagrams one by one. */
  splitNext = false
  readonly #views: Buffer[] = []

  constructor(slabBytes: number) {
    this.slab = Buffer.allocUnsafeSlow(slabBytes)
    this.table = new Uint32Array(MAX_MESSAGES * OUTGOING_MESSAGE_WORDS)
  }

  hasRoom(lengthBytes: number): boolean {
    return this.messages < MAX_MESSAGES && lengthBytes <= this.slab.length - this.usedBytes
  }

  get unsent(): number {
    return this.messages - this.sent
  }

  /** The place of the next datagram, as a view that is kept with the slab and reused for the same place and size. */
  viewOf(lengthBytes: number): Buffer {
    const known = this.#views[this.datagrams]
    const at = this.slab.byteOffset + this.usedBytes
    if (known !== undefined && known.byteOffset === at && known.length === lengthBytes) return known
    const view = this.slab.subarray(this.usedBytes, this.usedBytes + lengthBytes)
    this.#views[this.datagrams] = view
    return view
  }

  /** Index of the table word where message `i` begins. */
  static at(message: number): number {
    return message * OUTGOING_MESSAGE_WORDS
  }

  field(message: number, field: number): number {
    return this.table[message * OUTGOING_MESSAGE_WORDS + field]!
  }

  /** Empties the batch. With `keepPlace` it goes on behind what was used: there lies a datagram that is reserved. */
  reset(keepPlace: boolean): void {
    this.messages = 0
    this.sent = 0
    this.splitNext = false
    if (keepPlace) return
    this.usedBytes = 0
    this.datagrams = 0
  }
}

/** Makes message `to` of one table a copy of message `from` of another, addressing and ancillary data included. */
export function copyMessage(from: Uint32Array, fromAt: number, to: Uint32Array, toAt: number): void {
  for (let i = 0; i < OUTGOING_MESSAGE_WORDS; i++) to[toAt + i] = from[fromAt + i]!
}

/** One system call takes this many; half the addon's limit keeps a flush short when nothing coalesces. */
const MAX_MESSAGES = MAX_MESSAGES_PER_CALL / 2
