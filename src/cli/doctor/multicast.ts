import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { endianness } from 'node:os'

/** A multicast group that somebody on this host has joined. */
export interface JoinedGroup {
  readonly interface: string
  readonly interfaceIndex: number
  readonly group: string
  /** How many sockets have joined it there, and the kernel itself (224.0.0.1, ff02::1, …) as one. */
  readonly users: number
  /** Sources that are named for it, included or excluded. */
  readonly sources: number
  /** Programs with a socket bound to the group: `node (4711)`. The kernel does not tell who joined; those bound to any address stay unknown. */
  readonly programs: readonly string[]
}

/** A bridge, and whether it forwards groups only where somebody asked for them. */
export interface Bridge {
  readonly name: string
  readonly snooping: boolean
  readonly querier: boolean
}

type Membership = Pick<JoinedGroup, 'interface' | 'interfaceIndex' | 'group' | 'users'>

/** The groups of /proc/net/igmp, igmp6, mcfilter and mcfilter6. */
export function readGroups(): JoinedGroup[] {
  const sources = countSources(
    parseSources(readText('/proc/net/mcfilter'), ipv4OfFilter),
    parseSources(readText('/proc/net/mcfilter6'), ipv6OfHex),
  )
  const groups = [...parseIgmp(readText('/proc/net/igmp')), ...parseIgmp6(readText('/proc/net/igmp6'))]
  const bound = boundPrograms(new Set(groups.map(({ group }) => group)))
  return groups.map((one) => ({
    ...one,
    sources: sources.get(`${one.interfaceIndex} ${one.group}`) ?? 0,
    programs: bound.get(one.group) ?? [],
  }))
}

export function readBridges(): Bridge[] {
  const flag = (name: string, file: string): boolean => readText(`/sys/class/net/${name}/bridge/${file}`).trim() === '1'
  return listDirectory('/sys/class/net')
    .filter((name) => listDirectory(`/sys/class/net/${name}/bridge`).length > 0)
    .map((name) => ({ name, snooping: flag(name, 'multicast_snooping'), querier: flag(name, 'multicast_querier') }))
}

/** /proc/net/igmp: a line for each interface, and below it one for each of its groups, whose number is the machine's. */
export function parseIgmp(text: string): Membership[] {
  const groups: Membership[] = []
  let device = { interface: '', interfaceIndex: 0 }
  for (const line of text.split('\n')) {
    const head = /^(\d+)\s+(\S+?)\s*:/.exec(line)
    if (head !== null) device = { interface: head[2]!, interfaceIndex: Number(head[1]) }
    const group = /^\s+([\dA-F]{8})\s+(\d+)\s/.exec(line)
    if (group !== null) groups.push({ ...device, group: ipv4OfHex(group[1]!), users: Number(group[2]) })
  }
  return groups
}

/** /proc/net/igmp6: index, device, group, users, flags, timer. */
export function parseIgmp6(text: string): Membership[] {
  return [...text.matchAll(/^(\d+)\s+(\S+)\s+([\da-f]{32})\s+(\d+)\s/gm)].map(([, index, device, group, users]) => ({
    interfaceIndex: Number(index),
    interface: device!,
    group: ipv6OfHex(group!),
    users: Number(users),
  }))
}

/** /proc/net/mcfilter and mcfilter6: index, device, group, source, INC, EXC. `index group` for each source; the name is cut to six letters. */
function parseSources(text: string, groupOf: (hex: string) => string): string[] {
  return [...text.matchAll(/^\s*(\d+)\s+\S+\s+(?:0x)?([\da-f]+)\s+(?:0x)?[\da-f]+\s+\d+\s+\d+/gim)].map(
    ([, index, group]) => `${index!} ${groupOf(group!)}`,
  )
}

function countSources(...lists: string[][]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const key of lists.flat()) counts.set(key, (counts.get(key) ?? 0) + 1)
  return counts
}

/** Who has a UDP socket bound to one of `groups`; as far as this user may look into other processes. */
function boundPrograms(groups: ReadonlySet<string>): Map<string, string[]> {
  const groupOfInode = new Map<string, string>()
  for (const [path, addressOf] of [
    ['/proc/net/udp', ipv4OfHex],
    ['/proc/net/udp6', ipv6OfWords],
  ] as const) {
    // prettier-ignore
    // sl, local address:port, remote address:port, state, queues, timer, retransmits, uid, timeout, inode
    for (const line of readText(path).split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/)
      const local = addressOf(fields[1]?.split(':')[0] ?? '')
      if (groups.has(local)) groupOfInode.set(fields[9]!, local)
    }
  }
  const programs = new Map<string, string[]>()
  if (groupOfInode.size === 0) return programs
  for (const pid of listDirectory('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const group of new Set(socketsOf(pid).flatMap((inode) => groupOfInode.get(inode) ?? []))) {
      const name = `${readText(`/proc/${pid}/comm`).trim()} (${pid})`
      programs.set(group, [...(programs.get(group) ?? []), name])
    }
  }
  return programs
}

function socketsOf(pid: string): string[] {
  return listDirectory(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? []
    } catch {
      return [] // closed meanwhile
    }
  })
}

/** `010000E0`: a be32 printed as a number of this machine. */
function ipv4OfHex(hex: string): string {
  const bytes = Buffer.from(hex.padStart(8, '0'), 'hex')
  return [...(LITTLE_ENDIAN ? bytes.reverse() : bytes)].join('.')
}

/** mcfilter prints `0xe0000001`, in the order of reading. */
function ipv4OfFilter(hex: string): string {
  return [...Buffer.from(hex.padStart(8, '0'), 'hex')].join('.')
}

function ipv6OfHex(hex: string): string {
  const groups = hex.match(/.{4}/g) ?? []
  return compressIpv6(groups.map((group) => Number.parseInt(group, 16)))
}

/** /proc/net/udp6: four words, each a number of this machine. */
function ipv6OfWords(hex: string): string {
  const words = hex.match(/.{8}/g) ?? []
  return ipv6OfHex(words.map((word) => (LITTLE_ENDIAN ? Buffer.from(word, 'hex').reverse().toString('hex') : word)).join(''))
}

/** Only to compare and to print: the longest run of zeros is left out. */
function compressIpv6(groups: readonly number[]): string {
  const text = groups.map((group) => group.toString(16)).join(':')
  const runs = [...text.matchAll(/(?:^|:)0(?::0)+(?=:|$)/g)].map(([run]) => run).sort((a, b) => b.length - a.length)
  return runs.length === 0
    ? text
    : text
        .replace(runs[0]!, ':')
        .replace(/^:(?!:)/, '::')
        .replace(/(?<!:):$/, '::')
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function listDirectory(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

const LITTLE_ENDIAN = endianness() === 'LE'
