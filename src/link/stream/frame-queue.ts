import { invalidArgValue, invalidState, type Endpoint } from '../../core/index.js'
import type { Framing } from '../framing/framing.js'

/** Frames that go to the stream in one write. */
export interface Chunk {
  readonly bytes: Buffer
  readonly datagrams: number
  readonly payloadBytes: number
  /** Whose memory is free afterwards. */
  readonly slab: Slab | undefined
}

interface Slab {
  readonly memory: Buffer
  /** What lies before has been taken. */
  start: number
  used: number
  datagrams: number
  payloadBytes: number
}

/** Frames that wait to be written: encoded at once into slabs, bounded by payload bytes and datagrams. */
export class FrameQueue {
  readonly #framing: Framing
  readonly #maxBytes: number
  readonly #maxDatagrams: number
  readonly #waiting: Slab[] = []
  readonly #spares: Slab[] = []
  /** Of the waiting ones. */
  datagrams = 0
  payloadBytes = 0
  #scratch: Buffer | undefined
  #reserved: Buffer | undefined
  /** Where it lies; undefined for the scratch memory. */
  #reservedSlab: Slab | undefined
  #reservedEndpoint: Endpoint | undefined

  constructor(framing: Framing, maxBytes: number, maxDatagrams: number) {
    this.#framing = framing
    this.#maxBytes = maxBytes
    this.#maxDatagrams = maxDatagrams
  }

  get isEmpty(): boolean {
    return this.datagrams === 0
  }

  /** False when it is full. One datagram is always taken, however long. */
  add(payload: Uint8Array, endpoint: Endpoint | undefined): boolean {
    const slab = this.#room(payload.length)
    if (slab === undefined) return false
    slab.used = this.#framing.encode(payload, endpoint, slab.memory, slab.used)
    this.#count(slab, payload.length)
    return true
  }

  /** Room for a payload of `lengthBytes`: in its frame if the framing leaves it as it is. */
  reserve(lengthBytes: number, endpoint: Endpoint | undefined): Buffer | undefined {
    const slab = this.#room(lengthBytes)
    if (slab === undefined) return undefined
    const offset = this.#framing.payloadOffset(endpoint)
    this.#reservedEndpoint = endpoint
    if (offset === undefined) {
      if (this.#scratch === undefined || this.#scratch.length < lengthBytes) this.#scratch = Buffer.allocUnsafeSlow(lengthBytes)
      this.#reservedSlab = undefined
      return (this.#reserved = this.#scratch.subarray(0, lengthBytes))
    }
    const start = slab.used + offset
    this.#reservedSlab = slab
    return (this.#reserved = slab.memory.subarray(start, start + lengthBytes))
  }

  commit(lengthBytes: number | undefined): void {
    const reserved = this.#reserved
    if (reserved === undefined) throw invalidState('nothing is reserved')
    const length = lengthBytes ?? reserved.length
    if (length > reserved.length) {
      throw invalidArgValue('lengthBytes', length, `must be at most the ${reserved.length} that were reserved`)
    }
    const slab = this.#reservedSlab
    this.#reserved = this.#reservedSlab = undefined
    if (slab === undefined) {
      this.add(reserved.subarray(0, length), this.#reservedEndpoint)
      return
    }
    slab.used = this.#framing.complete(slab.memory, slab.used, length, this.#reservedEndpoint)
    this.#count(slab, length)
  }

  /** Forgets what is reserved, if something is. */
  cancel(): void {
    this.#reserved = this.#reservedSlab = undefined
  }

  /** The next frames to write, which count as queued no longer; {@link done} follows. */
  take(): Chunk | undefined {
    const slab = this.#waiting[0]
    if (slab === undefined || slab.datagrams === 0) return undefined
    // What is reserved lies in this slab, and its user is still writing there: only what comes before it goes.
    const isWhole = this.#reservedSlab !== slab
    if (isWhole) this.#waiting.shift()
    const { start, used, datagrams, payloadBytes } = slab
    slab.start = used
    slab.datagrams = slab.payloadBytes = 0
    this.datagrams -= datagrams
    this.payloadBytes -= payloadBytes
    return { bytes: slab.memory.subarray(start, used), datagrams, payloadBytes, slab: isWhole ? slab : undefined }
  }

  /** The stream does not need the memory of a chunk any more. */
  done({ slab }: Chunk): void {
    if (slab === undefined || this.#spares.length >= MAX_SPARES) return
    slab.start = slab.used = 0
    this.#spares.push(slab)
  }

  /** Gives up what waits. Returns how many datagrams. */
  discard(): number {
    const discarded = this.datagrams
    this.#waiting.length = 0
    this.datagrams = this.payloadBytes = 0
    this.#reserved = this.#reservedSlab = undefined
    return discarded
  }

  #room(lengthBytes: number): Slab | undefined {
    if (this.#reserved !== undefined) throw invalidState('the reserved datagram must be committed or cancelled first')
    const isFull = this.datagrams >= this.#maxDatagrams || this.payloadBytes + lengthBytes > this.#maxBytes
    if (isFull && this.datagrams > 0) return undefined
    const last = this.#waiting.at(-1)
    if (last !== undefined && last.used + this.#framing.maxFrameBytes(lengthBytes) <= last.memory.length) return last
    const slab = this.#spares.pop() ?? emptySlab()
    this.#waiting.push(slab)
    return slab
  }

  #count(slab: Slab, lengthBytes: number): void {
    slab.datagrams++
    slab.payloadBytes += lengthBytes
    this.datagrams++
    this.payloadBytes += lengthBytes
  }
}

function emptySlab(): Slab {
  return { memory: Buffer.allocUnsafeSlow(SLAB_BYTES), start: 0, used: 0, datagrams: 0, payloadBytes: 0 }
}

/** Holds the longest frame of any framing (2 × 65 507 bytes and a little), and is a good size for a write. */
const SLAB_BYTES = 256 << 10
/** As many as the queue has by default: what a burst needed, the next one has. */
const MAX_SPARES = 16
