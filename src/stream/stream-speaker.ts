import type { ControlFrame, PacketRange } from './control-frame.js'
import type { StreamHost } from './host.js'
import type { Status } from './receiving.js'
import type { Heartbeat } from './sending.js'
import type { ResolvedStreamOptions } from './stream-options.js'
import { HEARTBEAT_FLAG, KIND, OPEN_OPTION, STATUS_FLAG, TYPE } from './wire.js'

/** Whose control frames these are: a stream. */
export interface Speaker {
  readonly id: number
  readonly isOpener: boolean
  readonly peer: {
    readonly host: StreamHost
    sendStreamControl(frame: ControlFrame, isOpener: boolean): void
  }
}

export function sayOpen(
  speaker: Speaker,
  { kind, label, windowPackets, initialPacket: packet, ordered }: ResolvedStreamOptions,
): void {
  const options = ordered ? 0 : OPEN_OPTION.unordered
  say(speaker, { type: TYPE.open, stream: speaker.id, kind: KIND[kind], options, packet, windowPackets, label })
}

/** `missed`: packets that were missing so far, of one receiver of a group. */
export function sayStatus(speaker: Speaker, { isEnded, ...fields }: Status, missed: number): void {
  const flags = isEnded ? STATUS_FLAG.ended : 0
  say(speaker, { type: TYPE.status, stream: speaker.id, ...fields, flags, missed })
}

export function sayNak(speaker: Speaker, ranges: readonly PacketRange[]): void {
  say(speaker, { type: TYPE.nak, stream: speaker.id, ranges })
}

export function sayHeartbeat(speaker: Speaker, { floor, next, isFinal }: Heartbeat, nowMs: number): void {
  const timestamp = speaker.peer.host.timestamp(nowMs)
  const flags = isFinal ? HEARTBEAT_FLAG.final : 0
  say(speaker, { type: TYPE.heartbeat, stream: speaker.id, floor, next, timestamp, flags })
}

function say({ peer, isOpener }: Speaker, frame: ControlFrame): void {
  peer.sendStreamControl(frame, isOpener)
}
