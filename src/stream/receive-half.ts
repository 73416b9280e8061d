import { Assembly, type AssemblyOwner } from './assembly.js'
import type { PacketRange } from './control-frame.js'
import type { FrameSlot } from './frame-pool.js'
import { EarlyMessages } from './early-messages.js'
import { Pieces } from './pieces.js'
import { DONE, GONE, ReceiveWindow } from './receive-window.js'
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
import { DATA, RESET_REASON } from './wire.js'

/**
 * The other side's packets of one direction of a stream, from frames to messages. Pure: frames and time come in; messages, status and
 * NAK go out.
 */
export class ReceiveHalf implements AssemblyOwner {
  readonly counters: ReceiveCounters
  readonly #terms: StreamTerms
  readonly #context: ReceivingContext
  readonly #owner: ReceivingOwner
  readonly #window: ReceiveWindow
  readonly #assembly: Assembly
  readonly #naks: NakSchedule
  readonly #statuses: StatusSchedule
  /** Of a stream that is not ordered, once something is missing. */
  #early: EarlyMessages | undefined
  #pieces: Pieces | undefined
  /** The first packet that does not exist, once that is known. */
  #final = Infinity
  #hasEnded = false
  #isPaused: boolean
  #isDelivering = false
  #isDisposed = false
  /** Of the latest frame that said when it left. */
  #timestamp = 0
  #timestampMs = 0

  /** @param before What is left of the one that had become idle, in whose place this comes. */
  constructor(terms: StreamTerms, context: ReceivingContext, owner: ReceivingOwner, before: IdleReceiving, schedules = TO_ONE) {
    this.counters = before.counters ?? emptyReceiveCounters()
    this.#isPaused = before.isPaused
    this.#terms = terms
    this.#context = context
    this.#owner = owner
    this.#window = new ReceiveWindow(before.position, context.pool, context.budget)
    this.#assembly = new Assembly(context.maxMessageBytes, context.budget, this)
    this.#naks = schedules.naks(this.#window, context)
    this.#statuses = schedules.statuses(terms.windowPackets, context)
  }

  get deadlineMs(): number {
    return this.#isDisposed ? Infinity : Math.min(this.#statuses.deadlineMs, this.#naks.deadlineMs)
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** What is to be kept of this while nothing happens; undefined: something does. */
  whenIdle(): IdleReceiving | undefined {
    const { consumed, highest } = this.#window
    const waits = consumed !== highest || this.#final !== Infinity || this.#isDelivering || this.#isDisposed
    if (waits || !this.#assembly.isIdle || this.#pieces?.isEmpty === false) return undefined
    if (this.deadlineMs !== Infinity || this.#statuses.hasMore?.(consumed) !== false) return undefined
    this.dispose()
    return { counters: this.counters, position: this.#window.toWire(consumed), isPaused: this.#isPaused }
  }

  /** Packets that wait for others, or for the user. */
  get queuedPackets(): number {
    return this.#window.next - this.#window.consumed + this.#window.beyond
  }

  /** A data frame whose chunks end at `end`. `transmission` is 0 for the first time that its sender sends it. */
  onData(wire: number, transmission: number, timestamp: number, frame: Buffer, end: number, nowMs: number): void {
    if (this.#isDisposed) return
    // Late, or nonsense: behind the end there is nothing.
    if (this.#hasEnded) return this.#countDuplicate()
    this.#timestamp = timestamp
    this.#timestampMs = nowMs
    this.#statuses.onPacket()
    const window = this.#window
    const packet = window.fromWire(wire)
    if (packet >= this.#final) {
      // There was to be none: the other side contradicts itself.
      this.counters.beyondWindow++
      return
    }
    if (packet === window.next && packet === window.highest) {
      if (window.consumed === packet && !this.#isPaused && !this.#isDelivering) return this.#deliverInPlace(frame, end)
    } else if (window.has(packet)) {
      return this.#countDuplicate()
    }
    this.#keep(packet, transmission, frame, end, nowMs)
  }

  /** A part of a data frame. */
  onPiece(wire: number, transmission: number, timestamp: number, frame: Buffer, end: number, nowMs: number): void {
    if (this.#isDisposed) return
    if (this.#hasEnded) return this.#countDuplicate()
    const packet = this.#window.fromWire(wire)
    const pieces = (this.#pieces ??= new Pieces(this.#context.pool, this.counters))
    pieces.forgetBefore(this.#window.next)
    if (packet >= this.#limit()) {
      this.counters.beyondWindow++
      return
    }
    if (this.#window.has(packet)) return this.#countDuplicate()
    const whole = pieces.add(packet, frame, end, this.#isIndispensable(packet))
    if (whole === undefined) return
    if (whole === null) return this.#owner.onFailure(RESET_REASON.malformed)
    this.onData(wire, transmission, timestamp, whole.memory, whole.length, nowMs)
    pieces.release(whole)
  }

  /** A data frame without a number. */
  onUnnumbered(frame: Buffer, end: number): void {
    if (this.#isDisposed) return
    if (this.#isPaused || this.#isDelivering || this.#hasEnded) {
      this.counters.unread++
      return
    }
    this.counters.packetsReceived++
    this.#isDelivering = true
    // Stopped in the middle by its reader, who will not read the rest.
    if (this.#assembly.read(frame, DATA.chunks, end) === undefined) this.#owner.onFailure(this.#assembly.failure)
    this.#isDelivering = false
  }

  /** The sender says how far it is. */
  onHeartbeat(floorWire: number, nextWire: number, timestamp: number, isFinal: boolean, nowMs: number): void {
    if (this.#isDisposed) return
    this.#timestamp = timestamp
    this.#timestampMs = nowMs
    this.#statuses.force()
    if (this.#terms.kind === 'fireAndForget') {
      if (isFinal) this.#final = this.#window.next
      this.#deliverQueued()
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
    if (isFinal && next >= window.highest) this.#final = next
    this.#deliverQueued()
  }

  /** Packets before `end` exist. */
  noticeUpTo(end: number, nowMs: number): void {
    if (end > this.#window.highest && end <= this.#limit()) this.#noticeMissing(end, end, nowMs)
  }

  /** The first packet may be in the middle of a message, which is not for us. */
  startMidway(): void {
    this.#assembly.skip()
  }

  pause(): void {
    this.#isPaused = true
  }

  /** Hands over what waits, unless it is being handed over. */
  resume(): void {
    if (!this.#isPaused || this.#isDisposed) return
    this.#isPaused = false
    this.#deliverQueued()
    const { next, highest } = this.#window
    for (let packet = next + 1; this.#early !== undefined && packet < highest; packet++) this.#deliverEarly(packet, false)
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
      isEnded: this.#hasEnded,
    }
  }

  /** Which packets to ask for now; empty: none. */
  takeNak(nowMs: number): PacketRange[] {
    if (this.#isDisposed) return []
    const ranges = this.#naks.take(nowMs)
    if (ranges.length > 0) this.counters.naksSent++
    return ranges
  }

  /** Gives all memory back. */
  dispose(): void {
    if (this.#isDisposed) return
    this.#isDisposed = true
    this.#window.dispose()
    this.#assembly.dispose()
    this.#pieces?.dispose()
  }

  /** Gives back what is not needed while nothing waits. */
  trim(): void {
    if (this.#isDisposed) return
    this.#window.trim()
    this.#assembly.trim()
    this.#pieces?.forgetBefore(this.#window.next)
  }

  /** A message is complete. @internal */
  onMessage(message: Buffer, handler: number): boolean {
    this.counters.messagesReceived++
    this.counters.bytesReceived += message.length
    this.#owner.onMessage(message, handler)
    // It may have stopped reading, or given the stream up.
    return !this.#isPaused && !this.#isDisposed
  }

  /** The first packet that may not be sent yet. */
  #limit(): number {
    return this.#window.consumed + this.#terms.windowPackets
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

  /** The common case: the packet that is waited for, and nothing waits behind it. Nothing is copied. */
  #deliverInPlace(frame: Buffer, end: number): void {
    const window = this.#window
    this.counters.packetsReceived++
    window.pass()
    this.#isDelivering = true
    const read = this.#assembly.read(frame, DATA.chunks, end)
    this.#isDelivering = false
    if (this.#isDisposed) return
    if (read === undefined) return this.#owner.onFailure(this.#assembly.failure)
    if (!read && this.#assembly.at < end) return this.#keepRest(frame, end)
    window.consumed++
    if (window.consumed === this.#final || window.consumed < window.next) this.#deliverQueued()
  }

  /** Its reader stopped in the middle of a frame. Memory for the rest is always to be had: it is one frame. */
  #keepRest(frame: Buffer, end: number): void {
    const slot = this.#context.pool.take(true)!
    slot.fill(frame, end)
    slot.cursor = this.#assembly.at
    this.#window.putBack(slot)
    // The reader may have changed its mind.
    this.#deliverQueued()
  }

  #keep(packet: number, transmission: number, frame: Buffer, end: number, nowMs: number): void {
    const window = this.#window
    if (packet >= this.#limit()) {
      this.counters.beyondWindow++
      return
    }
    const isNext = packet === window.next
    const slot = this.#context.pool.take(this.#isIndispensable(packet))
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
    this.#deliverQueued()
    if (this.#terms.ordered || packet <= window.next) return
    this.#early ??= new EarlyMessages(window, this.#context.maxMessageBytes, this.#context.budget)
    this.#early.add(packet)
    this.#deliverEarly(packet, true)
  }

  /** What a packet brings that waits behind a missing one. */
  #deliverEarly(packet: number, isNew: boolean): void {
    if (this.#isPaused || this.#isDelivering || this.#isDisposed) return
    this.#isDelivering = true
    this.#early!.deliver(packet, isNew, (message, handler) => this.onMessage(message, handler) && !this.#isDisposed)
    this.#isDelivering = false
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
    this.#deliverQueued()
    if (window.consumed !== known) return
    window.jumpTo(floor)
    this.#loseAll(floor - known)
  }

  #loseAll(packets: number): void {
    this.counters.packetsLost += packets
    this.#assembly.skip()
    this.#owner.onGap(packets)
  }

  #deliverQueued(): void {
    if (this.#isDelivering) return
    const window = this.#window
    this.#isDelivering = true
    while (!this.#isPaused && !this.#isDisposed && window.consumed < window.next && window.consumed !== this.#final) {
      if (!this.#deliverOne()) break
    }
    this.#isDelivering = false
    if (window.consumed === this.#final && !this.#hasEnded && !this.#isDisposed) {
      this.#hasEnded = true
      this.#statuses.force()
      this.#owner.onEnd()
    }
  }

  #readSlot(slot: FrameSlot): boolean | undefined {
    const assembly = this.#assembly
    if (this.#early !== undefined) {
      return this.#early.readRest(slot, this.#window.consumed, (frame, from, end) => assembly.read(frame, from, end))
    }
    const read = assembly.read(slot.memory, slot.cursor, slot.length)
    slot.cursor = assembly.at
    return read
  }

  /** The oldest packet that waits. False: its reader stopped, or it is malformed. */
  #deliverOne(): boolean {
    const window = this.#window
    const { slots, mask } = window.ring
    const slot = slots[window.consumed & mask]!
    if (slot === GONE) {
      let packets = 0
      for (; window.consumed < window.next && slots[window.consumed & mask] === GONE; packets++) window.consume()
      this.#loseAll(packets)
      return true
    }
    if (slot === DONE) {
      window.consume()
      return true
    }
    // Out of the window, so that its memory stays what it is while it is read, whatever becomes of the stream.
    slots[window.consumed & mask] = undefined
    const read = this.#readSlot(slot)
    const hasRest = this.#early === undefined ? slot.cursor < slot.length : this.#early.hasRest(slot, window.consumed)
    if (read === false && hasRest && !this.#isDisposed) {
      slots[window.consumed & mask] = slot
      return false
    }
    this.#context.pool.give(slot)
    if (this.#isDisposed) return false
    if (read === undefined) {
      this.#owner.onFailure(this.#assembly.failure)
      return false
    }
    window.consume()
    return read
  }
}
