import { lookup as dnsLookup } from 'node:dns'
import { invalidArgValue, parseAddress, type Endpoint } from '../core/index.js'
import { InterfaceMonitor, Membership, openMulticastSender } from '../net/index.js'
import { UdpSocket, endpoint, type UdpSocketOptions } from '../socket/index.js'
import { systemClock, systemRandom } from '../system/index.js'
import type { ResolvedUdp } from './options/link-options.js'
import type { DatagramSocket, DatagramSource, GroupRequest, LinkPlatform, UnicastRequest } from './platform.js'

/** Resolves names: `dns.lookup`, or a function like it. */
export type Lookup = typeof dnsLookup

/** The operating system's sockets and clock. */
export function systemPlatform(lookup: Lookup = dnsLookup): LinkPlatform {
  return {
    clock: systemClock,
    random: systemRandom,
    resolve: (host, port) => resolveHost(lookup, host, port),
    openUnicast,
    openGroup,
  }
}

function resolveHost(lookup: Lookup, host: string, port: number): Promise<Endpoint> {
  if (parseAddress(host) !== undefined) return Promise.resolve(endpoint(host, port))
  return new Promise((resolve, reject) => {
    lookup(host, {}, (error, address) => {
      if (error) reject(error)
      else resolve(endpoint(address, port))
    })
  })
}

async function openUnicast(request: UnicastRequest): Promise<DatagramSocket> {
  const { options, family, peer } = request
  const monitor = acquireMonitor()
  let socket: UdpSocket | undefined
  try {
    socket = openSocket(request)
    const isIpv4 = family === 'IPv4' || socket.maxPayloadBytes === MAX_PAYLOAD_BYTES_IPV4
    const address =
      request.localAddress ??
      (family === 'both' ? undefined : localAddressOf(monitor, options.localInterface, isIpv4 ? 'IPv4' : 'IPv6'))
    await socket.bind({ port: options.localPort, ...(address === undefined ? {} : { address }) })
    if (peer !== undefined) {
      await socket.connect(peer)
      if (address === undefined) followAddresses(monitor, socket, peer)
    }
    if (request.group !== undefined) followInterface(monitor, socket, options.localInterface, request.group.ttl)
  } catch (error) {
    socket?.close()
    releaseMonitor()
    throw error
  }
  socket.once('close', releaseMonitor)
  return socket
}

/** A group is joined by `net/`, which follows the interfaces. */
function openGroup({ options, group }: GroupRequest): Promise<DatagramSource> {
  const monitor = acquireMonitor()
  const { receiveBufferBytes, localInterface } = options
  const { address } = group.withPort(0)
  // A socket bound to the group hears nothing else; for a link-local one bind(2) wants one interface.
  const isLinkLocal = /^ff[\da-f]2:/i.test(address)
  const membership = new Membership({
    monitor,
    port: group.port,
    bindTo: isLinkLocal ? 'any' : 'group',
    ...(receiveBufferBytes === undefined ? {} : { socket: { receiveBufferBytes } }),
  })
  membership.once('close', releaseMonitor)
  const isPlaced = group.scopeId !== 0 || localInterface === undefined
  try {
    membership.join(address, isPlaced ? {} : { interfaces: [interfaceNamed(localInterface)] })
  } catch (error) {
    membership.close()
    throw error
  }
  return Promise.resolve(membership)
}

function openSocket({ options, family, group, sharesPort, tellsDestination }: UnicastRequest): UdpSocket {
  const socket: UdpSocketOptions = {
    ...socketOptions(options),
    ...(sharesPort === true ? { reuseAddress: true } : {}),
    ...(tellsDestination === true ? { receivePacketInfo: true } : {}),
  }
  if (group !== undefined) {
    const { localInterface } = options
    // TTL 0 means this host; then the interface is the rules' to choose.
    const where = localInterface === undefined || group.ttl === 0 ? {} : { interface: interfaceNamed(localInterface) }
    return openMulticastSender({ group: group.endpoint, ttl: group.ttl, socket, ...where })
  }
  if (family === 'IPv4') return new UdpSocket({ ...socket, type: 'udp4' })
  if (family === 'IPv6') return new UdpSocket({ ...socket, type: 'udp6', ipv6Only: true })
  try {
    return new UdpSocket({ ...socket, type: 'udp6' })
  } catch (error) {
    // A kernel without IPv6.
    if ((error as NodeJS.ErrnoException).code !== 'EAFNOSUPPORT') throw error
    return new UdpSocket({ ...socket, type: 'udp4' })
  }
}

function socketOptions(options: ResolvedUdp): UdpSocketOptions {
  const { receiveBufferBytes, sendBufferBytes, sendQueueBytes, sendQueueDatagrams } = options
  return {
    ...(receiveBufferBytes === undefined ? {} : { receiveBufferBytes }),
    ...(sendBufferBytes === undefined ? {} : { sendBufferBytes }),
    ...(sendQueueBytes === undefined ? {} : { sendQueueBytes }),
    ...(sendQueueDatagrams === undefined ? {} : { sendQueueDatagrams }),
  }
}

/**
 * The kernel fixes the source address of a socket when it is connected (ip4_datagram_connect). When that address is gone and another way
 * to the peer is there, the socket is connected again.
 */
function followAddresses(monitor: InterfaceMonitor, socket: UdpSocket, peer: Endpoint): void {
  const onChange = (): void => {
    if (!socket.closed && !monitor.isLocalEndpoint(socket.address())) void connectAgain(socket, peer)
  }
  monitor.on('change', onChange)
  socket.once('close', () => monitor.off('change', onChange))
}

async function connectAgain(socket: UdpSocket, peer: Endpoint): Promise<void> {
  // No way there yet: the next change is looked at again.
  if (!(await hasWayTo(peer)) || socket.closed) return
  try {
    socket.disconnect()
    await socket.connect(peer)
  } catch (error) {
    // There was a way a moment ago: this socket is broken, and says why.
    if (socket.closed) return
    socket.close()
    socket.emit('error', error as Error)
  }
}

/** Would a socket find a source address for `peer` now? */
async function hasWayTo(peer: Endpoint): Promise<boolean> {
  let probe: UdpSocket | undefined
  try {
    probe = new UdpSocket({ type: peer.isIpv4 ? 'udp4' : 'udp6' })
    await probe.connect(peer)
    return true
  } catch (error) {
    // A bug is not a refusal of the kernel's.
    if (typeof (error as NodeJS.ErrnoException).errno === 'number') return false
    throw error
  } finally {
    probe?.close()
  }
}

/** An interface that was deleted and made again has another index: multicast is sent by the one that has the name now. */
function followInterface(monitor: InterfaceMonitor, socket: UdpSocket, name: string | undefined, ttl: number): void {
  if (name === undefined || ttl === 0 || /^\d+$/.test(name)) return
  let isSet = true
  const onChange = (): void => {
    if (socket.closed) return
    try {
      socket.setOption('multicastInterface', name)
      isSet = true
    } catch (error) {
      // It is gone: what is sent until it is back fails, and is counted and told there.
      if (isSet) socket.emit('sendError', error as never, undefined)
      isSet = false
    }
  }
  monitor.on('change', onChange)
  socket.once('close', () => monitor.off('change', onChange))
}

/** An interface as the socket's options take it: an index is a number there. */
function interfaceNamed(name: string): string | number {
  return /^\d+$/.test(name) ? Number(name) : name
}

/** The address that unicast on an interface is bound to: one that reaches far, if there is one. */
function localAddressOf(
  monitor: InterfaceMonitor,
  localInterface: string | undefined,
  family: 'IPv4' | 'IPv6',
): string | undefined {
  if (localInterface === undefined) return undefined
  if (parseAddress(localInterface) !== undefined) return localInterface
  const found = monitor.interface(interfaceNamed(localInterface))
  const ours = (found?.addresses ?? []).filter((address) => address.family === family && !address.tentative)
  const best = ours.find(({ scope }) => scope === 'global') ?? ours[0]
  if (found === undefined || best === undefined) {
    throw invalidArgValue('options.localInterface', localInterface, `must be an interface with an ${family} address`)
  }
  return best.scope === 'link' && family === 'IPv6' ? `${best.address}%${found.index}` : best.address
}

/** All links of this thread look at one monitor, which is there as long as one of them is. */
let sharedMonitor: InterfaceMonitor | undefined
let monitorUsers = 0

function acquireMonitor(): InterfaceMonitor {
  sharedMonitor ??= new InterfaceMonitor().unref()
  monitorUsers++
  return sharedMonitor
}

function releaseMonitor(): void {
  if (--monitorUsers > 0) return
  sharedMonitor?.close()
  sharedMonitor = undefined
}

const MAX_PAYLOAD_BYTES_IPV4 = 65_507
