import { invalidState, type Random } from '../core/index.js'
import type { GroupTerms, NakEchoFrame } from './group-frame.js'
import { GroupNaks, type KnownTerms } from './group-naks.js'
import type { GroupOptions } from './group-options.js'
import { GroupStatuses } from './group-statuses.js'
import { PacketHistory } from './packet-history.js'
import type { ReceiveHalf } from './receive-half.js'
import type { ReceiveWindow } from './receive-window.js'
import { repairMask } from './repair-code.js'
import { RepairDecoder } from './repair-decoder.js'
import type { ReceivingContext, ReceivingOwner } from './receiving.js'
import type { ReceivingSchedules } from './receiving-schedules.js'
import { isEmpty, lastBit } from './span-mask.js'
import { RESET_REASON } from './wire.js'

/**
 * What a receiver of a group does besides what every receiver does: it keeps packets, solves repairs, hears what others have asked for,
 * and says less.
 */
export class GroupReceiving {
  /** The number by which the group's frames name it. */
  readonly group: number
  readonly schedules: ReceivingSchedules
  readonly #terms: KnownTerms
  readonly #random: Random
  readonly #history: PacketHistory | undefined
  readonly #decoder: RepairDecoder
  #half: ReceiveHalf | undefined
  #window: ReceiveWindow | undefined
  #naks: GroupNaks | undefined
  #owner: ReceivingOwner | undefined
  #nowMs = 0
  #isDisposed = false

  constructor({ terms, endpoint, historyBytes, random }: GroupOptions, { pool, roundTrip }: ReceivingContext) {
    this.group = terms.group
    this.#random = random
    this.#terms = { receivers: terms.receivers, backOffMs: terms.backOff / 1000 }
    // A list's receivers get no repairs.
    const capacity = 2 ** Math.floor(Math.log2(Math.max(1, historyBytes / pool.slotBytes)))
    this.#history = endpoint === '' || capacity < 2 ? undefined : new PacketHistory(pool, capacity)
    this.#decoder = new RepairDecoder(pool, {
      frameOf: (packet) => this.#history?.get(packet),
      isMissing: (packet) => packet < this.#window!.highest && !this.#window!.has(packet),
      onPacket: (packet, frame, end) => this.#onRepaired(packet, frame, end),
    })
    this.schedules = {
      naks: (window) => {
        this.#window = window
        const isImplied = (packet: number): boolean => this.#decoder.isImplied(packet)
        return (this.#naks = new GroupNaks(window, roundTrip, this.#random, this.#terms, isImplied))
      },
      statuses: (windowPackets) => new GroupStatuses(windowPackets, this.#random, this.#terms),
    }
  }

  /** Packets that were missing so far. */
  get missed(): number {
    return this.#naks!.missed
  }

  /** Called once, before anything else. */
  attach(half: ReceiveHalf, owner: ReceivingOwner): void {
    this.#half = half
    this.#owner = owner
    half.startMidway()
  }

  onTerms({ receivers, backOff }: GroupTerms): void {
    this.#terms.receivers = receivers
    this.#terms.backOffMs = backOff / 1000
  }

  /** A data frame of the group, or one to this receiver alone. */
  onData(wire: number, transmission: number, timestamp: number, frame: Buffer, end: number, nowMs: number): void {
    const window = this.#window!
    const half = this.#half!
    const packet = window.fromWire(wire)
    if (this.#isDuplicate(packet)) return
    this.#history?.keep(packet, frame, end)
    const { noMemory } = half.counters
    half.onData(wire, transmission, timestamp, frame, end, nowMs)
    if (half.counters.noMemory > noMemory && !this.#isDisposed && this.#history !== undefined) {
      // What is missing is worth more than what might help to find it.
      this.#history.clear()
      half.counters.noMemory = noMemory
      half.onData(wire, transmission, timestamp, frame, end, nowMs)
    }
    if (this.#isDisposed) return
    this.#nowMs = nowMs
    if (this.#decoder.keptRows > 0 && window.has(packet)) this.#decoder.onArrived(packet, this.#history?.get(packet))
  }

  /** A part of a data frame, to this receiver alone. */
  onPiece(wire: number, transmission: number, timestamp: number, frame: Buffer, end: number, nowMs: number): void {
    if (this.#isDuplicate(this.#window!.fromWire(wire))) return
    this.#half!.onPiece(wire, transmission, timestamp, frame, end, nowMs)
  }

  /** A repair of the group. */
  onRepair(wire: number, frame: Buffer, end: number, nowMs: number): void {
    const half = this.#half!
    half.counters.repairsReceived++
    this.#nowMs = nowMs
    const base = this.#window!.fromWire(wire)
    const mask = repairMask(frame, end)
    if (mask === undefined || isEmpty(mask)) return this.#owner!.onFailure(RESET_REASON.malformed)
    // It tells of packets as a heartbeat does.
    half.noticeUpTo(base + lastBit(mask) + 1, nowMs)
    const missing = this.#decoder.add(base, frame, end)
    if (missing === null) return this.#owner!.onFailure(RESET_REASON.malformed)
    if (!this.#isDisposed && !isEmpty(missing)) this.#naks!.onRepair(base, missing, nowMs)
  }

  onEcho({ base, mask, most }: NakEchoFrame, nowMs: number): void {
    this.#naks!.onEcho(this.#window!.fromWire(base), mask, most, nowMs)
  }

  /** What was consumed needs no repairs any more. */
  trim(): void {
    this.#decoder.forgetBefore(this.#window!.next)
  }

  dispose(): void {
    this.#isDisposed = true
    this.#decoder.dispose()
    this.#history?.clear()
  }

  /** Others asked for it: no reason to say anything. */
  #isDuplicate(packet: number): boolean {
    if (!this.#window!.has(packet)) return false
    this.#half!.counters.duplicates++
    return true
  }

  #onRepaired(packet: number, frame: Buffer, end: number): void {
    const half = this.#half!
    half.counters.packetsRepaired++
    this.#history?.keep(packet, frame, end)
    half.onData(this.#window!.toWire(packet), 1, 0, frame, end, this.#nowMs)
  }
}

/** What sending by a stream of a group is. */
export function oneWay(): Error {
  return invalidState('a stream of a group is one way')
}
