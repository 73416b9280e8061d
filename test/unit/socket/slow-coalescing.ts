/** One datagram as a slow, readable twin of the send path sees it. */
export interface Outgoing {
  lengthBytes: number
  /** Compared by identity. */
  to: unknown
  /** The per-send options as text; '' for none. */
  control: string
}

const MAX_SEGMENTS = 64
const MAX_COALESCED_BYTES = 65_460
const SLAB_BYTES = 524_288
const MAX_MESSAGES = 128

/**
 * The slow twin of coalescing: which messages come of datagrams that are written one behind the other. A datagram joins the message
 * before it when destination, options and size are the same, as often as whole datagrams of that size fit; a shorter one is the last.
 */
export class SlowCoalescer {
  readonly #sent: Outgoing[][] = []
  #waiting: Outgoing[][] = []
  #datagrams = 0
  #usedBytes = 0
  /** A coalesced message is complete and less than a whole one has room behind it. */
  #closed = false

  constructor(
    readonly offload: boolean,
    readonly maxBytes: number,
    readonly maxDatagrams: number,
  ) {}

  /** `reservedBytes` is what room was asked for, before `datagram` turned out shorter. */
  add(datagram: Outgoing, reservedBytes = datagram.lengthBytes): void {
    if (!this.hasRoom(reservedBytes)) this.flush()
    this.#usedBytes += datagram.lengthBytes
    this.#datagrams++
    const last = this.#waiting.at(-1)
    if (last === undefined || !this.#mayJoin(last, datagram)) {
      this.#waiting.push([datagram])
      return
    }
    last.push(datagram)
    if (this.#isComplete(last)) this.#closed = this.#usedBytes + MAX_COALESCED_BYTES > SLAB_BYTES
  }

  hasRoom(lengthBytes: number): boolean {
    return (
      !this.#closed &&
      this.#waiting.length < MAX_MESSAGES &&
      this.#usedBytes + lengthBytes <= SLAB_BYTES &&
      this.#usedBytes + lengthBytes <= Math.max(this.maxBytes, this.#datagrams === 0 ? lengthBytes : 0) &&
      this.#datagrams < this.maxDatagrams
    )
  }

  flush(): void {
    this.#sent.push(...this.#waiting)
    this.#waiting = []
    this.#datagrams = 0
    this.#usedBytes = 0
    this.#closed = false
  }

  get messages(): Outgoing[][] {
    return this.#sent
  }

  #mayJoin(message: readonly Outgoing[], datagram: Outgoing): boolean {
    const first = message[0]!
    return (
      this.offload &&
      datagram.to === first.to &&
      datagram.control === first.control &&
      datagram.lengthBytes > 0 &&
      datagram.lengthBytes <= first.lengthBytes &&
      !this.#isComplete(message)
    )
  }

  #isComplete(message: readonly Outgoing[]): boolean {
    const { lengthBytes } = message[0]!
    return (
      message.at(-1)!.lengthBytes < lengthBytes ||
      message.length >= Math.min(MAX_SEGMENTS, Math.floor(MAX_COALESCED_BYTES / lengthBytes))
    )
  }
}
