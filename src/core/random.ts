/** Randomness. Who needs it takes one, so that a run can be repeated from its seed. */
export interface Random {
  /** An integer from 0 to 2^32 - 1. */
  uint32(): number
}

/** A number from 0 inclusive to 1 exclusive. */
export function randomFraction(random: Random): number {
  return random.uint32() / 2 ** 32
}

/** An integer from 0 to `bound - 1`, each as likely. */
export function randomBelow(random: Random, bound: number): number {
  // The bias is bound / 2^32, which no simulation here can see.
  return Math.floor(randomFraction(random) * bound)
}

/** Fills `bytes`. */
export function randomFill(random: Random, bytes: Uint8Array): void {
  for (let i = 0; i < bytes.length; i += 4) {
    const word = random.uint32()
    for (let j = 0; j < 4 && i + j < bytes.length; j++) bytes[i + j] = word >>> (8 * j)
  }
}

/**
 * Repeatable randomness from a seed: for simulations and codes, never for secrets.
 *
 * xoshiro128** 1.1, seeded by splitmix32. @see https://prng.di.unimi.it/xoshiro128starstar.c
 */
export class SeededRandom implements Random {
  /** Signed, as the operations are: unsigned words would pass through floating point. */
  readonly #state = new Int32Array(4)

  constructor(seed: number) {
    let mixed = seed >>> 0
    for (let i = 0; i < 4; i++) {
      mixed = (mixed + 0x9e37_79b9) >>> 0
      let word = mixed
      word = Math.imul(word ^ (word >>> 16), 0x21f0_aaad)
      word = Math.imul(word ^ (word >>> 15), 0x735a_2d97)
      this.#state[i] = word ^ (word >>> 15)
    }
  }

  uint32(): number {
    const state = this.#state
    const a = state[0]!
    const b = state[1]!
    const third = state[2]! ^ a
    const fourth = state[3]! ^ b
    state[0] = a ^ fourth
    state[1] = b ^ third
    state[2] = third ^ (b << 9)
    state[3] = rotateLeft(fourth, 11)
    return Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0
  }
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}
