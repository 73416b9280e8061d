import type { Endpoint } from '../core/index.js'
import type { FrameSlot } from './frame-pool.js'
import type { GroupMember } from './group-member.js'
import { writeDataHeader, type DataRoute } from './header.js'
import type { StreamHost } from './host.js'
import { NOBODY } from './node-id.js'
import type { Path } from './path.js'
import { encodeRepair } from './repair-code.js'
import { UNNUMBERED } from './sending.js'
import type { SpanMask } from './span-mask.js'
import { Transmitter } from './transmitter.js'
import { DATA_HEADER_BYTES, FLAG, MIN_FRAME_BYTES, REPAIR_OVERHEAD_BYTES } from './wire.js'

/** Completes the data frames of a group, and hands them to the link: once for all, or once for each receiver. */
export class GroupTransmitter {
  /** When they leave, as frames say it. */
  timestamp = 0
  readonly #host: StreamHost
  readonly #group: number
  readonly #endpoint: Endpoint | undefined
  readonly #path: Path
  /** For frames to one receiver; cut, if the path to it is narrow. */
  readonly #single = new WeakMap<GroupMember, Transmitter>()
  readonly #route: DataRoute
  readonly #repair: Buffer
  readonly #repairHeader: Int32Array
  /** Of a list: the receiver whose turn it is, when the link was full. */
  #resumeAt = 0

  /** @param endpoint Of a multicast group; undefined: a list. */
  constructor(host: StreamHost, group: number, endpoint: Endpoint | undefined, path: Path) {
    this.#host = host
    this.#group = group
    this.#endpoint = endpoint
    this.#path = path
    this.#route = { integrityMode: host.integrity.mode, sender: host.id, receiver: NOBODY }
    const repairBytes = endpoint === undefined ? DATA_HEADER_BYTES : path.frameBytes + REPAIR_OVERHEAD_BYTES
    this.#repair = Buffer.allocUnsafeSlow(repairBytes)
    this.#repairHeader = new Int32Array(this.#repair.buffer, 0, DATA_HEADER_BYTES / 4)
  }

  /** False: the link is full; who got it already does not get it again next time. */
  toAll(slot: FrameSlot, packet: number, transmission: number, members: readonly GroupMember[]): boolean {
    const { integrity } = this.#host
    const isNumbered = packet !== UNNUMBERED
    const flags = isNumbered ? FLAGS : FLAG.opener
    writeDataHeader(slot.header, this.#route, flags, transmission, this.#group, isNumbered ? packet : 0, this.timestamp)
    const frame = slot.view(slot.length + integrity.trailerBytes)
    integrity.seal(frame)
    if (this.#endpoint !== undefined) return this.#spend(frame, this.#host.sendToGroup(frame, this.#endpoint))
    for (let at = Math.min(this.#resumeAt, members.length); at < members.length; at++) {
      const member = members[at]!
      if (!isNumbered) member.peer.sending.path.hasUnconfirmed ||= frame.length > MIN_FRAME_BYTES
      const isSent =
        frame.length > member.peer.sending.path.frameBytes && isNumbered
          ? this.toOne(member, slot, packet, transmission)
          : this.#spend(frame, this.#host.sendFrame(frame, member.peer.endpoint))
      if (isSent) continue
      this.#resumeAt = at
      return false
    }
    this.#resumeAt = 0
    return true
  }

  /** A numbered packet to one receiver, by its own address. */
  toOne(member: GroupMember, slot: FrameSlot, packet: number, transmission: number): boolean {
    let single = this.#single.get(member)
    if (single === undefined) {
      const { endpoint, sending } = member.peer
      this.#single.set(member, (single = new Transmitter(this.#host, NOBODY, endpoint, sending.path)))
    }
    single.timestamp = this.timestamp
    if (!single.transmit(slot, FLAG.opener, this.#group, packet, transmission)) return false
    this.#path.spend(slot.length)
    return true
  }

  repair(packet: number, mask: SpanMask, slotOf: (index: number) => FrameSlot): boolean {
    const { integrity } = this.#host
    writeDataHeader(this.#repairHeader, this.#route, FLAGS | FLAG.repair, 1, this.#group, packet, this.timestamp)
    const end = encodeRepair(this.#repair, mask, slotOf)
    const frame = this.#repair.subarray(0, end + integrity.trailerBytes)
    integrity.seal(frame)
    return this.#spend(frame, this.#host.sendToGroup(frame, this.#endpoint!))
  }

  #spend(frame: Buffer, isSent: boolean): boolean {
    if (isSent) this.#path.spend(frame.length)
    return isSent
  }
}

const FLAGS = FLAG.opener | FLAG.numbered
