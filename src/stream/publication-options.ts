import {
  Endpoint,
  checkFunction,
  checkInteger,
  checkOneOf,
  checkOptions,
  invalidArgType,
  invalidArgValue,
  outOfRange,
  type EndpointLike,
} from '../core/index.js'
import type { CongestionControlFactory } from './congestion-control.js'
import type { SlowReceivers } from './slow-receivers.js'
import { resolveStreamOptions, type ResolvedStreamOptions, type StreamOptions } from './stream-options.js'
import { MAX_FRAME_BYTES, MIN_FRAME_BYTES, REPAIR_OVERHEAD_BYTES } from './wire.js'

/** Options of `node.openGroup`. */
export interface PublicationOptions extends Omit<StreamOptions, 'ordered' | 'allowHalfOpen'> {
  /** A multicast group and its port, where frames leave once for all. Without it: each receiver is sent its own, to where its node is. */
  group?: Endpoint | EndpointLike
  /**
   * Of a reliable stream, what becomes of receivers that do not keep up with the others. 'wait', the default: the slowest rules. 'drop':
   * who has held the others up for `stallMs` is dropped. `{ quorum }`, 0 to 1: the same, as long as at least that share keeps up;
   * otherwise the sender waits.
   */
  slowReceivers?: SlowReceivers
  /** See `slowReceivers`. Default 2000. */
  stallMs?: number
  /** The longest frame, 1200 or more. Default: what the link says that passes in one piece. */
  frameBytes?: number
  /** Of all receivers together. Default: the node's. For multicast a `fixedRate` is recommended. */
  congestionControl?: CongestionControlFactory
}

export interface ResolvedPublicationOptions extends ResolvedStreamOptions {
  readonly group: Endpoint | undefined
  readonly slowReceivers: SlowReceivers
  readonly stallMs: number
  /** Without what a repair needs besides. */
  readonly frameBytes: number
  readonly congestionControl: CongestionControlFactory
}

/** What the node says. */
export interface PublicationDefaults {
  readonly frameBytes: number
  readonly congestionControl: CongestionControlFactory
  unfragmentedBytes(group: Endpoint | undefined): number
  drawPacket(): number
}

/** Those that `peer.openStream` has as well. */
const SHARED = ['kind', 'label', 'windowBytes', 'initialPacket', 'signal'] as const
const KNOWN: ReadonlySet<string> = new Set<keyof PublicationOptions>([
  ...SHARED,
  'group',
  'slowReceivers',
  'stallMs',
  'frameBytes',
  'congestionControl',
])

/** @throws Misuse, naming the option. */
export function resolvePublicationOptions(
  options: PublicationOptions,
  defaults: PublicationDefaults,
): ResolvedPublicationOptions {
  checkOptions('options', options, KNOWN)
  const group = options.group === undefined ? undefined : Endpoint.from(options.group, 'options.group')
  if (group !== undefined && !group.isMulticast) {
    throw invalidArgValue('options.group', group.toString(), 'must be a multicast address with a port')
  }
  if (group !== undefined) checkInteger('options.group.port', group.port, 1, 65_535)
  const usual = Math.max(MIN_FRAME_BYTES, Math.min(defaults.frameBytes, defaults.unfragmentedBytes(group)))
  const frameBytes = checkInteger(
    'options.frameBytes',
    options.frameBytes ?? usual,
    MIN_FRAME_BYTES,
    Math.min(MAX_FRAME_BYTES, defaults.frameBytes),
  )
  const packetBytes = group === undefined ? frameBytes : frameBytes - REPAIR_OVERHEAD_BYTES
  const stream: StreamOptions = {}
  for (const key of SHARED) if (options[key] !== undefined) Object.assign(stream, { [key]: options[key] })
  return {
    ...resolveStreamOptions(stream, packetBytes, () => defaults.drawPacket()),
    group,
    slowReceivers: checkSlowReceivers(options.slowReceivers ?? 'wait'),
    stallMs: checkInteger('options.stallMs', options.stallMs ?? DEFAULT_STALL_MS, 0, MAX_STALL_MS),
    frameBytes: packetBytes,
    congestionControl: checkFunction('options.congestionControl', options.congestionControl ?? defaults.congestionControl),
  }
}

function checkSlowReceivers(value: unknown): SlowReceivers {
  if (typeof value === 'string') return checkOneOf('options.slowReceivers', value, ['wait', 'drop'] as const)
  checkOptions('options.slowReceivers', value, QUORUM)
  const { quorum } = value as { quorum: unknown }
  if (typeof quorum !== 'number') throw invalidArgType('options.slowReceivers.quorum', 'of type number', quorum)
  if (!(quorum >= 0 && quorum <= 1)) throw outOfRange('options.slowReceivers.quorum', '>= 0 && <= 1', quorum)
  return { quorum }
}

const QUORUM: ReadonlySet<string> = new Set(['quorum'])
const DEFAULT_STALL_MS = 2000
const MAX_STALL_MS = 2 ** 31 - 1
