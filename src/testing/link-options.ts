import { Endpoint, checkBoolean, checkInteger, checkOptions, type EndpointLike } from '../core/index.js'

/** How to open a {@link SimulatedLink}. */
export interface SimulatedLinkOptions {
  /** Default 0: the host chooses one. */
  port?: number
  /** One of the host's addresses, to be reached there only. Default: all of the {@link family}. */
  address?: string
  /** Default 'IPv4', or that of the {@link address} or the {@link peer}. */
  family?: 'IPv4' | 'IPv6'
  /** Datagrams go there by default and come from there only. */
  peer?: Endpoint | EndpointLike
  /** Several links of a host may have the port: each gets multicast, the one opened last gets unicast. Default false. */
  reusePort?: boolean
  /** Does the host itself hear what this link sends to a group that it has joined? Default true. */
  multicastLoopback?: boolean
  /** Payload bytes that may wait to be sent. Default 4 MiB. */
  sendQueueBytes?: number
  /** Datagrams that may wait to be sent. Default 65 536. */
  sendQueueDatagrams?: number
  /** Bytes that may be with the host's device, where that has a limited rate; then the send queue waits. Default 212 992, as Linux. */
  sendBufferBytes?: number
  /** Bytes that may wait to be received, 256 more than its payload for each datagram. Default 212 992, as Linux. */
  receiveBufferBytes?: number
  /** Datagrams in a batch. Default 256. */
  maxBatchDatagrams?: number
}

/** {@link SimulatedLinkOptions} with everything decided. */
export interface ResolvedLinkOptions {
  /** Where it sends from. */
  readonly local: Endpoint
  /** Bound to one address, which is that of {@link local}. */
  readonly isBoundToAddress: boolean
  readonly peer: Endpoint | undefined
  readonly reusePort: boolean
  readonly multicastLoopback: boolean
  readonly sendQueueBytes: number
  readonly sendQueueDatagrams: number
  readonly sendBufferBytes: number
  readonly receiveBufferBytes: number
  readonly maxBatchDatagrams: number
}

export function checkLinkOptions(options: SimulatedLinkOptions): void {
  checkOptions('options', options, LINK_OPTIONS)
}

/** What is left to decide once the local and the remote endpoint are known. @throws Misuse. */
export function resolveLinkOptions(
  options: SimulatedLinkOptions,
  local: Endpoint,
  peer: Endpoint | undefined,
): ResolvedLinkOptions {
  const integer = (key: keyof SimulatedLinkOptions, fallback: number): number =>
    checkInteger(`options.${key}`, options[key] ?? fallback, 1, MAX_INTEGER)
  return {
    local,
    peer,
    isBoundToAddress: options.address !== undefined,
    reusePort: checkBoolean('options.reusePort', options.reusePort ?? false),
    multicastLoopback: checkBoolean('options.multicastLoopback', options.multicastLoopback ?? true),
    sendQueueBytes: integer('sendQueueBytes', DEFAULT_QUEUE_BYTES),
    sendQueueDatagrams: integer('sendQueueDatagrams', DEFAULT_QUEUE_DATAGRAMS),
    sendBufferBytes: integer('sendBufferBytes', DEFAULT_BUFFER_BYTES),
    receiveBufferBytes: integer('receiveBufferBytes', DEFAULT_BUFFER_BYTES),
    maxBatchDatagrams: integer('maxBatchDatagrams', DEFAULT_BATCH_DATAGRAMS),
  }
}

/** The same as a `UdpSocket`'s. */
const DEFAULT_QUEUE_BYTES = 4 * 1024 * 1024
const DEFAULT_QUEUE_DATAGRAMS = 65_536
/** net.core.rmem_default and wmem_default. */
const DEFAULT_BUFFER_BYTES = 212_992
const DEFAULT_BATCH_DATAGRAMS = 256
const MAX_INTEGER = 2 ** 31 - 1
const LINK_OPTIONS: ReadonlySet<string> = new Set([
  'port',
  'address',
  'family',
  'peer',
  'reusePort',
  'multicastLoopback',
  'sendQueueBytes',
  'sendQueueDatagrams',
  'sendBufferBytes',
  'receiveBufferBytes',
  'maxBatchDatagrams',
])
