/** A message that waits for memory to be put together in. */
export interface MemoryWaiter {
  readonly wantedBytes: number
  /** So many bytes were taken for it. */
  onMemory(): void
}

/** Where the memory of messages comes from that come in several frames. */
export interface MessageMemory {
  /** Does somebody wait for memory? Then what is not needed now is to be given back. */
  readonly isWanted: boolean
  /** `waiter` is told when there is memory, and 'later' is the answer; without it, that means that there is none now. */
  takeMessage(bytes: number, waiter?: MemoryWaiter): 'taken' | 'later' | 'never'
  giveMessage(bytes: number): void
  /** It does not wait any more. */
  cancel(waiter: MemoryWaiter): void
}

/** May so much be used for noting which packets are here? */
export interface RingMemory {
  take(bytes: number): boolean
  give(bytes: number): void
}

/** So much of something. */
class Account {
  readonly maxBytes: number
  takenBytes = 0

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  /** May somebody who holds so much of it have more? */
  allows(bytes: number, heldBytes: number): boolean {
    const freeBytes = this.maxBytes - this.takenBytes
    return bytes <= freeBytes && (heldBytes === 0 || heldBytes + bytes <= freeBytes - bytes)
  }
}

/**
 * The memory of a node for messages that are being put together, and for noting which packets are here: a part of its own, so that packets
 * get on however many messages there are.
 */
export class AssemblyBudget {
  readonly messages: Account
  readonly rings: Account
  /** Peers of which a message waits; who was served last comes last. */
  readonly #waiting = new Set<AssemblyShare>()
  #isServingSoon = false

  constructor(maxBytes: number) {
    const ringBytes = Math.floor(maxBytes * RING_FRACTION)
    this.rings = new Account(ringBytes)
    this.messages = new Account(maxBytes - ringBytes)
  }

  get takenBytes(): number {
    return this.messages.takenBytes + this.rings.takenBytes
  }

  get isWanted(): boolean {
    return this.#waiting.size > 0
  }

  wait(share: AssemblyShare): void {
    this.#waiting.add(share)
    this.serveSoon()
  }

  leave(share: AssemblyShare): void {
    this.#waiting.delete(share)
  }

  /** Something may have become free: not within whoever gave it, who is in the middle of something. */
  serveSoon(): void {
    if (this.#isServingSoon || this.#waiting.size === 0) return
    this.#isServingSoon = true
    queueMicrotask(() => this.#serve())
  }

  #serve(): void {
    this.#isServingSoon = false
    for (let unserved = 0; unserved < this.#waiting.size;) {
      const [share] = this.#waiting
      this.#waiting.delete(share!)
      unserved = share!.serve() ? 0 : unserved + 1
      if (share!.isWaiting) this.#waiting.add(share!)
    }
  }
}

/**
 * A peer's share of it: who holds nothing may have all that is free; further messages only as long as they leave as much to all others
 * as the peer holds (compare `FrameShare`). A message for which that is not enough waits.
 */
export class AssemblyShare implements MessageMemory, RingMemory {
  readonly #budget: AssemblyBudget
  readonly #waiters = new Set<MemoryWaiter>()
  #messageBytes = 0
  #ringBytes = 0

  constructor(budget: AssemblyBudget) {
    this.#budget = budget
  }

  get isWanted(): boolean {
    return this.#budget.isWanted
  }

  get isWaiting(): boolean {
    return this.#waiters.size > 0
  }

  take(bytes: number): boolean {
    const { rings } = this.#budget
    if (!rings.allows(bytes, this.#ringBytes)) return false
    this.#ringBytes += bytes
    rings.takenBytes += bytes
    return true
  }

  give(bytes: number): void {
    this.#ringBytes -= bytes
    this.#budget.rings.takenBytes -= bytes
  }

  takeMessage(bytes: number, waiter?: MemoryWaiter): 'taken' | 'later' | 'never' {
    const answer = this.#answer(bytes)
    // Who comes later waits behind those who wait.
    if (waiter === undefined || answer === 'never' || (answer === 'taken' && !this.isWanted)) {
      if (answer === 'taken') this.#hold(bytes)
      return answer
    }
    this.#waiters.add(waiter)
    this.#budget.wait(this)
    return 'later'
  }

  giveMessage(bytes: number): void {
    this.#hold(-bytes)
    this.#budget.serveSoon()
  }

  cancel(waiter: MemoryWaiter): void {
    if (!this.#waiters.delete(waiter)) return
    if (this.#waiters.size === 0) this.#budget.leave(this)
    this.#budget.serveSoon()
  }

  /** Serves the one that has waited longest. False: it goes on waiting. */
  serve(): boolean {
    const [waiter] = this.#waiters
    if (waiter === undefined) return false
    if (this.#answer(waiter.wantedBytes) !== 'taken') return false
    this.#waiters.delete(waiter)
    this.#hold(waiter.wantedBytes)
    waiter.onMemory()
    return true
  }

  #answer(bytes: number): 'taken' | 'later' | 'never' {
    const { messages } = this.#budget
    if (bytes > messages.maxBytes) return 'never'
    return messages.allows(bytes, this.#messageBytes) ? 'taken' : 'later'
  }

  #hold(bytes: number): void {
    this.#messageBytes += bytes
    this.#budget.messages.takenBytes += bytes
  }
}

/** A packet's note is a hundredth of a packet. */
const RING_FRACTION = 1 / 8
