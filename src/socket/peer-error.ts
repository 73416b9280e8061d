import { ERRNO, SocketError, readSockaddr, type NativeSocket } from '../binding/index.js'
import {
  FLAG,
  RECEIVED_MESSAGE,
  RECEIVED_MESSAGE_WORDS,
  RECEIVE_HEADER_WORDS,
  type Endpoint,
  type ReceiveBatch,
} from '../core/index.js'
import { MSG_ERRQUEUE, SO_EE_ORIGIN } from './kernel-constants.js'

/**
 * What the network answered to an earlier datagram: an ICMP error, with the peer that the datagram was meant for. It says nothing
 * about any other send.
 *
 * @see ip(7) IP_RECVERR, RFC 1122 section 4.1.3.3
 */
export class PeerError extends SocketError {
  /** Where the datagram was going. Undefined when the kernel does not say (no `receiveErrors`, not connected). */
  readonly endpoint: Endpoint | undefined
  /** The ICMP or ICMPv6 type and code; undefined where only the errno is known. */
  readonly icmpType: number | undefined
  readonly icmpCode: number | undefined
  /** For `EMSGSIZE`: the MTU of the next hop, in bytes. */
  readonly mtuBytes: number | undefined

  constructor(errno: number, endpoint: Endpoint | undefined, details: PeerErrorDetails = {}) {
    super('icmp', errno, endpoint?.address, endpoint?.port)
    this.endpoint = endpoint
    this.icmpType = details.icmpType
    this.icmpCode = details.icmpCode
    this.mtuBytes = details.mtuBytes
  }
}

interface PeerErrorDetails {
  icmpType?: number
  icmpCode?: number
  mtuBytes?: number
}

/** Errors that an ICMP message turns into (net/ipv4/icmp.c icmp_err_convert, RFC 1122), so that a later call can be failed with. */
const ICMP_ERRORS: ReadonlySet<number> = new Set([
  -ERRNO.ECONNREFUSED,
  -ERRNO.EHOSTUNREACH,
  -ERRNO.ENETUNREACH,
  -ERRNO.EPROTO,
  -ERRNO.EMSGSIZE,
  -ERRNO.EACCES,
  -ERRNO.ENOPROTOOPT,
  -ERRNO.EOPNOTSUPP,
  -ERRNO.EHOSTDOWN,
  -ERRNO.ENONET,
])

export function isIcmpError(result: number): boolean {
  return ICMP_ERRORS.has(result)
}

/**
 * Reads one batch of the error queue (recvmsg(2), MSG_ERRQUEUE) and returns what it says about peers; undefined when it is empty.
 * Entries that this host itself made are left out: the send that caused them failed with the same error.
 */
export function readErrorQueue(native: NativeSocket, batch: ReceiveBatch): PeerError[] | undefined {
  const entries = native.receive(MSG_ERRQUEUE)
  if (entries <= 0) return undefined
  const errors: PeerError[] = []
  for (let i = 0; i < entries; i++) {
    const error = readEntry(batch.messageTable, RECEIVE_HEADER_WORDS + i * RECEIVED_MESSAGE_WORDS)
    if (error) errors.push(error)
  }
  return errors
}

function readEntry(words: Uint32Array, at: number): PeerError | undefined {
  if ((words[at + RECEIVED_MESSAGE.flags]! & FLAG.isError) === 0) return undefined
  const packed = words[at + RECEIVED_MESSAGE.origin]!
  const origin = packed & 0xff
  if (origin !== SO_EE_ORIGIN.icmp && origin !== SO_EE_ORIGIN.icmp6) return undefined
  const errno = -words[at + RECEIVED_MESSAGE.errno]!
  return new PeerError(errno, readSockaddr(words, at + RECEIVED_MESSAGE.source), {
    icmpType: (packed >>> 8) & 0xff,
    icmpCode: (packed >>> 16) & 0xff,
    ...(errno === -ERRNO.EMSGSIZE ? { mtuBytes: words[at + RECEIVED_MESSAGE.info]! } : {}),
  })
}
