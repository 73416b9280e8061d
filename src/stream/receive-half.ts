import type { PacketRange } from './control-frame.js'
import { Delivery } from './delivery.js'
import { Pieces } from './pieces.js'
import { ReceiveWindow } from './receive-window.js'
import {
  emptyReceiveCounters,
  type IdleReceiving,
  type NakSchedule,
  type ReceiveCounters,
  type ReceivingContext,
  type ReceivingOwner,
  type Status,
  type StatusSchedule,
} from './receiving.js'
import { TO_ONE } from './receiving-schedules.js'
import type { StreamTerms } from './stream-options.js'
import { RESET_REASON } from './wire.js'

/**
 * The other side's packets of one direction of a stream, from frames to messages. Pure: frames and time come in; messages, status and
 * NAK go out.
 */
export class ReceiveHalf {
  readonly counters: ReceiveCounters
  readonly #terms: StreamTerms
  readonly #context: ReceivingContext
  readonly #owner: ReceivingOwner
  readonly #window: ReceiveWindow
  readonly #delivery: Delivery
  readonly #naks: NakSchedule
  readonly #statuses: StatusSchedule
  #pieces: Pieces | undefined
  /** Of the latest frame that said when it left. */
  #timestamp = 0
  #timestampMs = 0

  /** @param before What is left of the one that had become idle, in whose place this comes. */
  constructor(terms: StreamTerms, context: ReceivingContext, owner: ReceivingOwner, before: IdleReceiving, schedules = TO_ONE) {
    this.counters = before.counters ?? emptyReceiveCounters()
    this.#terms = terms
    this.#context = context
    this.#owner = owner
    this.#window = new ReceiveWindow(before.position, context.pool, context.memory)
    this.#naks = schedules.naks(this.#window, context)
    this.#statuses = schedules.statuses(terms.windowPackets, context)
    this.#delivery = new Delivery(context, owner, this.#window, this.#statuses, this.counters, before.isPaused)
  }

  get deadlineMs(): number {
    return this.#delivery.isDisposed ? Infinity : Math.min(this.#statuses.deadlineMs, this.#naks.deadlineMs)
  }

  get hasEnded(): boolean {
    return this.#delivery.hasEnded
  }

  /** What is to be kept of this while nothing happens; undefined: something does. */
  whenIdle(): IdleReceiving | undefined {
    const { consumed, highest } = this.#window
    if (consumed !== highest || !this.#delivery.isIdle || this.#pieces?.isEmpty === false) return undefined
    if (this.deadlineMs !== Infinity || this.#statuses.hasMore?.(consumed) !== false) return undefined
    this.dispose()
    return { counters: this.counters, position: this.#window.toWire(consumed), isPaused: this.#delivery.isPaused }
  }

  /** Packets that wait for others, or for the user. */
  get queuedPackets(): number {
    return this.#window.next - this.#window.consumed + this.#window.beyond
  }

  /** A data frame whose chunks end at `end`. `transmission` is 0 for the first time that its sender sends it. */
  onData(wire: number, transmission: number, timestamp: number, frame: Buffer, end: number, nowMs: number): void {
    const delivery = this.#delivery
    if (delivery.isDisposed) return
    // Late, or nonsense: behind the end there is nothing.
    if (delivery.hasEnded) return this.#countDuplicate()
    this.#timestamp = timestamp
    this.#timestampMs = nowMs
    this.#statuses.onPacket()
    const window = this.#window
    const packet = window.fromWire(wire)
    if (packet >= delivery.final) {
      // There was to be none: the other side contradicts itself.
      this.counters.beyondWindow++
      return
    }
    if (packet === window.next && packet === window.highest) {
      if (window.consumed === packet && !delivery.isPaused && !delivery.isBusy) {
        this.counters.packetsReceived++
        return delivery.deliverInPlace(frame, end)
      }
    } else if (window.has(packet)) {
      return this.#countDuplicate()
    }
    this.#keep(packet, transmission, frame, end, nowMs)
  }

  /** A part of a data frame. */
  onPiece(wire: number, transmission: number, timestamp: number, frame: Buffer, end: number, nowMs: number): void {
    if (this.#delivery.isDisposed) return
    if (this.#delivery.hasEnded) return this.#countDuplicate()
    const packet = this.#window.fromWire(wire)
    const pieces = (this.#pieces ??= new Pieces(this.#context.pool, this.counters))
    pieces.forgetBefore(this.#window.next)
    if (!this.#isInWindow(packet)) return
    if (this.#window.has(packet)) return this.#countDuplicate()
    const whole = pieces.add(packet, frame, end, this.#isIndispensable(packet))
    if (whole === undefined) return
    if (whole === null) return this.#owner.onFailure(RESET_REASON.malformed)
    this.onData(wire, transmission, timestamp, whole.memory, whole.length, nowMs)
    pieces.release(whole)
  }

  /** A data frame without a number. */
  onUnnumbered(frame: Buffer, end: number): void {
    if (this.#delivery.isDisposed) return
    const { isPaused, isBusy, hasEnded } = this.#delivery
    if (isPaused || isBusy || hasEnded) {
      this.counters.unread++
      return
    }
    this.counters.packetsReceived++
    this.#delivery.deliverUnnumbered(frame, end)
  }

  /** The sender says how far it is. */
  onHeartbeat(floorWire: number, nextWire: number, timestamp: number, isFinal: boolean, nowMs: number): void {
    if (this.#delivery.isDisposed) return
    this.#timestamp = timestamp
    this.#timestampMs = nowMs
    this.#statuses.force()
    if (this.#terms.kind === 'fireAndForget') {
      if (isFinal) this.#delivery.final = this.#window.next
      this.#delivery.deliver()
      return
    }
    const window = this.#window
    const floor = window.fromWire(floorWire)
    const next = window.fromWire(nextWire)
    if ((floor > next || next > this.#limit()) && this.#terms.kind === 'reliable') {
      this.counters.beyondWindow++
      return
    }
    if (this.#terms.kind === 'bestEffort' && floor > window.next) this.#giveUpBefore(floor)
    this.noticeUpTo(next, nowMs)
    if (isFinal && next >= window.highest) this.#delivery.final = next
    this.#delivery.deliver()
  }

  /** Packets before `end` exist. */
  noticeUpTo(end: number, nowMs: number): void {
    if (end > this.#window.highest && end <= this.#limit()) this.#noticeMissing(end, end, nowMs)
  }

  /** The first packet may be in the middle of a message, which is not for us. */
  startMidway(): void {
    this.#delivery.startMidway()
  }

  pause(): void {
    this.#delivery.isPaused = true
  }

  /** Hands over what waits, unless it is being handed over. */
  resume(): void {
    this.#delivery.resume()
  }

  /** A status is to be said at the next opportunity. */
  forceStatus(): void {
    this.#statuses.force()
  }

  /** What a status is to say, if one is due. At the end of a batch: more is not there. */
  takeStatus(nowMs: number): Status | undefined {
    const { next, consumed, highest, beyond } = this.#window
    if (!this.#statuses.isDue(consumed, nowMs)) return undefined
    this.#statuses.onSaid(consumed, nowMs)
    this.counters.statusesSent++
    return {
      next: this.#window.toWire(next),
      consumed: this.#window.toWire(consumed),
      highest: this.#window.toWire(highest),
      beyond,
      timestamp: this.#timestamp,
      delay: Math.max(0, Math.round((nowMs - this.#timestampMs) * 1000)),
      isEnded: this.#delivery.hasEnded,
    }
  }

  /** Which packets to ask for now; empty: none. */
  takeNak(nowMs: number): PacketRange[] {
    if (this.#delivery.isDisposed) return []
    const ranges = this.#naks.take(nowMs)
    if (ranges.length > 0) this.counters.naksSent++
    return ranges
  }

  /** Gives all memory back. */
  dispose(): void {
    if (this.#delivery.isDisposed) return
    this.#delivery.dispose()
    this.#window.dispose()
    this.#pieces?.dispose()
  }

  /** Gives back what is not needed while nothing waits. */
  trim(): void {
    if (this.#delivery.isDisposed) return
    this.#window.trim()
    this.#delivery.trim()
    this.#pieces?.forgetBefore(this.#window.next)
  }

  /** The first packet that may not be sent yet. */
  #limit(): number {
    return this.#window.consumed + this.#terms.windowPackets
  }

  /** May the packet come? Who sends at best effort keeps a window and no more: what is that far behind its packets is lost. */
  #isInWindow(packet: number): boolean {
    const { kind, windowPackets } = this.#terms
    if (packet >= this.#limit() && kind === 'bestEffort') {
      this.#giveUpBefore(packet + 1 - windowPackets)
      this.#delivery.deliver()
    }
    if (this.#delivery.isDisposed) return false
    if (packet < this.#limit()) return true
    this.counters.beyondWindow++
    return false
  }

  /** Does everything wait for this packet, the user as well? For it there is memory whatever else is short. */
  #isIndispensable(packet: number): boolean {
    return packet === this.#window.next && packet === this.#window.consumed
  }

  /** What was said does not get through. */
  #countDuplicate(): void {
    this.counters.duplicates++
    this.#statuses.force()
  }

  #keep(packet: number, transmission: number, frame: Buffer, end: number, nowMs: number): void {
    const window = this.#window
    if (!this.#isInWindow(packet)) return
    const isNext = packet === window.next
    const slot = this.#context.pool.take(this.#isIndispensable(packet), end)
    if (slot === undefined) {
      this.counters.noMemory++
      return
    }
    if (packet < window.highest) {
      this.#naks.onFound(packet, transmission, nowMs)
    } else if (!this.#noticeMissing(packet, packet + 1, nowMs)) {
      this.#context.pool.give(slot)
      this.counters.noMemory++
      return
    }
    this.counters.packetsReceived++
    if (!isNext) this.counters.reordered++
    slot.fill(frame, end)
    window.put(packet, slot)
    if (window.next === window.highest) this.#naks.onComplete()
    this.#delivery.deliver()
    if (!this.#terms.ordered && packet > window.next) this.#delivery.deliverBehindGap(packet)
  }

  /** Packets up to `highest` exist: those before `end` that nobody has heard of were missed. False: no memory to note it in. */
  #noticeMissing(end: number, highest: number, nowMs: number): boolean {
    const first = this.#window.highest
    if (!this.#window.raiseHighest(highest)) return false
    if (first < end) this.#naks.onMissing(first, end, nowMs)
    return true
  }

  /** The sender has forgotten everything before `floor`. */
  #giveUpBefore(floor: number): void {
    const window = this.#window
    const known = Math.min(floor, window.highest)
    window.giveUpBefore(known)
    if (window.next === window.highest) this.#naks.onComplete()
    if (known === floor) return
    // Nothing of a whole window is left: go there without walking.
    this.#delivery.deliver()
    if (window.consumed !== known) return
    window.jumpTo(floor)
    this.#delivery.lose(floor - known)
  }
}
