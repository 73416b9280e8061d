import type { Endpoint, Link } from '../core/index.js'
import { encodeControl, type ControlFrame } from './control-frame.js'
import { writeHeader } from './header.js'
import type { DropReason } from './host.js'
import type { Integrity } from './integrity.js'
import type { NodeId } from './node-id.js'
import { FLAG, MAX_NAK_RANGES, NAK, NAK_RANGE_BYTES, TYPE } from './wire.js'

/** Hands frames to the link of a node: those that are complete, and those of control, which it writes. */
export class FrameSender {
  readonly counters = { framesSent: 0, controlFramesSent: 0 }
  readonly #link: Link
  readonly #id: NodeId
  readonly #integrity: Integrity
  readonly #countDrop: (reason: DropReason) => void
  readonly #scratch = Buffer.allocUnsafe(SCRATCH_BYTES)

  constructor(link: Link, id: NodeId, integrity: Integrity, countDrop: (reason: DropReason) => void) {
    this.#link = link
    this.#id = id
    this.#integrity = integrity
    this.#countDrop = countDrop
  }

  /** False: the link is full, or closed. */
  sendFrame(frame: Buffer, endpoint: Endpoint): boolean {
    if (this.#link.closed || !this.#link.send(frame, endpoint)) return false
    this.counters.framesSent++
    return true
  }

  sendControl(frame: ControlFrame, flags: number, receiver: NodeId, endpoint: Endpoint): void {
    writeHeader(this.#scratch, flags, frame.type, this.#integrity.mode, this.#id, receiver)
    const end = encodeControl(this.#scratch, frame)
    this.#seal(this.#scratch.subarray(0, end + this.#integrity.trailerBytes), endpoint)
  }

  /** A probe: a frame of exactly this length. */
  sendProbe(frameBytes: number, receiver: NodeId, endpoint: Endpoint): void {
    const frame = Buffer.alloc(frameBytes)
    writeHeader(frame, FLAG.control, TYPE.probe, this.#integrity.mode, this.#id, receiver)
    encodeControl(frame, { type: TYPE.probe, frameBytes })
    this.#seal(frame, endpoint)
  }

  #seal(frame: Buffer, endpoint: Endpoint): void {
    this.#integrity.seal(frame)
    // Whatever it says is said again when it is still true.
    if (!this.sendFrame(frame, endpoint)) this.#countDrop('linkFull')
    else this.counters.controlFramesSent++
  }
}

/** The longest control frame, and a trailer. */
const SCRATCH_BYTES = NAK.ranges + MAX_NAK_RANGES * NAK_RANGE_BYTES + 64
