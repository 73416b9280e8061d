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
export type { JoinedInterface, MembershipAudit } from './membership-audit.js'
export type { GroupBatch } from './membership-batch.js'
export type { InterfaceSelector, JoinOptions } from './membership-interest.js'
export type { MembershipStatistics } from './membership-statistics.js'
export { Membership, type MembershipEvents, type MembershipOptions } from './membership.js'
export { openMulticastReceiver, type MulticastReceiverOptions, type ReceiverSocketOptions } from './multicast-rules.js'
export {
  openMulticastSender,
  type MulticastSender,
  type MulticastSenderOptions,
  type SenderSocketOptions,
} from './multicast-sender.js'
export { MulticastSenders } from './multicast-senders.js'
export { InterfaceMonitor, type InterfaceMonitorEvents, type InterfaceMonitorStatistics } from './interface-monitor.js'
export { interfaces } from './interfaces.js'
export type { InterfaceMonitorOptions } from './monitor-options.js'
export type { DefaultRoute, InterfaceAddress, NetworkInterface } from './network-interface.js'
