import { emptySums, sum, type SocketSums } from './membership-statistics.js'
import type { Interest } from './membership-interest.js'
import type { Shard } from './membership-shard.js'

/** Opens a socket for groups of a family, bound to `group` if one is given. Throws what opening and binding throw. */
export type OpenShard = (isIpv4: boolean, group: string | undefined) => Shard

/** The sockets of a membership: as many as the kernel's limits demand. Which one joins what is decided here alone. */
export class ShardSet {
  readonly #open: OpenShard
  readonly #bindsToGroup: boolean
  readonly #onSharded: (interest: Interest) => void
  /** By what they are bound to: a family, or a group. */
  readonly #sets = new Map<string, Shard[]>()
  #closedSums = emptySums()

  constructor(open: OpenShard, bindsToGroup: boolean, onSharded: (interest: Interest) => void) {
    this.#open = open
    this.#bindsToGroup = bindsToGroup
    this.#onSharded = onSharded
  }

  /** Opens the first socket for an interest, so that its port is taken before there is an interface. */
  prepare(interest: Interest): void {
    if (this.#setOf(interest).length === 0) this.#add(interest)
  }

  /** @returns The sockets that now hold the membership: several where there are many sources. @throws System errors. */
  join(interest: Interest, index: number): Shard[] {
    const used: Shard[] = []
    let rest = interest.sources
    try {
      do {
        const [shard, taken] = this.#joinSome(interest, index, rest)
        used.push(shard)
        rest = rest.slice(taken)
      } while (rest.length > 0)
    } catch (error) {
      for (const shard of used) shard.leave(interest.address, index)
      throw error
    }
    return used
  }

  /** Closes what an interest that is over leaves empty. */
  tidy(interest: Interest, isLastOfItsSet: boolean): void {
    const set = this.#setOf(interest)
    for (const shard of [...set]) {
      if (shard.isEmpty && (isLastOfItsSet || set.length > 1)) this.remove(shard)
    }
  }

  /** Closes a socket, whatever it still holds. */
  remove(shard: Shard): void {
    for (const [key, set] of this.#sets) {
      const at = set.indexOf(shard)
      if (at < 0) continue
      set.splice(at, 1)
      if (set.length === 0) this.#sets.delete(key)
      shard.socket.close()
      this.#closedSums = sum(this.#closedSums, shard.socket.stats())
    }
  }

  sharesSet(one: Interest, other: Interest): boolean {
    return this.#keyOf(one) === this.#keyOf(other)
  }

  all(): Shard[] {
    return [...this.#sets.values()].flat()
  }

  /** Of all sockets that there are and were. */
  sums(): SocketSums {
    return this.all().reduce((total, { socket }) => sum(total, socket.stats()), this.#closedSums)
  }

  #joinSome(interest: Interest, index: number, sources: readonly string[]): [Shard, number] {
    for (const shard of this.#setOf(interest)) {
      if (shard.isFull || !shard.mayTake(interest, index)) continue
      const taken = shard.join(interest.address, index, sources)
      if (taken > 0) return [shard, taken]
      // One that holds nothing was refused its first: another one would be, too.
      if (shard.isEmpty) this.#refuse(shard)
    }
    const isFirst = this.#setOf(interest).length === 0
    const shard = this.#add(interest)
    try {
      const taken = shard.join(interest.address, index, sources)
      if (taken === 0) this.#refuse(shard)
      if (!isFirst) this.#onSharded(interest)
      return [shard, taken]
    } catch (error) {
      if (this.#setOf(interest).length > 1) this.remove(shard)
      throw error
    }
  }

  #refuse(shard: Shard): never {
    shard.isFull = false
    throw shard.refusal!
  }

  #add(interest: Interest): Shard {
    const key = this.#keyOf(interest)
    const shard = this.#open(interest.isIpv4, this.#bindsToGroup ? interest.address : undefined)
    const set = this.#sets.get(key)
    if (set === undefined) this.#sets.set(key, [shard])
    else set.push(shard)
    return shard
  }

  #setOf(interest: Interest): readonly Shard[] {
    return this.#sets.get(this.#keyOf(interest)) ?? []
  }

  #keyOf({ isIpv4, address }: Interest): string {
    if (this.#bindsToGroup) return address
    return isIpv4 ? 'IPv4' : 'IPv6'
  }
}
