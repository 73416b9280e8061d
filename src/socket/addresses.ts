import { AF_UNSPEC, SOCKADDR_IN6_BYTES, SocketError, decodeSockaddr, encodeSockaddr } from '../binding/index.js'
import { closedError, invalidArgValue, type Endpoint } from '../core/index.js'
import { literalEndpoint, lookUp } from './endpoint-input.js'
import type { OpenSocket } from './open-socket.js'
import type { ResolvedOptions } from './socket-options.js'

/** Where a socket is bound, whom it is connected to, and what the names mean that its user gives. */
export class SocketAddresses {
  readonly #socket: OpenSocket
  #remote: Endpoint | undefined
  #bound: Endpoint | undefined
  #closed = false
  #rejectPending: Set<(error: Error) => void> | undefined

  constructor(socket: OpenSocket) {
    this.#socket = socket
  }

  /** The peer of a connected socket. */
  get remote(): Endpoint | undefined {
    return this.#remote
  }

  /** @throws {@link SocketError} of getsockname(2). */
  get local(): Endpoint {
    return this.#nameOf(false)
  }

  /** @throws {@link SocketError} of bind(2). */
  bind(endpoint: Endpoint): void {
    const result = this.#socket.native.bind(this.#encode('options.address', endpoint))
    if (result < 0) throw new SocketError('bind', result, endpoint.address, endpoint.port)
  }

  /** @throws {@link SocketError} of connect(2). */
  connect(endpoint: Endpoint): void {
    if (this.#remote === undefined) {
      const { local } = this
      this.#bound = local.port === 0 ? undefined : local
    }
    const result = this.#socket.native.connect(this.#encode('peer.address', endpoint))
    if (result < 0) throw new SocketError('connect', result, endpoint.address, endpoint.port)
    this.#remote = this.#nameOf(true)
  }

  /** @throws {@link SocketError} of connect(2) and bind(2). */
  disconnect(): void {
    const result = this.#socket.native.connect(new Uint8Array(Uint16Array.of(AF_UNSPEC, 0, 0, 0, 0, 0, 0, 0).buffer))
    if (result < 0) throw new SocketError('connect', result)
    this.#remote = undefined
    this.#bindAgain()
  }

  /** @throws Misuse: a family that this socket cannot reach. */
  checkFamily(name: string, endpoint: Endpoint): void {
    const { families } = this.#socket
    if (endpoint.isIpv4 ? families.ipv4 : families.ipv6) return
    throw invalidArgValue(name, endpoint.toString(), `must be ${endpoint.isIpv4 ? 'IPv6' : 'IPv4'}, as this socket is`)
  }

  /** Does `use` with the endpoint of a literal at once, and with that of a name when `lookup` has answered. */
  with<T>(address: string, port: number, name: string, use: (endpoint: Endpoint) => T): Promise<T> {
    const { addon, options } = this.#socket
    const literal = literalEndpoint(address, port, () => addon)
    if (literal !== undefined) {
      this.checkFamily(name, literal)
      return new Promise((resolve) => resolve(use(literal)))
    }
    const { lookup } = options
    if (lookup === undefined) {
      throw invalidArgValue(name, address, 'must be an IPv4 or IPv6 literal, or the socket needs the option lookup')
    }
    return new Promise((resolve, reject) => {
      const pending = (this.#rejectPending ??= new Set())
      pending.add(reject)
      lookUp(lookup, address, lookupFamily(options))
        .then((found) => {
          if (this.#closed) return
          const endpoint = literalEndpoint(found, port, () => addon)
          if (endpoint === undefined) throw invalidArgValue(name, found, 'was resolved to something that is not an address')
          this.checkFamily(name, endpoint)
          resolve(use(endpoint))
        })
        .catch(reject)
        .finally(() => pending.delete(reject))
    })
  }

  /** Whoever waits for a name waits no longer. */
  close(): void {
    this.#closed = true
    for (const reject of this.#rejectPending ?? []) reject(closedError('socket'))
    this.#rejectPending = undefined
  }

  /** The kernel lets go of a port that it chose itself when an association ends (__udp_disconnect). */
  #bindAgain(): void {
    if (this.#bound === undefined || this.local.port !== 0) return
    const result = this.#socket.native.bind(this.#encode('address', this.#bound))
    if (result < 0) throw new SocketError('bind', result, this.#bound.address, this.#bound.port)
  }

  #encode(name: string, endpoint: Endpoint): Uint8Array {
    const bytes = encodeSockaddr(endpoint, this.#socket.family)
    if (bytes === undefined) throw invalidArgValue(name, endpoint.toString(), 'must be IPv4, as this socket is')
    return bytes
  }

  #nameOf(peer: boolean): Endpoint {
    const out = new Uint8Array(SOCKADDR_IN6_BYTES)
    const length = this.#socket.native.getName(peer, out)
    if (length < 0) throw new SocketError(peer ? 'getpeername' : 'getsockname', length)
    return decodeSockaddr(out)!
  }
}

function lookupFamily(options: ResolvedOptions): 0 | 4 | 6 {
  if (options.type === 'udp4') return 4
  return options.ipv6Only ? 6 : 0
}
