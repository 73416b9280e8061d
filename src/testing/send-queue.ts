import { invalidArgValue, invalidState, type Endpoint, type LinkStatistics, type Payload, writePayload } from '../core/index.js'
import type { PayloadMemory } from './payload-memory.js'

/** What became of a datagram that was handed over. */
export const HANDED_OVER = { sent: 0, failed: 1, blocked: 2 } as const
export type HandedOver = (typeof HANDED_OVER)[keyof typeof HANDED_OVER]

/** What a send queue needs of its link. */
export interface SendQueueOwner {
  handOver(payload: Buffer, endpoint: Endpoint): HandedOver
  onDrain(): void
}

/** Datagrams that wait to be handed over: bounded, in order, counted. */
export class SendQueue {
  readonly #memory: PayloadMemory
  readonly #maxBytes: number
  readonly #maxDatagrams: number
  readonly #counters: LinkStatistics
  readonly #owner: SendQueueOwner
  readonly #payloads: Buffer[] = []
  readonly #endpoints: Endpoint[] = []
  #first = 0
  #isDrainOwed = false
  #reserved: Buffer | undefined
  #reservedEndpoint: Endpoint | undefined

  constructor(memory: PayloadMemory, maxBytes: number, maxDatagrams: number, counters: LinkStatistics, owner: SendQueueOwner) {
    this.#memory = memory
    this.#maxBytes = maxBytes
    this.#maxDatagrams = maxDatagrams
    this.#counters = counters
    this.#owner = owner
  }

  get isEmpty(): boolean {
    return this.#first === this.#payloads.length
  }

  /** False when there is no room. @throws `ERR_INVALID_STATE` between {@link reserve} and {@link commit}. */
  send(payload: Payload, lengthBytes: number, endpoint: Endpoint): boolean {
    if (!this.#makeRoom(lengthBytes)) return false
    const copy = this.#memory.take(lengthBytes)
    writePayload(payload, copy, 0)
    this.#append(copy, endpoint)
    return true
  }

  reserve(lengthBytes: number, endpoint: Endpoint): Buffer | undefined {
    if (!this.#makeRoom(lengthBytes)) return undefined
    this.#reserved = this.#memory.take(lengthBytes)
    this.#reservedEndpoint = endpoint
    return this.#reserved
  }

  commit(lengthBytes: number | undefined): void {
    const reserved = this.#reserved
    if (reserved === undefined) throw invalidState('nothing is reserved')
    const length = lengthBytes ?? reserved.length
    if (length > reserved.length) {
      throw invalidArgValue('lengthBytes', length, `must be at most the ${reserved.length} that were reserved`)
    }
    this.#reserved = undefined
    // The rest of it, which may have been written, is no part of the datagram.
    reserved.fill(0, length)
    this.#append(reserved.subarray(0, length), this.#reservedEndpoint!)
  }

  /** Forgets what is reserved, if something is. */
  cancel(): void {
    this.#reserved = undefined
  }

  /** Hands over what is queued. False when some of it has to wait for {@link unblocked}. */
  flush(): boolean {
    const payloads = this.#payloads
    while (this.#first < payloads.length) {
      const payload = payloads[this.#first]!
      const outcome = this.#owner.handOver(payload, this.#endpoints[this.#first]!)
      if (outcome === HANDED_OVER.blocked) {
        this.#isDrainOwed = true
        this.#forgetHandedOver()
        return false
      }
      this.#first++
      const counters = this.#counters
      counters.queuedDatagrams--
      counters.queuedBytes -= payload.length
      if (outcome === HANDED_OVER.sent) {
        counters.datagramsSent++
        counters.bytesSent += payload.length
      } else {
        counters.datagramsFailed++
      }
    }
    this.#first = payloads.length = this.#endpoints.length = 0
    return true
  }

  /** What blocked it is over. */
  unblocked(): void {
    if (!this.flush() || !this.#isDrainOwed) return
    this.#isDrainOwed = false
    this.#owner.onDrain()
  }

  /** Forgets what is queued, counted. */
  discard(): void {
    this.#counters.datagramsDiscarded += this.#counters.queuedDatagrams
    this.#counters.queuedDatagrams = 0
    this.#counters.queuedBytes = 0
    this.#first = this.#payloads.length = this.#endpoints.length = 0
    this.#reserved = undefined
  }

  #makeRoom(lengthBytes: number): boolean {
    if (this.#reserved !== undefined) throw invalidState('the reserved datagram must be committed or cancelled first')
    if (this.#hasRoom(lengthBytes)) return true
    this.flush()
    // An empty queue takes one datagram that is longer than its limit: there would be nothing to wait for.
    if (this.#counters.queuedDatagrams === 0 || this.#hasRoom(lengthBytes)) return true
    this.#counters.datagramsRefused++
    this.#isDrainOwed = true
    return false
  }

  #hasRoom(lengthBytes: number): boolean {
    const { queuedDatagrams, queuedBytes } = this.#counters
    return queuedDatagrams < this.#maxDatagrams && queuedBytes + lengthBytes <= this.#maxBytes
  }

  #append(payload: Buffer, endpoint: Endpoint): void {
    this.#payloads.push(payload)
    this.#endpoints.push(endpoint)
    this.#counters.datagramsQueued++
    this.#counters.queuedDatagrams++
    this.#counters.queuedBytes += payload.length
  }

  /** So that a queue that is never empty does not grow for ever. */
  #forgetHandedOver(): void {
    this.#payloads.splice(0, this.#first)
    this.#endpoints.splice(0, this.#first)
    this.#first = 0
  }
}
