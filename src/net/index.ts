/**
 * Network interfaces and what hangs on them: snapshot and monitor of interfaces (one rtnetlink decoder, one table), memberships that
 * survive interface changes.
 *
 * May import core, binding, socket. The codec is pure. Time comes from a clock that is passed in.
 */
export type { InterfaceAddress, NetworkInterface } from './network-interface.js'
export type {
  AddressChange,
  AddressEvent,
  InterfaceChange,
  InterfaceEvent,
  InterfaceSource,
  InterfaceStateChange,
} from './interface-change.js'
