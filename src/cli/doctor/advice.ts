import { WANTED_BUFFER_BYTES, type Facts } from './facts.js'
import { bytes, grouped } from '../numbers.js'

/** Something that could be better here, and what to do about it. */
export interface Advice {
  /** Stable, for scripts. */
  readonly id: string
  readonly problem: string
  /** The line to paste; undefined where it is not as simple. */
  readonly command?: string
  readonly explanation?: string
}

/** What to improve, most important first. Pure: of the facts alone. */
export function advise(facts: Facts): Advice[] {
  return [
    ...adviseAddon(facts),
    ...adviseBuffer(facts, 'receive'),
    ...adviseBuffer(facts, 'send'),
    ...adviseOffload(facts),
    ...adviseCounters(facts),
    ...adviseReversePath(facts),
    ...adviseMemberships(facts),
    ...adviseSnooping(facts),
  ]
}

function adviseAddon({ capabilitiesProblem }: Facts): Advice[] {
  if (capabilitiesProblem === undefined) return []
  return [{ id: 'addon', problem: `the native addon does not load: ${capabilitiesProblem}`, command: 'npm rebuild geysir' }]
}

function adviseBuffer({ sysctls, socketBuffers }: Facts, direction: 'receive' | 'send'): Advice[] {
  const sysctl = direction === 'receive' ? 'net.core.rmem_max' : 'net.core.wmem_max'
  const max = sysctls[sysctl]
  if (max === undefined || max >= WANTED_BUFFER_BYTES) return []
  const granted = direction === 'receive' ? socketBuffers?.receiveGrantedBytes : socketBuffers?.sendGrantedBytes
  const forced = granted !== undefined && granted >= WANTED_BUFFER_BYTES ? '; this user may go beyond it, others may not' : ''
  const why =
    direction === 'receive'
      ? 'At a million datagrams of 1200 bytes a second, 4 MiB hold about 3 milliseconds: as long as a garbage collection may take.'
      : 'A burst that is longer than the send buffer has to wait for the device.'
  return [
    {
      id: `${direction}-buffer`,
      problem: `a socket's ${direction} buffer is limited to ${bytes(max)}${forced}`,
      command: `sudo sysctl -w ${sysctl}=${WANTED_BUFFER_BYTES}`,
      explanation: `${why} To keep it: echo '${sysctl} = ${WANTED_BUFFER_BYTES}' | sudo tee /etc/sysctl.d/90-geysir-${direction}.conf`,
    },
  ]
}

function adviseOffload({ capabilities }: Facts): Advice[] {
  if (capabilities === undefined || (capabilities.sendOffload && capabilities.receiveOffload)) return []
  const missing = [
    ...(capabilities.sendOffload ? [] : ['UDP_SEGMENT (Linux 4.18)']),
    ...(capabilities.receiveOffload ? [] : ['UDP_GRO (Linux 5.0)']),
  ]
  return [
    {
      id: 'offload',
      problem: `this kernel has no ${missing.join(' and no ')}`,
      explanation:
        'Every datagram then passes the network stack by itself, which costs about ten times as much. A newer kernel helps.',
    },
  ]
}

function adviseCounters({ udp, udp6, backlogDrops, sysctls }: Facts): Advice[] {
  const advice: Advice[] = []
  const dropped = (udp['RcvbufErrors'] ?? 0) + (udp6['RcvbufErrors'] ?? 0)
  const received = (udp['InDatagrams'] ?? 0) + (udp6['InDatagrams'] ?? 0)
  if (dropped > received * NOTABLE_SHARE) {
    advice.push({
      id: 'receive-buffer-errors',
      problem: `${grouped(dropped)} datagrams were dropped at full receive buffers since the host was started (${share(dropped, received)})`,
      explanation:
        "Which sockets: ss -uamn, the number after 'd'. Give them a larger receiveBufferBytes, or read them faster. Counters of all programs; it may be long ago.",
    })
  }
  const wrong = (udp['InCsumErrors'] ?? 0) + (udp6['InCsumErrors'] ?? 0)
  if (wrong > received * NOTABLE_SHARE) {
    advice.push({
      id: 'checksum-errors',
      problem: `${grouped(wrong)} datagrams came with a wrong checksum (${share(wrong, received)})`,
      explanation: 'Something on the way damages them: a cable, a device, or a virtual interface that promised to do checksums.',
    })
  }
  if (backlogDrops !== undefined && backlogDrops > received * NOTABLE_SHARE) {
    const backlog = sysctls['net.core.netdev_max_backlog']
    advice.push({
      id: 'backlog',
      problem: `${grouped(backlogDrops)} packets were dropped before any socket saw them: the backlog of a CPU was full`,
      ...(backlog === undefined ? {} : { command: `sudo sysctl -w net.core.netdev_max_backlog=${backlog * 4}` }),
    })
  }
  return advice
}

/** Strict filtering matters where there is a choice of interfaces. */
function adviseReversePath({ interfaces, reversePathFilter }: Facts): Advice[] {
  const candidates = interfaces.filter(
    ({ up, loopback, addresses }) => up && !loopback && addresses.some(({ family }) => family === 'IPv4'),
  )
  if (candidates.length < 2) return []
  const strict = candidates.filter(({ name }) => reversePathFilter[name] === 1).map(({ name }) => name)
  if (strict.length === 0) return []
  return [
    {
      id: 'reverse-path-filter',
      problem: `the reverse-path filter is strict on ${strict.join(', ')}, and this host has ${candidates.length} interfaces`,
      command: `sudo sysctl -w ${['all', ...strict].map((name) => `net.ipv4.conf.${name}.rp_filter=2`).join(' ')}`,
      explanation:
        'What comes in by another interface than the answer would leave by is dropped, uncounted by the socket. It hits multicast first, whose sources are often not on the subnet.',
    },
  ]
}

function adviseMemberships({ sysctls }: Facts): Advice[] {
  const limit = sysctls['net.ipv4.igmp_max_memberships']
  if (limit === undefined || limit >= DEFAULT_MEMBERSHIPS) return []
  return [
    {
      id: 'memberships',
      problem: `a socket can join ${limit} IPv4 multicast groups only`,
      command: `sudo sysctl -w net.ipv4.igmp_max_memberships=${DEFAULT_MEMBERSHIPS}`,
    },
  ]
}

/** RFC 4541 section 2.1.1: who snoops needs somebody who asks, or the memberships it has seen time out. */
function adviseSnooping({ bridges, interfaces }: Facts): Advice[] {
  return bridges
    .filter(({ name, snooping, querier }) => snooping && !querier && interfaces.some((one) => one.name === name && one.up))
    .map(({ name }) => ({
      id: 'snooping',
      problem: `the bridge ${name} snoops on multicast, and does not ask for members`,
      command: `sudo ip link set dev ${name} type bridge mcast_querier 1`,
      explanation:
        'Without a router or a switch that asks, it forgets after about four minutes who wanted a group, and a receiver behind it hears nothing any more. Leave it if there is one.',
    }))
}

function share(part: number, received: number): string {
  return `${((part / Math.max(1, part + received)) * 100).toPrecision(2)} % of what arrived`
}

/** One datagram in ten thousand: below, there is more urgent work. */
const NOTABLE_SHARE = 1e-4
/** The kernel's own default (IP_MAX_MEMBERSHIPS). */
const DEFAULT_MEMBERSHIPS = 20
