import { loadAddon, type Addon } from '../binding/index.js'
import {
  Endpoint,
  checkInteger,
  checkLocalPort,
  checkOneOf,
  checkOptions,
  invalidArgType,
  invalidArgValue,
} from '../core/index.js'
import { UdpSocket, type UdpSocketOptions } from '../socket/index.js'

/** How every socket here that receives groups is opened; the rules of sending are in `multicast-sender.ts`. */
export interface MulticastReceiverOptions {
  /** Default: the kernel chooses one. */
  port?: number
  /** Default 'udp4'. A 'udp6' socket takes IPv6 alone: groups of both families are two sockets. */
  type?: 'udp4' | 'udp6'
  /**
   * Bind to this group, so that the kernel hands over nothing else: no unicast, no other group. Default: to any address, so that one
   * socket can join many groups, and unicast to the port comes to whichever socket of this host bound it last.
   */
  group?: string
  /** Further options of the socket, but those that the rules set. */
  socket?: ReceiverSocketOptions
}

/** What the rules do not decide: buffers, batches, ancillary data, … */
export type ReceiverSocketOptions = Omit<UdpSocketOptions, (typeof RECEIVER_RULES)[number]>

/**
 * Opens and binds a socket that receives groups, by these rules:
 *
 * - `SO_REUSEADDR` before bind, so that any number of processes of this host can receive one group and port.
 * - `IP_MULTICAST_ALL` and `IPV6_MULTICAST_ALL` 0: nothing comes that only another socket joined. For IPv6 that is by group alone: a
 *   group joined on one interface comes from every interface where somebody joined it (Linux 6.18). Who minds compares
 *   `batch.interfaceIndex(i)`, as `Membership` does; `receivePacketInfo` is on for that.
 * - Join with the interface named: `socket.joinGroup(group, { interface })`.
 *
 * @throws Misuse; a `SocketError` of socket(2), setsockopt(2) or bind(2).
 */
export function openMulticastReceiver(options: MulticastReceiverOptions = {}, addon: Addon = loadAddon()): UdpSocket {
  checkOptions('options', options, KNOWN)
  const type = options.type === undefined ? 'udp4' : checkOneOf('options.type', options.type, ['udp4', 'udp6'])
  const port = checkLocalPort('options.port', options.port ?? 0)
  const local = options.group === undefined ? Endpoint.of(type === 'udp4' ? '0.0.0.0' : '::', port) : groupOf(options, type, port)
  checkSocketOptions('options.socket', options.socket, RECEIVER_RULES)
  const family = type === 'udp6' ? ({ type, ipv6Only: true } as const) : { type }
  const rules = { reuseAddress: true, multicastAll: false, receivePacketInfo: true }
  const socket = new UdpSocket({ ...options.socket, ...family, ...rules }, addon)
  try {
    socket.bindNow(local)
  } catch (error) {
    socket.close()
    throw error
  }
  return socket
}

/** Options handed on to a socket, without those that the rules decide. @throws Misuse. */
export function checkSocketOptions(name: string, value: unknown, decided: readonly string[]): void {
  if (value === undefined) return
  if (typeof value !== 'object' || value === null) return checkOptions(name, value, NO_NAMES)
  const refused = decided.find((option) => (value as Record<string, unknown>)[option] !== undefined)
  if (refused !== undefined) throw invalidArgValue(`${name}.${refused}`, refused, 'is decided by the rules of multicast')
}

/** TTL or hop limit of groups. @throws Misuse. */
export function checkMulticastTtl(name: string, value: unknown): number {
  return checkInteger(name, value, 0, MAX_TTL)
}

/** Something that tells interfaces. @throws Misuse. */
export function checkMonitor(value: unknown): void {
  if (typeof value === 'object' && value !== null && 'interfaces' in value && typeof value.interfaces === 'function') return
  throw invalidArgType('options.monitor', 'an interface monitor', value)
}

function groupOf({ group }: MulticastReceiverOptions, type: 'udp4' | 'udp6', port: number): Endpoint {
  const endpoint = Endpoint.of(group!, port, 'options.group')
  if (!endpoint.isMulticast) throw invalidArgValue('options.group', group, 'must be a multicast address')
  if (endpoint.isIpv4 !== (type === 'udp4'))
    throw invalidArgValue('options.group', group, 'must be of the family of options.type')
  return endpoint
}

export const RECEIVER_RULES = ['type', 'ipv6Only', 'reuseAddress', 'multicastAll', 'receivePacketInfo'] as const
const KNOWN: ReadonlySet<string> = new Set(['port', 'type', 'group', 'socket'])
const NO_NAMES: ReadonlySet<string> = new Set()
const MAX_TTL = 255
