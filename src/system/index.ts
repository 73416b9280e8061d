/**
 * The real clock and real randomness, behind the core's interfaces: the only room of the library with timers.
 *
 * May import core, `node:crypto` and `node:timers`. Knows nothing of sockets or protocols.
 */
export { systemClock } from './system-clock.js'
export { systemRandom } from './system-random.js'
