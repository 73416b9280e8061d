import { createHash } from 'node:crypto'
import type { Random } from '../core/index.js'

/**
 * Who a node is, for as long as it lives: a place that follows from its name, and a life that is drawn at every start. So what was sent
 * to or by an earlier life is recognised.
 */
export interface NodeId {
  readonly place: number
  /** Never 0. */
  readonly life: number
}

export function drawNodeId(name: string, random: Random): NodeId {
  const place = createHash('sha256').update(name).digest().readUInt32LE(0)
  let life = 0
  while (life === 0) life = random.uint32()
  return { place, life }
}

/** A key for maps: all of the life, and as much of the place as a safe integer has room for. */
export function nodeKey(place: number, life: number): number {
  return (place & PLACE_MASK) * 2 ** 32 + life
}

export const NOBODY: NodeId = { place: 0, life: 0 }

const PLACE_MASK = 0x1f_ffff
