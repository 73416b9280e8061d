import type { Endpoint } from '../core/index.js'
import { writeUint16 } from './bytes.js'
import type { FrameSlot } from './frame-pool.js'
import { writeDataHeader, type DataRoute } from './header.js'
import type { StreamHost } from './host.js'
import type { NodeId } from './node-id.js'
import type { Path } from './path.js'
import { UNNUMBERED } from './sending.js'
import { DATA_HEADER_BYTES, FLAG, MIN_FRAME_BYTES, PIECE } from './wire.js'

/** Completes data frames for a destination, and hands them to the link. */
export class Transmitter {
  /** When they leave, as frames say it. */
  timestamp = 0
  readonly #host: StreamHost
  readonly #route: DataRoute
  readonly #endpoint: Endpoint
  readonly #path: Path

  constructor(host: StreamHost, receiver: NodeId, endpoint: Endpoint, path: Path) {
    this.#host = host
    this.#route = { integrityMode: host.integrity.mode, sender: host.id, receiver }
    this.#endpoint = endpoint
    this.#path = path
  }

  /** `opener`: the flag of that name, or 0. False: the link is full. */
  transmit(slot: FrameSlot, opener: number, stream: number, packet: number, transmission: number): boolean {
    const isNumbered = packet !== UNNUMBERED
    const waits = this.#path.isFullAfterNext ? FLAG.waits : 0
    const flags = isNumbered ? opener | waits | FLAG.numbered : opener
    writeDataHeader(slot.header, this.#route, flags, transmission, stream, isNumbered ? packet : 0, this.timestamp)
    const frame = slot.view(slot.length + this.#host.integrity.trailerBytes)
    // One without a number is sent once, and takes its chance.
    if (!isNumbered) this.#path.hasUnconfirmed ||= frame.length > MIN_FRAME_BYTES
    else if (frame.length > this.#path.frameBytes) return this.#transmitPieces(slot, flags)
    return this.#send(frame)
  }

  /** A packet that is longer than the path carries by now, in parts. */
  #transmitPieces({ memory, length }: FrameSlot, flags: number): boolean {
    const { trailerBytes } = this.#host.integrity
    const totalBytes = length - DATA_HEADER_BYTES
    const pieceBytes = this.#path.frameBytes - PIECE.bytes - trailerBytes
    for (let offset = 0; offset < totalBytes; offset += pieceBytes) {
      const bytes = Math.min(pieceBytes, totalBytes - offset)
      const frame = Buffer.allocUnsafe(PIECE.bytes + bytes + trailerBytes)
      memory.copy(frame, 0, 0, DATA_HEADER_BYTES)
      frame[0] = flags | FLAG.piece | FLAG.mark
      writeUint16(frame, PIECE.offset, offset)
      writeUint16(frame, PIECE.total, totalBytes)
      memory.copy(frame, PIECE.bytes, DATA_HEADER_BYTES + offset, DATA_HEADER_BYTES + offset + bytes)
      if (!this.#send(frame)) return false
    }
    return true
  }

  #send(frame: Buffer): boolean {
    this.#host.integrity.seal(frame)
    if (!this.#host.sendFrame(frame, this.#endpoint)) return false
    this.#path.spend(frame.length)
    return true
  }
}
