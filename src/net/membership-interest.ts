import {
  Endpoint,
  checkBoolean,
  checkInteger,
  checkOptions,
  invalidArgType,
  invalidArgValue,
  parseAddress,
  throwLater,
} from '../core/index.js'
import type { NetworkInterface } from './network-interface.js'

/**
 * An interface by name, by index, by one of its addresses, or by anything else that is known of it. What a function throws becomes an
 * uncaught exception, and counts as "no".
 */
export type InterfaceSelector = string | number | ((candidate: NetworkInterface) => boolean)

/** Which group on which interfaces. It is a wish, not a call: it holds for interfaces that appear later, too. */
export interface JoinOptions {
  /**
   * - `'all'` (default): every interface that can multicast and has an address of the group's family.
   * - `'kernel'`: the one that the routing table chooses for the group, asked again when interfaces, addresses or the default route change.
   * - Selectors: every interface that one of them names.
   */
  interfaces?: 'all' | 'kernel' | readonly InterfaceSelector[]
  /** Not these, whatever `interfaces` says. */
  except?: readonly InterfaceSelector[]
  /**
   * Join on the loopback interface as well: needed for senders of this host that send by it, above all those with TTL 0. IPv4 only: over
   * IPv6, Linux sends no groups by loopback. Default true.
   */
  loopback?: boolean
  /** Only what these addresses send (source-specific multicast, RFC 4607). Default: any source. */
  sources?: readonly string[]
}

/** {@link JoinOptions}, checked and with every default. */
export interface Interest {
  readonly address: string
  readonly isIpv4: boolean
  readonly interfaces: 'all' | 'kernel' | readonly InterfaceSelector[]
  readonly except: readonly InterfaceSelector[]
  readonly loopback: boolean
  readonly sources: readonly string[]
}

/** @throws Misuse, naming the option. */
export function resolveInterest(group: string, options: JoinOptions): Interest {
  checkOptions('options', options, KNOWN)
  const endpoint = Endpoint.of(group, 0, 'group')
  if (!endpoint.isMulticast) throw invalidArgValue('group', group, 'must be a multicast address')
  const { isIpv4, scopeId } = endpoint
  if (isIpv4 && endpoint.family === 'IPv6') throw invalidArgValue('group', group, 'must be written as IPv4')
  if (scopeId !== 0 && options.interfaces !== undefined) {
    throw invalidArgValue('options.interfaces', options.interfaces, 'and a zone in the group exclude each other')
  }
  return Object.freeze({
    address: new Endpoint(endpoint.family, endpoint.words, 0).address,
    isIpv4,
    interfaces: scopeId === 0 ? checkInterfaces(options.interfaces ?? 'all') : [scopeId],
    except: checkSelectors('options.except', options.except ?? []),
    loopback: options.loopback === undefined ? true : checkBoolean('options.loopback', options.loopback),
    sources: checkSources(options.sources ?? [], isIpv4),
  })
}

/**
 * Does the interest take this interface?
 *
 * @param kernelChoice The index that the routing table chose, for `'kernel'`.
 */
export function wants(interest: Interest, candidate: NetworkInterface, kernelChoice: number | undefined): boolean {
  if (interest.except.some((selector) => names(selector, candidate))) return false
  if (candidate.loopback && interest.isIpv4 && interest.loopback) return true
  if (interest.interfaces === 'kernel') return candidate.index === kernelChoice
  if (interest.interfaces !== 'all') return interest.interfaces.some((selector) => names(selector, candidate))
  const family = interest.isIpv4 ? 'IPv4' : 'IPv6'
  return candidate.multicast && !candidate.loopback && candidate.addresses.some((address) => address.family === family)
}

function names(selector: InterfaceSelector, candidate: NetworkInterface): boolean {
  if (typeof selector === 'number') return candidate.index === selector
  if (typeof selector === 'function') return asked(selector, candidate)
  if (candidate.name === selector) return true
  const literal = parseAddress(selector)
  if (literal === undefined) return false
  if (literal.zone !== '' && literal.zone !== candidate.name && literal.zone !== String(candidate.index)) return false
  const { address } = new Endpoint(literal.family === 4 ? 'IPv4' : 'IPv6', literal.words, 0)
  return candidate.addresses.some((own) => own.address === address)
}

function asked(predicate: (candidate: NetworkInterface) => boolean, candidate: NetworkInterface): boolean {
  try {
    return predicate(candidate)
  } catch (error) {
    throwLater(error)
    return false
  }
}

function checkInterfaces(value: unknown): Interest['interfaces'] {
  if (value === 'all' || value === 'kernel') return value
  if (!Array.isArray(value)) throw invalidArgType('options.interfaces', "'all', 'kernel' or an array of selectors", value)
  return checkSelectors('options.interfaces', value)
}

function checkSelectors(name: string, value: unknown): readonly InterfaceSelector[] {
  if (!Array.isArray(value)) throw invalidArgType(name, 'an array of selectors', value)
  for (const [i, selector] of value.entries()) {
    if (typeof selector === 'number') checkInteger(`${name}[${i}]`, selector, 1, MAX_INTERFACE_INDEX)
    else if (typeof selector !== 'string' && typeof selector !== 'function') {
      throw invalidArgType(`${name}[${i}]`, 'an interface name, index, address or a function', selector)
    }
  }
  return Object.freeze([...(value as InterfaceSelector[])])
}

function checkSources(value: unknown, isIpv4: boolean): readonly string[] {
  if (!Array.isArray(value)) throw invalidArgType('options.sources', 'an array of addresses', value)
  const addresses = value.map((source, i) => {
    const endpoint = Endpoint.of(source as string, 0, `options.sources[${i}]`)
    if ((endpoint.family === 'IPv4') !== isIpv4) {
      throw invalidArgValue(`options.sources[${i}]`, source, "must be of the group's family")
    }
    if (endpoint.isMulticast) throw invalidArgValue(`options.sources[${i}]`, source, 'must not be a multicast address')
    return endpoint.address
  })
  return Object.freeze([...new Set(addresses)])
}

const KNOWN: ReadonlySet<string> = new Set(['interfaces', 'except', 'loopback', 'sources'])
const MAX_INTERFACE_INDEX = 0x7fff_ffff
