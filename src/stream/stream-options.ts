import { checkInteger, checkOneOf, checkOptions, checkSignal, checkString, invalidArgValue } from '../core/index.js'
import type { OpenFrame } from './control-frame.js'
import type { OpenGroupFrame } from './group-frame.js'
import { groupOptionsOf, type GroupOptions } from './group-options.js'
import type { StreamHost } from './host.js'
import { MIN_WINDOW_PACKETS } from './send-buffer.js'
import { KIND, MAX_NAME_BYTES, MAX_WINDOW_PACKETS, OPEN_OPTION, TYPE } from './wire.js'

/** What a stream promises. */
export type StreamKind = 'fireAndForget' | 'bestEffort' | 'reliable'

/** Options of `peer.openStream`. */
export interface StreamOptions {
  /**
   * Default 'reliable': nothing is lost while both nodes live, and a sender waits for its receiver. 'bestEffort': what is lost is sent
   * again as long as the send buffer holds it, the oldest is forgotten, and the receiver is told of the gap. 'fireAndForget': sent once;
   * messages fit one frame.
   */
  kind?: StreamKind
  /** What the stream is for, as the other side reads it. At most 255 bytes of UTF-8. Default ''. */
  label?: string
  /**
   * Bytes between the oldest that is not acknowledged and the newest, in each direction: the send buffer, and what a receiver that does
   * not read makes its node keep. Counted in frames. Default 4 MiB.
   */
  windowBytes?: number
  /**
   * Are messages delivered in their order? False: each as soon as all of it is there, once, without waiting for what was lost before it;
   * in both directions. Default true. Messages of 'fireAndForget' are never put in order.
   */
  ordered?: boolean
  /** The number of the first packet, 0 to 2^32 - 1. Default: drawn. */
  initialPacket?: number
  /** Does this side stay open for sending when the other has ended? Default false. */
  allowHalfOpen?: boolean
  /** Resets the stream when it is aborted. */
  signal?: AbortSignal
}

/** What a stream is held to as long as it lives. */
export interface StreamTerms {
  readonly kind: StreamKind
  readonly windowPackets: number
  readonly windowBytes: number
  readonly ordered: boolean
}

/** The terms alone: `known` itself if they are the same, because most of many streams have the same. */
export function termsOf({ kind, windowPackets, windowBytes, ordered }: StreamTerms, known: StreamTerms | undefined): StreamTerms {
  const isSame =
    known?.kind === kind &&
    known.windowPackets === windowPackets &&
    known.windowBytes === windowBytes &&
    known.ordered === ordered
  return isSame ? known : { kind, windowPackets, windowBytes, ordered }
}

export interface ResolvedStreamOptions extends StreamTerms {
  readonly label: string
  readonly initialPacket: number
  readonly allowHalfOpen: boolean
  readonly signal: AbortSignal | undefined
  /** Of a stream that is one receiver's of a group. */
  readonly membership?: GroupOptions
}

const KNOWN: ReadonlySet<string> = new Set([
  'kind',
  'label',
  'windowBytes',
  'ordered',
  'initialPacket',
  'allowHalfOpen',
  'signal',
])
const KINDS = ['fireAndForget', 'bestEffort', 'reliable'] as const

/** @throws Misuse, naming the option. */
export function resolveStreamOptions(
  options: StreamOptions,
  frameBytes: number,
  drawPacket: () => number,
): ResolvedStreamOptions {
  checkOptions('options', options, KNOWN)
  const label = checkName('options.label', options.label ?? '')
  const windowBytes = checkInteger('options.windowBytes', options.windowBytes ?? DEFAULT_WINDOW_BYTES, 1, MAX_WINDOW_BYTES)
  const windowPackets = Math.min(MAX_WINDOW_PACKETS, Math.max(MIN_WINDOW_PACKETS, Math.floor(windowBytes / frameBytes)))
  return {
    kind: options.kind === undefined ? 'reliable' : checkOneOf('options.kind', options.kind, KINDS),
    label,
    windowPackets,
    windowBytes: windowPackets * frameBytes,
    ordered: options.ordered !== false,
    initialPacket:
      options.initialPacket === undefined
        ? drawPacket()
        : checkInteger('options.initialPacket', options.initialPacket, 0, 0xffff_ffff),
    allowHalfOpen: options.allowHalfOpen === true,
    signal: checkSignal('options.signal', options.signal),
  }
}

export function checkName(name: string, value: unknown): string {
  const text = checkString(name, value)
  if (Buffer.byteLength(text) > MAX_NAME_BYTES) throw invalidArgValue(name, text, `must be at most ${MAX_NAME_BYTES} bytes`)
  return text
}

/** The options of a stream that the other side has opened. */
export function acceptedOptions(frame: OpenFrame | OpenGroupFrame, frameBytes: number, host: StreamHost): ResolvedStreamOptions {
  const { kind, label, windowPackets, options, packet } = frame
  return {
    kind: kindOf(kind),
    label,
    windowPackets,
    windowBytes: windowPackets * frameBytes,
    ordered: (options & OPEN_OPTION.unordered) === 0,
    initialPacket: packet,
    allowHalfOpen: false,
    signal: undefined,
    ...(frame.type === TYPE.openGroup ? { membership: groupOptionsOf(frame, host) } : {}),
  }
}

function kindOf(wire: number): StreamKind {
  return wire === KIND.reliable ? 'reliable' : wire === KIND.bestEffort ? 'bestEffort' : 'fireAndForget'
}

const DEFAULT_WINDOW_BYTES = 4 << 20
const MAX_WINDOW_BYTES = 2 ** 31 - 1
