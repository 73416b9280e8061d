/** Why a datagram did not arrive. */
export type DropReason = (typeof DROP_REASONS)[number]

export const DROP_REASONS = [
  /** By chance (`lossProbability`). */
  'lost',
  /** By chance (`burstLoss`). */
  'lostInBurst',
  /** No room to wait for the path's rate. */
  'queueFull',
  /** Longer than the path's MTU. */
  'tooBig',
  /** The two hosts are in different parts of a partition. */
  'partitioned',
  /** Nobody has the address. */
  'noHost',
  /** The host is down. */
  'hostDown',
  /** No link of the host has the port, or the address. */
  'noLink',
  /** The link hears its peer only. */
  'notFromPeer',
  /** Nobody is in the multicast group. */
  'noMember',
  /** The link's receive buffer had no room. */
  'receiveBufferFull',
  /** It waited in the receive buffer of a link that was closed. */
  'linkClosed',
] as const

/**
 * What a network counted. Every datagram is in exactly one place:
 * `sent + copied + duplicated = delivered + (the sum of dropped) + inFlight`.
 */
export interface NetworkStatistics {
  /** Datagrams that links handed over. */
  sent: number
  /** Further copies of multicast datagrams: one for each receiving link but the first. */
  copied: number
  /** Further copies that a path made (`duplicateProbability`). */
  duplicated: number
  /** Datagrams handed to a user. */
  delivered: number
  dropped: Record<DropReason, number>
  /** On their way now, or waiting in a receive buffer. */
  inFlight: number
  /** Of all of them, those that a path changed. */
  corrupted: number
}

export function emptyNetworkStatistics(): NetworkStatistics {
  const dropped = Object.fromEntries(DROP_REASONS.map((reason) => [reason, 0])) as Record<DropReason, number>
  return { sent: 0, copied: 0, duplicated: 0, delivered: 0, dropped, inFlight: 0, corrupted: 0 }
}
