import { checkInteger, checkLocalPort, checkString } from './arguments.js'
import { invalidArgType, invalidArgValue } from './errors.js'
import { formatIpv4, formatIpv6, isIpv4MappedPrefix, isIpv4MulticastWord, parseAddress } from './ip-address.js'

/** What a caller may write where an endpoint is meant. */
export interface EndpointLike {
  /** An IPv4 or IPv6 literal. */
  readonly address: string
  readonly port: number
}

/**
 * An address and a port: where a datagram comes from or goes to.
 *
 * Immutable. The same peer is usually the same object (a socket interns the endpoints of what it receives), so comparing
 * with `===` is a good first test; {@link Endpoint.equals} is the exact one.
 */
export class Endpoint {
  readonly family: 'IPv4' | 'IPv6'
  readonly port: number
  /** The interface index that a link-local IPv6 address belongs to (RFC 4007), 0 where none is meant. */
  readonly scopeId: number
  /** The address in network order, most significant word first; IPv4 stands in the last word alone. */
  readonly words: readonly [number, number, number, number]
  #address: string | undefined

  constructor(family: 'IPv4' | 'IPv6', words: readonly [number, number, number, number], port: number, scopeId = 0) {
    this.family = family
    this.words = words
    this.port = port
    this.scopeId = scopeId
  }

  /**
   * The endpoint of a literal address. `name` is what errors call the address.
   *
   * @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE` for a port that is none, `ERR_INVALID_ARG_VALUE` for an address that is
   *   not a literal or whose zone is a name (the core knows no interfaces: the socket room's `endpoint` does).
   */
  static of(address: string, port: number, name = 'address'): Endpoint {
    checkString(name, address)
    checkLocalPort('port', port)
    const parsed = parseAddress(address)
    if (!parsed) throw invalidArgValue(name, address, 'must be an IPv4 or IPv6 literal')
    if (parsed.zone !== '' && !/^\d+$/.test(parsed.zone)) {
      throw invalidArgValue(name, address, 'must name its zone by interface index here')
    }
    const scopeId = parsed.zone === '' ? 0 : checkInteger(name, Number(parsed.zone), 0, MAX_SCOPE_ID)
    return new Endpoint(parsed.family === 4 ? 'IPv4' : 'IPv6', parsed.words, port, scopeId)
  }

  /** An endpoint from what a caller may write for one. */
  static from(value: Endpoint | EndpointLike, name = 'endpoint'): Endpoint {
    if (value instanceof Endpoint) return value
    if (typeof value !== 'object' || (value as unknown) === null) {
      throw invalidArgType(name, 'an Endpoint or an object with address and port', value)
    }
    return Endpoint.of(value.address, value.port)
  }

  /** The address as text (RFC 5952), with its zone for a scoped one: `127.0.0.1`, `fe80::1%2`. */
  get address(): string {
    this.#address ??= this.family === 'IPv4' ? formatIpv4(this.words[3]) : this.#ipv6Text()
    return this.#address
  }

  get isMulticast(): boolean {
    if (this.isIpv4) return isIpv4MulticastWord(this.words[3])
    return this.words[0] >>> 24 === 0xff
  }

  /** IPv4, or IPv4 in an IPv6 socket's clothes (`::ffff:192.0.2.1`). */
  get isIpv4(): boolean {
    return this.family === 'IPv4' || isIpv4MappedPrefix(this.words[0], this.words[1], this.words[2])
  }

  get isAny(): boolean {
    const [a, b, c, d] = this.words
    return a === 0 && b === 0 && c === 0 && d === 0
  }

  equals(other: Endpoint): boolean {
    return (
      this === other ||
      (this.port === other.port &&
        this.family === other.family &&
        this.scopeId === other.scopeId &&
        this.words.every((word, i) => word === other.words[i]))
    )
  }

  withPort(port: number): Endpoint {
    return new Endpoint(this.family, this.words, port, this.scopeId)
  }

  /** `127.0.0.1:53`, `[::1]:53`. */
  toString(): string {
    return this.family === 'IPv4' ? `${this.address}:${this.port}` : `[${this.address}]:${this.port}`
  }

  toJSON(): { address: string; family: 'IPv4' | 'IPv6'; port: number } {
    return { address: this.address, family: this.family, port: this.port }
  }

  #ipv6Text(): string {
    const text = formatIpv6(this.words)
    return this.scopeId === 0 ? text : `${text}%${this.scopeId}`
  }
}

const MAX_SCOPE_ID = 0xffff_ffff
