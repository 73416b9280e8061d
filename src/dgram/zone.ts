import { AF_INET, type Addon } from '../binding/index.js'
import { Endpoint, parseAddress } from '../core/index.js'

/** The endpoint of a literal, as uv_ip4_addr and uv_ip6_addr read it: a zone that names no interface is none. */
export function zonedAddress(addon: Addon, text: unknown): Endpoint | undefined {
  if (typeof text !== 'string') return undefined
  const parsed = parseAddress(text)
  if (parsed === undefined) return undefined
  const scopeId = parsed.zone === '' ? 0 : indexOf(addon, parsed.zone)
  return new Endpoint(parsed.family === 4 ? 'IPv4' : 'IPv6', parsed.words, 0, scopeId)
}

/** What lib/dgram.js gives to `bind`, `connect` and `send` of a handle; undefined where it is no literal of the handle's family. */
export function destinationOf(addon: Addon, family: number, address: string, port: number): Endpoint | undefined {
  const endpoint = zonedAddress(addon, address)
  if (endpoint === undefined || (endpoint.family === 'IPv4') !== (family === AF_INET)) return undefined
  // As v8::Value::Uint32Value and htons: what is no number throws, what is too large is cut.
  return endpoint.withPort((+port >>> 0) & 0xffff)
}

/** The address with its zone by name, as Node shows it: `fe80::1%eth0`. */
export function zonedText(addon: Addon, endpoint: Endpoint): string {
  if (endpoint.scopeId === 0) return endpoint.address
  const known = texts.get(endpoint)
  if (known !== undefined) return known
  const name = entriesOf(addon).find((entry) => entry.index === endpoint.scopeId)?.name ?? String(endpoint.scopeId)
  const text = endpoint.address.replace(/%.*/, `%${name}`)
  texts.set(endpoint, text)
  return text
}

const texts = new WeakMap<Endpoint, string>()

function indexOf(addon: Addon, zone: string): number {
  if (/^\d+$/.test(zone)) return Number(zone)
  return entriesOf(addon).find((entry) => entry.name === zone)?.index ?? 0
}

function entriesOf(addon: Addon): { name: string; index: number }[] {
  const entries = addon.interfaces()
  return typeof entries === 'number' ? [] : entries
}
