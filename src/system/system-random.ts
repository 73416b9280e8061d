import { randomFillSync } from 'node:crypto'
import type { Random } from '../core/index.js'

/** Randomness of the operating system, fit for secrets. Drawn in blocks, because a call costs more than its bytes. */
export const systemRandom: Random = {
  uint32: () => {
    if (next === words.length) {
      randomFillSync(words)
      next = 0
    }
    const word = words[next]!
    words[next++] = 0
    return word
  },
}

const BLOCK_WORDS = 256
const words = new Uint32Array(BLOCK_WORDS)
let next = BLOCK_WORDS
