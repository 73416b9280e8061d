import type { ControlFrame, PacketRange } from './control-frame.js'
import type { StreamHost } from './host.js'
import type { Status } from './receiving.js'
import type { Heartbeat } from './sending.js'
import type { ResolvedStreamOptions } from './stream-options.js'
import { HEARTBEAT_FLAG, KIND, STATUS_FLAG, TYPE } from './wire.js'

/** Where the control frames of a stream go. */
export interface ControlSender {
  sendStreamControl(frame: ControlFrame, isOpener: boolean): void
}

/** What a stream says, besides its data. */
export class StreamSpeaker {
  readonly #peer: ControlSender
  readonly #stream: number
  readonly #isOpener: boolean
  readonly #host: StreamHost

  constructor(peer: ControlSender, stream: number, isOpener: boolean, host: StreamHost) {
    this.#peer = peer
    this.#stream = stream
    this.#isOpener = isOpener
    this.#host = host
  }

  sayOpen({ kind, label, windowPackets, initialPacket: packet }: ResolvedStreamOptions): void {
    this.#say({ type: TYPE.open, stream: this.#stream, kind: KIND[kind], options: 0, packet, windowPackets, label })
  }

  /** `missed`: packets that were missing so far, of one receiver of a group. */
  sayStatus({ isEnded, ...fields }: Status, missed: number): void {
    const flags = isEnded ? STATUS_FLAG.ended : 0
    this.#say({ type: TYPE.status, stream: this.#stream, ...fields, flags, missed })
  }

  sayNak(ranges: readonly PacketRange[]): void {
    this.#say({ type: TYPE.nak, stream: this.#stream, ranges })
  }

  sayHeartbeat({ floor, next, isFinal }: Heartbeat, nowMs: number): void {
    const timestamp = this.#host.timestamp(nowMs)
    const flags = isFinal ? HEARTBEAT_FLAG.final : 0
    this.#say({ type: TYPE.heartbeat, stream: this.#stream, floor, next, timestamp, flags })
  }

  #say(frame: ControlFrame): void {
    this.#peer.sendStreamControl(frame, this.#isOpener)
  }
}
