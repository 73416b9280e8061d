import type { Random } from '../core/index.js'
import type { PacketRange } from './control-frame.js'
import type { FrameSlot } from './frame-pool.js'
import type { GroupMember } from './group-member.js'
import {
  emptyGroupSendCounters,
  type GroupProgress,
  type GroupSendCounters,
  type GroupSending,
  type GroupSendingOwner,
} from './group-sending.js'
import { fromWire, toWire } from './packet-ring.js'
import type { Refusal } from './path.js'
import { RepairPlanner, type Echo, type RepairJob } from './repair-planner.js'
import { SendBuffer, type SendBufferOptions } from './send-buffer.js'
import { Sent, emptySendCounters, type Heartbeat, type SendingContext } from './sending.js'
import { intersection, isEmpty, rangeMask } from './span-mask.js'
import { SPAN_PACKETS } from './wire.js'

export interface GroupSendHalfOptions extends SendBufferOptions {
  readonly initialPacket: number
  /** Do frames leave once for all? Otherwise once for each receiver. */
  readonly isMulticast: boolean
}

/** A packet that is to be sent again to one receiver. */
interface PrivateJob {
  readonly packet: number
  readonly mask?: undefined
  readonly receiver: GroupMember
}

/**
 * The numbered packets of a stream to many: when each leaves, and what leaves again because receivers miss it. To a list of receivers
 * everybody gets his own; to a multicast group a {@link RepairPlanner} decides.
 */
export class GroupSendHalf implements GroupSending {
  readonly counters: GroupSendCounters = emptyGroupSendCounters(emptySendCounters())
  answerDelayMs = 0
  readonly #options: GroupSendHalfOptions
  readonly #context: SendingContext
  readonly #owner: GroupSendingOwner
  readonly #buffer: SendBuffer
  readonly #planner: RepairPlanner
  /** What is to be sent again, in this order, from `#jobAt` on. */
  #jobs: (RepairJob | PrivateJob)[] = []
  #jobAt = 0
  /** A packet has left for some receivers of a list, and waits for the link. */
  #isMidway = false
  #delivered = 0
  #isEnded = false
  #floorToldMs = -Infinity
  #isFloorToTell = false
  #probeMs = Infinity
  #probes = 0

  constructor(options: GroupSendHalfOptions, context: SendingContext, owner: GroupSendingOwner, random: Random) {
    this.#options = options
    this.#context = context
    this.#owner = owner
    this.#buffer = new SendBuffer(options, context, this.counters, () => {
      if (this.#buffer.makeRoom()) owner.onDrain()
    })
    this.#planner = new RepairPlanner(random)
  }

  get deadlineMs(): number {
    return Math.min(this.#probeMs, this.#planner.deadlineMs)
  }

  get hasWork(): boolean {
    return this.#buffer.next < this.#buffer.filled || this.hasRepairs
  }

  get hasRepairs(): boolean {
    return this.#jobAt < this.#jobs.length
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  get queuedPackets(): number {
    return this.#buffer.filled - this.#buffer.base
  }

  get refusedBy(): Refusal | undefined {
    return this.#buffer.refusedBy
  }

  get base(): number {
    return this.#buffer.base
  }

  get next(): number {
    return this.#buffer.next
  }

  get filled(): number {
    return this.#buffer.filled
  }

  push(message: Uint8Array, handler: number): boolean {
    const isTaken = this.#buffer.push(message, handler)
    if (this.#options.kind === 'bestEffort') this.#countInFlight()
    return isTaken
  }

  end(nowMs: number): void {
    this.#isEnded = true
    this.#probeMs = nowMs
  }

  sendNext(nowMs: number): Sent {
    while (this.hasRepairs && !this.#isMidway) {
      const sent = this.#sendJob(this.#jobs[this.#jobAt]!, nowMs)
      if (sent === Sent.linkFull) return sent
      this.#jobAt++
      if (sent === Sent.packet) return sent
    }
    if (!this.hasRepairs && this.#jobAt > 0) {
      this.#jobs = []
      this.#jobAt = 0
    }
    const buffer = this.#buffer
    const { next, ring } = buffer
    if (next === buffer.filled) return Sent.nothing
    this.#isMidway = !this.#owner.transmit(ring.slots[next & ring.mask]!, this.toWire(next), 0, undefined)
    if (this.#isMidway) return Sent.linkFull
    buffer.onSent(nowMs)
    this.#countInFlight()
    this.counters.packetsSent++
    if (this.#probeMs === Infinity) this.#probeMs = nowMs + this.#probeDelayMs()
    return Sent.packet
  }

  onProgress({ next, consumed, delivered }: GroupProgress, nowMs: number): void {
    const buffer = this.#buffer
    const hasProgress = next > buffer.base || consumed > buffer.consumed || delivered > this.#delivered
    // A span is over: they are forgotten one by one.
    if (Math.floor(next / SPAN_PACKETS) > Math.floor(buffer.base / SPAN_PACKETS)) this.#planner.forgetBefore(next)
    buffer.releaseBefore(next)
    buffer.consumed = Math.max(consumed, buffer.base)
    const packets = delivered - this.#delivered
    this.#delivered = delivered
    this.#countInFlight()
    if (packets > 0) this.#context.path.onAcknowledged(packets, nowMs)
    if (hasProgress) this.#probes = 0
    const waits = buffer.base < buffer.next || buffer.consumed < buffer.base || this.#isEnded
    // All that was sent has arrived, but its end has not been told: that does not wait for a probe.
    const tellsEnd = this.#isEnded && buffer.base === buffer.filled && hasProgress
    this.#probeMs = !waits ? Infinity : tellsEnd ? nowMs : nowMs + this.#probeDelayMs()
    if (buffer.makeRoom()) this.#owner.onDrain()
    this.#countInFlight()
  }

  onNak(member: GroupMember, ranges: readonly PacketRange[], nowMs: number): void {
    const { base, next } = this.#buffer
    this.counters.naksReceived++
    for (const { first, count } of ranges) {
      const from = this.fromWire(first)
      if (from < base && this.#options.kind === 'bestEffort') this.#isFloorToTell = true
      const end = Math.min(from + count, next)
      if (Math.max(from, base) < end) this.#onAsked(member, Math.max(from, base), end, nowMs)
    }
    for (const echo of this.#planner.takeEchoes()) this.#sendEcho(echo)
  }

  onTime(nowMs: number): void {
    const { echoes, jobs } = this.#planner.takeJobs(nowMs)
    for (const echo of echoes) this.#sendEcho(echo)
    for (const job of jobs) this.#jobs.push(job)
  }

  takeHeartbeat(nowMs: number): Heartbeat | undefined {
    const { base, next, filled, consumed, hasRest } = this.#buffer
    const tellsFloor = this.#isFloorToTell && nowMs - this.#floorToldMs >= this.#context.path.roundTrip.smoothedMs
    if (!tellsFloor && this.#probeMs > nowMs) return undefined
    if (tellsFloor) {
      this.#isFloorToTell = false
      this.#floorToldMs = nowMs
    }
    const isFinal = this.#isEnded && next === filled && !hasRest
    if (this.#probeMs <= nowMs) {
      this.#probes++
      if (this.#probes === PROBES_BEFORE_TIMEOUT && base < next) this.#context.path.congestion.onTimeout(nowMs)
      this.#probeMs = nowMs + this.#probeDelayMs()
      // Nothing has left yet and no end is to be told.
      if (base === next && consumed === base && !isFinal) {
        this.#probeMs = Infinity
        return undefined
      }
    }
    this.counters.heartbeatsSent++
    return { floor: this.toWire(base), next: this.toWire(next), isFinal }
  }

  dispose(): void {
    this.#buffer.dispose()
    this.#context.path.inFlightPackets = 0
    this.#planner.forgetBefore(Infinity)
    this.#jobs = []
    this.#jobAt = 0
    this.#probeMs = Infinity
  }

  trim(): void {
    this.#buffer.trim()
  }

  fromWire(wire: number): number {
    return fromWire(wire, this.#options.initialPacket, this.#buffer.next)
  }

  toWire(packet: number): number {
    return toWire(packet, this.#options.initialPacket)
  }

  #onAsked(member: GroupMember, from: number, end: number, nowMs: number): void {
    const { ring, next } = this.#buffer
    const lossDelayMs = member.peer.sending.path.roundTrip.lossDelayMs()
    let asked = from
    for (let packet = from; packet < end; packet++) {
      const isStubborn = ring.counts[packet & ring.mask]! >= STUBBORN_TRANSMISSIONS
      if (this.#options.isMulticast && !isStubborn) continue
      // What does not get there by the group goes there by itself.
      if (this.#options.isMulticast && asked < packet) this.#planner.onAsked(member, asked, packet, next, nowMs, lossDelayMs)
      asked = packet + 1
      this.#sendAgainTo(member, packet, nowMs - lossDelayMs)
    }
    if (asked < end) this.#planner.onAsked(member, asked, end, next, nowMs, lossDelayMs)
  }

  /** Unless it was sent since then: the receiver cannot have seen it when it asked. */
  #sendAgainTo(member: GroupMember, packet: number, sinceMs: number): void {
    const tries = member.sentAgain.ask(packet, this.#buffer.base, sinceMs)
    if (tries === 0) return
    if (tries > TRIES_BEFORE_DOUBT) member.peer.suspectPath()
    this.#jobs.push({ packet, receiver: member })
  }

  #sendJob(job: RepairJob | PrivateJob, nowMs: number): Sent {
    const buffer = this.#buffer
    const { slots, counts, mask } = buffer.ring
    const { packet } = job
    if (job.mask !== undefined) {
      // What all have needs no repair.
      const rest = intersection(job.mask, rangeMask(Math.max(0, buffer.base - packet), SPAN_PACKETS))
      if (isEmpty(rest)) return Sent.nothing
      const slotOf = (index: number): FrameSlot => slots[(packet + index) & mask]!
      if (!this.#owner.transmitRepair(this.toWire(packet), rest, slotOf)) return Sent.linkFull
      this.counters.repairsSent++
      return Sent.packet
    }
    if (packet < buffer.base) return Sent.nothing
    const receiver = 'receiver' in job ? job.receiver : undefined
    const at = packet & mask
    if (!this.#owner.transmit(slots[at]!, this.toWire(packet), Math.max(1, counts[at]!), receiver)) return Sent.linkFull
    counts[at] = Math.min(counts[at]! + 1, 255)
    receiver?.sentAgain.onSent(packet, nowMs)
    this.counters.packetsRetransmitted++
    return Sent.packet
  }

  #sendEcho(echo: Echo): void {
    this.counters.nakEchoesSent++
    this.#owner.sendEcho(this.toWire(echo.base), echo)
  }

  /** Sent, less what all have. */
  #countInFlight(): void {
    const { base, next } = this.#buffer
    this.#context.path.inFlightPackets = Math.max(0, next - Math.max(base, this.#delivered))
  }

  #probeDelayMs(): number {
    return this.#context.path.roundTrip.probeDelayMs(ANSWER_DELAY_MS + this.answerDelayMs, this.#probes)
  }
}

const ANSWER_DELAY_MS = 5
/** Probes in a row without progress, before everything on the way is taken to be lost. */
const PROBES_BEFORE_TIMEOUT = 3
/** Sent so often, a packet is sent to who still misses it alone. */
const STUBBORN_TRANSMISSIONS = 4
/** Sent again so often in vain, a packet makes one doubt the path. */
const TRIES_BEFORE_DOUBT = 3
