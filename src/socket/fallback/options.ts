import type { Socket } from 'node:dgram'
import { AF_INET6, ERRNO, decodeSockaddr, readAddress } from '../../binding/index.js'
import { readSysctl } from '../sysctl.js'
import * as k from '../kernel-constants.js'
import { interfaceIpv4, interfaceName } from './interfaces.js'

/** What one of the kernel's options is to dgram: a call on a bound socket, or nothing but a number that is remembered. */
type Apply = (socket: Socket, value: number) => void

/**
 * The kernel's options that dgram can set, by level and name. Its sockets have no descriptor before they are bound, so that each is
 * remembered until then, and set again where a socket has to be replaced by another one.
 */
export class DgramOptions {
  readonly #domain: number
  readonly #values = new Map<string, number>()
  /** In order, by what they are about: an option, or a membership. */
  readonly #applied = new Map<string, (socket: Socket) => void>()

  constructor(domain: number) {
    this.#domain = domain
  }

  /** What dgram.createSocket() is to be told. */
  get ipv6Only(): boolean {
    return this.#flag(k.IPPROTO_IPV6, k.IPV6_V6ONLY)
  }

  get reuseAddress(): boolean {
    return this.#flag(k.SOL_SOCKET, k.SO_REUSEADDR)
  }

  get reusePort(): boolean {
    return this.#flag(k.SOL_SOCKET, k.SO_REUSEPORT)
  }

  /** @param socket Undefined before it is bound. Returns a negated errno, as setsockopt(2) does; ENOPROTOOPT for what dgram lacks. */
  set(socket: Socket | undefined, level: number, name: number, value: Uint8Array): number {
    const membership = MEMBERSHIPS.get(name)
    if (membership !== undefined && isIpLevel(level)) {
      if (level === k.IPPROTO_IP && this.#domain === AF_INET6) return -ERRNO.ENOPROTOOPT
      return this.#change(socket, `member ${Buffer.from(value).toString('hex')}`, membership(value))
    }
    const key = keyOf(level, name)
    if (!this.#isKnown(key)) return -ERRNO.ENOPROTOOPT
    if (level === k.IPPROTO_IP && this.#domain === AF_INET6) return 0 // dgram sets the IPv6 one alone
    if (name === k.IP_MULTICAST_IF || name === k.IPV6_MULTICAST_IF) {
      const address = multicastInterface(level, value)
      if (address === undefined) return -ERRNO.EADDRNOTAVAIL
      return this.#change(socket, key, (target) => target.setMulticastInterface(address))
    }
    const number = new DataView(value.buffer, value.byteOffset).getInt32(0, LITTLE)
    if (ONLY_AT_CREATION.has(key) && socket !== undefined) return -ERRNO.EINVAL
    const apply = APPLY.get(key)
    const result = apply === undefined ? 0 : this.#change(socket, key, (target) => apply(target, number))
    if (result >= 0) this.#values.set(key, number)
    return result
  }

  get(socket: Socket | undefined, level: number, name: number, out: Uint8Array): number {
    const key = keyOf(level, name)
    if (!this.#isKnown(key) || out.length < 4) return -ERRNO.ENOPROTOOPT
    new DataView(out.buffer, out.byteOffset).setInt32(0, this.#read(socket, key), LITTLE)
    return 4
  }

  /** Sets everything on a socket that was bound just now. Returns a negated errno. */
  applyTo(socket: Socket): number {
    for (const apply of this.#applied.values()) {
      const result = attempt(() => apply(socket))
      if (result < 0) return result
    }
    return 0
  }

  #read(socket: Socket | undefined, key: string): number {
    const buffer = BUFFERS.get(key)
    if (buffer === undefined) return this.#values.get(key) ?? DEFAULTS.get(key) ?? 0
    if (socket !== undefined) return buffer.read(socket) * (process.platform === 'linux' ? 1 : KERNEL_BUFFER_FACTOR)
    const asked = this.#values.get(key)
    if (asked === undefined) return readSysctl(`net/core/${buffer.sysctl}_default`) ?? DEFAULT_BUFFER_BYTES
    return Math.min(asked, readSysctl(`net/core/${buffer.sysctl}_max`) ?? asked) * KERNEL_BUFFER_FACTOR
  }

  #isKnown(key: string): boolean {
    if (key === REUSE_PORT && !HAS_REUSE_PORT) return false
    return APPLY.has(key) || ONLY_AT_CREATION.has(key) || key === MULTICAST_IF_IPV4 || key === MULTICAST_IF_IPV6
  }

  #change(socket: Socket | undefined, key: string, apply: (socket: Socket) => void): number {
    const result = socket === undefined ? 0 : attempt(() => apply(socket))
    if (result >= 0) this.#applied.set(key, apply)
    return result
  }

  #flag(level: number, name: number): boolean {
    return (this.#values.get(keyOf(level, name)) ?? 0) !== 0
  }
}

/** Runs a call of dgram and returns the errno of what it throws, negated as in Node's errors. */
export function attempt(call: () => void): number {
  try {
    call()
    return 0
  } catch (error) {
    const { errno } = error as { errno?: unknown }
    if (typeof errno === 'number') return errno
    throw error
  }
}

/** `struct group_req` and `group_source_req`, laid out as `DgramAddon.layout` says. */
function member(action: 'add' | 'drop', ofSource: boolean): (request: Uint8Array) => (socket: Socket) => void {
  return (request) => {
    const index = new DataView(request.buffer, request.byteOffset).getInt32(0, LITTLE)
    const group = decodeSockaddr(request.subarray(GROUP_OFFSET))!
    const source = ofSource ? decodeSockaddr(request.subarray(SOURCE_OFFSET))! : undefined
    const where = index === 0 ? undefined : group.isIpv4 ? interfaceIpv4(index) : `::%${interfaceName(index)}`
    const address = group.isIpv4 ? group.address : group.withPort(0).address.replace(/%.*/, '')
    return (socket) => {
      if (index !== 0 && where === undefined) throw Object.assign(new Error('no such interface'), { errno: -ERRNO.ENODEV })
      if (source === undefined) {
        if (action === 'add') socket.addMembership(address, where)
        else socket.dropMembership(address, where)
      } else if (action === 'add') socket.addSourceSpecificMembership(source.address, address, where)
      else socket.dropSourceSpecificMembership(source.address, address, where)
    }
  }
}

/** The address that dgram names an interface by: an IPv4 address of it, or `::%name`. */
function multicastInterface(level: number, value: Uint8Array): string | undefined {
  const words = new Uint32Array(Math.ceil(value.length / 4))
  new Uint8Array(words.buffer).set(value)
  if (level === k.IPPROTO_IPV6) {
    const name = words[0] === 0 ? '' : interfaceName(words[0]!)
    return name === undefined ? undefined : name === '' ? '::0' : `::%${name}`
  }
  // struct ip_mreqn: group, local address, index.
  if (words[1] !== 0) return readAddress(words, 1, AF_INET_FAMILY).address
  return words[2] === 0 ? '0.0.0.0' : interfaceIpv4(words[2]!)
}

function isIpLevel(level: number): boolean {
  return level === k.IPPROTO_IP || level === k.IPPROTO_IPV6
}

function keyOf(level: number, name: number): string {
  return `${level}:${name}`
}

const AF_INET_FAMILY = 2
const LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1
const GROUP_OFFSET = 8
const SOURCE_OFFSET = 136
const MEMBERSHIPS = new Map([
  [k.MCAST_JOIN_GROUP, member('add', false)],
  [k.MCAST_LEAVE_GROUP, member('drop', false)],
  [k.MCAST_JOIN_SOURCE_GROUP, member('add', true)],
  [k.MCAST_LEAVE_SOURCE_GROUP, member('drop', true)],
])

const MULTICAST_IF_IPV4 = keyOf(k.IPPROTO_IP, k.IP_MULTICAST_IF)
const MULTICAST_IF_IPV6 = keyOf(k.IPPROTO_IPV6, k.IPV6_MULTICAST_IF)
const REUSE_PORT = keyOf(k.SOL_SOCKET, k.SO_REUSEPORT)
/** dgram.createSocket() has `reusePort` since Node 23.1 and 22.12. */
const [NODE_MAJOR = 0, NODE_MINOR = 0] = process.versions.node.split('.').map(Number)
const HAS_REUSE_PORT = NODE_MAJOR > 23 || (NODE_MAJOR === 23 && NODE_MINOR >= 1) || (NODE_MAJOR === 22 && NODE_MINOR >= 12)
const ONLY_AT_CREATION: ReadonlySet<string> = new Set([
  keyOf(k.IPPROTO_IPV6, k.IPV6_V6ONLY),
  keyOf(k.SOL_SOCKET, k.SO_REUSEADDR),
  REUSE_PORT,
])

const setTtl: Apply = (socket, value) => void socket.setTTL(value)
const setMulticastTtl: Apply = (socket, value) => void socket.setMulticastTTL(value)
const setMulticastLoopback: Apply = (socket, value) => void socket.setMulticastLoopback(value !== 0)
const APPLY: ReadonlyMap<string, Apply> = new Map<string, Apply>([
  [keyOf(k.SOL_SOCKET, k.SO_BROADCAST), (socket, value) => socket.setBroadcast(value !== 0)],
  [keyOf(k.SOL_SOCKET, k.SO_RCVBUF), (socket, value) => socket.setRecvBufferSize(value)],
  [keyOf(k.SOL_SOCKET, k.SO_SNDBUF), (socket, value) => socket.setSendBufferSize(value)],
  [keyOf(k.IPPROTO_IP, k.IP_TTL), setTtl],
  [keyOf(k.IPPROTO_IPV6, k.IPV6_UNICAST_HOPS), setTtl],
  [keyOf(k.IPPROTO_IP, k.IP_MULTICAST_TTL), setMulticastTtl],
  [keyOf(k.IPPROTO_IPV6, k.IPV6_MULTICAST_HOPS), setMulticastTtl],
  [keyOf(k.IPPROTO_IP, k.IP_MULTICAST_LOOP), setMulticastLoopback],
  [keyOf(k.IPPROTO_IPV6, k.IPV6_MULTICAST_LOOP), setMulticastLoopback],
])
const DEFAULTS: ReadonlyMap<string, number> = new Map([
  [keyOf(k.IPPROTO_IP, k.IP_TTL), 64],
  [keyOf(k.IPPROTO_IPV6, k.IPV6_UNICAST_HOPS), 64],
  [keyOf(k.IPPROTO_IP, k.IP_MULTICAST_TTL), 1],
  [keyOf(k.IPPROTO_IPV6, k.IPV6_MULTICAST_HOPS), 1],
  [keyOf(k.IPPROTO_IP, k.IP_MULTICAST_LOOP), 1],
  [keyOf(k.IPPROTO_IPV6, k.IPV6_MULTICAST_LOOP), 1],
])

const BUFFERS: ReadonlyMap<string, { sysctl: string; read: (socket: Socket) => number }> = new Map([
  [keyOf(k.SOL_SOCKET, k.SO_RCVBUF), { sysctl: 'rmem', read: (socket: Socket) => socket.getRecvBufferSize() }],
  [keyOf(k.SOL_SOCKET, k.SO_SNDBUF), { sysctl: 'wmem', read: (socket: Socket) => socket.getSendBufferSize() }],
])
/** Linux's own default of net.core.rmem_default. */
const DEFAULT_BUFFER_BYTES = 212_992
/** Linux keeps and reports twice what is asked (socket(7)), and above here that is expected. */
const KERNEL_BUFFER_FACTOR = 2
