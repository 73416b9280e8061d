import { MIN_FRAME_BYTES } from './wire.js'

/**
 * Finds out how long frames to a peer may be, by probes (after RFC 8899), and notices when that has become less. Pure.
 *
 * Upwards: the next longer size is tried; one that is acknowledged is used. Downwards: somebody suspects that long frames vanish; if
 * probes of the length in use do as well, frames are as short as possible, and the search begins again.
 */
export class PathMtu {
  frameBytes: number
  readonly #maxBytes: number
  #probeBytes = 0
  #tries = 0
  #isConfirming = false
  /** When the search upwards goes on that a confirmation has interrupted. */
  #raiseMs = Infinity
  #dueMs: number

  /** @param frameBytes What is used before anything is known. */
  constructor(frameBytes: number, maxBytes: number, nowMs: number) {
    this.frameBytes = Math.min(frameBytes, maxBytes)
    this.#maxBytes = maxBytes
    this.#dueMs = this.frameBytes < maxBytes ? nowMs : Infinity
  }

  get deadlineMs(): number {
    return this.#dueMs
  }

  /** The length of a probe to send now; 0: none. `timeoutMs`: how long its answer may take. */
  takeProbe(nowMs: number, timeoutMs: number): number {
    if (nowMs < this.#dueMs) return 0
    if (this.#probeBytes !== 0 && this.#tries >= MAX_TRIES) this.#giveUp(nowMs)
    if (this.#probeBytes === 0 && nowMs >= this.#dueMs) this.#beginNext()
    if (this.#probeBytes === 0) return 0
    this.#tries++
    this.#dueMs = nowMs + timeoutMs
    return this.#probeBytes
  }

  /** A probe of this length has arrived. */
  onAcknowledged(bytes: number, nowMs: number): void {
    if (bytes !== this.#probeBytes) return
    this.#probeBytes = 0
    this.frameBytes = Math.max(this.frameBytes, bytes)
    if (this.#isConfirming) this.#dueMs = this.#raiseMs
    else this.#dueMs = this.frameBytes < this.#maxBytes ? nowMs : Infinity
    this.#isConfirming = false
  }

  /** Frames of the present length seem to vanish. */
  suspect(nowMs: number): void {
    if (this.#isConfirming || this.frameBytes <= MIN_FRAME_BYTES) return
    this.#isConfirming = true
    this.#raiseMs = this.#probeBytes === 0 ? this.#dueMs : nowMs
    this.#probeBytes = this.frameBytes
    this.#tries = 0
    this.#dueMs = nowMs
  }

  #giveUp(nowMs: number): void {
    if (this.#isConfirming) {
      this.frameBytes = MIN_FRAME_BYTES
      this.#isConfirming = false
      this.#dueMs = nowMs
    } else {
      this.#dueMs = nowMs + RAISE_AGAIN_MS
    }
    this.#probeBytes = 0
  }

  #beginNext(): void {
    const next = USUAL_BYTES.find((bytes) => bytes > this.frameBytes && bytes < this.#maxBytes) ?? this.#maxBytes
    this.#tries = 0
    if (next > this.frameBytes) this.#probeBytes = next
    else this.#dueMs = Infinity
  }
}

/** Tunnels; Ethernet less PPPoE and IPv6; Ethernet with IPv4; the same for frames of 4 and 9 KB; a loopback interface. */
const USUAL_BYTES = [1232, 1320, 1400, 1452, 1472, 4052, 8152, 8952, 16_384, 32_768]
const MAX_TRIES = 6
/** RFC 8899 has ten minutes; a route that has become better is worth more here. */
const RAISE_AGAIN_MS = 30_000
