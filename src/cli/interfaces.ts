import { readFileSync, readdirSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { CommandError } from './exit.js'

/** A network interface as the kernel describes it in /sys/class/net. */
export interface Interface {
  readonly name: string
  readonly index: number
  readonly mtuBytes: number
  /** operstate(5): `up`, `down`, `unknown` (loopback and some tunnels), … */
  readonly state: string
  readonly isUp: boolean
  readonly isLoopback: boolean
  readonly isMulticast: boolean
  /** With their prefix length: `192.0.2.2/24`. */
  readonly addresses: readonly string[]
}

/** All interfaces of this network namespace; those without an address too. */
export function listInterfaces(): Interface[] {
  const addresses = networkInterfaces()
  return names(addresses)
    .map((name) => {
      const flags = Number.parseInt(read(name, 'flags') ?? '0', 16)
      return {
        name,
        index: Number(read(name, 'ifindex') ?? 0),
        mtuBytes: Number(read(name, 'mtu') ?? 0),
        state: read(name, 'operstate') ?? 'unknown',
        isUp: (flags & IFF_UP) !== 0,
        isLoopback: (flags & IFF_LOOPBACK) !== 0,
        isMulticast: (flags & IFF_MULTICAST) !== 0,
        addresses: (addresses[name] ?? []).map(({ cidr, address }) => cidr ?? address),
      }
    })
    .sort((a, b) => a.index - b.index)
}

/** The name of the interface that `text` names by name, index or address. */
export function interfaceName(text: string): string {
  const found = listInterfaces().find(
    ({ name, index, addresses }) =>
      name === text || String(index) === text || addresses.some((address) => address.replace(/\/.*/, '') === text),
  )
  if (found === undefined) throw new CommandError(`no interface '${text}': geysir doctor lists them`)
  return found.name
}

function names(addresses: object): string[] {
  try {
    return readdirSync('/sys/class/net')
  } catch {
    return Object.keys(addresses)
  }
}

function read(name: string, file: string): string | undefined {
  try {
    return readFileSync(`/sys/class/net/${name}/${file}`, 'utf8').trim()
  } catch {
    return undefined
  }
}

// linux/if.h
const IFF_UP = 0x1
const IFF_LOOPBACK = 0x8
const IFF_MULTICAST = 0x1000
