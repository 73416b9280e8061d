import type { InterfaceAddress, NetworkInterface } from './network-interface.js'

/** What can happen to an interface as a whole. `interfaceChanged`: hardware address, master, operational state, carrier, flags. */
export type InterfaceEvent =
  | 'interfaceAdded'
  | 'interfaceRemoved'
  | 'interfaceRenamed'
  | 'interfaceUp'
  | 'interfaceDown'
  | 'mtuChanged'
  | 'interfaceChanged'
  | 'defaultRouteChanged'

export type AddressEvent = 'addressAdded' | 'addressRemoved' | 'addressChanged'

/**
 * One difference between the interfaces as they were and as they are. An interface is known by its index: deleted and made again it is
 * another one, whatever its name. Frozen.
 */
export type InterfaceChange = InterfaceStateChange | AddressChange

export interface InterfaceStateChange {
  readonly type: InterfaceEvent
  /** Undefined for one that was added. For a `defaultRouteChanged`, the interface of the route that was best before. */
  readonly before: NetworkInterface | undefined
  /** Undefined for one that was removed. For a `defaultRouteChanged`, the interface of the route that is best now. */
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

/** Where somebody who follows interfaces gets them from: the monitor, or a fake in a test. */
export interface InterfaceSource {
  /** As of now: already without what the next 'change' will tell to be gone. */
  interfaces(): readonly NetworkInterface[]
  on(event: 'change', listener: (changes: readonly InterfaceChange[]) => void): this
  off(event: 'change', listener: (changes: readonly InterfaceChange[]) => void): this
}
