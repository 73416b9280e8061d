import type { PacketRange } from './control-frame.js'
import type { SendCounters, Sent } from './send-half.js'

/** The sending direction of a stream, numbered or not. */
export interface Sending {
  readonly counters: SendCounters
  readonly deadlineMs: number
  /** Is there something that may leave, window and pace apart? */
  readonly hasWork: boolean
  readonly isSettled: boolean
  readonly isEnded: boolean
  readonly isEndAcknowledged: boolean
  readonly queuedPackets: number
  readonly isWindowFull: boolean
  push(message: Uint8Array, handler: number): boolean
  end(nowMs: number): void
  sendNext(nowMs: number): Sent
  onStatus(nextWire: number, consumedWire: number, beyond: number, isEnd: boolean, nowMs: number): void
  onNak(ranges: readonly PacketRange[], nowMs: number): void
  takeHeartbeat(nowMs: number): { floor: number; next: number; isFinal: boolean } | undefined
  dispose(): void
  trim(): void
}
