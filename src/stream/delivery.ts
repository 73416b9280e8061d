import { Assembly, type AssemblyOwner } from './assembly.js'
import { EarlyMessages } from './early-messages.js'
import type { FrameSlot } from './frame-pool.js'
import { DONE, GONE, type ReceiveWindow } from './receive-window.js'
import type { ReceiveCounters, ReceivingContext, ReceivingOwner, StatusSchedule } from './receiving.js'
import { DATA } from './wire.js'

/** What has come, on its way to the user: in order, and as soon as it is complete where that is asked for. */
export class Delivery implements AssemblyOwner {
  /** The first packet that does not exist, once that is known. */
  final = Infinity
  hasEnded = false
  isPaused: boolean
  isDisposed = false
  /** A message is being handed over: nothing else is meanwhile. */
  isBusy = false
  readonly #counters: ReceiveCounters
  readonly #context: ReceivingContext
  readonly #owner: ReceivingOwner
  readonly #window: ReceiveWindow
  readonly #statuses: StatusSchedule
  readonly #assembly: Assembly
  /** Of a stream that is not ordered, once something is missing. */
  #early: EarlyMessages | undefined

  constructor(
    context: ReceivingContext,
    owner: ReceivingOwner,
    window: ReceiveWindow,
    statuses: StatusSchedule,
    counters: ReceiveCounters,
    isPaused: boolean,
  ) {
    this.#context = context
    this.#owner = owner
    this.#window = window
    this.#statuses = statuses
    this.#counters = counters
    this.isPaused = isPaused
    this.#assembly = new Assembly(context.maxMessageBytes, context.memory, this)
  }

  /** Is nothing half delivered, or known of the end? */
  get isIdle(): boolean {
    return this.final === Infinity && !this.isBusy && !this.isDisposed && this.#assembly.isIdle
  }

  /** The first packet may be in the middle of a message, which is not for us. */
  startMidway(): void {
    this.#assembly.skip()
  }

  /** Hands over what waits, unless it is being handed over. */
  resume(): void {
    if (!this.isPaused || this.isDisposed) return
    this.isPaused = false
    this.deliver()
    const { next, highest } = this.#window
    for (let packet = next + 1; this.#early !== undefined && packet < highest; packet++) this.#deliverEarly(packet, false)
  }

  /** Gives all memory back. */
  dispose(): void {
    this.isDisposed = true
    this.#assembly.dispose()
  }

  trim(): void {
    this.#assembly.trim()
  }

  /** The common case: the packet that is waited for, and nothing waits behind it. Nothing is copied. */
  deliverInPlace(frame: Buffer, end: number): void {
    const window = this.#window
    window.pass()
    const read = this.#read(frame, end)
    if (this.isDisposed) return
    if (read === undefined) return this.#owner.onFailure(this.#assembly.failure)
    if (!read && this.#assembly.at < end) return this.#keepRest(frame, end)
    window.consumed++
    if (window.consumed === this.final || window.consumed < window.next) this.deliver()
  }

  /** A frame without a number. What its reader, who has stopped in the middle of it, will not read is lost. */
  deliverUnnumbered(frame: Buffer, end: number): void {
    if (this.#read(frame, end) === undefined) return this.#owner.onFailure(this.#assembly.failure)
    if (!this.#assembly.isStarved) return
    this.#assembly.stopWaiting()
    this.#counters.noMemory++
  }

  /** Hands over what waits in order. */
  deliver(): void {
    if (this.isBusy || this.#assembly.isStarved) return
    const window = this.#window
    this.isBusy = true
    while (!this.isPaused && !this.isDisposed && window.consumed < window.next && window.consumed !== this.final) {
      if (!this.#deliverOne()) break
    }
    this.isBusy = false
    if (window.consumed === this.final && !this.hasEnded && !this.isDisposed) {
      this.hasEnded = true
      this.#statuses.force()
      this.#owner.onEnd()
    }
  }

  /** A packet has come that waits behind a missing one: what is complete by it is not to wait. */
  deliverBehindGap(packet: number): void {
    this.#early ??= new EarlyMessages(this.#window, this.#context.maxMessageBytes, this.#context.memory)
    this.#early.add(packet)
    this.#deliverEarly(packet, true)
  }

  /** `packets` will not come any more. */
  lose(packets: number): void {
    this.#counters.packetsLost += packets
    this.#assembly.skip()
    this.#owner.onGap(packets)
  }

  /** A message is complete. @internal */
  onMessage(message: Buffer, handler: number): boolean {
    this.#counters.messagesReceived++
    this.#counters.bytesReceived += message.length
    this.#owner.onMessage(message, handler)
    // It may have stopped reading, or given the stream up.
    return !this.isPaused && !this.isDisposed
  }

  /** The message that waited for memory goes on. @internal */
  onMemory(): void {
    this.deliver()
    this.#owner.onResumed()
  }

  #read(frame: Buffer, end: number): boolean | undefined {
    this.isBusy = true
    const read = this.#assembly.read(frame, DATA.chunks, end)
    this.isBusy = false
    return read
  }

  /** Its reader stopped in the middle of a frame. Memory for the rest is always to be had: it is one frame. */
  #keepRest(frame: Buffer, end: number): void {
    const slot = this.#context.pool.take(true)!
    slot.fill(frame, end)
    slot.cursor = this.#assembly.at
    this.#window.putBack(slot)
    // The reader may have changed its mind.
    this.deliver()
  }

  #deliverEarly(packet: number, isNew: boolean): void {
    if (this.isPaused || this.isBusy || this.isDisposed) return
    this.isBusy = true
    this.#early!.deliver(packet, isNew, (message, handler) => this.onMessage(message, handler) && !this.isDisposed)
    this.isBusy = false
  }

  /** The oldest packet that waits. False: its reader stopped, or it is malformed. */
  #deliverOne(): boolean {
    const window = this.#window
    const { slots, mask } = window.ring
    const slot = slots[window.consumed & mask]!
    if (slot === GONE) {
      let packets = 0
      for (; window.consumed < window.next && slots[window.consumed & mask] === GONE; packets++) window.consume()
      this.lose(packets)
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
    if (read === false && hasRest && !this.isDisposed) {
      slots[window.consumed & mask] = slot
      return false
    }
    this.#context.pool.give(slot)
    if (this.isDisposed) return false
    if (read === undefined) {
      this.#owner.onFailure(this.#assembly.failure)
      return false
    }
    window.consume()
    return read
  }

  #readSlot(slot: FrameSlot): boolean | undefined {
    const assembly = this.#assembly
    if (this.#early !== undefined) {
      return this.#early.readRest(slot, this.#window.consumed, assembly)
    }
    const read = assembly.read(slot.memory, slot.cursor, slot.length)
    slot.cursor = assembly.at
    return read
  }
}
