import { AF_INET, AF_INET6, SocketError, type Addon, type NativeSocket } from '../binding/index.js'
import { featureUnavailable } from '../core/index.js'
import * as k from './kernel-constants.js'
import { trySetInteger, type SocketFamilies } from './kernel-options.js'
import { prepareReceiving } from './receiver.js'
import type { ResolvedOptions } from './socket-options.js'

/** A descriptor and what is known of it. */
export interface Descriptor {
  readonly addon: Addon
  readonly native: NativeSocket
  readonly options: ResolvedOptions
  /** AF_INET or AF_INET6. */
  readonly family: number
  readonly families: SocketFamilies
}

/** A descriptor that is prepared to send and receive: what the parts of a socket share. */
export interface OpenSocket extends Descriptor {
  /** Does it send coalesced, does it receive coalesced? */
  readonly sendOffload: boolean
  readonly receiveOffload: boolean
}

/** @throws {@link SocketError} of socket(2). */
export function openDescriptor(
  addon: Addon,
  options: ResolvedOptions,
  onEvent: (event: number, value: number) => void,
): Descriptor {
  const family = options.type === 'udp4' ? AF_INET : AF_INET6
  const native = new addon.Socket(family, k.SOCK_DGRAM, 0, onEvent)
  if (native.fd() < 0) throw new SocketError('socket', native.fd())
  return { addon, native, options, family, families: FAMILIES[options.ipv6Only ? 'ipv6Only' : options.type]! }
}

/**
 * Sets what every UDP socket needs, and what the user asked for.
 *
 * @param setKernelOptions Comes before offload is looked at.
 * @throws {@link SocketError} of setsockopt(2), and what `setKernelOptions` throws; then the descriptor is closed.
 */
export function prepareSocket(descriptor: Descriptor, setKernelOptions: () => void): OpenSocket {
  const { addon, native, options, family, families } = descriptor
  try {
    if (family === AF_INET6) setIpv6Only(native, options.ipv6Only)
    setKernelOptions()
    const sendOffload = prepareSending(native, options)
    const receiveOffload = prepareReceiving(addon, native, options)
    return { addon, native, options, family, families, sendOffload, receiveOffload }
  } catch (error) {
    native.close()
    throw error
  }
}

function setIpv6Only(native: NativeSocket, only: boolean): void {
  const value = new Uint8Array(Int32Array.of(only ? 1 : 0).buffer)
  const result = native.setOption(k.IPPROTO_IPV6, k.IPV6_V6ONLY, value)
  if (result < 0) throw new SocketError('setsockopt', result, undefined, undefined, ' (ipv6Only)')
}

function prepareSending(native: NativeSocket, { sendOffload, sendOffloadRequired }: ResolvedOptions): boolean {
  // Segment size 0 changes nothing; a kernel without UDP_SEGMENT refuses the option itself.
  const offload = sendOffload && trySetInteger(native, k.IPPROTO_UDP, k.UDP_SEGMENT, 0)
  if (sendOffloadRequired && !offload) throw featureUnavailable('Option sendOffload', 'this kernel has no UDP_SEGMENT')
  return offload
}

const FAMILIES: Readonly<Record<string, SocketFamilies>> = {
  udp4: { ipv4: true, ipv6: false },
  udp6: { ipv4: true, ipv6: true },
  ipv6Only: { ipv4: false, ipv6: true },
}
