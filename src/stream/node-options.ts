import {
  checkInteger,
  checkLink,
  checkOneOf,
  checkOptions,
  invalidArgType,
  invalidArgValue,
  type Clock,
  type Link,
  type Random,
} from '../core/index.js'
import { systemClock, systemRandom } from '../system/index.js'
import type { CongestionControlFactory } from './congestion-control.js'
import { Cubic } from './cubic.js'
import { crcIntegrity, noIntegrity, secretIntegrity, type Integrity } from './integrity.js'
import { checkName } from './stream-options.js'
import { MAX_FRAME_BYTES, MIN_FRAME_BYTES } from './wire.js'

/** Options of {@link createNode}. */
export interface NodeOptions {
  /** What carries the frames. It stays the caller's: closing the node does not close it. */
  link: Link
  /**
   * A further link, where frames to multicast groups leave and arrive: one that is bound to the groups' port and has joined them. Default:
   * they leave and arrive by `link`. It stays the caller's.
   */
  groupLink?: Link
  /** What the node calls itself; others read it as `peer.name`. At most 255 bytes of UTF-8. Default ''. */
  name?: string
  /**
   * What protects frames, at both ends the same: 'none' (the checksum of UDP), 'crc32c', or 'secret' (HMAC-SHA-256 with `secret`, cut to
   * 16 bytes). Default: 'secret' if there is one, otherwise 'none'.
   */
  integrity?: 'none' | 'crc32c' | 'secret'
  /** Shared by all nodes that may talk to each other: at least 16 bytes. */
  secret?: Uint8Array | string
  /**
   * The longest frame to send and to receive, 1200 to 65 507; both ends use the shorter. Default: what `link.unfragmentedBytes()` says.
   * More than that is used once probes of that length arrive; for a path to be found out in this way, the link must not fragment (for a
   * UDP socket: the option `pathMtuDiscovery`).
   */
  frameBytes?: number
  /** The congestion control of each peer: {@link fixedRate} or another. Default: {@link cubic}. */
  congestionControl?: CongestionControlFactory
  /** The longest message, to send and to receive. Default 16 MiB. A longer one resets its stream. */
  maxMessageBytes?: number
  /** For frames that wait, of all streams together. Default 256 MiB. */
  maxFrameMemoryBytes?: number
  /**
   * For messages that are being put together, and an eighth of it for noting which packets are missing, of all streams together. A message
   * for which there is none now waits; of a peer that has one under way, also while it would leave less to others than the peer has then.
   * Default 256 MiB.
   */
  maxAssemblyBytes?: number
  /**
   * For each stream of a multicast group: its latest packets are kept, so that they can be taken out of repairs, which are XORs of
   * several. Part of `maxFrameMemoryBytes`. Default 1 MiB.
   */
  repairHistoryBytes?: number
  /** Default 16 384. Who comes later is refused. */
  maxPeers?: number
  /** Streams with one peer. Default 4096. */
  maxStreamsPerPeer?: number
  /** A peer that was silent for so long is asked whether it is there. Default 1000. */
  keepAliveMs?: number
  /** A peer that was silent for so long is given up. Default 5000; at least twice `keepAliveMs`. */
  peerTimeoutMs?: number
  /** Default: the system's. */
  clock?: Clock
  /** Default: the system's. */
  random?: Random
}

export interface ResolvedNodeOptions {
  readonly link: Link
  readonly groupLink: Link | undefined
  readonly name: string
  readonly integrity: Integrity
  readonly frameBytes: number
  readonly congestionControl: CongestionControlFactory
  readonly maxMessageBytes: number
  readonly maxFrameMemoryBytes: number
  readonly maxAssemblyBytes: number
  readonly repairHistoryBytes: number
  readonly maxPeers: number
  readonly maxStreamsPerPeer: number
  readonly keepAliveMs: number
  readonly peerTimeoutMs: number
  readonly clock: Clock
  readonly random: Random
}

/** {@link Cubic}: fair to TCP. */
export const cubic: CongestionControlFactory = () => new Cubic()

/** @throws Misuse, naming the option. */
export function resolveNodeOptions(options: NodeOptions): ResolvedNodeOptions {
  checkOptions('options', options, KNOWN)
  const link = checkLink('options.link', options.link)
  const integer = (name: keyof NodeOptions, otherwise: number, min: number, max: number): number =>
    checkInteger(`options.${name}`, options[name] ?? otherwise, min, max)
  const keepAliveMs = integer('keepAliveMs', 1000, 10, MAX_MS)
  const longest = Math.min(MAX_FRAME_BYTES, link.maxPayloadBytes)
  return Object.freeze({
    link,
    groupLink: options.groupLink === undefined ? undefined : checkLink('options.groupLink', options.groupLink),
    name: checkName('options.name', options.name ?? ''),
    integrity: resolveIntegrity(options),
    frameBytes: integer('frameBytes', Math.min(longest, link.unfragmentedBytes()), MIN_FRAME_BYTES, longest),
    congestionControl: options.congestionControl ?? cubic,
    maxMessageBytes: integer('maxMessageBytes', 16 << 20, 1, MAX_BYTES),
    maxFrameMemoryBytes: integer('maxFrameMemoryBytes', 256 << 20, 1, Number.MAX_SAFE_INTEGER),
    maxAssemblyBytes: integer('maxAssemblyBytes', 256 << 20, 1, Number.MAX_SAFE_INTEGER),
    repairHistoryBytes: integer('repairHistoryBytes', 1 << 20, 0, MAX_BYTES),
    maxPeers: integer('maxPeers', 16_384, 1, MAX_BYTES),
    maxStreamsPerPeer: integer('maxStreamsPerPeer', 4096, 1, MAX_BYTES),
    keepAliveMs,
    peerTimeoutMs: integer('peerTimeoutMs', Math.max(5000, 2 * keepAliveMs), 2 * keepAliveMs, MAX_MS),
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
  })
}

function resolveIntegrity({ integrity, secret }: NodeOptions): Integrity {
  const modes = ['none', 'crc32c', 'secret'] as const
  const mode =
    integrity === undefined ? (secret === undefined ? 'none' : 'secret') : checkOneOf('options.integrity', integrity, modes)
  if (mode !== 'secret') {
    if (secret !== undefined) throw invalidArgValue('options.integrity', mode, "must be 'secret' with options.secret")
    return mode === 'none' ? noIntegrity : crcIntegrity
  }
  if (typeof secret !== 'string' && !(secret instanceof Uint8Array)) {
    throw invalidArgType('options.secret', 'of type string or an instance of Uint8Array', secret)
  }
  const bytes = Buffer.from(secret as Uint8Array)
  // The error must not show it.
  if (bytes.length < MIN_SECRET_BYTES) {
    throw invalidArgValue('options.secret', bytes.length, `must be at least ${MIN_SECRET_BYTES} bytes`)
  }
  return secretIntegrity(bytes)
}

const KNOWN: ReadonlySet<string> = new Set<keyof NodeOptions>([
  'link',
  'groupLink',
  'name',
  'integrity',
  'secret',
  'frameBytes',
  'congestionControl',
  'maxMessageBytes',
  'maxFrameMemoryBytes',
  'maxAssemblyBytes',
  'repairHistoryBytes',
  'maxPeers',
  'maxStreamsPerPeer',
  'keepAliveMs',
  'peerTimeoutMs',
  'clock',
  'random',
])
const MAX_MS = 2 ** 31 - 1
const MAX_BYTES = 2 ** 31 - 1
const MIN_SECRET_BYTES = 16
