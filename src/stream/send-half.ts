import type { PacketRange } from './control-frame.js'
import { fromWire, toWire } from './packet-ring.js'
import type { Refusal } from './path.js'
import { SendBuffer, type SendBufferOptions } from './send-buffer.js'
import {
  BURST_BYTES,
  Sent,
  emptySendCounters,
  type Heartbeat,
  type SendCounters,
  type Sending,
  type SendingContext,
  type SendingOwner,
} from './sending.js'

/**
 * The numbered packets of one direction of a stream, from the user's messages to what has arrived: when each leaves, whether it has
 * arrived or is to leave again, and when to ask.
 */
export class SendHalf implements Sending {
  readonly counters: SendCounters
  readonly #owner: SendingOwner
  readonly #options: SendBufferOptions
  /** On the wire, of the packet that is 0 here. */
  readonly #initialPacket: number
  readonly #context: SendingContext
  readonly #buffer: SendBuffer
  #delivered = 0
  #beyond = 0
  #inFlight = 0
  #isEnded = false
  #isEndAcknowledged = false
  #floorToTell = false

  /** Packets to be sent again, oldest first as they were reported; those that have arrived since are skipped. */
  #lost: number[] = NO_PACKETS
  #lostHead = 0

  /** Packets before this one were offered as a burst: if they are still here, they wait for something. */
  #burstEnd = 0
  #probeMs = Infinity
  #probes = 0

  /** @param initialPacket The number of the first packet. `counters`: what one in whose place this comes had counted. */
  constructor(
    options: SendBufferOptions,
    context: SendingContext,
    owner: SendingOwner,
    initialPacket: number,
    counters = emptySendCounters(),
  ) {
    this.counters = counters
    this.#initialPacket = initialPacket
    this.#options = options
    this.#context = context
    this.#owner = owner
    this.#buffer = new SendBuffer(options, context, this.counters, () => {
      if (this.#buffer.makeRoom()) owner.onDrain()
    })
  }

  get deadlineMs(): number {
    return this.#probeMs
  }

  get hasWork(): boolean {
    return this.#buffer.next < this.#buffer.filled || this.#lostHead < this.#lost.length
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  get isEndAcknowledged(): boolean {
    return this.#isEndAcknowledged
  }

  get queuedPackets(): number {
    return this.#buffer.filled - this.#buffer.base
  }

  get isIdle(): boolean {
    const { base, filled, consumed, hasRest, refusedBy } = this.#buffer
    return (
      base === filled &&
      consumed === filled &&
      !hasRest &&
      refusedBy === undefined &&
      !this.#isEnded &&
      this.#probeMs === Infinity
    )
  }

  get position(): number {
    return this.#wire(this.#buffer.filled)
  }

  get refusedBy(): Refusal | undefined {
    return this.#buffer.refusedBy
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

  takeBurst(): number {
    const { path } = this.#context
    const { next, filled } = this.#buffer
    const isEnough = (filled - Math.max(next, this.#burstEnd)) * path.frameBytes > BURST_BYTES
    // What was lost goes first, and where the path is what limits, there is no hurry.
    if (!isEnough || !path.roundTrip.isShort || this.#lostHead < this.#lost.length) return 0
    this.#burstEnd = filled
    return filled - 1 - next
  }

  sendNext(nowMs: number): Sent {
    if (this.#lostHead < this.#lost.length) {
      const sent = this.#sendLost(nowMs)
      if (sent !== Sent.nothing) return sent
    }
    const buffer = this.#buffer
    const { next, ring } = buffer
    if (next === buffer.filled) return Sent.nothing
    if (!this.#owner.transmit(ring.slots[next & ring.mask]!, this.#wire(next), 0)) return Sent.linkFull
    buffer.onSent(nowMs)
    this.#inFlight++
    this.#context.path.inFlightPackets++
    this.counters.packetsSent++
    if (this.#probeMs === Infinity) this.#probeMs = nowMs + this.#probeDelayMs()
    return Sent.packet
  }

  onStatus(nextWire: number, consumedWire: number, beyond: number, isEnd: boolean, nowMs: number): void {
    const buffer = this.#buffer
    const next = this.#expand(nextWire)
    const consumed = this.#expand(consumedWire)
    if (next < buffer.base && this.#options.kind === 'reliable') return
    if (next > buffer.next || consumed > next || beyond > buffer.next - next) return
    const hasProgress = next > buffer.base || consumed > buffer.consumed || next + beyond > this.#delivered
    this.#acknowledge(next, beyond, nowMs)
    if (consumed > buffer.consumed) buffer.consumed = consumed
    if (isEnd && this.#isEnded && next === buffer.filled && !buffer.hasRest) this.#isEndAcknowledged = true
    if (hasProgress) this.#probes = 0
    const waitsForEnd = this.#isEnded && !this.#isEndAcknowledged
    const waits = buffer.base < buffer.next || buffer.consumed < buffer.base || waitsForEnd
    // All that was sent has arrived, but its end has not been told: that does not wait for a probe.
    const tellsEnd = waitsForEnd && buffer.base === buffer.filled && hasProgress
    this.#probeMs = !waits ? Infinity : tellsEnd ? nowMs : nowMs + this.#probeDelayMs()
    if (buffer.makeRoom()) this.#owner.onDrain()
    if (this.#options.kind === 'bestEffort') this.#countInFlight()
  }

  onNak(ranges: readonly PacketRange[], nowMs: number): void {
    const buffer = this.#buffer
    const { ring } = buffer
    const { roundTrip, congestion } = this.#context.path
    const tooYoungMs = nowMs - roundTrip.lossDelayMs()
    const markedBefore = buffer.marked
    this.counters.naksReceived++
    for (const { first, count } of ranges) {
      const from = this.#expand(first)
      if (from < buffer.base && this.#options.kind === 'bestEffort') this.#floorToTell = true
      const end = Math.min(from + count, buffer.next)
      for (let packet = Math.max(from, buffer.base); packet < end; packet++) {
        const at = packet & ring.mask
        // Sent again just now: the receiver cannot have seen it.
        if (buffer.isMarked(packet) || (ring.counts[at]! > 1 && ring.timesMs[at]! > tooYoungMs)) continue
        if (ring.counts[at]! >= STUBBORN_TRANSMISSIONS) this.#owner.onStubborn()
        this.#markLost(packet)
        congestion.onLost(ring.timesMs[at]!, nowMs)
      }
    }
    if (buffer.marked > markedBefore) this.#context.path.allowRepeat()
    this.#countInFlight()
  }

  takeHeartbeat(nowMs: number): Heartbeat | undefined {
    if (!this.#floorToTell && this.#probeMs > nowMs) return undefined
    const { base, next, filled, consumed, hasRest } = this.#buffer
    this.#floorToTell = false
    const isFinal = this.#isEnded && next === filled && !hasRest
    if (this.#probeMs <= nowMs) {
      this.#probes++
      if (this.#probes === PROBES_BEFORE_TIMEOUT && this.#inFlight > 0) this.#context.path.congestion.onTimeout(nowMs)
      this.#probeMs = nowMs + this.#probeDelayMs()
      // Nothing has left yet and no end is to be told.
      if (base === next && consumed === base && !isFinal) {
        this.#probeMs = Infinity
        return undefined
      }
      this.#probe(nowMs)
    }
    this.counters.heartbeatsSent++
    return { floor: this.#wire(base), next: this.#wire(next), isFinal }
  }

  dispose(): void {
    this.#buffer.dispose()
    this.#context.path.inFlightPackets -= this.#inFlight
    this.#inFlight = 0
    this.#lost = NO_PACKETS
    this.#lostHead = 0
    this.#probeMs = Infinity
  }

  trim(): void {
    this.#buffer.trim()
    if (this.#buffer.marked === 0) {
      this.#lost = NO_PACKETS
      this.#lostHead = 0
    }
  }

  /** Nothing was heard for long: packets are more likely to bring things forward than questions. */
  #probe(nowMs: number): void {
    const { base, next, ring } = this.#buffer
    const { path } = this.#context
    if (base === next) return
    path.allowProbes(nowMs)
    // The first time the answer may just be late. The oldest one has not arrived as far as known.
    const isOld = ring.timesMs[base & ring.mask]! <= nowMs - path.roundTrip.lossDelayMs()
    if (this.#probes < PROBES_BEFORE_REPEAT || !isOld || this.#buffer.isMarked(base)) return
    this.#markLost(base)
    this.#countInFlight()
  }

  #markLost(packet: number): void {
    this.#buffer.mark(packet)
    this.counters.packetsFoundLost++
    this.#context.path.onLost()
    if (this.#lost === NO_PACKETS) this.#lost = []
    this.#lost.push(packet)
  }

  #sendLost(nowMs: number): Sent {
    const buffer = this.#buffer
    while (this.#lostHead < this.#lost.length) {
      const packet = this.#lost[this.#lostHead]!
      if (buffer.isMarked(packet)) {
        const { slots, counts, timesMs, mask } = buffer.ring
        const at = packet & mask
        const transmission = counts[at]!
        if (!this.#owner.transmit(slots[at]!, this.#wire(packet), transmission)) return Sent.linkFull
        counts[at] = Math.min(transmission + 1, 255)
        timesMs[at] = nowMs
        buffer.unmark(packet)
        this.#inFlight++
        this.#context.path.inFlightPackets++
        this.counters.packetsRetransmitted++
        this.#lostHead++
        return Sent.packet
      }
      this.#lostHead++
    }
    this.#lost = NO_PACKETS
    this.#lostHead = 0
    return Sent.nothing
  }

  #acknowledge(next: number, beyond: number, nowMs: number): void {
    this.#buffer.releaseBefore(next)
    this.#beyond = beyond
    this.#countInFlight()
    const delivered = next + beyond
    if (delivered <= this.#delivered) return
    const packets = delivered - this.#delivered
    this.#delivered = delivered
    this.#context.path.onAcknowledged(packets, nowMs)
  }

  /** Sent, less what has arrived, less what is known to be lost. */
  #countInFlight(): void {
    const { base, next, marked } = this.#buffer
    const inFlight = Math.max(0, next - base - this.#beyond - marked)
    this.#context.path.inFlightPackets += inFlight - this.#inFlight
    this.#inFlight = inFlight
  }

  #probeDelayMs(): number {
    return this.#context.path.roundTrip.probeDelayMs(ANSWER_DELAY_MS, this.#probes)
  }

  #wire(packet: number): number {
    return toWire(packet, this.#initialPacket)
  }

  #expand(wire: number): number {
    return fromWire(wire, this.#initialPacket, this.#buffer.next)
  }
}

/** Of streams that have lost nothing: never written to. */
const NO_PACKETS: number[] = []
/** Sent so often in vain, a packet makes one doubt the path. */
const STUBBORN_TRANSMISSIONS = 3
/** The longest that a receiver waits before it says how far it is. */
const ANSWER_DELAY_MS = 5
/** Probes in a row without progress, before the oldest packet is sent again unasked. */
const PROBES_BEFORE_REPEAT = 2
/** Probes in a row without progress, before everything on the way is taken to be lost. */
const PROBES_BEFORE_TIMEOUT = 3
