import type { GroupReceivers } from './group-receivers.js'
import type { GroupSending } from './group-sending.js'
import { GroupTerms, statusIntervalMs } from './group-terms.js'
import type { StreamHost } from './host.js'
import type { ResolvedPublicationOptions } from './publication-options.js'
import type { Echo } from './repair-planner.js'
import type { RoundTrip } from './round-trip.js'
import type { Heartbeat } from './sending.js'
import { sayHeartbeat } from './stream-speaker.js'
import { HEARTBEAT_FLAG, KIND, TYPE } from './wire.js'

/** What a publication says, besides its data: to each receiver by its own address, or to the group. */
export class GroupSpeaker {
  readonly #host: StreamHost
  readonly #id: number
  readonly #options: ResolvedPublicationOptions
  readonly #receivers: GroupReceivers
  readonly #sending: GroupSending
  readonly #terms: GroupTerms
  #isFinalSaid = false

  constructor(
    host: StreamHost,
    id: number,
    options: ResolvedPublicationOptions,
    receivers: GroupReceivers,
    sending: GroupSending,
    roundTrip: RoundTrip,
  ) {
    this.#host = host
    this.#id = id
    this.#options = options
    this.#receivers = receivers
    this.#sending = sending
    this.#terms = new GroupTerms(id, options.group !== undefined, roundTrip)
  }

  /** To who has not answered yet: that there is this stream. */
  sayOpen(nowMs: number): void {
    const { label, windowPackets, kind, group } = this.#options
    const { unanswered, members } = this.#receivers
    const terms = this.#terms.current(members.length)
    for (const { opening, peer, id: stream, first } of unanswered) {
      if (!opening!.take(nowMs, peer.sending.path.roundTrip)) continue
      const packet = this.#sending.toWire(first)
      const endpoint = group?.toString() ?? ''
      const open = { type: TYPE.openGroup, stream, kind: KIND[kind], options: 0, packet, windowPackets, label, endpoint }
      peer.sendStreamControl({ ...open, ...terms }, true)
    }
  }

  /** To the group, when it has become another: how many there are, and what follows from it. */
  sayTerms(nowMs: number): void {
    const { length } = this.#receivers.members
    this.#sending.answerDelayMs = statusIntervalMs(length)
    if (!this.#terms.haveChanged(length)) return
    const { base, next, counters } = this.#sending
    counters.heartbeatsSent++
    this.#sayToGroup({ floor: this.#sending.toWire(base), next: this.#sending.toWire(next), isFinal: false }, nowMs)
  }

  /** To the group, or, if they are few, to those from whom something is still to come. */
  sayHeartbeat(heartbeat: Heartbeat, nowMs: number): void {
    const laggards = this.#receivers.laggards(this.#sending.next, this.#sending.isEnded)
    // Who has heard of the end and forgotten the stream answers only what names it: after the first time, the end is said one by one.
    const isForAll = heartbeat.isFinal ? !this.#isFinalSaid : laggards.length > MAX_SINGLE_HEARTBEATS
    this.#isFinalSaid ||= heartbeat.isFinal
    if (this.#options.group !== undefined && isForAll) return this.#sayToGroup(heartbeat, nowMs)
    for (const member of laggards) sayHeartbeat(member, heartbeat, nowMs)
  }

  sayEcho(packet: number, { mask, most }: Echo): void {
    this.#host.sendControlToGroup({ type: TYPE.nakEcho, group: this.#id, base: packet, mask, most }, this.#options.group!)
  }

  #sayToGroup({ floor, next, isFinal }: Heartbeat, nowMs: number): void {
    const terms = this.#terms.current(this.#receivers.members.length)
    const timestamp = this.#host.timestamp(nowMs)
    const flags = isFinal ? HEARTBEAT_FLAG.final : 0
    this.#terms.onSaid(terms)
    const frame = { type: TYPE.groupHeartbeat, ...terms, floor, next, timestamp, flags }
    this.#host.sendControlToGroup(frame, this.#options.group!)
  }
}

/** To more receivers than these, a heartbeat that is not the end goes to the group. */
const MAX_SINGLE_HEARTBEATS = 8
