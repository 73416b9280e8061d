import type { SocketStatistics } from '../socket/index.js'

/** The counters of the sockets that add up. */
export type SocketSums = Pick<
  SocketStatistics,
  'datagramsReceived' | 'bytesReceived' | 'batchesReceived' | 'segmentsReceived' | 'truncated' | 'overflowed' | 'kernelDrops'
>

/**
 * What a membership counted since it was made, over all its sockets, those that are closed included. Every datagram is in one place:
 * `datagramsReceived = datagramsDelivered + copiesSuppressed + datagramsForeign + datagramsUndelivered`.
 */
export interface MembershipStatistics extends SocketSums {
  /** Handed to the user, and their payload bytes. */
  datagramsDelivered: number
  bytesDelivered: number
  /** The same datagram by another interface; see `copies`. */
  copiesSuppressed: number
  /**
   * Forgotten before their time, because the window was full: copies of these were delivered, too. Or never remembered, because too many
   * others looked alike.
   */
  copiesUnwatched: number
  /** Not sent to a group that was joined where they arrived: unicast, or an IPv6 group that somebody else joined on that interface. */
  datagramsForeign: number
  /** They came with a batch during which a handler closed the membership. */
  datagramsUndelivered: number
  /** Sockets now. */
  sockets: number
  groups: number
  /** Pairs of a group and an interface that are joined now. */
  memberships: number
  /** Pairs that the kernel refuses now. */
  membershipsFailing: number
}

export function emptySums(): SocketSums {
  return Object.fromEntries(SUMMED.map((name) => [name, 0])) as SocketSums
}

export function sum(one: SocketSums, other: SocketSums): SocketSums {
  return Object.fromEntries(SUMMED.map((name) => [name, one[name] + other[name]])) as SocketSums
}

const SUMMED = [
  'datagramsReceived',
  'bytesReceived',
  'batchesReceived',
  'segmentsReceived',
  'truncated',
  'overflowed',
  'kernelDrops',
] as const satisfies readonly (keyof SocketSums)[]
