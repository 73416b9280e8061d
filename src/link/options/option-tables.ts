import type { OptionSpec } from './option-spec.js'

/** The options of one kind of link in one role, and which of them the `host:port` of a URL gives. */
export interface KindTable {
  readonly host?: string
  readonly port?: string
  readonly options: Readonly<Record<string, OptionSpec>>
}

export const LINK_KINDS = ['point-to-point', 'responder', 'discovery', 'multicast', 'proxied'] as const
export type LinkKind = (typeof LINK_KINDS)[number]
export const LINK_ROLES = ['client', 'server'] as const
export type LinkRole = (typeof LINK_ROLES)[number]

const MAX_PORT = 65_535
const MAX_DURATION_MS = 3_600_000
const MAX_INT32 = 0x7fff_ffff
/** RFC 1035 section 2.3.4: a name has at most 253 characters as text; an interface or a zone may stand behind an address. */
const HOST: OptionSpec = { type: 'host', maxLength: 300 }
/** The kernel's own limit for a socket path is 107 bytes: unix(7). */
const PATH: OptionSpec = { type: 'path', maxLength: 4096 }
const requiredHost: OptionSpec = { ...HOST, required: true }
const optionalPort: OptionSpec = { type: 'integer', min: 1, max: MAX_PORT }
const requiredPort: OptionSpec = { ...optionalPort, required: true }
const localPort: OptionSpec = { type: 'integer', min: 0, max: MAX_PORT, default: 0 }
const requiredLocalPort: OptionSpec = { type: 'integer', min: 0, max: MAX_PORT, required: true }
const multicastTtl: OptionSpec = { type: 'integer', min: 0, max: 255, default: 1 }

function duration(defaultMs: number, min = 1): OptionSpec {
  return { type: 'integer', min, max: MAX_DURATION_MS, default: defaultMs }
}

const COMMON: Readonly<Record<string, OptionSpec>> = {
  header: { type: 'boolean', default: false },
  requestTimeoutMs: duration(5000),
  requestRetryMs: duration(250, 0),
  maxPendingRequests: { type: 'integer', min: 1, max: 1_000_000, default: 1024 },
  sendQueueBytes: { type: 'integer', min: 1, max: MAX_INT32 },
  sendQueueDatagrams: { type: 'integer', min: 1, max: MAX_INT32 },
}

const UDP: Readonly<Record<string, OptionSpec>> = {
  ...COMMON,
  localInterface: { type: 'text', maxLength: 64 },
  localPort,
  receiveBufferBytes: { type: 'integer', min: 1, max: MAX_INT32 },
  sendBufferBytes: { type: 'integer', min: 1, max: MAX_INT32 },
}

const MULTICAST: Readonly<Record<string, OptionSpec>> = {
  ...UDP,
  serverMulticastAddress: requiredHost,
  serverMulticastPort: requiredPort,
  clientMulticastAddress: HOST,
  clientMulticastPort: optionalPort,
  clientGroup: { type: 'choice', values: ['given', 'derived', 'announced', 'shared'] },
  multicastTtl,
}

const PROXIED: KindTable = {
  host: 'host',
  port: 'port',
  options: {
    ...COMMON,
    transport: { type: 'choice', values: ['tcp', 'unix', 'stdio', 'command', 'pipe', 'duplex'] },
    framing: { type: 'choice', values: ['length', 'separator', 'addressed'], default: 'length' },
    host: HOST,
    port: { type: 'integer', min: 0, max: MAX_PORT },
    path: PATH,
    command: { type: 'list', separator: ' ', maxLength: 1000 },
    readPath: PATH,
    writePath: PATH,
    stream: { type: 'object', has: 'pipe' },
    maxDatagramBytes: { type: 'integer', min: 1, max: 65_507, default: 65_507 },
    reconnectMinMs: duration(100),
    reconnectMaxMs: duration(10_000),
    connectTimeoutMs: duration(10_000),
  },
}

export const KIND_TABLES: Readonly<Record<LinkKind, Readonly<Record<LinkRole, KindTable>>>> = {
  'point-to-point': {
    client: {
      host: 'serverHost',
      port: 'serverPort',
      options: { ...UDP, serverHost: requiredHost, serverPort: requiredPort },
    },
    server: {
      host: 'clientHost',
      port: 'clientPort',
      options: { ...UDP, clientHost: requiredHost, clientPort: requiredPort, localPort: requiredLocalPort },
    },
  },
  responder: {
    client: {
      host: 'serverHost',
      port: 'serverPort',
      options: { ...UDP, serverHost: requiredHost, serverPort: requiredPort },
    },
    server: {
      host: 'localAddress',
      port: 'localPort',
      options: {
        ...UDP,
        localPort: requiredLocalPort,
        localAddress: { type: 'host', maxLength: 300, default: '*' },
        announceTo: { type: 'choice', values: ['active', 'last'], default: 'active' },
        activeMs: duration(60_000),
        maxClients: { type: 'integer', min: 1, max: 1_000_000, default: 10_000 },
      },
    },
  },
  discovery: {
    client: {
      host: 'multicastAddress',
      port: 'multicastPort',
      options: {
        ...UDP,
        multicastAddress: HOST,
        multicastPort: optionalPort,
        serverName: { type: 'text', maxLength: 255 },
        choose: { type: 'function' },
        silentPeriods: { type: 'integer', min: 1, max: 1000, default: 8 },
        silentAfterMs: duration(10_000),
        maxServers: { type: 'integer', min: 1, max: 10_000, default: 64 },
        servers: { type: 'list', separator: ',', maxLength: 1000 },
        srv: { type: 'text', maxLength: 253 },
        resolver: { type: 'object', has: 'resolve' },
        resolveEveryMs: duration(30_000),
      },
    },
    server: {
      host: 'multicastAddress',
      port: 'multicastPort',
      options: {
        ...UDP,
        multicastAddress: requiredHost,
        multicastPort: requiredPort,
        name: { type: 'text', maxLength: 255, default: '' },
        multicastTtl,
        announcePeriodMs: duration(1000),
        announceJitterMs: { type: 'integer', min: 0, max: MAX_DURATION_MS },
      },
    },
  },
  multicast: {
    client: { host: 'serverMulticastAddress', port: 'serverMulticastPort', options: MULTICAST },
    server: {
      host: 'serverMulticastAddress',
      port: 'serverMulticastPort',
      options: { ...MULTICAST, announcePeriodMs: duration(1000) },
    },
  },
  proxied: { client: PROXIED, server: PROXIED },
}
