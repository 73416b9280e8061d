import type { Capabilities } from '../../index.js'
import { bytes, grouped } from '../numbers.js'
import { describeInterfaces } from '../interface-text.js'
import type { Advice } from './advice.js'
import { WANTED_BUFFER_BYTES, type Facts, type SysctlName } from './facts.js'
import type { JoinedGroup } from './multicast.js'

/** The facts as text, a section each. */
export function describeFacts(facts: Facts, advice: readonly Advice[]): string {
  const { geysir, node, kernel, architecture } = facts.versions
  return [
    `geysir ${geysir}, Node ${node}, Linux ${kernel}, ${architecture}`,
    section('Buffers', describeBuffers(facts)),
    section('Multicast', describeMulticast(facts)),
    section('Interfaces', describeHostInterfaces(facts)),
    section('UDP counters since the host was started, all programs', describeCounters(facts)),
    section('Probed', describeCapabilities(facts)),
    describeAdvice(advice),
  ].join('\n\n')
}

function describeBuffers({ sysctls, socketBuffers }: Facts): string[] {
  const limit = (direction: string, max: SysctlName, initial: SysctlName, granted: number | undefined): string => {
    const wanted = bytes(WANTED_BUFFER_BYTES)
    const got = granted === undefined ? '' : `; asked for ${wanted}, got ${bytes(granted)}`
    return `${direction}  default ${known(sysctls[initial])} (${initial}), limit ${known(sysctls[max])} (${max})${got}`
  }
  return [
    limit('receive', 'net.core.rmem_max', 'net.core.rmem_default', socketBuffers?.receiveGrantedBytes),
    limit('send   ', 'net.core.wmem_max', 'net.core.wmem_default', socketBuffers?.sendGrantedBytes),
    `backlog  ${known(sysctls['net.core.netdev_max_backlog'], grouped)} packets a CPU (net.core.netdev_max_backlog)`,
  ]
}

function describeMulticast({ sysctls, groups, bridges }: Facts): string[] {
  const joined = (isIpv6: boolean): number =>
    groups.filter(({ group }) => group.includes(':') === isIpv6).reduce((sum, { users }) => sum + users, 0)
  const mostSources = (isIpv6: boolean): number =>
    Math.max(0, ...groups.filter(({ group }) => group.includes(':') === isIpv6).map(({ sources }) => sources))
  const limit = (name: SysctlName): string => known(sysctls[name], grouped)
  return [
    `${limit('net.ipv4.igmp_max_memberships')} IPv4 groups a socket (net.ipv4.igmp_max_memberships); all sockets and the kernel: ${joined(false)}`,
    `${limit('net.ipv4.igmp_max_msf')} sources a group (net.ipv4.igmp_max_msf); most in one group: ${mostSources(false)}`,
    `${limit('net.ipv6.mld_max_msf')} sources an IPv6 group (net.ipv6.mld_max_msf); most in one group: ${mostSources(true)}`,
    `${known(sysctls['net.core.optmem_max'])} for the options of a socket, which groups live in (net.core.optmem_max); IPv6: ${joined(true)}`,
    ...describeGroups(groups),
    ...bridges.map(
      ({ name, snooping, querier }) =>
        `${name}: a bridge, ${snooping ? 'forwards groups where they are asked for' : 'forwards every group everywhere'}, ${querier ? 'asks for members' : 'asks nobody'}`,
    ),
  ]
}

/** What every host joins is left out: of no interest, and long. */
function describeGroups(groups: readonly JoinedGroup[]): string[] {
  return groups
    .filter(({ group }) => group !== '224.0.0.1' && !/^ff0[12]::(1|1:ff[\da-f]{2}:[\da-f]+)$/.test(group))
    .map(({ interface: name, group, users, sources, programs }) => {
      const by = programs.length === 0 ? '' : `, bound by ${programs.join(', ')}`
      const named = sources === 0 ? '' : `, ${sources} sources named`
      return `${group} is joined on ${name}, ${users === 1 ? 'once' : `${users} times`}${named}${by}`
    })
}

function describeHostInterfaces({ interfaces, reversePathFilter }: Facts): string[] {
  const meanings = new Set<number>()
  const lines = describeInterfaces(interfaces, ({ name, up }) => {
    const filter = reversePathFilter[name]
    if (filter !== undefined && up) meanings.add(filter)
    return filter === undefined ? [] : [`rp_filter ${filter}`]
  })
  for (const filter of [...meanings].sort()) lines.push(`rp_filter ${filter}: ${REVERSE_PATH[filter] ?? 'unknown'}`)
  lines.push('whether a device segments by itself: ethtool -k NAME | grep udp-segmentation; else the kernel does it, just before')
  return lines
}

function describeCounters({ udp, udp6, backlogDrops }: Facts): string[] {
  const names = Object.keys(COUNTERS).filter((name) => name in udp || name in udp6)
  const rows = names.map((name) => [name, udp[name], udp6[name], COUNTERS[name]!] as const)
  const text = (value: number | undefined): string => (value === undefined ? '-' : grouped(value)).padStart(COUNTER_WIDTH)
  return [
    `${''.padEnd(NAME_WIDTH)}${'IPv4'.padStart(COUNTER_WIDTH)}${'IPv6'.padStart(COUNTER_WIDTH)}`,
    ...rows.map(([name, v4, v6, meaning]) => `${name.padEnd(NAME_WIDTH)}${text(v4)}${text(v6)}  ${meaning}`),
    `${'backlog drops'.padEnd(NAME_WIDTH)}${text(backlogDrops)}${text(undefined)}  dropped before any socket saw them, all protocols`,
  ]
}

function describeCapabilities({ capabilities, capabilitiesProblem }: Facts): string[] {
  if (capabilities === undefined) return [`no: ${capabilitiesProblem ?? ''}`]
  return Object.entries(CAPABILITIES).map(([name, meaning]) => {
    const value = capabilities[name as ProbedName]
    return `${value ? 'yes' : 'no '}  ${meaning}`
  })
}

function describeAdvice(advice: readonly Advice[]): string {
  if (advice.length === 0) return 'Nothing to improve.'
  const items = advice.map(({ problem, command, explanation }) =>
    [
      `- ${problem}`,
      ...(command === undefined ? [] : [`    ${command}`]),
      ...(explanation === undefined ? [] : wrap(explanation)),
    ].join('\n'),
  )
  return `To improve:\n${items.join('\n')}`
}

function section(title: string, lines: readonly string[]): string {
  return `${title}:\n${lines.map((line) => `  ${line}`).join('\n')}`
}

function known(value: number | undefined, format: (value: number) => string = bytes): string {
  return value === undefined ? 'unknown' : format(value)
}

function wrap(text: string): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + word.length < LINE_WIDTH) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(`  ${word}`)
  }
  return lines
}

const REVERSE_PATH: Readonly<Record<number, string>> = {
  0: 'off: datagrams are taken whatever interface they come in by',
  1: 'strict: dropped unless the answer would leave by the same interface; also multicast, whose source must be routed there',
  2: 'loose: dropped only when no interface leads to the source; multicast from any routed source arrives',
}

/** proc(5), RFC 4113. */
const COUNTERS: Readonly<Record<string, string>> = {
  InDatagrams: 'handed to programs',
  OutDatagrams: 'sent',
  NoPorts: 'came to a port where nobody listens',
  InErrors: 'not handed over, for any of the reasons below',
  RcvbufErrors: "dropped: a socket's receive buffer was full",
  InCsumErrors: 'dropped: wrong checksum',
  MemErrors: 'dropped: the kernel had no memory for UDP (net.ipv4.udp_mem)',
  SndbufErrors: "refused: a socket's send buffer was full",
  IgnoredMulti: 'multicast that no socket wanted',
}

type ProbedName = { [Name in keyof Capabilities]: Capabilities[Name] extends boolean ? Name : never }[keyof Capabilities]

const CAPABILITIES: { readonly [Name in ProbedName]: string } = {
  sendOffload: 'UDP_SEGMENT: up to 64 datagrams pass the network stack as one when they are sent',
  receiveOffload: 'UDP_GRO: the same when they are received',
  ipv6: 'IPv6 sockets',
  reusePort: 'SO_REUSEPORT: several sockets share a port and its load',
  forceBufferSizes: 'this user may have buffers beyond the limits (CAP_NET_ADMIN)',
  kernelDrops: 'SO_RXQ_OVFL: drops at a socket are counted',
  kernelDropsOnDemand: 'SO_MEMINFO: and can be asked for at any time',
  receiveTimestamp: 'SO_TIMESTAMPNS: the time when the kernel received a datagram',
  receivePacketInfo: 'IP_PKTINFO: the address and interface that a datagram came to',
  receiveErrors: 'IP_RECVERR: ICMP errors with the peer that they concern',
  multicastAll: 'IP_MULTICAST_ALL: a socket can receive its own groups only',
  multicastAllIpv6: 'IPV6_MULTICAST_ALL: the same for IPv6 (Linux 4.20)',
  interfaceEvents: 'rtnetlink: the kernel tells what happens to interfaces',
  bindToDevice: 'SO_BINDTODEVICE: a socket can be tied to an interface',
  mark: 'SO_MARK: firewall marks (CAP_NET_ADMIN)',
  busyPoll: 'SO_BUSY_POLL: polling a device for lower latency',
  maxPacing: 'SO_MAX_PACING_RATE: the kernel paces what is sent',
}

const NAME_WIDTH = 14
const COUNTER_WIDTH = 15
const LINE_WIDTH = 100
