import { SocketError } from '../binding/index.js'
import type { UdpSocket } from '../socket/index.js'
import type { Interest } from './membership-interest.js'

/** One of the sockets of a membership, and what it has joined. */
export class Shard {
  /** The kernel refused one more. What is left makes room again. */
  isFull = false
  /** Why, when {@link join} took nothing. */
  refusal: SocketError | undefined
  readonly #joined = new Map<string, Set<number>>()

  constructor(
    readonly socket: UdpSocket,
    readonly isIpv4: boolean,
  ) {}

  get isEmpty(): boolean {
    return this.#joined.size === 0
  }

  /** Is what came for `group` by an interface meant for this socket? Asked for every message. */
  accepts(group: string, index: number): boolean {
    const indexes = this.#joined.get(group)
    if (indexes === undefined) return false
    // Linux compares the interface for IPv4 only (ip_mc_sf_allow, inet6_mc_check): an IPv6 socket hears the group on every interface
    // where anybody of this host has joined it.
    return this.isIpv4 || indexes.has(index)
  }

  /**
   * May this socket join that as well? A group once an interface. And for IPv6 with sources only once at all: the kernel would apply the
   * sources of whichever entry of the group it finds first to every interface.
   */
  mayTake({ address, sources }: Interest, index: number): boolean {
    const indexes = this.#joined.get(address)
    return indexes === undefined || (!indexes.has(index) && (this.isIpv4 || sources.length === 0))
  }

  /**
   * Joins, with as many of `sources` as the kernel takes.
   *
   * @returns How many were taken (1 for any source); 0 when the socket is full.
   * @throws {@link SocketError}: every other refusal. Nothing stays joined.
   */
  join(address: string, index: number, sources: readonly string[]): number {
    let taken = 0
    try {
      for (const source of sources.length === 0 ? [undefined] : sources) {
        this.#joinOne(address, index, source, taken === 0)
        taken++
      }
    } catch (error) {
      if (!isLimit(error)) {
        if (taken > 0) this.#leaveQuietly(address, index)
        throw error
      }
      if (taken === 0) {
        this.isFull = true
        this.refusal = error
        return 0
      }
    }
    const indexes = this.#joined.get(address)
    if (indexes) indexes.add(index)
    else this.#joined.set(address, new Set([index]))
    return taken
  }

  /**
   * Leaves a group on an interface, also one that is gone: the kernel keeps the entry, and counts it, until it is left by that index.
   *
   * @returns What went wrong, unless the kernel knew nothing of it any more.
   */
  leave(address: string, index: number): SocketError | undefined {
    const indexes = this.#joined.get(address)
    indexes?.delete(index)
    if (indexes?.size === 0) this.#joined.delete(address)
    this.isFull = false
    return this.#leaveQuietly(address, index)
  }

  #joinOne(address: string, index: number, source: string | undefined, isFirst: boolean): void {
    const options = source === undefined ? { interface: index } : { interface: index, source }
    try {
      this.socket.joinGroup(address, options)
    } catch (error) {
      // An entry of an interface that had this index before: Linux has forgotten the membership, but not the entry.
      if (!isFirst || !JOINED_ALREADY.has(codeOf(error))) throw error
      this.#leaveQuietly(address, index)
      this.socket.joinGroup(address, options)
    }
  }

  /** Without a source: that drops all of them, and works where the interface is gone, which MCAST_LEAVE_SOURCE_GROUP does not. */
  #leaveQuietly(address: string, index: number): SocketError | undefined {
    if (this.socket.closed) return undefined
    try {
      this.socket.leaveGroup(address, { interface: index })
      return undefined
    } catch (error) {
      if (!(error instanceof SocketError)) throw error
      return error.code === 'EADDRNOTAVAIL' ? undefined : error
    }
  }
}

/** ENOBUFS beyond igmp_max_memberships, igmp_max_msf, mld_max_msf; ENOMEM beyond optmem_max, which is the only limit of IPv6 groups. */
function isLimit(error: unknown): error is SocketError {
  return error instanceof SocketError && (error.code === 'ENOBUFS' || error.code === 'ENOMEM')
}

function codeOf(error: unknown): string | undefined {
  return error instanceof SocketError ? error.code : undefined
}

/** The second is what joining a source again says. */
const JOINED_ALREADY: ReadonlySet<string | undefined> = new Set(['EADDRINUSE', 'EADDRNOTAVAIL'])
