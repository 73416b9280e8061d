import { ERRNO, SocketError, type Addon } from '../binding/index.js'
import { InterfaceTable } from './interface-table.js'
import { IFF_UP } from './netlink-constants.js'
import { NetlinkSocket, type ReceiveOutcome } from './netlink-socket.js'
import { decodeRouteMessages, type Family, type MessageOrigin, type RouteMessage } from './rtnetlink-decoder.js'
import { encodeDumpRequest, type DumpKind } from './rtnetlink-encoder.js'

/**
 * Keeps a table in step with the kernel over one netlink socket: dumps, and the events that come in between and after them, in the order
 * in which the kernel queued them.
 */
export class InterfaceFeed {
  readonly table = new InterfaceTable()
  readonly counters = { messages: 0, malformed: 0, overruns: 0, dumps: 0, interruptedDumps: 0 }
  /** Families whose default routes may have changed. The events of routes do not tell all (see {@link InterfaceFeed.#apply}). */
  readonly staleRoutes = new Set<Family>()
  readonly #socket: NetlinkSocket
  #sequence = 0
  /** The dump that is running. */
  #dump: { sequence: number; interrupted: boolean; lost: boolean; result: number | undefined } | undefined

  /**
   * @param groups Which events; 0: none.
   * @throws {@link SocketError}; nothing stays open.
   */
  constructor(addon: Addon, groups: number) {
    this.#socket = new NetlinkSocket(addon, groups, (bytes, isEvent) => this.#visit(bytes, isEvent))
  }

  get foreign(): number {
    return this.#socket.foreign
  }

  setReceiveBuffer(bytes: number): void {
    this.#socket.setReceiveBuffer(bytes)
  }

  /** Calls `watcher` after each batch of events. On 'lost', {@link synchronize} tells what they said. */
  watch(watcher: (outcome: ReceiveOutcome) => void): void {
    this.#socket.watch((outcome) => {
      if (outcome === 'lost') this.counters.overruns++
      watcher(outcome)
    })
  }

  setRef(ref: boolean): void {
    this.#socket.setRef(ref)
  }

  close(): void {
    this.#socket.close()
  }

  /**
   * Brings the table in line, one dump after the other.
   *
   * @returns False when the kernel's tables changed under each of {@link MAX_ATTEMPTS} attempts: something may be missing.
   * @throws {@link SocketError} when the kernel refuses.
   */
  synchronize(kinds: readonly DumpKind[]): boolean {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      if (this.#synchronizeOnce(kinds, attempt === MAX_ATTEMPTS)) return true
    }
    return false
  }

  /** Asks for the default routes that may have changed. @returns False when they went on changing. */
  refreshRoutes(): boolean {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS && this.staleRoutes.size > 0; attempt++) {
      const families = [...this.staleRoutes]
      this.staleRoutes.clear()
      for (const family of families) if (!this.#refreshFamily(family)) this.staleRoutes.add(family)
    }
    return this.staleRoutes.size === 0
  }

  #refreshFamily(family: Family): boolean {
    try {
      return this.synchronize([family === 'IPv4' ? 'ipv4Routes' : 'ipv6Routes'])
    } catch (error) {
      this.staleRoutes.add(family)
      throw error
    }
  }

  /** @param last Take what there is: an interrupted dump may lack something, but what it says is true. */
  #synchronizeOnce(kinds: readonly DumpKind[], last: boolean): boolean {
    // While something was lost the kernel queues no events until we have read everything (netlink(7), ENOBUFS).
    this.#drain()
    let complete = true
    for (const kind of kinds) {
      if (this.#runDump(kind, last)) {
        this.table.endDump()
        continue
      }
      this.table.abandonDump()
      if (!last) return false
      complete = false
    }
    return complete
  }

  #drain(): void {
    for (let reads = 0; reads < MAX_READS; reads++) {
      const outcome = this.#socket.receive()
      if (outcome === 'empty') return
      if (outcome === 'lost') this.counters.overruns++
      if (outcome instanceof SocketError) throw outcome
    }
  }

  /** @returns Whether the dump was consistent, with no event lost meanwhile. @throws {@link SocketError}: refusals. */
  #runDump(kind: DumpKind, last: boolean): boolean {
    const sequence = (this.#sequence = (this.#sequence + 1) >>> 0)
    const dump = { sequence, interrupted: false, lost: false, result: undefined as number | undefined }
    this.#dump = dump
    this.table.beginDump(kind)
    try {
      this.counters.dumps++
      const sent = this.#socket.request(encodeDumpRequest(kind, sequence))
      if (sent < 0) throw new SocketError('sendmmsg', sent)
      for (let reads = 0; dump.result === undefined && reads < MAX_READS; reads++) this.#readDump(dump)
      const isEmpty = ROUTE_KINDS.has(kind) && NO_ROUTES.has(-(dump.result ?? 0))
      // Events came between our reading everything and our asking, and left no room for the answer: that passes.
      if (dump.result === -ERRNO.ENOBUFS && !last) dump.lost = true
      else if (dump.result !== undefined && dump.result < 0 && !isEmpty) throw new SocketError('netlink', dump.result)
    } finally {
      this.#dump = undefined
    }
    if (dump.interrupted) this.counters.interruptedDumps++
    return !dump.interrupted && !dump.lost && dump.result !== undefined
  }

  #readDump(dump: { lost: boolean }): void {
    const outcome = this.#socket.receive()
    if (outcome === 'lost') {
      this.counters.overruns++
      dump.lost = true
    } else if (outcome === 'empty') {
      // The kernel answers within the calls that ask (netlink_dump). What does not is no kernel that we know.
      throw new SocketError('netlink', dump.lost ? -ERRNO.ENOBUFS : -ERRNO.EOPNOTSUPP)
    } else if (outcome instanceof SocketError) throw outcome
  }

  #visit(bytes: Uint8Array, isEvent: boolean): void {
    this.counters.malformed += decodeRouteMessages(bytes, (message, origin) => {
      this.counters.messages++
      if (isEvent) this.#applyEvent(message)
      else this.#applyAnswer(message, origin)
    })
  }

  #applyAnswer(message: RouteMessage, { sequence, interrupted }: MessageOrigin): void {
    const dump = this.#dump
    // The rest of a dump that was given up.
    if (dump === undefined || dump.sequence !== sequence) return
    if (interrupted) dump.interrupted = true
    if (message.type === 'done') dump.result = message.result
    else if (message.type === 'overrun') dump.lost = true
    else this.table.applyDumped(message)
  }

  /**
   * Routes are asked for anew where something was told of them, because their events do not name what they replace. And not all are
   * told: the kernel drops the IPv4 routes of a link that went down, and those by an address that went, in silence (fib_sync_down_dev,
   * fib_sync_down_addr).
   */
  #applyEvent(message: RouteMessage): void {
    if (message.type === 'defaultRoute') {
      this.staleRoutes.add(message.family)
      return
    }
    this.table.applyEvent(message)
    const mayDropRoutes =
      message.type === 'link'
        ? message.removed || (message.link.flags & IFF_UP) === 0
        : message.type === 'address' && message.removed && message.address.value.family === 'IPv4'
    if (!mayDropRoutes) return
    for (const family of FAMILIES) if (this.table.defaultRoutes(family).length > 0) this.staleRoutes.add(family)
  }
}

const FAMILIES = ['IPv4', 'IPv6'] as const
const ROUTE_KINDS: ReadonlySet<DumpKind> = new Set(['ipv4Routes', 'ipv6Routes'])
/** A table that nothing was ever in does not exist; a kernel without IPv6 has none. */
const NO_ROUTES: ReadonlySet<number> = new Set([ERRNO.ENOENT, ERRNO.EOPNOTSUPP, ERRNO.EAFNOSUPPORT])
/** Attempts at a dump that nothing changed under. */
export const MAX_ATTEMPTS = 16
/** Reads for one dump: gigabytes, more than any table has. It must end although somebody changes things all the time. */
const MAX_READS = 1 << 16
