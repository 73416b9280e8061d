import { SocketError } from '../binding/index.js'
import { invalidState, type Clock, type CodedError, type Timer } from '../core/index.js'
import type { InterfaceChange, InterfaceSource } from './interface-change.js'
import type { JoinedInterface, MembershipAudit } from './membership-audit.js'
import { wants, type Interest } from './membership-interest.js'
import type { Shard } from './membership-shard.js'
import type { ShardSet } from './membership-shards.js'
import type { NetworkInterface } from './network-interface.js'

/** What a {@link MembershipKeeper} works with. */
export interface KeeperParts {
  readonly source: InterfaceSource
  readonly clock: Clock
  readonly shards: ShardSet
  readonly onAudit: (audit: MembershipAudit) => void
  /** The index that the routing table chooses for a group; undefined when it is no interface that the source knows. */
  readonly choose: (interest: Interest) => number | undefined
  /** May a retry keep the process alive? */
  readonly isRef: () => boolean
}

/**
 * Keeps what is joined equal to what is wished, as interfaces come and go. It alone joins and leaves; every step is told to `onAudit`.
 */
export class MembershipKeeper {
  readonly #parts: KeeperParts
  readonly #groups = new Map<string, Group>()
  /** Those that the kernel refuses somewhere. */
  readonly #failing = new Set<Group>()
  #known: ReadonlyMap<number, NetworkInterface> = new Map()
  #timer: Timer | undefined
  #attempts = 0
  #isOver = false

  constructor(parts: KeeperParts) {
    this.#parts = parts
    parts.source.on('change', this.#onChange)
  }

  /** @throws `ERR_INVALID_STATE` for a group that is wished already; system errors of the first socket. */
  add(interest: Interest): void {
    if (this.#groups.has(interest.address)) throw invalidState(`group ${interest.address} is joined already; leave it first`)
    this.#parts.shards.prepare(interest)
    const group = new Group(interest)
    this.#groups.set(interest.address, group)
    this.#chooseAgain(group)
    for (const candidate of this.#parts.source.interfaces()) this.#settle(group, candidate.index, candidate, 'asked for')
    this.#scheduleRetry(true)
  }

  /** @returns The interest that is over. @throws `ERR_INVALID_STATE` for a group that is not wished. */
  remove(address: string): Interest {
    const group = this.#groups.get(address)
    if (group === undefined) throw invalidState(`group ${address} is not joined`)
    this.#groups.delete(address)
    this.#failing.delete(group)
    for (const [index] of [...group.joined]) this.#leave(group, index, 'asked for')
    const { interest } = group
    const { shards } = this.#parts
    shards.tidy(interest, ![...this.#groups.values()].some((other) => shards.sharesSet(other.interest, interest)))
    this.#scheduleRetry(false)
    return interest
  }

  /** A socket has failed: what it held is joined again by another. */
  renew(shard: Shard, error: Error): void {
    this.#parts.shards.remove(shard)
    const interfaces = this.#byIndex()
    for (const group of this.#groups.values()) {
      for (const [index, { shards, name }] of [...group.joined]) {
        if (!shards.includes(shard)) continue
        for (const other of shards) if (other !== shard) other.leave(group.interest.address, index)
        group.joined.delete(index)
        group.remember(name)
        this.#settle(group, index, interfaces.get(index), `socket failed: ${error.message}`)
      }
    }
    this.#scheduleRetry(true)
  }

  groups(): IterableIterator<string> {
    return this.#groups.keys()
  }

  /** The interfaces on which a group is joined now, by their names of now. */
  joined(address: string): JoinedInterface[] {
    const interfaces = this.#byIndex()
    const entries = [...(this.#groups.get(address)?.joined ?? [])]
    return entries.map(([index, { name }]) => ({ index, name: interfaces.get(index)?.name ?? name }))
  }

  /** Is the group joined by another interface as well? Loopback does not count: what is sent there was not sent elsewhere. */
  isJoinedElsewhere(address: string, index: number): boolean {
    const group = this.#groups.get(address)
    return group !== undefined && group.lans.size > 1 && group.lans.has(index)
  }

  counts(): { groups: number; memberships: number; membershipsFailing: number } {
    let memberships = 0
    let membershipsFailing = 0
    for (const group of this.#groups.values()) {
      memberships += group.joined.size
      membershipsFailing += group.failing.size
    }
    return { groups: this.#groups.size, memberships, membershipsFailing }
  }

  /** Stops keeping. The sockets are their owner's to close. */
  close(): void {
    this.#isOver = true
    this.#parts.source.off('change', this.#onChange)
    this.#timer?.cancel()
    this.#groups.clear()
    this.#failing.clear()
  }

  readonly #onChange = (changes: readonly InterfaceChange[]): void => {
    if (this.#isOver) return
    const reasons = new Map<number, string>()
    for (const change of changes) {
      const { before, after } = change
      // At once, and even if one with the same index is there again: that one has none of our memberships.
      if (change.type === 'interfaceRemoved' && before !== undefined) this.#forget(before)
      for (const concerned of [before, after]) {
        if (concerned === undefined) continue
        // The first of a burst is why; but one that was removed and added with one index is the latter.
        if (change.type === 'interfaceAdded' || !reasons.has(concerned.index)) reasons.set(concerned.index, REASONS[change.type])
      }
    }
    const interfaces = this.#byIndex()
    for (const group of this.#groups.values()) {
      const chosen = this.#chooseAgain(group)
      for (const index of new Set([...chosen, ...reasons.keys()])) {
        const reason = chosen.includes(index) ? ANOTHER_CHOICE : reasons.get(index)!
        this.#settle(group, index, interfaces.get(index), reason)
      }
    }
    this.#scheduleRetry(true)
  }

  /** An interface was deleted. Linux forgets its memberships, but they count until they are left. */
  #forget(gone: NetworkInterface): void {
    for (const group of this.#groups.values()) {
      this.#lose(group, gone.index, 'interface removed')
    }
  }

  /** @returns The interfaces that this concerns: the one that is chosen now and, after it, the one that was. None if they are the same. */
  #chooseAgain(group: Group): number[] {
    if (group.interest.interfaces !== 'kernel') return []
    const before = group.kernelChoice
    try {
      group.kernelChoice = this.#parts.choose(group.interest)
      this.#clearFailing(group, NO_INTERFACE)
    } catch (error) {
      group.kernelChoice = undefined
      this.#fail(group, NO_INTERFACE, undefined, 'the routing table has no interface for it', error)
    }
    if (before === group.kernelChoice) return []
    return [group.kernelChoice, before].filter((index) => index !== undefined)
  }

  /** Joins or leaves a group on one interface, if what is wished is not what is. */
  #settle(group: Group, index: number, candidate: NetworkInterface | undefined, reason: string): void {
    if (candidate === undefined || !wants(group.interest, candidate, group.kernelChoice)) {
      this.#clearFailing(group, index)
      this.#lose(group, index, reason)
    } else if (!group.joined.has(index)) this.#join(group, candidate, reason)
  }

  #join(group: Group, candidate: NetworkInterface, reason: string): void {
    const { index, name, loopback } = candidate
    try {
      const shards = this.#parts.shards.join(group.interest, index)
      group.joined.set(index, { shards, name })
      if (!loopback) group.lans.add(index)
    } catch (error) {
      this.#fail(group, index, name, reason, error)
      return
    }
    this.#clearFailing(group, index)
    this.#audit(group.recall(name) ? 'renewed' : 'joined', group, { index, name }, reason)
  }

  /** Leaves what the wish no longer covers; the next join by that interface's name is told as a renewal. */
  #lose(group: Group, index: number, reason: string): void {
    const entry = group.joined.get(index)
    if (entry !== undefined) group.remember(entry.name)
    this.#leave(group, index, reason)
  }

  #leave(group: Group, index: number, reason: string): void {
    const entry = group.joined.get(index)
    if (entry === undefined) return
    group.joined.delete(index)
    group.lans.delete(index)
    let error: Error | undefined
    for (const shard of entry.shards) error = shard.leave(group.interest.address, index) ?? error
    this.#audit('left', group, { index, name: entry.name }, reason, error)
  }

  #fail(group: Group, index: number, name: string | undefined, reason: string, error: unknown): void {
    // A bug is not a refusal of the kernel's.
    if (!(error instanceof SocketError)) throw error
    // The first failure of something starts the waiting anew; see #scheduleRetry.
    if (!group.failing.has(index)) this.#attempts = 0
    group.failing.add(index)
    this.#failing.add(group)
    this.#audit('failed', group, name === undefined ? undefined : { index, name }, reason, error, this.#retryInMs())
  }

  /** The interfaces of now. A source that has been closed tells nothing any more: then those that it told last. */
  #byIndex(): ReadonlyMap<number, NetworkInterface> {
    try {
      this.#known = new Map(this.#parts.source.interfaces().map((each) => [each.index, each]))
    } catch (error) {
      if ((error as Partial<CodedError>).code !== 'ERR_CLOSED') throw error
    }
    return this.#known
  }

  #clearFailing(group: Group, index: number): void {
    if (group.failing.delete(index) && group.failing.size === 0) this.#failing.delete(group)
  }

  #audit(
    action: MembershipAudit['action'],
    group: Group,
    where: JoinedInterface | undefined,
    reason: string,
    error?: Error,
    retryInMs?: number,
  ): void {
    this.#parts.onAudit({ action, group: group.interest.address, interface: where, reason, error, retryInMs })
  }

  #retryInMs(): number {
    return Math.min(FIRST_RETRY_MS * 2 ** this.#attempts, LONGEST_RETRY_MS)
  }

  /** One timer for all that fails, twice as long each time. */
  #scheduleRetry(isNew: boolean): void {
    if (this.#isOver) return
    const isFailing = this.#failing.size > 0
    if (isFailing && this.#timer !== undefined && !(isNew && this.#attempts === 0)) return
    this.#timer?.cancel()
    this.#timer = undefined
    if (!isFailing) {
      this.#attempts = 0
      return
    }
    this.#timer = this.#parts.clock.setTimer(this.#retry, this.#retryInMs())
    if (!this.#parts.isRef()) this.#timer.unref()
  }

  readonly #retry = (): void => {
    this.#timer = undefined
    if (this.#isOver) return
    this.#attempts++
    const interfaces = this.#byIndex()
    for (const group of [...this.#failing]) {
      const indexes = new Set([...group.failing, ...this.#chooseAgain(group)])
      for (const index of indexes) if (index !== NO_INTERFACE) this.#settle(group, index, interfaces.get(index), 'tried again')
    }
    this.#scheduleRetry(false)
  }
}

/** A wished group and where it is joined. */
class Group {
  readonly joined = new Map<number, { readonly shards: readonly Shard[]; readonly name: string }>()
  /** Of these, the interfaces that are not loopback. */
  readonly lans = new Set<number>()
  /** Indexes where the kernel refuses. */
  readonly failing = new Set<number>()
  kernelChoice: number | undefined
  /** Names of interfaces that it was joined on once. */
  readonly #lost = new Set<string>()

  constructor(readonly interest: Interest) {}

  remember(name: string): void {
    if (this.#lost.size < MAX_LOST_NAMES) this.#lost.add(name)
  }

  recall(name: string): boolean {
    return this.#lost.delete(name)
  }
}

const ANOTHER_CHOICE = 'the routing table chooses another interface'
const REASONS: Readonly<Record<InterfaceChange['type'], string>> = {
  interfaceAdded: 'interface added',
  interfaceRemoved: 'interface removed',
  interfaceRenamed: 'interface renamed',
  interfaceUp: 'interface up',
  interfaceDown: 'interface down',
  mtuChanged: 'MTU changed',
  interfaceChanged: 'interface changed',
  defaultRouteChanged: 'default route changed',
  addressAdded: 'address added',
  addressRemoved: 'address removed',
  addressChanged: 'address changed',
}

/** Stands for the kernel's choice when there is none. */
const NO_INTERFACE = 0
const FIRST_RETRY_MS = 1000
const LONGEST_RETRY_MS = 60_000
/** Names alone, for the audit: beyond it, an interface made again is told as `joined`. */
const MAX_LOST_NAMES = 1024
