import type { PacketRange } from './control-frame.js'
import { MAX_NAK_RANGES } from './wire.js'

/** The packets that one NAK asks for, added in ascending order. */
export class NakRanges {
  readonly list: PacketRange[] = []
  #end = -1

  /** False: it does not fit any more. `wire`: the packet's number as on the wire. */
  add(packet: number, wire: number): boolean {
    const { list } = this
    const last = list.at(-1)
    if (last !== undefined && packet === this.#end) list[list.length - 1] = { first: last.first, count: last.count + 1 }
    else if (list.length < MAX_NAK_RANGES) list.push({ first: wire, count: 1 })
    else return false
    this.#end = packet + 1
    return true
  }
}
