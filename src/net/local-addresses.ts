import { formatIpv6, parseAddress, type Endpoint } from '../core/index.js'
import type { InterfaceAddress } from './network-interface.js'

/**
 * The addresses of this host, to be asked once a datagram. It answers as the kernel would let a socket bind: not by an address that is
 * still being checked for a duplicate, and by every address of an IPv4 network of the loopback interface.
 */
export class LocalAddresses {
  /** By the address as a number: how many interfaces (or prefixes) have it. */
  readonly #ipv4 = new Map<number, number>()
  /** By its text: the indexes of the interfaces that have it. */
  readonly #ipv6 = new Map<string, number[]>()
  readonly #loopbackNetworks: Network[] = []

  add(index: number, address: InterfaceAddress, isLoopback: boolean): void {
    if (!isUsable(address)) return
    if (address.family === 'IPv6') {
      const indexes = this.#ipv6.get(address.address)
      if (indexes === undefined) this.#ipv6.set(address.address, [index])
      else indexes.push(index)
      return
    }
    const word = wordOf(address)
    this.#ipv4.set(word, (this.#ipv4.get(word) ?? 0) + 1)
    if (isLoopback) this.#loopbackNetworks.push(networkOf(word, address.prefixLength))
  }

  /** Takes back what {@link add} did with the same arguments. */
  remove(index: number, address: InterfaceAddress, isLoopback: boolean): void {
    if (!isUsable(address)) return
    if (address.family === 'IPv6') {
      const indexes = this.#ipv6.get(address.address)!
      indexes.splice(indexes.indexOf(index), 1)
      if (indexes.length === 0) this.#ipv6.delete(address.address)
      return
    }
    const word = wordOf(address)
    const others = this.#ipv4.get(word)! - 1
    if (others === 0) this.#ipv4.delete(word)
    else this.#ipv4.set(word, others)
    if (isLoopback) this.#removeNetwork(networkOf(word, address.prefixLength))
  }

  /** The port does not matter. The address of nowhere (`0.0.0.0`, `::`) leads to this host. */
  has(endpoint: Endpoint): boolean {
    if (endpoint.isIpv4) return this.#hasIpv4(endpoint.words[3])
    if (endpoint.isAny) return true
    if (endpoint.scopeId === 0) return this.#ipv6.has(endpoint.address)
    const indexes = this.#ipv6.get(formatIpv6(endpoint.words))
    // Elsewhere the kernel ignores the scope (__ipv6_addr_needs_scope_id).
    return indexes !== undefined && (!isLinkLocal(endpoint) || indexes.includes(endpoint.scopeId))
  }

  #hasIpv4(word: number): boolean {
    if (word === 0 || this.#ipv4.has(word)) return true
    return this.#loopbackNetworks.some(({ network, mask }) => (word & mask) >>> 0 === network)
  }

  #removeNetwork(gone: Network): void {
    const at = this.#loopbackNetworks.findIndex(({ network, mask }) => network === gone.network && mask === gone.mask)
    this.#loopbackNetworks.splice(at, 1)
  }
}

interface Network {
  readonly network: number
  readonly mask: number
}

function isUsable(address: InterfaceAddress): boolean {
  return !address.tentative && !address.duplicate
}

function wordOf({ address }: InterfaceAddress): number {
  return parseAddress(address)!.words[3]
}

function networkOf(word: number, prefixLength: number): Network {
  const mask = prefixLength === 0 ? 0 : (-1 << (32 - prefixLength)) >>> 0
  return { network: (word & mask) >>> 0, mask }
}

/** fe80::/10 (RFC 4291 section 2.5.6). */
function isLinkLocal({ words }: Endpoint): boolean {
  return words[0] >>> 22 === 0x3fa
}
