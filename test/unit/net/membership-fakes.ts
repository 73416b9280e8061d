import { EventEmitter } from 'node:events'
import { onTestFinished } from 'vitest'
import { ERRNO, decodeSockaddr, type NativeEventHandler } from '../../../src/binding/index.js'
import type { Clock, Timer } from '../../../src/core/index.js'
import type { InterfaceChange, InterfaceSource } from '../../../src/net/interface-change.js'
import {
  Membership,
  type InterfaceAddress,
  type MembershipAudit,
  type MembershipOptions,
  type NetworkInterface,
} from '../../../src/net/index.js'
import * as k from '../../../src/socket/kernel-constants.js'
import { FakeAddon, type FakeSocket } from '../../support/fake-addon.js'

/** Interfaces that a test makes and removes; each step is told at once, as one burst. */
export class FakeInterfaces extends EventEmitter implements InterfaceSource {
  #all: NetworkInterface[]
  closed = false

  constructor(...all: NetworkInterface[]) {
    super()
    this.#all = all
  }

  interfaces(): readonly NetworkInterface[] {
    if (this.closed) throw Object.assign(new Error('closed'), { code: 'ERR_CLOSED' })
    return this.#all
  }

  add(made: NetworkInterface): void {
    this.#all.push(made)
    this.tell({ type: 'interfaceAdded', before: undefined, after: made })
  }

  remove(index: number): NetworkInterface {
    const gone = this.#all.find((each) => each.index === index)!
    this.#all = this.#all.filter((each) => each !== gone)
    this.tell({ type: 'interfaceRemoved', before: gone, after: undefined })
    return gone
  }

  /** In one burst: the interface is gone, and another has its index. */
  remake(index: number, made: NetworkInterface): void {
    const gone = this.#all.find((each) => each.index === index)!
    this.#all = [...this.#all.filter((each) => each !== gone), made]
    this.tell(
      { type: 'interfaceRemoved', before: gone, after: undefined },
      { type: 'interfaceAdded', before: undefined, after: made },
    )
  }

  become(after: NetworkInterface, type: 'interfaceRenamed' | 'interfaceChanged' | 'mtuChanged' = 'interfaceChanged'): void {
    const before = this.#all.find((each) => each.index === after.index)!
    this.#all = this.#all.map((each) => (each === before ? after : each))
    this.tell({ type, before, after })
  }

  tell(...changes: InterfaceChange[]): void {
    this.emit('change', changes)
  }
}

export function ethernet(index: number, name: string, ...addresses: string[]): NetworkInterface {
  return {
    index,
    name,
    up: true,
    running: true,
    loopback: name === 'lo',
    multicast: name !== 'lo',
    broadcast: true,
    pointToPoint: false,
    flags: 0,
    mtuBytes: 1500,
    hardwareAddress: undefined,
    kind: undefined,
    operationalState: 'up',
    master: undefined,
    addresses: addresses.map(interfaceAddress),
  }
}

export const LO = ethernet(1, 'lo', '127.0.0.1', '::1')

function interfaceAddress(address: string): InterfaceAddress {
  return {
    family: address.includes(':') ? 'IPv6' : 'IPv4',
    address,
    prefixLength: 24,
    scope: 'global',
    broadcast: undefined,
    peer: undefined,
    tentative: false,
    deprecated: false,
    temporary: false,
    duplicate: false,
    permanent: true,
  }
}

interface Entry {
  group: string
  index: number
  sources: Set<string>
}

/** The kernel's side of memberships, as far as they concern us: entries of sockets, their limits, and interfaces that are gone. */
export class FakeKernel {
  readonly addon = new FakeAddon()
  maxMemberships = 20
  maxSources = 10
  /** What joining on an index is answered, instead of being done. */
  readonly denied = new Map<number, number>()
  /** Where the routing table leads; 0 for nowhere. */
  chosen = 0
  readonly #entries = new WeakMap<FakeSocket, Entry[]>()
  readonly #source: FakeInterfaces

  constructor(source: FakeInterfaces) {
    this.#source = source
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- the class below has a `this` of its own
    const kernel = this
    const Base = this.addon.Socket
    const Socket = class extends Base {
      constructor(domain: number, type: number, protocol: number, onEvent: NativeEventHandler) {
        super(domain, type, protocol, onEvent)
        kernel.#entries.set(this, [])
      }

      override setOption(level: number, name: number, value: Uint8Array): number {
        return this.isOpen && MEMBERSHIP_OPTIONS.has(name) && value.length >= 136 ? kernel.#change(this, name, value) : super.setOption(level, name, value) // prettier-ignore
      }
    }
    Object.assign(this.addon, { Socket })
  }

  /** What the open sockets hold, entries of interfaces that are gone included: `239.1.1.1 on 2`. */
  held(): string[][] {
    return this.addon.sockets
      .filter((socket) => socket.isOpen)
      .map((socket) =>
        this.#entries.get(socket)!.map(({ group, index, sources }) => [`${group} on ${index}`, ...sources].join(' from ')),
      )
  }

  #change(socket: FakeSocket, name: number, value: Uint8Array): number {
    let index = new DataView(value.buffer, value.byteOffset).getUint32(0, true)
    const group = decodeSockaddr(value.subarray(8))!.address
    const source = value.length === 264 ? decodeSockaddr(value.subarray(136))!.address : undefined
    const entries = this.#entries.get(socket)!
    if (name === k.MCAST_LEAVE_GROUP) {
      const at = entries.findIndex((entry) => entry.group === group && entry.index === index)
      if (at < 0) return -ERRNO.EADDRNOTAVAIL
      entries.splice(at, 1)
      return 0
    }
    if (index === 0) index = this.chosen
    if (!this.#source.interfaces().some((each) => each.index === index)) return -ERRNO.ENODEV
    const known = entries.find((entry) => entry.group === group && entry.index === index)
    if (known === undefined) {
      if (entries.length >= this.maxMemberships) return -ERRNO.ENOBUFS
      const denied = this.denied.get(index)
      if (denied !== undefined) return -denied
      entries.push({ group, index, sources: new Set(source === undefined ? [] : [source]) })
      return 0
    }
    if (source === undefined) return -ERRNO.EADDRINUSE
    if (known.sources.has(source)) return -ERRNO.EADDRNOTAVAIL
    if (known.sources.size >= this.maxSources) return -ERRNO.ENOBUFS
    known.sources.add(source)
    return 0
  }
}

const MEMBERSHIP_OPTIONS: ReadonlySet<number> = new Set([
  k.MCAST_JOIN_GROUP,
  k.MCAST_LEAVE_GROUP,
  k.MCAST_JOIN_SOURCE_GROUP,
  k.MCAST_LEAVE_SOURCE_GROUP,
])

/** Time that passes when it is told to. */
export class FakeClock implements Clock {
  #now = 0
  #timers: { at: number; callback: () => void }[] = []

  nowMs(): number {
    return this.#now
  }

  wallMicroseconds(): number {
    return this.#now * 1000
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const timer = { at: this.#now + delayMs, callback }
    this.#timers.push(timer)
    return { cancel: () => (this.#timers = this.#timers.filter((each) => each !== timer)), unref: () => undefined }
  }

  get timers(): number[] {
    return this.#timers.map(({ at }) => at - this.#now)
  }

  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).sort((one, other) => one.at - other.at)[0]
      if (next === undefined) break
      this.#timers = this.#timers.filter((each) => each !== next)
      this.#now = Math.max(this.#now, next.at)
      next.callback()
    }
    this.#now = end
  }
}

export interface FakeMembership {
  membership: Membership
  source: FakeInterfaces
  kernel: FakeKernel
  clock: FakeClock
  /** What was told since the last call: `joined 239.1.1.1 on eth0: asked for`. */
  audits(): Promise<string[]>
  told: MembershipAudit[]
}

/** A membership on a fake kernel, closed when the test ends. */
export function openMembership(
  source = new FakeInterfaces(LO, ethernet(2, 'eth0', '192.0.2.2')),
  options: Partial<MembershipOptions> = {},
): FakeMembership {
  const kernel = new FakeKernel(source)
  const clock = new FakeClock()
  const membership = new Membership({ monitor: source, clock, ...options }, kernel.addon)
  onTestFinished(() => membership.close())
  const told: MembershipAudit[] = []
  membership.on('audit', (audit) => told.push(audit))
  const audits = async (): Promise<string[]> => {
    await new Promise((resolve) => setImmediate(resolve))
    return told
      .splice(0)
      .map(({ action, group, interface: where, reason }) => `${action} ${group}${where ? ` on ${where.name}` : ''}: ${reason}`)
  }
  return { membership, source, kernel, clock, audits, told }
}
