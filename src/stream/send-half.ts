import type { PacketRange } from './control-frame.js'
import type { FramePool, FrameSlot } from './frame-pool.js'
import type { FrameWriter, LongMessage } from './frame-writer.js'
import type { Path } from './path.js'

/** What a sending half needs of its stream. */
export interface SendHalfOwner {
  /** Hands a data frame of `length` bytes (without trailer) to the link. False: the link is full. */
  transmit(slot: FrameSlot, packet: number, transmission: number): boolean
  /** There is room after a refusal. */
  onDrain(): void
  /** A packet does not arrive, however often it is sent. */
  onStubborn(): void
}

export interface SendHalfOptions {
  readonly kind: 'reliable' | 'bestEffort'
  readonly initialPacket: number
  readonly windowPackets: number
  /** The same in bytes: counts when frames have become longer. */
  readonly windowBytes: number
}

export interface SendCounters {
  messagesSent: number
  /** Bytes of messages. */
  bytesSent: number
  packetsSent: number
  packetsRetransmitted: number
  /** Packets that a best-effort stream forgot before they were acknowledged. */
  packetsForgotten: number
  messagesRefused: number
  heartbeatsSent: number
}

export enum Sent {
  nothing,
  packet,
  linkFull,
}

/**
 * The numbered packets of one direction of a stream, from the user's messages to what has arrived. Pure: time comes in, frames go out.
 *
 * Packets are counted from 0 here and from the initial packet number, modulo 2^32, on the wire. They lie in a ring:
 * `base` (the oldest that is kept) <= `next` (the first that never left) <= `filled` (the first that does not exist).
 */
export class SendHalf {
  readonly counters: SendCounters = emptySendCounters()
  readonly #owner: SendHalfOwner
  readonly #options: SendHalfOptions
  readonly #path: Path
  readonly #pool: FramePool
  readonly #writer: FrameWriter
  #base = 0
  #next = 0
  #filled = 0
  /** Handed to the user at the other end, as far as known. */
  #consumed = 0
  /** Is the last frame open for more? */
  #isFilling = false
  #delivered = 0
  #beyond = 0
  #inFlight = 0
  #refused = false
  #isEnded = false
  #isEndAcknowledged = false
  #floorToTell = false

  /** The rest of a message that had no room: a copy. */
  #rest: LongMessage | undefined

  /** Capacity less one; -1 while there is no ring. */
  #mask = -1
  #slots: (FrameSlot | undefined)[] = NO_SLOTS
  #sentMs: Float64Array = NO_TIMES
  #transmissions: Uint8Array = NO_BYTES
  #isLost: Uint8Array = NO_BYTES

  /** Packets to be sent again, oldest first as they were reported; those that have arrived since are skipped. */
  #lost: number[] = NO_PACKETS
  #lostHead = 0
  #lostPending = 0

  #probeMs = Infinity
  #probes = 0

  constructor(options: SendHalfOptions, path: Path, pool: FramePool, writer: FrameWriter, owner: SendHalfOwner) {
    this.#options = options
    this.#path = path
    this.#pool = pool
    this.#writer = writer
    this.#owner = owner
  }

  /** When {@link onTimer} is due. */
  get deadlineMs(): number {
    return this.#probeMs
  }

  /** Is there something that may leave, window and pace apart? */
  get hasWork(): boolean {
    return this.#next < this.#filled || this.#lostHead < this.#lost.length
  }

  /** Has everything arrived, and the end as well if there is one? */
  get isSettled(): boolean {
    return this.#base === this.#filled && this.#rest === undefined && (!this.#isEnded || this.#isEndAcknowledged)
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  get isEndAcknowledged(): boolean {
    return this.#isEndAcknowledged
  }

  /** Packets kept: sent and not known to have arrived, or waiting. */
  get queuedPackets(): number {
    return this.#filled - this.#base
  }

  /** What keeps the next message from leaving: for statistics. */
  get isWindowFull(): boolean {
    return this.#refused
  }

  /**
   * Takes a message. It is copied.
   *
   * @returns False when there is no room: it was not taken, and `onDrain` follows.
   */
  push(message: Uint8Array, handler: number): boolean {
    if (this.#rest !== undefined) return this.#refuse()
    if (message.length <= this.#writer.maxWholeBytes) {
      let slot = this.#isFilling ? this.#slots[(this.#filled - 1) & this.#mask]! : undefined
      if (slot === undefined || !this.#writer.hasRoom(slot, message.length)) {
        slot = this.#begin()
        if (slot === undefined) return this.#refuse()
      }
      this.#writer.writeWhole(slot, message, handler)
    } else if (!this.#pushLong(message, handler)) {
      return this.#refuse()
    }
    this.counters.messagesSent++
    this.counters.bytesSent += message.length
    return true
  }

  /** No more messages. */
  end(nowMs: number): void {
    this.#isEnded = true
    this.#probeMs = nowMs
  }

  /** Sends one packet if there is one; window and pace are the caller's. */
  sendNext(nowMs: number): Sent {
    if (this.#lostHead < this.#lost.length) {
      const sent = this.#sendLost(nowMs)
      if (sent !== Sent.nothing) return sent
    }
    if (this.#next === this.#filled) return Sent.nothing
    const packet = this.#next
    const at = packet & this.#mask
    if (!this.#owner.transmit(this.#slots[at]!, this.#wire(packet), 0)) return Sent.linkFull
    if (packet === this.#filled - 1) this.#isFilling = false
    this.#next = packet + 1
    this.#sentMs[at] = nowMs
    this.#transmissions[at] = 1
    this.#isLost[at] = 0
    this.#inFlight++
    this.#path.inFlightPackets++
    this.counters.packetsSent++
    if (this.#probeMs === Infinity) this.#probeMs = nowMs + this.#probeDelayMs()
    return Sent.packet
  }

  /** What the receiver says about itself; numbers as on the wire. */
  onStatus(nextWire: number, consumedWire: number, beyond: number, isEnd: boolean, nowMs: number): void {
    const next = this.#expand(nextWire)
    const consumed = this.#expand(consumedWire)
    if (next < this.#base && this.#options.kind === 'reliable') return
    if (next > this.#next || consumed > next || beyond > this.#next - next) return
    const hasProgress = next > this.#base || consumed > this.#consumed || next + beyond > this.#delivered
    this.#acknowledge(next, beyond, nowMs)
    if (consumed > this.#consumed) this.#consumed = consumed
    if (isEnd && this.#isEnded && next === this.#filled && this.#rest === undefined) this.#isEndAcknowledged = true
    if (hasProgress) this.#probes = 0
    const waits = this.#base < this.#next || this.#consumed < this.#base || (this.#isEnded && !this.#isEndAcknowledged)
    // All that was sent has arrived, but its end has not been told: that does not wait for a probe.
    const tellsEnd = this.#isEnded && !this.#isEndAcknowledged && this.#base === this.#filled && hasProgress
    this.#probeMs = !waits ? Infinity : tellsEnd ? nowMs : nowMs + this.#probeDelayMs()
    this.#makeRoom()
  }

  /** The receiver misses packets. */
  onNak(ranges: readonly PacketRange[], nowMs: number): void {
    const tooYoungMs = nowMs - this.#path.roundTrip.lossDelayMs()
    for (const { first, count } of ranges) {
      const from = this.#expand(first)
      if (from < this.#base && this.#options.kind === 'bestEffort') this.#floorToTell = true
      const end = Math.min(from + count, this.#next)
      for (let packet = Math.max(from, this.#base); packet < end; packet++) {
        const at = packet & this.#mask
        // Sent again just now: the receiver cannot have seen it.
        if (this.#isLost[at] !== 0 || (this.#transmissions[at]! > 1 && this.#sentMs[at]! > tooYoungMs)) continue
        if (this.#transmissions[at]! >= STUBBORN_TRANSMISSIONS) this.#owner.onStubborn()
        this.#isLost[at] = 1
        if (this.#lost === NO_PACKETS) this.#lost = []
        this.#lost.push(packet)
        this.#lostPending++
        this.#path.congestion.onLost(this.#sentMs[at]!, nowMs)
      }
    }
    this.#countInFlight()
  }

  /** What a heartbeat is to say, if one is due: numbers as on the wire. */
  takeHeartbeat(nowMs: number): { floor: number; next: number; isFinal: boolean } | undefined {
    if (!this.#floorToTell && this.#probeMs > nowMs) return undefined
    this.#floorToTell = false
    const isFinal = this.#isEnded && this.#next === this.#filled && this.#rest === undefined
    if (this.#probeMs <= nowMs) {
      this.#probes++
      if (this.#probes === PROBES_BEFORE_TIMEOUT && this.#inFlight > 0) this.#path.congestion.onTimeout(nowMs)
      this.#probeMs = nowMs + this.#probeDelayMs()
      // Nothing has left yet and no end is to be told.
      if (this.#base === this.#next && this.#consumed === this.#base && !isFinal) {
        this.#probeMs = Infinity
        return undefined
      }
    }
    this.counters.heartbeatsSent++
    return { floor: this.#wire(this.#base), next: this.#wire(this.#next), isFinal }
  }

  /** Gives all memory back. */
  dispose(): void {
    for (let packet = this.#base; packet < this.#filled; packet++) this.#free(packet)
    this.#base = this.#next = this.#filled
    this.#path.inFlightPackets -= this.#inFlight
    this.#inFlight = 0
    this.#rest = undefined
    this.#lost = NO_PACKETS
    this.#lostHead = 0
    this.#lostPending = 0
    this.#isFilling = false
    this.#probeMs = Infinity
  }

  /** Gives the ring back if it is empty. */
  trim(): void {
    if (this.#base !== this.#filled || this.#mask < 0) return
    this.#mask = -1
    this.#slots = NO_SLOTS
    this.#sentMs = NO_TIMES
    this.#transmissions = this.#isLost = NO_BYTES
    this.#lost = NO_PACKETS
    this.#lostHead = 0
  }

  #refuse(): false {
    this.#refused = true
    this.counters.messagesRefused++
    return false
  }

  /** A message of several frames: as much as there is room for; a copy of the rest waits. */
  #pushLong(message: Uint8Array, handler: number): boolean {
    const long: LongMessage = { source: message, sourceAt: 0, offset: 0, length: message.length, handler }
    this.#writePieces(long)
    if (long.offset === 0) return false
    if (long.offset < long.length) {
      long.source = Uint8Array.prototype.slice.call(message, long.offset)
      long.sourceAt = long.offset
      this.#rest = long
    }
    return true
  }

  #writePieces(long: LongMessage): void {
    let slot = this.#isFilling ? this.#slots[(this.#filled - 1) & this.#mask] : undefined
    while (long.offset < long.length) {
      if (slot === undefined || !this.#writer.isWorthAPiece(slot)) slot = this.#begin()
      if (slot === undefined) return
      this.#writer.writePiece(slot, long)
    }
  }

  #makeRoom(): void {
    if (this.#rest !== undefined) {
      this.#writePieces(this.#rest)
      if (this.#rest.offset < this.#rest.length) return
      this.#rest = undefined
    }
    if (!this.#refused || !this.#hasRoom()) return
    this.#refused = false
    this.#owner.onDrain()
  }

  #hasRoom(): boolean {
    return this.#options.kind === 'bestEffort'
      ? this.#filled - this.#base < this.#windowPackets() || this.#base < this.#next
      : this.#filled - this.#consumed < this.#windowPackets()
  }

  #windowPackets(): number {
    const { windowPackets, windowBytes } = this.#options
    return Math.min(windowPackets, Math.max(MIN_WINDOW_PACKETS, windowBytes / this.#path.frameBytes))
  }

  /** A new frame at the end; undefined when the window, or the memory, is full. */
  #begin(): FrameSlot | undefined {
    if (!this.#hasRoom()) return undefined
    if (this.#options.kind === 'bestEffort' && this.#filled - this.#base >= this.#windowPackets()) this.#forgetOldest()
    // Who has nothing waiting has nothing to wait for: one frame is always to be had.
    const slot = this.#pool.take(this.#filled === this.#base)
    if (slot === undefined) return undefined
    if (this.#isFilling) this.#writer.pad(this.#slots[(this.#filled - 1) & this.#mask]!)
    if (this.#filled - this.#base > this.#mask) this.#resize(Math.max(INITIAL_RING, 2 * (this.#mask + 1)))
    this.#writer.begin(slot)
    this.#slots[this.#filled & this.#mask] = slot
    this.#filled++
    this.#isFilling = true
    return slot
  }

  #forgetOldest(): void {
    this.counters.packetsForgotten++
    this.#free(this.#base)
    this.#base++
    this.#consumed = Math.max(this.#consumed, this.#base)
    this.#countInFlight()
  }

  #sendLost(nowMs: number): Sent {
    while (this.#lostHead < this.#lost.length) {
      const packet = this.#lost[this.#lostHead]!
      const at = packet & this.#mask
      if (packet >= this.#base && this.#isLost[at] !== 0) {
        const transmission = this.#transmissions[at]!
        if (!this.#owner.transmit(this.#slots[at]!, this.#wire(packet), transmission)) return Sent.linkFull
        this.#transmissions[at] = Math.min(transmission + 1, 255)
        this.#sentMs[at] = nowMs
        this.#isLost[at] = 0
        this.#lostPending--
        this.#inFlight++
        this.#path.inFlightPackets++
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
    for (let packet = this.#base; packet < next; packet++) this.#free(packet)
    if (next > this.#base) this.#base = next
    this.#beyond = beyond
    this.#countInFlight()
    const delivered = next + beyond
    if (delivered <= this.#delivered) return
    const packets = delivered - this.#delivered
    this.#delivered = delivered
    this.#path.onAcknowledged(packets, nowMs)
  }

  #free(packet: number): void {
    const at = packet & this.#mask
    const slot = this.#slots[at]
    if (slot === undefined) return
    this.#slots[at] = undefined
    if (this.#isLost[at] !== 0) {
      this.#isLost[at] = 0
      this.#lostPending--
    }
    this.#pool.give(slot)
  }

  /** Sent, less what has arrived, less what is known to be lost. */
  #countInFlight(): void {
    const inFlight = Math.max(0, this.#next - this.#base - this.#beyond - this.#lostPending)
    this.#path.inFlightPackets += inFlight - this.#inFlight
    this.#inFlight = inFlight
  }

  #probeDelayMs(): number {
    const delay = this.#path.roundTrip.probeTimeoutMs(ANSWER_DELAY_MS) * 2 ** Math.min(this.#probes, MAX_BACKOFF)
    return Math.min(delay, MAX_PROBE_DELAY_MS)
  }

  #wire(packet: number): number {
    return (this.#options.initialPacket + packet) >>> 0
  }

  #expand(wire: number): number {
    return this.#next + ((wire - this.#options.initialPacket - this.#next) | 0)
  }

  #resize(capacity: number): void {
    const slots = new Array<FrameSlot | undefined>(capacity).fill(undefined)
    const sentMs = new Float64Array(capacity)
    const transmissions = new Uint8Array(capacity)
    const isLost = new Uint8Array(capacity)
    for (let packet = this.#base; packet < this.#filled; packet++) {
      const from = packet & this.#mask
      const to = packet & (capacity - 1)
      slots[to] = this.#slots[from]
      sentMs[to] = this.#sentMs[from]!
      transmissions[to] = this.#transmissions[from]!
      isLost[to] = this.#isLost[from]!
    }
    this.#slots = slots
    this.#sentMs = sentMs
    this.#transmissions = transmissions
    this.#isLost = isLost
    this.#mask = capacity - 1
  }
}

export function emptySendCounters(): SendCounters {
  return {
    messagesSent: 0,
    bytesSent: 0,
    packetsSent: 0,
    packetsRetransmitted: 0,
    packetsForgotten: 0,
    messagesRefused: 0,
    heartbeatsSent: 0,
  }
}

const INITIAL_RING = 16
/** Fewer would stop at every packet that is late. */
export const MIN_WINDOW_PACKETS = 16
/** Of streams that have nothing on the way: never written to. */
const NO_SLOTS: FrameSlot[] = []
const NO_TIMES = new Float64Array(0)
const NO_BYTES = new Uint8Array(0)
const NO_PACKETS: number[] = []
/** Sent so often in vain, a packet makes one doubt the path. */
const STUBBORN_TRANSMISSIONS = 3
/** The longest that a receiver waits before it says how far it is. */
const ANSWER_DELAY_MS = 5
const MAX_BACKOFF = 6
const MAX_PROBE_DELAY_MS = 500
/** Probes in a row without progress, before everything on the way is taken to be lost. */
const PROBES_BEFORE_TIMEOUT = 3
