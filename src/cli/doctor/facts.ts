import { readFileSync, readdirSync } from 'node:fs'
import { UdpSocket, capabilities, interfaces, type Capabilities, type NetworkInterface } from '../../index.js'
import { readBridges, readGroups, type Bridge, type JoinedGroup } from './multicast.js'

/** What was found on this host. Advice and report are made of it, and `--json` prints it. */
export interface Facts {
  readonly versions: { readonly geysir: string; readonly node: string; readonly kernel: string; readonly architecture: string }
  /** What kernel and build can do; undefined with the reason when the addon cannot be loaded. */
  readonly capabilities: Capabilities | undefined
  readonly capabilitiesProblem: string | undefined
  /** Bytes, and for other sysctls their unit; undefined where /proc/sys does not tell. */
  readonly sysctls: Readonly<Record<SysctlName, number | undefined>>
  /** What a socket has, and what it gets that asks for {@link WANTED_BUFFER_BYTES}; in bytes as they are asked for. */
  readonly socketBuffers: SocketBuffers | undefined
  readonly interfaces: readonly NetworkInterface[]
  /** Multicast groups that are joined on this host, by interface. */
  readonly groups: readonly JoinedGroup[]
  readonly bridges: readonly Bridge[]
  /** The reverse-path filter in effect, by interface: the higher of its own value and that of `all`. */
  readonly reversePathFilter: Readonly<Record<string, number>>
  /** /proc/net/snmp and snmp6 since the host was started. */
  readonly udp: Readonly<Record<string, number>>
  readonly udp6: Readonly<Record<string, number>>
  /** Packets dropped before any socket saw them: net.core.netdev_max_backlog was exceeded (/proc/net/softnet_stat). */
  readonly backlogDrops: number | undefined
}

export interface SocketBuffers {
  readonly receiveDefaultBytes: number
  readonly receiveGrantedBytes: number
  readonly sendDefaultBytes: number
  readonly sendGrantedBytes: number
}

export const SYSCTLS = [
  'net.core.rmem_default',
  'net.core.rmem_max',
  'net.core.wmem_default',
  'net.core.wmem_max',
  'net.core.optmem_max',
  'net.core.netdev_max_backlog',
  'net.ipv4.igmp_max_memberships',
  'net.ipv4.igmp_max_msf',
  'net.ipv6.mld_max_msf',
  'net.ipv4.ip_unprivileged_port_start',
] as const
export type SysctlName = (typeof SYSCTLS)[number]

export function gatherFacts(geysirVersion: string): Facts {
  const probed = probe()
  return {
    versions: { geysir: geysirVersion, node: process.version, kernel: kernelRelease(), architecture: process.arch },
    ...probed,
    sysctls: Object.fromEntries(SYSCTLS.map((name) => [name, readSysctl(name)])) as Facts['sysctls'],
    groups: readGroups(),
    bridges: readBridges(),
    reversePathFilter: readReversePathFilter(),
    udp: readCounters('/proc/net/snmp', parseSnmp),
    udp6: readCounters('/proc/net/snmp6', parseSnmp6),
    backlogDrops: readBacklogDrops(),
  }
}

function probe(): Pick<Facts, 'capabilities' | 'capabilitiesProblem' | 'socketBuffers' | 'interfaces'> {
  try {
    return {
      capabilities: capabilities(),
      capabilitiesProblem: undefined,
      socketBuffers: tryBuffers(),
      interfaces: interfaces(),
    }
  } catch (error) {
    return { capabilities: undefined, capabilitiesProblem: (error as Error).message, socketBuffers: undefined, interfaces: [] }
  }
}

function tryBuffers(): SocketBuffers {
  const plain = new UdpSocket()
  const asking = new UdpSocket({ receiveBufferBytes: WANTED_BUFFER_BYTES, sendBufferBytes: WANTED_BUFFER_BYTES })
  // The advice says what the warning would say.
  asking.on('warning', () => {})
  try {
    return {
      receiveDefaultBytes: plain.getOption('receiveBufferBytes') / KERNEL_BUFFER_FACTOR,
      receiveGrantedBytes: asking.getOption('receiveBufferBytes') / KERNEL_BUFFER_FACTOR,
      sendDefaultBytes: plain.getOption('sendBufferBytes') / KERNEL_BUFFER_FACTOR,
      sendGrantedBytes: asking.getOption('sendBufferBytes') / KERNEL_BUFFER_FACTOR,
    }
  } finally {
    plain.close()
    asking.close()
  }
}

function readReversePathFilter(): Record<string, number> {
  const values: Record<string, number> = {}
  for (const name of listDirectory('/proc/sys/net/ipv4/conf')) {
    const value = readNumber(`/proc/sys/net/ipv4/conf/${name}/rp_filter`)
    if (value !== undefined) values[name] = value
  }
  const all = values['all'] ?? 0
  // ip-sysctl.rst, rp_filter: "The max value from conf/{all,interface}/rp_filter is used".
  for (const [name, value] of Object.entries(values)) {
    if (name === 'all' || name === 'default') delete values[name]
    else values[name] = Math.max(all, value)
  }
  return values
}

/** The two lines of /proc/net/snmp that begin with `Udp:`, names and values. */
export function parseSnmp(text: string): Record<string, number> {
  const [names = [], values = []] = text
    .split('\n')
    .filter((line) => line.startsWith('Udp: '))
    .map((line) => line.split(/\s+/).slice(1))
  return Object.fromEntries(names.map((name, i) => [name, Number(values[i])]))
}

/** The lines of /proc/net/snmp6 that begin with `Udp6`, by the names that IPv4 has for the same. */
export function parseSnmp6(text: string): Record<string, number> {
  return Object.fromEntries([...text.matchAll(/^Udp6(\w+)\s+(\d+)/gm)].map(([, name, value]) => [name!, Number(value)]))
}

function readCounters(path: string, parse: (text: string) => Record<string, number>): Record<string, number> {
  return parse(readText(path) ?? '')
}

/** The second column, hexadecimal, of every CPU's line. */
function readBacklogDrops(): number | undefined {
  const text = readText('/proc/net/softnet_stat')
  if (text === undefined) return undefined
  const lines = text.trim().split('\n')
  return lines.reduce((total, line) => total + Number.parseInt(line.split(/\s+/)[1] ?? '0', 16), 0)
}

function kernelRelease(): string {
  return readText('/proc/sys/kernel/osrelease')?.trim() ?? 'unknown'
}

function readSysctl(name: string): number | undefined {
  return readNumber(`/proc/sys/${name.replaceAll('.', '/')}`)
}

function readNumber(path: string): number | undefined {
  const value = Number.parseInt(readText(path) ?? '', 10)
  return Number.isNaN(value) ? undefined : value
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function listDirectory(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

/** What the bench asks for: about a millisecond at loopback's full rate. */
export const WANTED_BUFFER_BYTES = 4 << 20
/** The kernel keeps, and reports, twice what is asked for (socket(7), SO_RCVBUF). */
const KERNEL_BUFFER_FACTOR = 2
