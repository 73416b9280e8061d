import { randomFraction, type Random } from '../core/index.js'

/**
 * How long a receiver waits before it asks for what it misses, so that of many who miss the same only a few ask: RFC 5401, section 3.2.3,
 * a truncated exponential distribution over `mostMs`. The larger the group, the later most of them speak.
 *
 * @param receivers How many there are, at least 1.
 * @returns From 0 to `mostMs`.
 */
export function drawBackOffMs(random: Random, mostMs: number, receivers: number): number {
  if (mostMs <= 0) return 0
  const lambda = Math.log(receivers) + 1
  return (mostMs / lambda) * Math.log(1 + randomFraction(random) * (Math.exp(lambda) - 1))
}
