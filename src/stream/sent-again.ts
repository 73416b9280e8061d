/** How often, and when last, a packet was sent again to one receiver; Infinity: it waits to be. */
interface Again {
  sentMs: number
  tries: number
}

/** What is sent again to one receiver of a group alone. */
export class SentAgain {
  /** In the order in which they were last asked for. */
  readonly #packets = new Map<number, Again>()

  /** How many packets are remembered: of a window, or two. */
  get size(): number {
    return this.#packets.size
  }

  /**
   * The receiver asks for a packet: how often it has done so, this time included. 0: it waits to be sent, or was sent since `sinceMs`, which
   * the receiver cannot have seen when it asked.
   *
   * @param base Packets before this one are not asked for any more.
   */
  ask(packet: number, base: number, sinceMs: number): number {
    const again = this.#packets.get(packet) ?? { sentMs: -Infinity, tries: 0 }
    if (again.sentMs > sinceMs) return 0
    again.sentMs = Infinity
    this.#packets.delete(packet)
    this.#packets.set(packet, again)
    this.#forgetBefore(base)
    return ++again.tries
  }

  onSent(packet: number, nowMs: number): void {
    const again = this.#packets.get(packet)
    if (again !== undefined) again.sentMs = nowMs
  }

  /** Up to the first that may be asked for again. */
  #forgetBefore(base: number): void {
    for (const packet of this.#packets.keys()) {
      if (packet >= base) return
      this.#packets.delete(packet)
    }
  }
}
