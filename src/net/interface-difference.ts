import type { AddressChange, DefaultRouteChange, InterfaceChange, InterfaceEvent } from './interface-change.js'
import { addressKey, isSameAddress } from './interface-address.js'
import { IFF_UP } from './netlink-constants.js'
import type { DefaultRoute, InterfaceAddress, NetworkInterface } from './network-interface.js'

/** All interfaces at one moment, by a number that is never used again (an index may be), and the default routes. */
export interface InterfaceState {
  readonly interfaces: ReadonlyMap<number, NetworkInterface>
  readonly routes: Readonly<Record<'IPv4' | 'IPv6', readonly DefaultRoute[]>>
}

/**
 * What became of `before`, interface by interface in the order of `serials`; default routes last. Of one interface: first what it lost,
 * then what became of it, then what it gained. What came and went in between is not told.
 */
export function compareStates(before: InterfaceState, after: InterfaceState, serials: Iterable<number>): InterfaceChange[] {
  const changes: InterfaceChange[] = []
  for (const serial of serials) compareInterface(before.interfaces.get(serial), after.interfaces.get(serial), changes)
  for (const family of ['IPv4', 'IPv6'] as const) {
    if (before.routes[family] !== after.routes[family]) changes.push(routeChange(family, before, after))
  }
  return changes
}

/** The serial numbers of both, for {@link compareStates} where no order is known. */
export function serialsOf(before: InterfaceState, after: InterfaceState): Set<number> {
  return new Set([...before.interfaces.keys(), ...after.interfaces.keys()])
}

function compareInterface(
  before: NetworkInterface | undefined,
  after: NetworkInterface | undefined,
  into: InterfaceChange[],
): void {
  if (before === after) return
  const had = addressesOf(before)
  const has = addressesOf(after)
  const addressChange = (
    type: AddressChange['type'],
    addressBefore: InterfaceAddress | undefined,
    addressAfter: InterfaceAddress | undefined,
  ): void => void into.push(Object.freeze({ type, before, after, addressBefore, addressAfter }))
  for (const [key, address] of had) if (!has.has(key)) addressChange('addressRemoved', address, undefined)
  for (const type of interfaceEvents(before, after)) into.push(Object.freeze({ type, before, after }))
  for (const [key, address] of has) {
    const old = had.get(key)
    if (old === undefined) addressChange('addressAdded', undefined, address)
    else if (!isSameAddress(old, address)) addressChange('addressChanged', old, address)
  }
}

function interfaceEvents(before: NetworkInterface | undefined, after: NetworkInterface | undefined): InterfaceEvent[] {
  if (before === undefined) return ['interfaceAdded']
  if (after === undefined) return ['interfaceRemoved']
  const events: InterfaceEvent[] = []
  if (before.name !== after.name) events.push('interfaceRenamed')
  if (before.mtuBytes !== after.mtuBytes) events.push('mtuChanged')
  if (before.up !== after.up) events.push(after.up ? 'interfaceUp' : 'interfaceDown')
  const hasChanged =
    before.hardwareAddress !== after.hardwareAddress ||
    before.kind !== after.kind ||
    before.operationalState !== after.operationalState ||
    before.master !== after.master ||
    ((before.flags ^ after.flags) & ~IFF_UP) !== 0
  if (hasChanged) events.push('interfaceChanged')
  return events
}

function addressesOf(of: NetworkInterface | undefined): Map<string, InterfaceAddress> {
  return new Map(of?.addresses.map((address) => [addressKey(address), address]))
}

function routeChange(family: 'IPv4' | 'IPv6', before: InterfaceState, after: InterfaceState): DefaultRouteChange {
  const routesBefore = before.routes[family]
  const routesAfter = after.routes[family]
  return Object.freeze({
    type: 'defaultRouteChanged',
    family,
    before: interfaceOf(before, routesBefore[0]),
    after: interfaceOf(after, routesAfter[0]),
    routesBefore,
    routesAfter,
  })
}

function interfaceOf(state: InterfaceState, route: DefaultRoute | undefined): NetworkInterface | undefined {
  if (route === undefined) return undefined
  for (const candidate of state.interfaces.values()) if (candidate.index === route.interfaceIndex) return candidate
  return undefined
}
