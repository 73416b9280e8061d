import {
  checkOneOf,
  checkOptions,
  invalidArgType,
  invalidArgValue,
  outOfRange,
  parseAddress,
  Endpoint,
} from '../../core/index.js'
import type { LinkOptions, ResolvedLinkOptions } from './link-options.js'
import { checkLinkOption, type OptionSpec } from './option-spec.js'
import { KIND_TABLES, LINK_KINDS, LINK_ROLES, type KindTable } from './option-tables.js'

/**
 * Checks the options of any kind of link and fills in every default.
 *
 * @throws Misuse, naming the option and what is accepted.
 */
export function resolveLinkOptions(options: LinkOptions): ResolvedLinkOptions {
  const table = tableOf(options)
  checkOptions('options', options, new Set(['kind', 'role', ...Object.keys(table.options)]))
  const given = options as unknown as Readonly<Record<string, unknown>>
  const resolved: Record<string, unknown> = { kind: given['kind'], role: given['role'] }
  for (const [name, spec] of Object.entries(table.options)) resolved[name] = resolveOne(name, given[name], spec)
  resolveTogether(resolved)
  return Object.freeze(resolved) as unknown as ResolvedLinkOptions
}

/** The table of the kind and role that these options name. */
export function tableOf(options: unknown): KindTable {
  const { kind, role } = (options ?? {}) as { readonly kind?: unknown; readonly role?: unknown }
  if (typeof options !== 'object' || options === null) throw invalidArgType('options', 'a URL or an object of options', options)
  const checkedKind = checkOneOf('options.kind', kind, LINK_KINDS)
  return KIND_TABLES[checkedKind][checkOneOf('options.role', role, LINK_ROLES)]
}

function resolveOne(name: string, value: unknown, spec: OptionSpec): unknown {
  if (value !== undefined) return checkLinkOption(`options.${name}`, value, spec)
  if ('required' in spec && spec.required) return checkLinkOption(`options.${name}`, value, spec)
  return 'default' in spec ? spec.default : undefined
}

/** What depends on more than one option. */
function resolveTogether(resolved: Record<string, unknown>): void {
  switch (resolved['kind']) {
    case 'discovery':
      resolveDiscovery(resolved)
      break
    case 'multicast':
      resolveMulticast(resolved)
      break
    case 'proxied':
      resolveProxied(resolved)
      break
  }
}

function resolveDiscovery(resolved: Record<string, unknown>): void {
  if (resolved['multicastAddress'] !== undefined) {
    checkGroup('options.multicastAddress', resolved['multicastAddress'])
    if (resolved['multicastPort'] === undefined) throw missing('multicastPort', 'is needed with multicastAddress')
  }
  if (resolved['role'] === 'server') {
    resolved['announceJitterMs'] ??= Math.floor((resolved['announcePeriodMs'] as number) / 10)
    if ((resolved['announceJitterMs'] as number) >= (resolved['announcePeriodMs'] as number)) {
      throw outOfRange('options.announceJitterMs', 'less than announcePeriodMs', resolved['announceJitterMs'])
    }
    if (Buffer.byteLength(resolved['name'] as string) > MAX_NAME_BYTES) {
      throw invalidArgValue('options.name', resolved['name'], `must have at most ${MAX_NAME_BYTES} bytes`)
    }
    return
  }
  const sources = ['multicastAddress', 'servers', 'srv', 'resolver'].filter((name) => resolved[name] !== undefined)
  if (sources.length !== 1) {
    throw missing('multicastAddress', `is one of four ways to find servers (servers, srv, resolver): exactly one is needed`)
  }
}

function resolveMulticast(resolved: Record<string, unknown>): void {
  const server = checkGroup('options.serverMulticastAddress', resolved['serverMulticastAddress'])
  const hasGiven = resolved['clientMulticastAddress'] !== undefined || resolved['clientMulticastPort'] !== undefined
  resolved['clientGroup'] ??= hasGiven ? 'given' : 'derived'
  const clientGroup = resolved['clientGroup'] as string
  if (clientGroup === 'given' || (clientGroup === 'announced' && resolved['role'] === 'server')) {
    const client = checkGroup('options.clientMulticastAddress', resolved['clientMulticastAddress'])
    if (client.isIpv4 !== server.isIpv4) {
      throw invalidArgValue('options.clientMulticastAddress', client.address, "must be of the server group's family")
    }
    if (resolved['clientMulticastPort'] === undefined) throw missing('clientMulticastPort', 'is needed')
  } else if (hasGiven) {
    throw invalidArgValue('options.clientGroup', clientGroup, 'excludes clientMulticastAddress and clientMulticastPort')
  }
  if (clientGroup === 'announced' && resolved['header'] !== true) {
    throw invalidArgValue('options.clientGroup', clientGroup, 'needs the option header: a raw link has no status message')
  }
  if (clientGroup === 'announced' && resolved['role'] === 'client' && resolved['multicastTtl'] === 0) {
    throw invalidArgValue('options.multicastTtl', 0, 'needs a group that is known beforehand, not an announced one')
  }
  if (clientGroup === 'derived') derivedGroup(server, resolved['serverMulticastPort'] as number)
  if (clientGroup === 'shared' && (resolved['localPort'] as number) !== 0) {
    throw invalidArgValue('options.localPort', resolved['localPort'], 'is the port of the group where clientGroup is shared')
  }
}

/**
 * The clients' group of a server's: address and port one higher, because routing goes by group and sender, so that the port alone
 * would not keep them apart.
 *
 * @throws `ERR_INVALID_ARG_VALUE` where that is no group or no port any more.
 */
export function derivedGroup(server: Endpoint, serverPort: number): Endpoint {
  const [a, b, c, d] = server.words
  const next = new Endpoint(server.family, [a, b, c, (d + 1) >>> 0], serverPort + 1, server.scopeId)
  if (d === 0xffff_ffff || !next.isMulticast || serverPort >= MAX_PORT) {
    throw invalidArgValue('options.clientGroup', 'derived', 'needs a server group with an address and a port after it')
  }
  return next
}

function resolveProxied(resolved: Record<string, unknown>): void {
  resolved['transport'] ??= resolved['stream'] === undefined ? 'tcp' : 'duplex'
  const transport = resolved['transport'] as keyof typeof TRANSPORT_NEEDS
  for (const name of TRANSPORT_NEEDS[transport]) {
    if (resolved[name] === undefined && !(name === 'host' && resolved['role'] === 'server')) {
      throw missing(name, `is needed for transport ${transport}`)
    }
  }
  for (const [other, names] of Object.entries(TRANSPORT_NEEDS)) {
    const strange = other === transport ? undefined : names.find((name) => resolved[name] !== undefined)
    if (strange !== undefined) throw invalidArgValue(`options.${strange}`, resolved[strange], `is not for transport ${transport}`)
  }
  if (resolved['role'] === 'server' && transport !== 'tcp' && transport !== 'unix') {
    throw invalidArgValue('options.role', 'server', `is for transports tcp and unix, not ${transport}`)
  }
  if (resolved['role'] === 'client' && resolved['port'] === 0) throw outOfRange('options.port', '>= 1', 0)
  if ((resolved['reconnectMaxMs'] as number) < (resolved['reconnectMinMs'] as number)) {
    throw outOfRange('options.reconnectMaxMs', '>= reconnectMinMs', resolved['reconnectMaxMs'])
  }
}

function checkGroup(name: string, value: unknown): Endpoint {
  const literal = typeof value === 'string' ? parseAddress(value) : undefined
  // The zone may be a name, which only the socket's room can look up.
  const group = literal && new Endpoint(literal.family === 4 ? 'IPv4' : 'IPv6', literal.words, 0)
  if (group === undefined || !group.isMulticast) throw invalidArgValue(name, value, 'must be a multicast address')
  return group
}

function missing(name: string, reason: string): Error {
  return invalidArgValue(`options.${name}`, undefined, reason)
}

const TRANSPORT_NEEDS = {
  tcp: ['host', 'port'],
  unix: ['path'],
  stdio: [],
  command: ['command'],
  pipe: ['readPath', 'writePath'],
  duplex: ['stream'],
} as const satisfies Record<string, readonly string[]>

const MAX_NAME_BYTES = 255
const MAX_PORT = 65_535
