import { invalidState, type Random } from '../core/index.js'
import type { GroupTerms, NakEchoFrame, OpenGroupFrame } from './group-frame.js'
import { GroupNaks, type KnownTerms } from './group-naks.js'
import { GroupStatuses } from './group-statuses.js'
import type { StreamHost } from './host.js'
import { PacketHistory } from './packet-history.js'
import type { ReceiveHalf, ReceivingSchedules } from './receive-half.js'
import type { ReceiveWindow } from './receive-window.js'
import { repairMask } from './repair-code.js'
import { RepairDecoder } from './repair-decoder.js'
import type { ReceivingContext, ReceivingOwner } from './receiving.js'
import { isEmpty, lastBit } from './span-mask.js'
import { RESET_REASON } from './wire.js'

/** What a stream of a group is told when it is opened. */
export interface GroupOptions {
  readonly terms: GroupTerms
  /** Where the group's frames are sent to; '': each receiver is sent its own. */
  readonly endpoint: string
  /** For packets that are kept after they were read, to be taken out of repairs. */
  readonly historyBytes: number
  readonly random: Random
}

/**
 * What a receiver of a group does besides what every receiver does: it keeps packets, solves repairs, hears what others have asked for,
 * and says less.
 */
export class GroupReceiving {
  /** The number by which the group's frames name it. */
  readonly group: number
  readonly endpoint: string
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
    this.endpoint = endpoint
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
        const isImplied = (packet: number): boolean => this.#decoder.keptRows > 0 && this.#decoder.isImplied(packet)
        return (this.#naks = new GroupNaks(window, roundTrip, this.#random, this.#terms, isImplied))
      },
      statuses: ({ windowPackets }) => new GroupStatuses(windowPackets, this.#random, this.#terms),
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
    // Others asked for it: no reason to say anything.
    if (window.has(packet)) {
      half.counters.duplicates++
      return
    }
    this.#history?.keep(packet, frame, end)
    half.onData(wire, transmission, timestamp, frame, end, nowMs)
    if (this.#isDisposed) return
    this.#nowMs = nowMs
    if (this.#decoder.keptRows > 0 && window.has(packet)) this.#decoder.onArrived(packet, this.#history?.get(packet))
  }

  /** A part of a data frame, to this receiver alone. */
  onPiece(wire: number, transmission: number, timestamp: number, frame: Buffer, end: number, nowMs: number): void {
    const window = this.#window!
    const packet = window.fromWire(wire)
    const wasMissing = !window.has(packet)
    this.#half!.onPiece(wire, transmission, timestamp, frame, end, nowMs)
    if (this.#isDisposed || this.#decoder.keptRows === 0 || !wasMissing || !window.has(packet)) return
    // The whole of it is not kept: repairs over it are of no use any more.
    this.#nowMs = nowMs
    this.#decoder.onArrived(packet, undefined)
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
    this.#history?.dispose()
  }

  #onRepaired(packet: number, frame: Buffer, end: number): void {
    const half = this.#half!
    half.counters.packetsRepaired++
    this.#history?.keep(packet, frame, end)
    half.onData(this.#window!.toWire(packet), 1, 0, frame, end, this.#nowMs)
  }
}

/** What a receiver makes of being told of a group. */
export function groupOptionsOf(frame: OpenGroupFrame, host: StreamHost): GroupOptions {
  const { repairHistoryBytes: historyBytes } = host
  return { terms: frame, endpoint: frame.endpoint, historyBytes, random: { uint32: () => host.drawUint32() } }
}

/** What sending by a stream of a group is. */
export function oneWay(): Error {
  return invalidState('a stream of a group is one way')
}
