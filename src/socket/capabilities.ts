import { release } from 'node:os'
import { AF_INET, AF_INET6, type Addon } from '../binding/index.js'
import { fallbackReason, selectBackend, type Backend } from './fallback/backend.js'
import * as k from './kernel-constants.js'
import { memoryBytes } from './memory-budget.js'
import { OffloadRoutes } from './offload-routes.js'
import { readSysctl } from './sysctl.js'

/** What this kernel and build can do. Probed by trying it on sockets that are closed again, not guessed from versions. */
export interface Capabilities {
  /** What sockets run on: the addon, or Node's own dgram where it does not load (or `GEYSIR_BACKEND=dgram` says so). */
  backend: Backend
  /** Memory that this process may use, in bytes. With 1 GiB or less, slabs and queues are shorter by default. */
  memoryBytes: number
  /** Why it is not the addon; undefined where it is. */
  fallbackReason: string | undefined
  /** `uname -r`. */
  kernel: string
  /** IPv6 sockets can be opened. */
  ipv6: boolean
  /** UDP_SEGMENT: many datagrams handed to the kernel as one. Says nothing about a device: see {@link sendOffloadRefused}. */
  sendOffload: boolean
  /** UDP_GRO: many datagrams received as one. */
  receiveOffload: boolean
  /** Destinations for which the kernel or a device refused segmentation in this thread, and what is still tried there. */
  sendOffloadRefused: { address: string; maxSegmentBytes: number }[]
  reusePort: boolean
  /** SO_RCVBUFFORCE and SO_SNDBUFFORCE: buffers beyond net.core.rmem_max and wmem_max (CAP_NET_ADMIN). */
  forceBufferSizes: boolean
  bindToDevice: boolean
  /** SO_MARK (CAP_NET_ADMIN). */
  mark: boolean
  busyPoll: boolean
  maxPacing: boolean
  /** Drops at the receive buffer are counted (SO_RXQ_OVFL), and can be asked for at any time (SO_MEMINFO). */
  kernelDrops: boolean
  kernelDropsOnDemand: boolean
  receiveTimestamp: boolean
  receivePacketInfo: boolean
  receiveErrors: boolean
  multicastAll: boolean
  multicastAllIpv6: boolean
  /** The kernel tells what happens to interfaces (rtnetlink(7)). Where not, an InterfaceMonitor looks from time to time. */
  interfaceEvents: boolean
  /** net.core.rmem_max and wmem_max in bytes, the groups a socket may join; undefined where /proc does not tell. */
  maxReceiveBufferBytes: number | undefined
  maxSendBufferBytes: number | undefined
  maxMemberships: number | undefined
}

/** Probes once a process; the list of refused destinations is of now. */
export function capabilities(): Capabilities {
  const addon = selectBackend()
  probed ??= probe(addon)
  return { ...probed, sendOffloadRefused: OffloadRoutes.of(addon).list() }
}

let probed: Omit<Capabilities, 'sendOffloadRefused'> | undefined

function probe(addon: Addon): Omit<Capabilities, 'sendOffloadRefused'> {
  const udp4 = (level: number, name: number, value: number): boolean => accepts(addon, AF_INET, level, name, value)
  const udp6 = (level: number, name: number, value: number): boolean => accepts(addon, AF_INET6, level, name, value)
  return {
    backend: addon.backend ?? 'native',
    fallbackReason: fallbackReason(),
    memoryBytes: memoryBytes(),
    kernel: release(),
    ipv6: opens(addon, AF_INET6),
    sendOffload: udp4(k.IPPROTO_UDP, k.UDP_SEGMENT, PROBE_SEGMENT_BYTES),
    receiveOffload: udp4(k.IPPROTO_UDP, k.UDP_GRO, 1),
    reusePort: udp4(k.SOL_SOCKET, k.SO_REUSEPORT, 1),
    forceBufferSizes: udp4(k.SOL_SOCKET, k.SO_RCVBUFFORCE, PROBE_BUFFER_BYTES),
    bindToDevice: udp4(k.SOL_SOCKET, k.SO_BINDTODEVICE, 0),
    mark: udp4(k.SOL_SOCKET, k.SO_MARK, 1),
    busyPoll: udp4(k.SOL_SOCKET, k.SO_BUSY_POLL, 0),
    maxPacing: udp4(k.SOL_SOCKET, k.SO_MAX_PACING_RATE, -1),
    kernelDrops: udp4(k.SOL_SOCKET, k.SO_RXQ_OVFL, 1),
    kernelDropsOnDemand: tellsDrops(addon),
    receiveTimestamp: udp4(k.SOL_SOCKET, k.SO_TIMESTAMPNS, 1),
    receivePacketInfo: udp4(k.IPPROTO_IP, k.IP_PKTINFO, 1),
    receiveErrors: udp4(k.IPPROTO_IP, k.IP_RECVERR, 1),
    multicastAll: udp4(k.IPPROTO_IP, k.IP_MULTICAST_ALL, 0),
    multicastAllIpv6: udp6(k.IPPROTO_IPV6, k.IPV6_MULTICAST_ALL, 0),
    interfaceEvents: bindsNetlink(addon),
    maxReceiveBufferBytes: readSysctl('net/core/rmem_max'),
    maxSendBufferBytes: readSysctl('net/core/wmem_max'),
    maxMemberships: readSysctl('net/ipv4/igmp_max_memberships'),
  }
}

function opens(addon: Addon, family: number): boolean {
  const socket = new addon.Socket(family, k.SOCK_DGRAM, 0, ignore)
  const opened = socket.fd() >= 0
  socket.close()
  return opened
}

function accepts(addon: Addon, family: number, level: number, name: number, value: number): boolean {
  const socket = new addon.Socket(family, k.SOCK_DGRAM, 0, ignore)
  const result = socket.fd() < 0 ? -1 : socket.setOption(level, name, new Uint8Array(Int32Array.of(value).buffer))
  socket.close()
  return result >= 0
}

function tellsDrops(addon: Addon): boolean {
  const socket = new addon.Socket(AF_INET, k.SOCK_DGRAM, 0, ignore)
  const out = Buffer.alloc(k.SK_MEMINFO_WORDS * 4)
  const told = socket.getOption(k.SOL_SOCKET, k.SO_MEMINFO, out) >= out.length
  socket.close()
  return told
}

/** Some sandboxes open the socket and refuse the groups. */
function bindsNetlink(addon: Addon): boolean {
  const socket = new addon.Socket(k.AF_NETLINK, k.SOCK_RAW, 0, ignore)
  const address = new Uint32Array([0, 0, k.RTMGRP_LINK])
  new Uint16Array(address.buffer)[0] = k.AF_NETLINK
  const bound = socket.fd() < 0 ? -1 : socket.bind(new Uint8Array(address.buffer))
  socket.close()
  return bound >= 0
}

function ignore(): void {
  // A socket that never polls has no events.
}

const PROBE_SEGMENT_BYTES = 1200
const PROBE_BUFFER_BYTES = 4096
