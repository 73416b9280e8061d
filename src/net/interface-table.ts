import { isSameAddress } from './interface-address.js'
import { IFF_BROADCAST, IFF_LOOPBACK, IFF_MULTICAST, IFF_POINTOPOINT, IFF_RUNNING, IFF_UP } from './netlink-constants.js'
import { LocalAddresses } from './local-addresses.js'
import type { DefaultRoute, InterfaceAddress, NetworkInterface } from './network-interface.js'
import type { AddressFacts, Family, LinkDetails, LinkFacts, RouteMessage } from './rtnetlink-decoder.js'
import type { DumpKind } from './rtnetlink-encoder.js'

/**
 * The interfaces as the messages told them until now. Snapshot and monitor feed the same one, so that they cannot disagree.
 *
 * A dump brings the table in line: what it does not mention is gone. Messages of a dump may be older than events that came before
 * them, because the kernel reads without a lock; so while a dump runs, what an event told about an object stands, and the dump's word
 * about it does not count. If the object changed again, another event follows.
 */
export class InterfaceTable {
  /** Interfaces that something was told about since {@link clearTouched}, by serial number, in order. */
  readonly touched = new Set<number>()
  /** Addresses of interfaces that nobody had told of. */
  orphans = 0
  readonly #byIndex = new Map<number, Entry>()
  readonly #bySerial = new Map<number, Entry>()
  #routes: Record<Family, readonly DefaultRoute[]> = { IPv4: NO_ROUTES, IPv6: NO_ROUTES }
  #dump: Dump | undefined
  #list: readonly NetworkInterface[] | undefined
  #serial = 0
  /** Made for the first who asks: a snapshot needs none. */
  #local: LocalAddresses | undefined

  /** All interfaces, by index. The same array as long as nothing changes. */
  get interfaces(): readonly NetworkInterface[] {
    if (this.#list === undefined) {
      const entries = [...this.#byIndex.values()].sort((a, b) => a.link.index - b.link.index)
      this.#list = Object.freeze(entries.map((entry) => viewOf(entry)))
    }
    return this.#list
  }

  byIndex(index: number): NetworkInterface | undefined {
    const entry = this.#byIndex.get(index)
    return entry && viewOf(entry)
  }

  /** A serial number is never used again, as an index may be. */
  bySerial(serial: number): NetworkInterface | undefined {
    const entry = this.#bySerial.get(serial)
    return entry && viewOf(entry)
  }

  /** Which addresses are ours. Follows the table. */
  get local(): LocalAddresses {
    if (this.#local === undefined) {
      this.#local = new LocalAddresses()
      for (const entry of this.#byIndex.values()) {
        for (const address of entry.addresses.values()) this.#local.add(entry.link.index, address, isLoopback(entry))
      }
    }
    return this.#local
  }

  /** The default routes of a family, the best one first. */
  defaultRoutes(family: Family): readonly DefaultRoute[] {
    return this.#routes[family]
  }

  clearTouched(): void {
    this.touched.clear()
  }

  beginDump(kind: DumpKind): void {
    this.#dump = { kind, told: new Set(), seen: new Set(), routes: [] }
  }

  /** What a message of the dump says. */
  applyDumped(message: RouteMessage): void {
    const dump = this.#dump
    if (dump === undefined) return
    if (message.type === 'defaultRoute') {
      if (message.family === ROUTE_FAMILY[dump.kind]) dump.routes.push(...message.routes)
      return
    }
    const key = keyOf(message)
    if (key === undefined || dump.told.has(key)) return
    dump.seen.add(key)
    this.#apply(message)
  }

  /** What a message says that came by itself. */
  applyEvent(message: RouteMessage): void {
    const key = keyOf(message)
    if (key !== undefined) this.#dump?.told.add(key)
    this.#apply(message)
  }

  /** The dump is complete: what was not in it is gone. */
  endDump(): void {
    const dump = this.#dump
    if (dump === undefined) return
    this.#dump = undefined
    const isGone = (key: string): boolean => !dump.seen.has(key) && !dump.told.has(key)
    const family = ROUTE_FAMILY[dump.kind]
    if (family !== undefined) this.#setRoutes(family, dump.routes)
    else if (dump.kind === 'links') {
      for (const { link } of [...this.#byIndex.values()]) if (isGone(linkKey(link.index))) this.#removeLink(link.index)
    } else {
      for (const entry of this.#byIndex.values()) {
        for (const key of [...entry.addresses.keys()]) {
          if (isGone(addressKeyOf(entry.link.index, key))) this.#removeAddress(entry.link.index, key)
        }
      }
    }
  }

  /** The dump failed: what it said stays, and nothing is taken to be gone. */
  abandonDump(): void {
    this.#dump = undefined
  }

  #apply(message: RouteMessage): void {
    if (message.type === 'link') {
      if (message.removed) this.#removeLink(message.link.index)
      else this.#setLink(message.link)
    } else if (message.type === 'address') {
      if (message.removed) this.#removeAddress(message.index, message.address.key)
      else this.#setAddress(message.index, message.address)
    }
  }

  #setLink(link: LinkFacts): void {
    const entry = this.#byIndex.get(link.index)
    if (entry === undefined) {
      const made = {
        serial: ++this.#serial,
        link: link,
        details: link.details ?? UNKNOWN_DETAILS,
        addresses: new Map(),
        view: undefined,
      }
      this.#byIndex.set(link.index, made)
      this.#bySerial.set(made.serial, made)
      this.#touch(made)
      return
    }
    const details = link.details ?? entry.details
    if (link.name === entry.link.name && link.flags === entry.link.flags && isSameDetails(details, entry.details)) return
    entry.link = link
    entry.details = details
    this.#touch(entry)
  }

  #removeLink(index: number): void {
    const entry = this.#byIndex.get(index)
    if (entry === undefined) return
    for (const key of [...entry.addresses.keys()]) this.#removeAddress(index, key)
    this.#byIndex.delete(index)
    this.#bySerial.delete(entry.serial)
    this.#touch(entry)
  }

  #setAddress(index: number, { key, value }: AddressFacts): void {
    const entry = this.#byIndex.get(index)
    if (entry === undefined) {
      this.orphans++
      return
    }
    const before = entry.addresses.get(key)
    if (before !== undefined) {
      if (isSameAddress(before, value)) return
      this.#local?.remove(index, before, isLoopback(entry))
    }
    this.#local?.add(index, value, isLoopback(entry))
    entry.addresses.set(key, value)
    this.#touch(entry)
  }

  #removeAddress(index: number, key: string): void {
    const entry = this.#byIndex.get(index)
    const before = entry?.addresses.get(key)
    if (entry === undefined || before === undefined) return
    this.#local?.remove(index, before, isLoopback(entry))
    entry.addresses.delete(key)
    this.#touch(entry)
  }

  #setRoutes(family: Family, routes: readonly DefaultRoute[]): void {
    const sorted = [...routes].sort((a, b) => a.metric - b.metric)
    if (!isSameRoutes(sorted, this.#routes[family])) this.#routes[family] = Object.freeze(sorted)
  }

  #touch(entry: Entry): void {
    entry.view = undefined
    this.#list = undefined
    this.touched.add(entry.serial)
  }
}

interface Entry {
  readonly serial: number
  link: LinkFacts
  details: LinkDetails
  readonly addresses: Map<string, InterfaceAddress>
  /** What users get, until something changes. */
  view: NetworkInterface | undefined
}

interface Dump {
  readonly kind: DumpKind
  /** Objects that an event told of since the dump was asked for. */
  readonly told: Set<string>
  readonly seen: Set<string>
  readonly routes: DefaultRoute[]
}

function keyOf(message: RouteMessage): string | undefined {
  if (message.type === 'link') return linkKey(message.link.index)
  return message.type === 'address' ? addressKeyOf(message.index, message.address.key) : undefined
}

function linkKey(index: number): string {
  return `${index}`
}

function addressKeyOf(index: number, key: string): string {
  return `${index} ${key}`
}

function viewOf(entry: Entry): NetworkInterface {
  entry.view ??= makeView(entry)
  return entry.view
}

function makeView({ link, details, addresses }: Entry): NetworkInterface {
  const has = (flag: number): boolean => (link.flags & flag) !== 0
  return Object.freeze({
    index: link.index,
    name: link.name,
    up: has(IFF_UP),
    running: has(IFF_UP) && has(IFF_RUNNING),
    loopback: has(IFF_LOOPBACK),
    multicast: has(IFF_MULTICAST),
    broadcast: has(IFF_BROADCAST),
    pointToPoint: has(IFF_POINTOPOINT),
    flags: link.flags,
    ...details,
    addresses: Object.freeze([...addresses.values()]),
  })
}

function isLoopback({ link }: Entry): boolean {
  return (link.flags & IFF_LOOPBACK) !== 0
}

function isSameDetails(a: LinkDetails, b: LinkDetails): boolean {
  return (
    a === b ||
    (a.mtuBytes === b.mtuBytes &&
      a.hardwareAddress === b.hardwareAddress &&
      a.kind === b.kind &&
      a.operationalState === b.operationalState &&
      a.master === b.master)
  )
}

function isSameRoutes(a: readonly DefaultRoute[], b: readonly DefaultRoute[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ interfaceIndex, gateway, metric }, i) => {
      const other = b[i]!
      return interfaceIndex === other.interfaceIndex && gateway === other.gateway && metric === other.metric
    })
  )
}

const ROUTE_FAMILY: Readonly<Record<DumpKind, Family | undefined>> = {
  links: undefined,
  addresses: undefined,
  ipv4Routes: 'IPv4',
  ipv6Routes: 'IPv6',
}
const NO_ROUTES: readonly DefaultRoute[] = Object.freeze([])
/** Of a link that was only told of in part. */
const UNKNOWN_DETAILS: LinkDetails = {
  mtuBytes: 0,
  hardwareAddress: undefined,
  kind: undefined,
  operationalState: 'unknown',
  master: undefined,
}
