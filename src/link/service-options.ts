import {
  Endpoint,
  checkInteger,
  checkLocalPort,
  checkOneOf,
  checkOptions,
  checkPeerPort,
  checkSignal,
  invalidArgType,
  invalidArgValue,
  type Link,
} from '../core/index.js'
import type { ServicePlace } from './service-batch.js'
import { systemServicePlatform, type ServicePlatform } from './service-platform.js'

/** Options of {@link openService}. Each socket can be left out. */
export interface ServiceOptions {
  /** Default both. A family that this host does not have is an error. */
  families?: readonly ('IPv4' | 'IPv6')[]
  /** The unicast port; 0: the kernel chooses one for each family. False: no unicast sockets, so nothing can be sent. Default 0. */
  unicastPort?: number | false
  /** The port of the groups. Default: no multicast sockets. */
  multicastPort?: number
  /** Groups to join, of both families; see {@link Service.join}. */
  groups?: readonly string[]
  /** Where groups are joined. Default 'all'. */
  interfaces?: 'all' | readonly (string | number)[]
  /** The unicast port of the secured twins. Default: none. */
  securePort?: number
  /** Makes a secured twin of its socket: a `Link` around a `Link`. Needed with `securePort`. */
  secure?: (socket: Link, place: ServicePlace) => Link
  /** Hops that multicast may take, 1 to 255. Default 1. */
  multicastTtl?: number
  /** Members on this host hear what we send. Default true. */
  multicastLoopback?: boolean
  /** Closes the service when it is aborted. */
  signal?: AbortSignal
  /** The parts that are the operating system's. */
  platform?: ServicePlatform
}

/** {@link ServiceOptions}, checked and with every default. */
export interface ResolvedServiceOptions {
  readonly families: readonly ('IPv4' | 'IPv6')[]
  readonly unicastPort: number | false
  readonly multicastPort: number | undefined
  readonly groups: readonly string[]
  readonly interfaces: 'all' | readonly (string | number)[]
  readonly securePort: number | undefined
  readonly secure: ServiceOptions['secure']
  readonly multicastTtl: number
  readonly multicastLoopback: boolean
  readonly signal: AbortSignal | undefined
  readonly platform: ServicePlatform
}

/** @throws Misuse, naming the option. */
export function resolveServiceOptions(options: ServiceOptions): ResolvedServiceOptions {
  checkOptions('options', options, SERVICE_OPTIONS)
  const { families = ['IPv4', 'IPv6'], unicastPort = 0, multicastPort, groups = [], securePort, secure, signal } = options
  if (!Array.isArray(families) || families.length === 0)
    throw invalidArgType('options.families', 'an array of families', families)
  for (const family of families) checkOneOf('options.families', family, ['IPv4', 'IPv6'])
  if (unicastPort !== false) checkLocalPort('options.unicastPort', unicastPort)
  if (multicastPort !== undefined) checkPeerPort('options.multicastPort', multicastPort)
  if (securePort !== undefined) checkLocalPort('options.securePort', securePort)
  if ((securePort === undefined) !== (secure === undefined)) {
    throw invalidArgValue('options.secure', secure, 'and securePort are given together')
  }
  if (groups.length > 0 && multicastPort === undefined) throw invalidArgValue('options.groups', groups, 'needs multicastPort')
  for (const group of groups) {
    if (!Endpoint.of(group, 0, 'options.groups').isMulticast)
      throw invalidArgValue('options.groups', group, 'must be multicast addresses')
  }
  checkSignal('options.signal', signal)
  return Object.freeze({
    families: [...new Set(families)],
    unicastPort,
    multicastPort,
    groups,
    interfaces: options.interfaces ?? 'all',
    securePort,
    secure,
    multicastTtl: checkInteger('options.multicastTtl', options.multicastTtl ?? 1, 1, 255),
    multicastLoopback: options.multicastLoopback ?? true,
    signal,
    platform: options.platform ?? systemServicePlatform,
  })
}

const SERVICE_OPTIONS: ReadonlySet<string> = new Set([
  'families',
  'unicastPort',
  'multicastPort',
  'groups',
  'interfaces',
  'securePort',
  'secure',
  'multicastTtl',
  'multicastLoopback',
  'signal',
  'platform',
])
