import { lookup as dnsLookup } from 'node:dns'
import { networkInterfaces } from 'node:os'
import { invalidArgValue, parseAddress, type Endpoint } from '../core/index.js'
import { UdpSocket, endpoint, type UdpSocketOptions } from '../socket/index.js'
import { systemClock, systemRandom } from '../system/index.js'
import type { ResolvedUdp } from './options/link-options.js'
import type { DatagramSocket, GroupRequest, LinkPlatform, UnicastRequest } from './platform.js'

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
  const { options, family, localAddress, peer, multicastTtl } = request
  const multicast: UdpSocketOptions =
    multicastTtl === undefined
      ? {}
      : {
          multicastTtl,
          ...(options.localInterface === undefined ? {} : { multicastInterface: interfaceNamed(options.localInterface) }),
        }
  const socket = openSocket(family, { ...socketOptions(options), ...multicast })
  try {
    const isIpv6 = socket.maxPayloadBytes > MAX_PAYLOAD_BYTES_IPV4
    const address = localAddress ?? localAddressOf(options.localInterface, isIpv6 ? 'IPv6' : 'IPv4', family === 'both')
    await socket.bind({ port: options.localPort, ...(address === undefined ? {} : { address }) })
    if (peer !== undefined) await socket.connect(peer)
  } catch (error) {
    socket.close()
    throw error
  }
  return socket
}

async function openGroup({ options, group, multicastTtl }: GroupRequest): Promise<DatagramSocket> {
  const where = options.localInterface === undefined ? undefined : interfaceNamed(options.localInterface)
  const socket = new UdpSocket({
    ...socketOptions(options),
    type: group.isIpv4 ? 'udp4' : 'udp6',
    ...(group.isIpv4 ? {} : { ipv6Only: true }),
    // Several programs of a host may hear a group, each only what it joined itself.
    reuseAddress: true,
    multicastAll: false,
    ...(multicastTtl === undefined ? {} : { multicastTtl }),
    ...(multicastTtl === undefined || where === undefined ? {} : { multicastInterface: where }),
  })
  try {
    // Bound to the group, it hears no unicast to the port.
    await socket.bind({ port: group.port, address: group.address })
    socket.joinGroup(group.address, where === undefined ? {} : { interface: where })
  } catch (error) {
    socket.close()
    throw error
  }
  return socket
}

function openSocket(family: UnicastRequest['family'], options: UdpSocketOptions): UdpSocket {
  if (family === 'IPv4') return new UdpSocket({ ...options, type: 'udp4' })
  if (family === 'IPv6') return new UdpSocket({ ...options, type: 'udp6', ipv6Only: true })
  try {
    return new UdpSocket({ ...options, type: 'udp6' })
  } catch (error) {
    // A kernel without IPv6.
    if ((error as NodeJS.ErrnoException).code !== 'EAFNOSUPPORT') throw error
    return new UdpSocket({ ...options, type: 'udp4' })
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

/** An interface as the socket's options take it: an index is a number there. */
function interfaceNamed(name: string): string | number {
  return /^\d+$/.test(name) ? Number(name) : name
}

/** The address that unicast on an interface is bound to: one that reaches far, if there is one. */
function localAddressOf(localInterface: string | undefined, family: 'IPv4' | 'IPv6', isDual: boolean): string | undefined {
  if (localInterface === undefined || isDual) return undefined
  if (parseAddress(localInterface) !== undefined) return localInterface
  const found = Object.entries(networkInterfaces()).find(([name]) => name === localInterface)?.[1] ?? []
  const ours = found.filter((address) => address.family === family)
  const best = ours.find(({ address }) => !/^fe80:/i.test(address)) ?? ours[0]
  if (best === undefined) throw invalidArgValue('options.localInterface', localInterface, `must have an ${family} address`)
  return /^fe80:/i.test(best.address) ? `${best.address}%${localInterface}` : best.address
}

const MAX_PAYLOAD_BYTES_IPV4 = 65_507
