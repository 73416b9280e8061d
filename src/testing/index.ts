/**
 * A simulated network to test protocols on: hosts, links and a virtual clock from one seed. Published as `geysir/testing`.
 *
 * May import core, `node:events` and, to let promises settle between two events, `node:timers`. Knows no protocol and no real
 * socket; asks for no time, no randomness and no test framework but what is passed in.
 */
export {
  LinkSuiteError,
  linkSuite,
  type LinkPair,
  type LinkSuiteOptions,
  type LinkTraits,
  type TestFramework,
} from './link-suite/index.js'
export { forSeeds } from './for-seeds.js'
export { HostClock, type ClockSkew } from './host-clock.js'
export type { SimulatedLinkOptions } from './link-options.js'
export { DROP_REASONS, type DropReason, type NetworkStatistics } from './network-statistics.js'
export type { BurstLoss, PathOptions, TooBig } from './path.js'
export { SimulatedHost } from './simulated-host.js'
export type { SimulatedLinkStatistics } from './link-statistics.js'
export { SimulatedLink, type SimulatedLinkEvents } from './simulated-link.js'
export type { Partition } from './partitions.js'
export { SimulatedNetwork, type HostOptions, type SimulatedNetworkOptions } from './simulated-network.js'
export type { TraceEvent } from './trace.js'
export { VirtualClock, type VirtualClockOptions } from './virtual-clock.js'
export { SeededRandom, type Clock, type Random, type Timer } from '../core/index.js'
