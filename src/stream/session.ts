import type { Endpoint, Random } from '../core/index.js'
import type { NodeId } from './node-id.js'

/**
 * What both ends call one session: each has drawn a number for it, which it never uses again. So what was said of another session of the
 * same two lives is recognised: section "Sessions".
 */
export interface Session {
  readonly own: number
  readonly theirs: number
}

/** Who has joined, as its hello or welcome said it. */
export interface Introduction {
  readonly id: NodeId
  readonly name: string
  /** Where it came from, as the link says it. */
  readonly endpoint: Endpoint
  /** The longest frame that it receives. */
  readonly frameBytes: number
  readonly session: Session
}

/** Not 0: that is none. */
export function drawSessionNumber(random: Random): number {
  let number = 0
  while (number === 0) number = random.uint32()
  return number
}
