import { getSystemErrorMap } from 'node:util'
import {
  AF_INET,
  ERRNO,
  SOCKADDR_IN6_BYTES,
  decodeSockaddr,
  encodeSockaddr,
  type Addon,
  type NativeSocket,
} from '../binding/index.js'
import * as k from '../socket/kernel-constants.js'
import type { OptionRequest } from './membership.js'
import { UV_UDP_IPV6ONLY, UV_UDP_REUSEADDR, UV_UDP_REUSEPORT, type BufferSizeContext } from './node-internals.js'
import { zonedAddress, zonedText } from './zone.js'

// The options and names of a descriptor, as libuv sets and tells them (src/unix/udp.c). Each returns 0 or more, or a negated errno:
// EBADF while there is no descriptor.

type MaybeSocket = NativeSocket | undefined

export function setInteger(native: MaybeSocket, level: number, name: number, value: number): number {
  return setBytes(native, { level, name, value: new Uint8Array(Int32Array.of(value).buffer) })
}

export function setBytes(native: MaybeSocket, { level, name, value }: Omit<OptionRequest, 'family'>): number {
  return native === undefined ? -ERRNO.EBADF : native.setOption(level, name, value)
}

/** What `flags` ask for before bind(2). */
export function setBindFlags(native: MaybeSocket, flags: number): number {
  for (const [flag, level, name] of BIND_FLAGS) {
    const result = (flags & flag) === 0 ? 0 : setInteger(native, level, name, 1)
    if (result < 0) return result
  }
  return 0
}

export function setTtl(native: MaybeSocket, family: number, ttl: number): number {
  if ((ttl | 0) < 1 || (ttl | 0) > 255) return -ERRNO.EINVAL
  return family === AF_INET
    ? setInteger(native, k.IPPROTO_IP, k.IP_TTL, ttl)
    : setInteger(native, k.IPPROTO_IPV6, k.IPV6_UNICAST_HOPS, ttl)
}

export function setMulticastTtl(native: MaybeSocket, family: number, ttl: number): number {
  if ((ttl | 0) < 0 || (ttl | 0) > 255) return -ERRNO.EINVAL
  return family === AF_INET
    ? setInteger(native, k.IPPROTO_IP, k.IP_MULTICAST_TTL, ttl)
    : setInteger(native, k.IPPROTO_IPV6, k.IPV6_MULTICAST_HOPS, ttl)
}

export function setMulticastLoopback(native: MaybeSocket, family: number, on: number): number {
  return family === AF_INET
    ? setInteger(native, k.IPPROTO_IP, k.IP_MULTICAST_LOOP, on)
    : setInteger(native, k.IPPROTO_IPV6, k.IPV6_MULTICAST_LOOP, on)
}

export function setMulticastInterface(native: MaybeSocket, addon: Addon, address: string): number {
  const endpoint = zonedAddress(addon, address)
  if (endpoint === undefined) return -ERRNO.EINVAL
  if (endpoint.family === 'IPv4') {
    const value = encodeSockaddr(endpoint, AF_INET)!.subarray(4, 8)
    return setBytes(native, { level: k.IPPROTO_IP, name: k.IP_MULTICAST_IF, value })
  }
  return setInteger(native, k.IPPROTO_IPV6, k.IPV6_MULTICAST_IF, endpoint.scopeId)
}

/** Sets the size of a kernel buffer, or gets it (0). Undefined, and the error in `context`, where that fails. */
export function bufferSize(
  native: MaybeSocket,
  size: number,
  isReceive: boolean,
  context: BufferSizeContext,
): number | undefined {
  const option = isReceive ? k.SO_RCVBUF : k.SO_SNDBUF
  const out = Buffer.alloc(4)
  const result =
    size > 0x7fff_ffff
      ? -ERRNO.EINVAL
      : size !== 0
        ? setInteger(native, k.SOL_SOCKET, option, size)
        : (native?.getOption(k.SOL_SOCKET, option, out) ?? -ERRNO.EBADF)
  if (result >= 0) return size === 0 ? new Int32Array(Uint8Array.from(out).buffer)[0]! : size
  const [code, message] = getSystemErrorMap().get(result) ?? ['UNKNOWN', 'unknown error']
  Object.assign(context, { errno: result, code, message, syscall: isReceive ? 'uv_recv_buffer_size' : 'uv_send_buffer_size' })
  return undefined
}

/** Writes the name of the socket, or of its peer, into `out`. */
export function readName(native: MaybeSocket, addon: Addon, ofPeer: boolean, out: object): number {
  if (native === undefined) return -ERRNO.EBADF
  const bytes = new Uint8Array(SOCKADDR_IN6_BYTES)
  const length = native.getName(ofPeer, bytes)
  if (length < 0) return length
  const endpoint = decodeSockaddr(bytes)!
  Object.assign(out, { address: zonedText(addon, endpoint), family: endpoint.family, port: endpoint.port })
  return 0
}

const BIND_FLAGS: readonly (readonly [flag: number, level: number, name: number])[] = [
  [UV_UDP_REUSEADDR, k.SOL_SOCKET, k.SO_REUSEADDR],
  [UV_UDP_REUSEPORT, k.SOL_SOCKET, k.SO_REUSEPORT],
  [UV_UDP_IPV6ONLY, k.IPPROTO_IPV6, k.IPV6_V6ONLY],
]
