import type { Endpoint, EndpointLike, Link, Payload } from '../core/index.js'
import {
  InterfaceMonitor,
  Membership,
  type InterfaceChange,
  type JoinOptions,
  type MembershipAudit,
  type NetworkInterface,
} from '../net/index.js'
import { UdpSocket, type SendOptions } from '../socket/index.js'
import type { ObservedBatch } from './service-batch.js'

/** A unicast socket of a service. */
export interface ServiceSocket extends Link {
  address(): Endpoint
  send(payload: Payload, endpoint?: Endpoint | EndpointLike, options?: SendOptions): boolean
}

/** What receives the groups of one port and family. */
export interface ServiceMembership {
  join(group: string, options: JoinOptions): void
  leave(group: string): void
  on(event: 'batch', listener: (batch: ObservedBatch) => void): unknown
  on(event: 'audit', listener: (audit: MembershipAudit) => void): unknown
  off(event: 'batch', listener: (batch: ObservedBatch) => void): unknown
  stats(): object
  close(): void
  ref(): unknown
  unref(): unknown
}

/** What tells of interfaces and addresses. */
export interface ServiceMonitor {
  interfaces(): readonly NetworkInterface[]
  isLocalEndpoint(endpoint: Endpoint): boolean
  on(event: 'change', listener: (changes: readonly InterfaceChange[]) => void): unknown
  close(): void
  ref(): unknown
  unref(): unknown
}

export interface ServiceSocketRequest {
  readonly family: 'IPv4' | 'IPv6'
  readonly port: number
  readonly multicastTtl: number
  readonly multicastLoopback: boolean
  /** The port is that of the groups as well. */
  readonly sharesPort: boolean
}

/** The parts of a service that are the operating system's. */
export interface ServicePlatform {
  openMonitor(): ServiceMonitor
  openSocket(request: ServiceSocketRequest): Promise<ServiceSocket>
  openMembership(monitor: ServiceMonitor, port: number, bindTo: 'any' | 'group'): ServiceMembership
}

export const systemServicePlatform: ServicePlatform = {
  openMonitor: () => new InterfaceMonitor(),
  openSocket: async ({ family, port, multicastTtl, multicastLoopback, sharesPort }) => {
    const socket = new UdpSocket({
      ...(family === 'IPv4' ? { type: 'udp4' } : { type: 'udp6', ipv6Only: true }),
      receivePacketInfo: true,
      reuseAddress: sharesPort,
      multicastAll: false,
      multicastTtl,
      multicastLoopback,
    })
    try {
      await socket.bind({ port })
    } catch (error) {
      socket.close()
      throw error
    }
    return socket
  },
  openMembership: (monitor, port, bindTo) => new Membership({ monitor: monitor as InterfaceMonitor, port, bindTo }),
}
