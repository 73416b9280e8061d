import { Assembly, type MemoryBudget } from './assembly.js'
import type { PacketRange } from './control-frame.js'
import { FrameSlot, type FramePool } from './frame-pool.js'
import { Pieces } from './pieces.js'
import type { RoundTrip } from './round-trip.js'
import { DATA, MAX_NAK_RANGES, RESET_REASON } from './wire.js'

/** What a receiving half tells its stream. */
export interface ReceiveHalfOwner {
  /** A message; the view lives until this returns. */
  onMessage(message: Buffer, handler: number): void
  /** `packets` are missing for good. */
  onGap(packets: number): void
  /** All that was ever sent has been handed over. */
  onEnd(): void
  /** The other side breaks the protocol, or a limit: `reason` as a reset says it. */
  onFailure(reason: number): void
}

export interface ReceiveHalfOptions {
  readonly kind: 'reliable' | 'bestEffort' | 'fireAndForget'
  readonly initialPacket: number
  readonly windowPackets: number
  readonly maxMessageBytes: number
}

export interface ReceiveCounters {
  messagesReceived: number
  /** Bytes of messages. */
  bytesReceived: number
  packetsReceived: number
  duplicates: number
  /** Packets that came out of order, and waited for others. */
  reordered: number
  /** Packets dropped because they are beyond the window: the other side breaks the rules, or very late ones. */
  beyondWindow: number
  /** Packets dropped for lack of memory; they are asked for again. */
  noMemory: number
  /** Packets that were given up: a best-effort stream's. */
  packetsLost: number
  /** Packets dropped because nobody was reading: a fire-and-forget stream's. */
  unread: number
  naksSent: number
  statusesSent: number
}

export interface Status {
  readonly next: number
  readonly consumed: number
  readonly highest: number
  readonly beyond: number
  readonly timestamp: number
  readonly delay: number
  readonly isEnded: boolean
}

/**
 * The other side's packets of one direction of a stream, from frames to messages. Pure: frames and time come in; messages, status and
 * NAK go out.
 *
 * Packets are counted as in {@link SendHalf}. `consumed` (handed to the user) <= `next` (the first that is missing) <= `highest` (the
 * first that nobody has heard of). What lies between `consumed` and `highest` and is here waits in a ring.
 */
export class ReceiveHalf {
  readonly counters: ReceiveCounters = emptyReceiveCounters()
  readonly #options: ReceiveHalfOptions
  readonly #pool: FramePool
  readonly #roundTrip: RoundTrip
  readonly #owner: ReceiveHalfOwner
  readonly #assembly: Assembly
  readonly #budget: MemoryBudget
  /** What the ring takes of the budget. */
  #ringBytes = 0
  #pieces: Pieces | undefined
  #consumed = 0
  #next = 0
  #highest = 0
  #beyond = 0
  /** The first packet that does not exist, once that is known. */
  #final = Infinity
  #hasEnded = false
  #isPaused = true
  #isDelivering = false
  #isDisposed = false

  /** Capacity less one; -1 while there is no ring. */
  #mask = -1
  #slots: (FrameSlot | undefined)[] = NO_SLOTS
  /** Of missing packets: when to ask for it, and how often that was done. */
  #askMs: Float64Array = NO_TIMES
  #asked: Uint8Array = NO_BYTES
  #nakMs = Infinity

  #graceMs = 0
  #unsaid = 0
  #isStatusForced = false
  #statusMs = Infinity
  #consumedSaid = 0
  #saidMs = -Infinity
  #timestamp = 0
  #timestampMs = 0

  constructor(options: ReceiveHalfOptions, pool: FramePool, roundTrip: RoundTrip, budget: MemoryBudget, owner: ReceiveHalfOwner) {
    this.#options = options
    this.#pool = pool
    this.#roundTrip = roundTrip
    this.#owner = owner
    this.#budget = budget
    this.#assembly = new Assembly(options.maxMessageBytes, budget, {
      onMessage: (message, handler) => {
        this.counters.messagesReceived++
        this.counters.bytesReceived += message.length
        owner.onMessage(message, handler)
        return !this.#isPaused
      },
    })
  }

  get deadlineMs(): number {
    return Math.min(this.#statusMs, this.#nakMs)
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** Packets that wait for others, or for the user. */
  get queuedPackets(): number {
    return this.#next - this.#consumed + this.#beyond
  }

  /** A data frame whose chunks end at `end`. `transmission` is 0 for the first time that its sender sends it. */
  onData(wire: number, transmission: number, timestamp: number, frame: Buffer, end: number, nowMs: number): void {
    if (this.#isDisposed) return
    this.#timestamp = timestamp
    this.#timestampMs = nowMs
    this.#unsaid++
    const packet = this.#expand(wire)
    if (packet === this.#next && packet === this.#highest) {
      if (this.#consumed === packet && !this.#isPaused && !this.#isDelivering) return this.#deliverInPlace(frame, end)
    } else if (packet < this.#next || (packet < this.#highest && this.#slots[packet & this.#mask] !== undefined)) {
      this.counters.duplicates++
      this.#isStatusForced = true
      return
    }
    this.#keep(packet, transmission, frame, end, nowMs)
  }

  /** A part of a data frame. */
  onPiece(wire: number, transmission: number, timestamp: number, frame: Buffer, end: number, nowMs: number): void {
    if (this.#isDisposed) return
    const packet = this.#expand(wire)
    const pieces = (this.#pieces ??= new Pieces(this.#pool))
    pieces.forgetBefore(this.#next)
    if (packet >= this.#consumed + this.#options.windowPackets) {
      this.counters.beyondWindow++
      return
    }
    if (packet < this.#next || (packet < this.#highest && this.#slots[packet & this.#mask] !== undefined)) {
      this.counters.duplicates++
      this.#isStatusForced = true
      return
    }
    const whole = pieces.add(packet, frame, end)
    if (whole === undefined) return
    if (whole === null) return this.#owner.onFailure(RESET_REASON.malformed)
    this.onData(wire, transmission, timestamp, whole.memory, whole.length, nowMs)
    pieces.release(whole)
  }

  /** A data frame without a number. */
  onUnnumbered(frame: Buffer, end: number): void {
    if (this.#isDisposed || this.#hasEnded) return
    if (this.#isPaused || this.#isDelivering) {
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
    this.#isStatusForced = true
    if (this.#options.kind === 'fireAndForget') {
      if (isFinal) this.#final = this.#next
      this.#deliverQueued()
      return
    }
    const floor = this.#expand(floorWire)
    const next = this.#expand(nextWire)
    if (floor > next || next > this.#consumed + this.#options.windowPackets) {
      if (this.#options.kind === 'reliable') return
    }
    if (this.#options.kind === 'bestEffort' && floor > this.#next) this.#giveUpBefore(floor)
    if (next > this.#highest && next <= this.#consumed + this.#options.windowPackets) this.#noticeMissing(next, nowMs)
    if (isFinal && next >= this.#highest) this.#final = next
    this.#deliverQueued()
  }

  pause(): void {
    this.#isPaused = true
  }

  /** Hands over what waits, unless it is being handed over. */
  resume(): void {
    if (!this.#isPaused || this.#isDisposed) return
    this.#isPaused = false
    this.#deliverQueued()
    if (this.#consumed - this.#consumedSaid >= this.#options.windowPackets / CONSUMED_FRACTION) this.#isStatusForced = true
  }

  /** What a status is to say, if one is due. `isBatchEnd`: a batch has been handled, more is not there. */
  takeStatus(nowMs: number): Status | undefined {
    if (!this.#isStatusForced && this.#statusMs > nowMs && !this.#isWorthStatus(nowMs)) {
      if (this.#unsaid > 0 && this.#statusMs === Infinity) this.#statusMs = nowMs + STATUS_DELAY_MS
      return undefined
    }
    if (!this.#isStatusForced && this.#unsaid === 0 && this.#consumed === this.#consumedSaid) {
      this.#statusMs = Infinity
      return undefined
    }
    this.#isStatusForced = false
    this.#unsaid = 0
    this.#statusMs = Infinity
    this.#consumedSaid = this.#consumed
    this.#saidMs = nowMs
    this.counters.statusesSent++
    return {
      next: this.#wire(this.#next),
      consumed: this.#wire(this.#consumed),
      highest: this.#wire(this.#highest),
      beyond: this.#beyond,
      timestamp: this.#timestamp,
      delay: Math.max(0, Math.round((nowMs - this.#timestampMs) * 1000)),
      isEnded: this.#hasEnded,
    }
  }

  /** Is there enough to say? Each costs both sides a system call. */
  #isWorthStatus(nowMs: number): boolean {
    const { windowPackets } = this.#options
    if (this.#consumed - this.#consumedSaid >= windowPackets / CONSUMED_FRACTION) return true
    if (this.#unsaid >= windowPackets / UNSAID_FRACTION) return true
    return this.#unsaid >= PACKETS_PER_STATUS && nowMs - this.#saidMs >= this.#roundTrip.smoothedMs / STATUSES_PER_ROUND_TRIP
  }

  /** A status is to be said at the next opportunity. */
  forceStatus(): void {
    this.#isStatusForced = true
  }

  /** Which packets to ask for now; empty: none. */
  takeNak(nowMs: number): PacketRange[] {
    if (this.#nakMs > nowMs) return []
    const ranges: PacketRange[] = []
    let nakMs = Infinity
    let rangeEnd = -1
    for (let packet = this.#next; packet < this.#highest; packet++) {
      const at = packet & this.#mask
      if (this.#slots[at] !== undefined) continue
      if (this.#askMs[at]! <= nowMs) {
        if (packet === rangeEnd) {
          const last = ranges[ranges.length - 1]!
          ranges[ranges.length - 1] = { first: last.first, count: last.count + 1 }
        } else if (ranges.length < MAX_NAK_RANGES) {
          ranges.push({ first: this.#wire(packet), count: 1 })
        } else {
          nakMs = nowMs
          break
        }
        rangeEnd = packet + 1
        this.#askMs[at] = nowMs + this.#askAgainMs(this.#asked[at]!)
        this.#asked[at] = Math.min(this.#asked[at]! + 1, 255)
      }
      if (this.#askMs[at]! < nakMs) nakMs = this.#askMs[at]!
    }
    this.#nakMs = nakMs
    if (ranges.length > 0) this.counters.naksSent++
    return ranges
  }

  /** Gives all memory back. */
  dispose(): void {
    if (this.#isDisposed) return
    this.#isDisposed = true
    for (const slot of this.#slots) if (slot !== undefined && slot !== GONE) this.#pool.give(slot)
    this.#slots = NO_SLOTS
    this.#giveRingBytes()
    this.#assembly.dispose()
    this.#pieces?.dispose()
    this.#nakMs = Infinity
    this.#statusMs = Infinity
  }

  /** Gives the ring back if it is empty, and the assembly if it is. */
  trim(): void {
    if (this.#isDisposed) return
    if (this.#consumed === this.#highest && this.#mask >= 0) {
      this.#mask = -1
      this.#slots = NO_SLOTS
      this.#askMs = NO_TIMES
      this.#asked = NO_BYTES
      this.#giveRingBytes()
    }
    this.#assembly.trim()
    this.#pieces?.forgetBefore(this.#next)
  }

  /** The common case: the packet that is waited for, and nothing waits behind it. Nothing is copied. */
  #deliverInPlace(frame: Buffer, end: number): void {
    this.counters.packetsReceived++
    this.#next++
    this.#highest++
    this.#isDelivering = true
    const read = this.#assembly.read(frame, DATA.chunks, end)
    this.#isDelivering = false
    if (this.#isDisposed) return
    if (read === undefined) return this.#owner.onFailure(this.#assembly.failure)
    if (!read && this.#assembly.at < end) return this.#keepRest(frame, end)
    this.#consumed++
    if (this.#consumed === this.#final || this.#consumed < this.#next) this.#deliverQueued()
  }

  /** Its reader stopped in the middle of a frame. Memory for the rest is always to be had: it is one frame. */
  #keepRest(frame: Buffer, end: number): void {
    const slot = this.#pool.take(true)!
    this.#fill(slot, frame, end)
    slot.cursor = this.#assembly.at
    if (this.#mask < 0) this.#resize(INITIAL_RING)
    this.#slots[this.#consumed & this.#mask] = slot
    // The reader may have changed its mind.
    this.#deliverQueued()
  }

  #keep(packet: number, transmission: number, frame: Buffer, end: number, nowMs: number): void {
    if (packet >= this.#consumed + this.#options.windowPackets) {
      this.counters.beyondWindow++
      return
    }
    const isNext = packet === this.#next
    const slot = this.#pool.take(isNext && this.#consumed === packet)
    if (slot === undefined) {
      this.counters.noMemory++
      return
    }
    if (packet >= this.#highest) {
      if (!this.#noticeMissing(packet + 1, nowMs)) {
        this.#pool.give(slot)
        this.counters.noMemory++
        return
      }
    } else if (transmission === 0 && this.#asked[packet & this.#mask]! > 0) {
      // It had been under way all the time: this path reorders. More patience from now on.
      this.#graceMs = Math.min(MAX_GRACE_MS, 2 * this.#grace())
    }
    this.counters.packetsReceived++
    if (!isNext) this.counters.reordered++
    this.#fill(slot, frame, end)
    this.#slots[packet & this.#mask] = slot
    this.#beyond++
    if (isNext) this.#advance()
    this.#deliverQueued()
  }

  #fill(slot: FrameSlot, frame: Buffer, end: number): void {
    slot.memory.set(frame.length === end ? frame : frame.subarray(0, end))
    slot.length = end
    slot.cursor = DATA.chunks
  }

  /** Packets up to `end` exist: those between were missed. False: there is no memory to note it in. */
  #noticeMissing(end: number, nowMs: number): boolean {
    while (end - this.#consumed > this.#mask) {
      const capacity = Math.max(INITIAL_RING, 2 * (this.#mask + 1))
      const moreBytes = capacity * RING_ENTRY_BYTES - this.#ringBytes
      if (capacity > INITIAL_RING) {
        if (!this.#budget.take(moreBytes)) return false
        this.#ringBytes += moreBytes
      }
      this.#resize(capacity)
    }
    const askMs = nowMs + this.#grace()
    for (let packet = this.#highest; packet < end; packet++) {
      const at = packet & this.#mask
      this.#slots[at] = undefined
      this.#askMs[at] = askMs
      this.#asked[at] = 0
    }
    this.#highest = end
    if (askMs < this.#nakMs) this.#nakMs = askMs
    return true
  }

  #giveRingBytes(): void {
    this.#budget.give(this.#ringBytes)
    this.#ringBytes = 0
  }

  /** Moves `next` past what is here. */
  #advance(): void {
    while (this.#next < this.#highest && this.#slots[this.#next & this.#mask] !== undefined) {
      this.#next++
      this.#beyond--
    }
    if (this.#next === this.#highest) this.#nakMs = Infinity
  }

  /** The sender has forgotten everything before `floor`. */
  #giveUpBefore(floor: number): void {
    if (floor > this.#highest) {
      // Nothing of a whole window is left: go there without walking.
      const known = this.#highest
      this.#giveUpBefore(known)
      this.#deliverQueued()
      if (this.#consumed !== known) return
      const packets = floor - known
      this.#consumed = this.#next = this.#highest = floor
      this.#loseAll(packets)
      return
    }
    for (let packet = this.#next; packet < floor; packet++) {
      const at = packet & this.#mask
      if (this.#slots[at] !== undefined) continue
      this.#slots[at] = GONE
      this.#beyond++
    }
    this.#advance()
  }

  #loseAll(packets: number): void {
    this.counters.packetsLost += packets
    this.#assembly.skip()
    this.#owner.onGap(packets)
  }

  #deliverQueued(): void {
    if (this.#isDelivering) return
    this.#isDelivering = true
    while (!this.#isPaused && !this.#isDisposed && this.#consumed < this.#next) {
      if (!this.#deliverOne()) break
    }
    this.#isDelivering = false
    if (this.#consumed === this.#final && !this.#hasEnded && !this.#isDisposed) {
      this.#hasEnded = true
      this.#isStatusForced = true
      this.#owner.onEnd()
    }
  }

  /** The oldest packet that waits. False: its reader stopped, or it is malformed. */
  #deliverOne(): boolean {
    const at = this.#consumed & this.#mask
    const slot = this.#slots[at]!
    if (slot === GONE) {
      let packets = 0
      for (; this.#consumed < this.#next && this.#slots[this.#consumed & this.#mask] === GONE; packets++) {
        this.#slots[this.#consumed & this.#mask] = undefined
        this.#consumed++
      }
      this.#loseAll(packets)
      return true
    }
    const read = this.#assembly.read(slot.memory, slot.cursor, slot.length)
    if (this.#isDisposed) return false
    if (read === undefined) {
      this.#owner.onFailure(this.#assembly.failure)
      return false
    }
    slot.cursor = this.#assembly.at
    if (!read && slot.cursor < slot.length) return false
    this.#slots[at] = undefined
    this.#pool.give(slot)
    this.#consumed++
    return read
  }

  /** How long a packet may be late before it is asked for. */
  #grace(): number {
    return Math.max(this.#graceMs, MIN_GRACE_MS, this.#roundTrip.hasSample ? this.#roundTrip.smoothedMs / 8 : 0)
  }

  #askAgainMs(asked: number): number {
    const { hasSample, smoothedMs, variationMs } = this.#roundTrip
    const first = hasSample ? 1.5 * smoothedMs + 4 * variationMs : ASK_AGAIN_MS
    return Math.min(Math.max(first, MIN_ASK_AGAIN_MS) * 1.5 ** Math.min(asked, MAX_BACKOFF), MAX_ASK_AGAIN_MS)
  }

  #wire(packet: number): number {
    return (this.#options.initialPacket + packet) >>> 0
  }

  #expand(wire: number): number {
    return this.#next + ((wire - this.#options.initialPacket - this.#next) | 0)
  }

  #resize(capacity: number): void {
    const slots = new Array<FrameSlot | undefined>(capacity).fill(undefined)
    const askMs = new Float64Array(capacity)
    const asked = new Uint8Array(capacity)
    for (let packet = this.#consumed; packet < this.#highest; packet++) {
      const from = packet & this.#mask
      const to = packet & (capacity - 1)
      slots[to] = this.#slots[from]
      askMs[to] = this.#askMs[from]!
      asked[to] = this.#asked[from]!
    }
    this.#slots = slots
    this.#askMs = askMs
    this.#asked = asked
    this.#mask = capacity - 1
  }
}

export function emptyReceiveCounters(): ReceiveCounters {
  return {
    messagesReceived: 0,
    bytesReceived: 0,
    packetsReceived: 0,
    duplicates: 0,
    reordered: 0,
    beyondWindow: 0,
    noMemory: 0,
    packetsLost: 0,
    unread: 0,
    naksSent: 0,
    statusesSent: 0,
  }
}

/** Stands in the ring for a packet that its sender has forgotten. */
const GONE = new FrameSlot(0)
const INITIAL_RING = 16
/** A pointer, a time and a count. */
const RING_ENTRY_BYTES = 17
/** Of streams where nothing waits: never written to. */
const NO_SLOTS: FrameSlot[] = []
const NO_TIMES = new Float64Array(0)
const NO_BYTES = new Uint8Array(0)
/** At the end of a batch, the sender is told of at least so many packets, so often a round trip; otherwise after the delay. */
const PACKETS_PER_STATUS = 16
const STATUSES_PER_ROUND_TRIP = 4
/** Or of so much of the window. */
const UNSAID_FRACTION = 8
const STATUS_DELAY_MS = 2
/** A reader that has caught up by a quarter of the window says so: the sender may be waiting for it. */
const CONSUMED_FRACTION = 4
const MIN_GRACE_MS = 1
const MAX_GRACE_MS = 100
/** Before the round trip is known. */
const ASK_AGAIN_MS = 100
const MIN_ASK_AGAIN_MS = 2
const MAX_ASK_AGAIN_MS = 1000
const MAX_BACKOFF = 8
