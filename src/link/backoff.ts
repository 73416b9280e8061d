import { randomFraction, type Random } from '../core/index.js'

/**
 * How long to wait before try `attempt` (from 0): `firstMs`, doubled each time up to `maxMs`, and up to half as much again at random, so
 * that many who failed together do not try together (as RFC 7252 section 4.2 has it).
 */
export function backoffMs(attempt: number, firstMs: number, maxMs: number, random: Random): number {
  const doubled = firstMs * 2 ** Math.min(attempt, MAX_DOUBLINGS)
  return Math.min(doubled, maxMs) * (1 + randomFraction(random) / 2)
}

/** 2^30 times a millisecond is longer than any limit here. */
const MAX_DOUBLINGS = 30
