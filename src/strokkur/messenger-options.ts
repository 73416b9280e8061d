import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkOneOf,
  checkOptions,
  invalidArgType,
  invalidArgValue,
  outOfRange,
  type Clock,
  type Random,
} from '../core/index.js'
import { systemClock, systemRandom } from '../system/index.js'
import type { MessageFormat } from './chunk-header.js'
import { COMPACT_HEADER_BYTES } from './compact-codec.js'
import { DEFAULT_MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES, MIN_CHUNK_BYTES } from './limits.js'
import type { UnkeyedHash } from './message-sender.js'
import { checkRedundancy, type Redundancy } from './redundancy.js'

export interface MessengerOptions {
  /** The wire format, the same at both ends. Default `compact`. */
  readonly format?: MessageFormat
  /** What digests are made with. Default `sha256`; the compact format names it on the wire, the classic one must be told at both ends. */
  readonly hash?: UnkeyedHash
  /** A preshared secret, 16 to 128 bytes: digests are keyed SHA3-256, and only messages with such a digest are taken. */
  readonly key?: Uint8Array
  /** Classic: takes messages whose digest is all zeros, **unchecked**, from senders that make none. Default false. */
  readonly acceptUnhashed?: boolean
  /** The longest message that is taken or sent. Default 4 MiB; at most 1 GiB, and 4 MiB in the classic format. */
  readonly maxMessageBytes?: number
  /** Redundant chunks, unless `send` says otherwise. Default `{ fraction: 0.05 }`. */
  readonly redundancy?: Redundancy
  /** Compact: the longest datagram. Default: what the link says reaches the endpoint in one piece. */
  readonly datagramBytes?: number
  /** How fast chunks leave, in bytes a second. Default 24 MiB; `Infinity`: as the link takes them. */
  readonly paceBytesPerSecond?: number
  /** How many bytes may leave at once. Default 48 KiB: with the default pace, a receive buffer of 208 KiB outlasts 3 ms of inattention. */
  readonly burstBytes?: number
  /** Messages that wait to be sent: beyond either limit `send` rejects. Defaults 64 MiB and 65 536. */
  readonly maxQueuedBytes?: number
  readonly maxQueuedMessages?: number
  /** Memory of messages on their way in, redundant rows and all. Default 64 MiB. */
  readonly maxStateBytes?: number
  /** Of these, one peer's. Default 16 MiB, or `maxStateBytes` if that is less. */
  readonly maxPeerBytes?: number
  /** Messages on their way in. Default 4096. */
  readonly maxMessages?: number
  /** Of these, one peer's. Default 1024, or `maxMessages` if that is less. */
  readonly maxPeerMessages?: number
  /** A message of which nothing new has come for so long is dropped. Default 2000. */
  readonly expiryMs?: number
  /** Messages remembered after their end, so that late chunks do nothing. Default 65 536. */
  readonly rememberedMessages?: number
  /** Bytes of messages that wait for async iteration; beyond it they are dropped and counted. Default 64 MiB. */
  readonly maxUnreadBytes?: number
  /** Compact: tells senders with a tiny datagram a message how much was lost, for their `adaptive` redundancy. Default false. */
  readonly reports?: boolean
  /** Default: real time. */
  readonly clock?: Clock
  /** For ids and redundant rows. Default: the operating system's. */
  readonly random?: Random
}

export interface ResolvedMessengerOptions {
  readonly format: MessageFormat
  readonly hash: UnkeyedHash
  readonly key: Uint8Array | undefined
  readonly acceptUnhashed: boolean
  readonly maxMessageBytes: number
  readonly redundancy: Redundancy
  readonly datagramBytes: number | undefined
  readonly paceBytesPerSecond: number
  readonly burstBytes: number
  readonly maxQueuedBytes: number
  readonly maxQueuedMessages: number
  readonly maxStateBytes: number
  readonly maxPeerBytes: number
  readonly maxMessages: number
  readonly maxPeerMessages: number
  readonly expiryMs: number
  readonly rememberedMessages: number
  readonly maxUnreadBytes: number
  readonly reports: boolean
  readonly clock: Clock
  readonly random: Random
}

/** @throws Misuse: of an option's name, type or range. */
export function resolveMessengerOptions(options: MessengerOptions = {}): ResolvedMessengerOptions {
  checkOptions('options', options, OPTION_NAMES)
  const format = options.format === undefined ? 'compact' : checkOneOf('options.format', options.format, FORMATS)
  const hash = options.hash === undefined ? 'sha256' : checkOneOf('options.hash', options.hash, HASH_NAMES)
  const integer = (name: keyof MessengerOptions, fallback: number, min: number, max: number): number =>
    options[name] === undefined ? fallback : checkInteger(`options.${name}`, options[name], min, max)
  const boolean = (name: 'acceptUnhashed' | 'reports'): boolean =>
    options[name] === undefined ? false : checkBoolean(`options.${name}`, options[name])
  const acceptUnhashed = boolean('acceptUnhashed')
  const reports = boolean('reports')
  if (acceptUnhashed && format === 'compact') throw invalidArgValue('options.acceptUnhashed', true, 'is for the classic format')
  if (acceptUnhashed && options.key !== undefined) throw invalidArgValue('options.acceptUnhashed', true, 'contradicts a key')
  if (reports && format === 'classic') throw invalidArgValue('options.reports', true, 'is for the compact format')
  if (options.datagramBytes !== undefined && format === 'classic') {
    throw invalidArgValue('options.datagramBytes', options.datagramBytes, 'is for the compact format')
  }
  const mostMessageBytes = format === 'classic' ? DEFAULT_MAX_MESSAGE_BYTES : MAX_MESSAGE_BYTES
  const maxStateBytes = integer('maxStateBytes', DEFAULT_STATE_BYTES, 0, Number.MAX_SAFE_INTEGER)
  const maxMessages = integer('maxMessages', DEFAULT_MESSAGES, 1, MAX_COUNT)
  return Object.freeze({
    format,
    hash,
    key: options.key,
    acceptUnhashed,
    maxMessageBytes: integer('maxMessageBytes', DEFAULT_MAX_MESSAGE_BYTES, 1, mostMessageBytes),
    redundancy: checkRedundancy('options.redundancy', options.redundancy ?? DEFAULT_REDUNDANCY, format),
    datagramBytes:
      options.datagramBytes === undefined ? undefined : integer('datagramBytes', 0, LEAST_DATAGRAM_BYTES, MAX_DATAGRAM_BYTES),
    paceBytesPerSecond: checkPace(options.paceBytesPerSecond ?? DEFAULT_PACE),
    burstBytes: integer('burstBytes', DEFAULT_BURST_BYTES, 1, Number.MAX_SAFE_INTEGER),
    maxQueuedBytes: integer('maxQueuedBytes', DEFAULT_STATE_BYTES, 0, Number.MAX_SAFE_INTEGER),
    maxQueuedMessages: integer('maxQueuedMessages', DEFAULT_REMEMBERED, 1, MAX_COUNT),
    maxStateBytes,
    maxPeerBytes: integer('maxPeerBytes', Math.min(DEFAULT_PEER_BYTES, maxStateBytes), 0, Number.MAX_SAFE_INTEGER),
    maxMessages,
    maxPeerMessages: integer('maxPeerMessages', Math.min(DEFAULT_PEER_MESSAGES, maxMessages), 1, MAX_COUNT),
    expiryMs: integer('expiryMs', DEFAULT_EXPIRY_MS, 1, MAX_COUNT),
    rememberedMessages: integer('rememberedMessages', DEFAULT_REMEMBERED, 0, MAX_COUNT),
    maxUnreadBytes: integer('maxUnreadBytes', DEFAULT_STATE_BYTES, 0, Number.MAX_SAFE_INTEGER),
    reports,
    clock: checkMethods('options.clock', options.clock ?? systemClock, ['nowMs', 'wallMicroseconds', 'setTimer']),
    random: checkMethods('options.random', options.random ?? systemRandom, ['uint32']),
  })
}

function checkPace(value: unknown): number {
  if (typeof value !== 'number') throw invalidArgType('options.paceBytesPerSecond', 'of type number', value)
  if (!(value > 0)) throw outOfRange('options.paceBytesPerSecond', '> 0', value)
  return value
}

function checkMethods<T extends object>(name: string, value: T, methods: readonly (keyof T & string)[]): T {
  for (const method of methods) checkFunction(`${name}.${method}`, value[method])
  return value
}

const FORMATS = ['classic', 'compact'] as const
export const HASH_NAMES = ['sha256', 'sha3-256'] as const
const OPTION_NAMES: ReadonlySet<string> = new Set<keyof MessengerOptions>([
  ...([
    'format',
    'hash',
    'key',
    'acceptUnhashed',
    'maxMessageBytes',
    'redundancy',
    'datagramBytes',
    'paceBytesPerSecond',
  ] as const),
  ...(['burstBytes', 'maxQueuedBytes', 'maxQueuedMessages', 'maxStateBytes', 'maxPeerBytes', 'maxMessages'] as const),
  ...(['maxPeerMessages', 'expiryMs', 'rememberedMessages', 'maxUnreadBytes', 'reports', 'clock', 'random'] as const),
])
const DEFAULT_REDUNDANCY: Redundancy = { fraction: 0.05 }
/** 200 Mbit/s. */
const DEFAULT_PACE = 24 << 20
const DEFAULT_BURST_BYTES = 48 << 10
const DEFAULT_STATE_BYTES = 64 << 20
const DEFAULT_PEER_BYTES = 16 << 20
const DEFAULT_MESSAGES = 4096
const DEFAULT_PEER_MESSAGES = 1024
const DEFAULT_EXPIRY_MS = 2000
const DEFAULT_REMEMBERED = 65_536
const MAX_COUNT = 2 ** 31 - 1
const LEAST_DATAGRAM_BYTES = COMPACT_HEADER_BYTES + MIN_CHUNK_BYTES
const MAX_DATAGRAM_BYTES = 65_507
