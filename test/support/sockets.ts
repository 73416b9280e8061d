import { once } from 'node:events'
import { onTestFinished } from 'vitest'
import { UdpSocket, type BindOptions, type Endpoint, type UdpSocketOptions } from '../../src/index.js'

/** A socket that is closed when the test ends. */
export function open(options: UdpSocketOptions = {}): UdpSocket {
  const socket = new UdpSocket(options)
  onTestFinished(() => socket.close())
  return socket
}

/** A socket on a port of its own, of the loopback interface unless another address is given. */
export async function bound(options: UdpSocketOptions = {}, where: BindOptions = {}): Promise<UdpSocket> {
  const socket = open(options)
  await socket.bind({ address: options.type === 'udp6' ? '::1' : '127.0.0.1', ...where })
  return socket
}

/** As long a receive buffer as anybody may have, by the default of net.core.rmem_max; it is twice the one that sockets begin with. */
export const ROOMY = { receiveBufferBytes: 200_000 } as const

/** An endpoint where nobody listens: it was bound and is closed again. */
export async function deadEndpoint(options: UdpSocketOptions = {}): Promise<Endpoint> {
  const socket = await bound(options)
  const endpoint = socket.address()
  socket.close()
  await once(socket, 'close')
  return endpoint
}

/** The argument of the next event, without the array around it. */
export async function next<T>(socket: UdpSocket, event: string): Promise<T> {
  const [value] = (await once(socket, event)) as [T]
  return value
}

/** Every datagram that was accepted is in exactly one place. */
export function accountedFor(socket: UdpSocket): number {
  const { datagramsSent, datagramsFailed, datagramsDiscarded, queuedDatagrams } = socket.stats()
  return datagramsSent + datagramsFailed + datagramsDiscarded + queuedDatagrams
}

/** What a call throws, with its code. */
export function thrownBy(call: () => unknown): Error & { code?: string } {
  try {
    call()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}
