/** Some hosts that do not reach the others. */
export interface Partition {
  /** Ends it. Harmless to repeat. */
  heal(): void
}

/** All the partitions of a network that are not healed, by the hosts' indices. */
export class Partitions {
  readonly #all = new Set<ReadonlyMap<number, number>>()

  /** @param parts The part of each host that is concerned. */
  add(parts: ReadonlyMap<number, number>): Partition {
    this.#all.add(parts)
    return { heal: () => void this.#all.delete(parts) }
  }

  healAll(): void {
    this.#all.clear()
  }

  separate(oneIndex: number, otherIndex: number): boolean {
    if (this.#all.size === 0) return false
    for (const parts of this.#all) {
      const [one, other] = [parts.get(oneIndex), parts.get(otherIndex)]
      if (one !== undefined && other !== undefined && one !== other) return true
    }
    return false
  }
}
