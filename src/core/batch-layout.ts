/**
 * The records in which batches are described, in 32-bit words. Mirrors `native/layout.h`; the binding room compares the two
 * when it loads the addon, so they cannot drift apart unseen.
 */

/** One received datagram. */
export const DATAGRAM_WORDS = 4
export const DATAGRAM = { offset: 0, length: 1, message: 2, wireLength: 3 } as const

/** First words of the table of received messages. */
export const RECEIVE_HEADER_WORDS = 8
export const RECEIVE_HEADER = {
  messages: 0,
  datagrams: 1,
  payloadBytes: 2,
  truncated: 3,
  hasKernelDrops: 4,
  kernelDrops: 5,
  overflow: 6,
} as const

/** One message of recvmmsg(2), or one entry of the error queue. */
export const RECEIVED_MESSAGE_WORDS = 20
export const RECEIVED_MESSAGE = {
  source: 0,
  sourceBytes: 7,
  flags: 8,
  segmentBytes: 9,
  interfaceIndex: 10,
  localAddress: 11,
  ttl: 15,
  tos: 16,
  seconds: 17,
  nanoseconds: 18,
  replyAddress: 19,
  // An entry of the error queue uses the same words for struct sock_extended_err (ip(7), IP_RECVERR).
  errno: 15,
  origin: 16,
  info: 17,
} as const

/** One message to send: a datagram, or neighbours of one size and destination. */
export const OUTGOING_MESSAGE_WORDS = 20
export const OUTGOING_MESSAGE = {
  offset: 0,
  length: 1,
  segmentBytes: 2,
  destinationBytes: 3,
  destination: 4,
  flags: 11,
  interfaceIndex: 12,
  sourceAddress: 13,
  ttl: 17,
  tos: 18,
  datagrams: 19,
} as const

/** Room for a sockaddr_in6, the largest address a record carries. */
export const ADDRESS_WORDS = 7

export const FLAG = {
  localIpv4: 1 << 0,
  localIpv6: 1 << 1,
  ttl: 1 << 2,
  tos: 1 << 3,
  time: 1 << 4,
  truncatedPayload: 1 << 5,
  truncatedControl: 1 << 6,
  ipv6Control: 1 << 7,
  isError: 1 << 8,
} as const

/** Messages in one system call, at most. */
export const MAX_MESSAGES_PER_CALL = 256

/**
 * Datagrams that the kernel can hand over as one message: `UDP_MAX_SEGMENTS`, 64, and 128 since Linux 6.9, where a sender
 * on this host may have coalesced them itself.
 */
export const MAX_SEGMENTS_RECEIVED = 128
