import {
  checkBoolean,
  checkInteger,
  checkOptions,
  checkPeerPort,
  checkSignal,
  invalidArgType,
  invalidArgValue,
  type Clock,
} from '../core/index.js'
import type { InterfaceSource, MembershipOptions, ReceiverSocketOptions, SenderSocketOptions } from '../net/index.js'
import { systemClock } from '../system/index.js'
import { resolveName, resolveNamespace } from './channel-name.js'

/** Options of {@link createChannelNode}. */
export interface ChannelNodeOptions {
  /** Where all channels are sent to and received: the same for all who want to hear each other. */
  port: number
  /** What the node is called, resolved in `namespace`. Nothing on the wire has it. Default: its namespace. */
  name?: string
  /** Where relative names of channels begin. Default `/`. */
  namespace?: string
  /**
   * - `'all'` (default): received by every interface that can multicast, sent by the one that the routing table chooses.
   * - `'kernel'`: received and sent by the one that the routing table chooses.
   * - Interfaces, each by name, index or one of its addresses: received by these, and each datagram sent by every one of these. They may
   *   come and go.
   *
   * Loopback is received as well, for those of this host who send by it.
   */
  interfaces?: 'all' | 'kernel' | readonly (string | number)[]
  /** Hops of what is sent, 0 to 255. 0: this host only. Default 1: this link. */
  ttl?: number
  /** Subscribers on this host hear us, too; ourselves among them. Default true. */
  loopback?: boolean
  /** The sources that a channel remembers, 1 to 1 048 576. Default 256. Beyond it, one that was silent lately is forgotten. */
  maxSources?: number
  /** A source that was silent for so long is forgotten, in milliseconds, 1 to 86 400 000. Default 60 000. */
  sourceExpiryMs?: number
  /**
   * What is behind when nothing ahead has come from its source for so long means that the source was restarted, in milliseconds, 1 to
   * 86 400 000. Default 1000: longer than the network delays or repeats a datagram.
   */
  restartAfterMs?: number
  /** The channels of the node, 1 to 1 048 576. Default 65 536. */
  maxChannels?: number
  /** The same datagram by several interfaces: as in `MembershipOptions`. */
  copies?: MembershipOptions['copies']
  /** Further options of the receiving sockets. */
  receiveSocket?: ReceiverSocketOptions
  /** Further options of the sending sockets. */
  sendSocket?: SenderSocketOptions
  /** Tells which interfaces there are. It stays its owner's to close. Default: a monitor of the node's own. */
  monitor?: InterfaceSource
  /** Default: real time. */
  clock?: Clock
  /** Closes the node when it is aborted. */
  signal?: AbortSignal
}

/** {@link ChannelNodeOptions}, checked and with every default; what the rooms below check is left to them. */
export interface ResolvedNodeOptions {
  readonly port: number
  readonly name: string
  readonly namespace: string
  readonly receiveInterfaces: 'all' | 'kernel' | readonly (string | number)[]
  readonly sendInterfaces: readonly (string | number | undefined)[]
  readonly ttl: number
  readonly loopback: boolean
  readonly maxSources: number
  readonly sourceExpiryMs: number
  readonly restartAfterMs: number
  readonly maxChannels: number
  readonly clock: Clock
  readonly signal: AbortSignal | undefined
}

/** @throws Misuse, naming the option. */
export function resolveNodeOptions(options: ChannelNodeOptions): ResolvedNodeOptions {
  checkOptions('options', options, KNOWN)
  const namespace = resolveNamespace('options.namespace', options.namespace ?? '/')
  const ttl = checkInteger('options.ttl', options.ttl ?? 1, 0, MAX_TTL)
  const loopback = checkBoolean('options.loopback', options.loopback ?? true)
  if (ttl === 0 && !loopback) throw invalidArgValue('options.loopback', false, 'contradicts ttl 0: nobody would hear it')
  const interfaces = checkInterfaces(options.interfaces ?? 'all')
  return Object.freeze({
    port: checkPeerPort('options.port', options.port),
    name: options.name === undefined ? namespace : resolveName('options.name', options.name, namespace),
    namespace,
    receiveInterfaces: interfaces,
    // With TTL 0 everything goes by loopback, whatever the interfaces.
    sendInterfaces: typeof interfaces === 'string' || ttl === 0 ? [undefined] : interfaces,
    ttl,
    loopback,
    maxSources: checkInteger('options.maxSources', options.maxSources ?? DEFAULT_MAX_SOURCES, 1, MAX_MAX),
    sourceExpiryMs: checkInteger('options.sourceExpiryMs', options.sourceExpiryMs ?? DEFAULT_EXPIRY_MS, 1, DAY_MS),
    restartAfterMs: checkInteger('options.restartAfterMs', options.restartAfterMs ?? DEFAULT_RESTART_AFTER_MS, 1, DAY_MS),
    maxChannels: checkInteger('options.maxChannels', options.maxChannels ?? DEFAULT_MAX_CHANNELS, 1, MAX_MAX),
    clock: options.clock ?? systemClock,
    signal: checkSignal('options.signal', options.signal),
  })
}

function checkInterfaces(value: unknown): ResolvedNodeOptions['receiveInterfaces'] {
  if (value === 'all' || value === 'kernel') return value
  if (!Array.isArray(value)) throw invalidArgType('options.interfaces', "'all', 'kernel' or an array of interfaces", value)
  if (value.length === 0 || value.length > MAX_INTERFACES) {
    throw invalidArgValue('options.interfaces', value, `must have 1 to ${MAX_INTERFACES} entries`)
  }
  for (const [i, each] of value.entries()) {
    if (typeof each === 'number') checkInteger(`options.interfaces[${i}]`, each, 1, MAX_INTERFACE_INDEX)
    else if (typeof each !== 'string')
      throw invalidArgType(`options.interfaces[${i}]`, 'an interface name, index or address', each)
  }
  return Object.freeze([...new Set(value as (string | number)[])])
}

const KNOWN: ReadonlySet<string> = new Set([
  'port',
  'name',
  'namespace',
  'interfaces',
  'ttl',
  'loopback',
  'maxSources',
  'sourceExpiryMs',
  'restartAfterMs',
  'maxChannels',
  'copies',
  'receiveSocket',
  'sendSocket',
  'monitor',
  'clock',
  'signal',
])
const MAX_TTL = 255
const MAX_MAX = 1_048_576
const DEFAULT_MAX_SOURCES = 256
const DEFAULT_MAX_CHANNELS = 65_536
const DAY_MS = 86_400_000
/** A source that says something once a minute, and each time is lost once, is one that starts anew. */
const DEFAULT_EXPIRY_MS = 60_000
const DEFAULT_RESTART_AFTER_MS = 1000
const MAX_INTERFACE_INDEX = 0x7fff_ffff
/** Each is a socket a channel. */
const MAX_INTERFACES = 64
