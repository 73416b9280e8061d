/** What happened to a datagram in a simulated network. */
export interface TraceEvent {
  readonly kind: 'sent' | 'copied' | 'duplicated' | 'delivered' | 'dropped'
  readonly timeMs: number
  /** `address:port`. */
  readonly from: string
  readonly to: string
  readonly bytes: number
  /** Why it was dropped. */
  readonly reason?: string
}

/** A running fingerprint of everything that happened. Two lanes of 32 bits: enough to tell runs apart, nothing secret. */
export class TraceDigest {
  #first = 0x811c_9dc5 | 0
  #second = 0x2545_f491 | 0
  readonly #time = new Float64Array(1)
  readonly #timeWords = new Uint32Array(this.#time.buffer)

  add(timeMs: number, kind: number, subject: number, value: number): void {
    this.#time[0] = timeMs
    this.#mix(this.#timeWords[0]!)
    this.#mix(this.#timeWords[1]! ^ kind)
    this.#mix(subject)
    this.#mix(value)
  }

  /** Sixteen hexadecimal digits. */
  toString(): string {
    return hex(this.#first) + hex(this.#second)
  }

  #mix(word: number): void {
    this.#first = Math.imul(this.#first ^ word, 0x0100_0193) ^ (this.#first >>> 13)
    this.#second = (Math.imul(this.#second, 0x85eb_ca6b) + word) ^ (this.#second >>> 16)
  }
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0')
}
