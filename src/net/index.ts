/**
 * Network interfaces and what hangs on them: snapshot and monitor of interfaces (one rtnetlink decoder, one table), memberships that
 * survive interface changes.
 *
 * May import core, binding, socket. The codec is pure. Time comes from a clock that is passed in.
 */
export type {
  AddressChange,
  AddressEvent,
  DefaultRouteChange,
  InterfaceChange,
  InterfaceEvent,
  InterfaceSource,
  InterfaceStateChange,
} from './interface-change.js'
export { InterfaceMonitor, type InterfaceMonitorEvents, type InterfaceMonitorStatistics } from './interface-monitor.js'
export { interfaces } from './interfaces.js'
export type { InterfaceMonitorOptions } from './monitor-options.js'
export type { DefaultRoute, InterfaceAddress, NetworkInterface } from './network-interface.js'
