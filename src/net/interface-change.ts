import type { DefaultRoute, InterfaceAddress, NetworkInterface } from './network-interface.js'

/** What can happen to an interface as a whole. `interfaceChanged`: hardware address, master, operational state, carrier, other flags. */
export type InterfaceEvent =
  'interfaceAdded' | 'interfaceRemoved' | 'interfaceRenamed' | 'interfaceUp' | 'interfaceDown' | 'mtuChanged' | 'interfaceChanged'

export type AddressEvent = 'addressAdded' | 'addressRemoved' | 'addressChanged'

/**
 * One difference between the interfaces as they were and as they are. An interface is known by its index: deleted and made again it is
 * another one, whatever its name.
 */
export type InterfaceChange = InterfaceStateChange | AddressChange | DefaultRouteChange

export interface InterfaceStateChange {
  readonly type: InterfaceEvent
  /** Undefined for one that was added. */
  readonly before: NetworkInterface | undefined
  /** Undefined for one that was removed. */
  readonly after: NetworkInterface | undefined
}

export interface AddressChange {
  readonly type: AddressEvent
  /** The interface with all that it had before; undefined when it came together with the address. */
  readonly before: NetworkInterface | undefined
  /** The interface with all that it has now; undefined when it went together with the address. */
  readonly after: NetworkInterface | undefined
  readonly addressBefore: InterfaceAddress | undefined
  readonly addressAfter: InterfaceAddress | undefined
}

/** Another way to everywhere, of one family. */
export interface DefaultRouteChange {
  readonly type: 'defaultRouteChanged'
  readonly family: 'IPv4' | 'IPv6'
  /** The interface of the best route before; undefined where there was none. */
  readonly before: NetworkInterface | undefined
  /** The interface of the best route now; undefined where there is none. */
  readonly after: NetworkInterface | undefined
  readonly routesBefore: readonly DefaultRoute[]
  readonly routesAfter: readonly DefaultRoute[]
}

/** Where somebody who follows interfaces gets them from: the monitor, or a fake in a test. */
export interface InterfaceSource {
  /** As of now: already without what the next 'change' will tell to be gone. */
  interfaces(): readonly NetworkInterface[]
  on(event: 'change', listener: (changes: readonly InterfaceChange[]) => void): this
  off(event: 'change', listener: (changes: readonly InterfaceChange[]) => void): this
}
