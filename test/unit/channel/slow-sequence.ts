/**
 * The rules of docs/wire/channel.md, section 4, word by word: the twin of `SourceSequence`. It keeps every number that has come, and works
 * with unbounded ones.
 */
export class SlowSequence {
  readonly #restartAfterMs: number
  #highest: bigint | undefined
  #aheadMs = 0
  #come = new Set<bigint>()
  #run: bigint[] = []

  constructor(restartAfterMs: number) {
    this.#restartAfterMs = restartAfterMs
  }

  take(sequence: number, nowMs: number): [outcome: string, lead: number] {
    if (this.#highest === undefined) return this.#begin(sequence, nowMs, 'next')
    const difference = (((BigInt(sequence) - this.#highest) % MODULUS) + MODULUS) % MODULUS
    if (difference >= 1n && difference <= 2n ** 24n) {
      this.#highest += difference
      this.#aheadMs = nowMs
      this.#come.add(this.#highest)
      this.#run = []
      return [difference === 1n ? 'next' : 'gap', Number(difference)]
    }
    const behind = (MODULUS - difference) % MODULUS
    const number = this.#highest - behind
    if (behind > 1024n || nowMs - this.#aheadMs >= this.#restartAfterMs) return this.#begin(sequence, nowMs, 'restart')
    if (behind < 64n) {
      const outcome = this.#come.has(number) ? 'duplicate' : 'late'
      this.#come.add(number)
      return [outcome, Number(-behind)]
    }
    this.#run = this.#run.at(-1) === number - 1n ? [...this.#run, number] : [number]
    return this.#run.length === 8 ? this.#begin(sequence, nowMs, 'restart') : ['late', -Number(behind)]
  }

  #begin(sequence: number, nowMs: number, outcome: string): [string, number] {
    this.#highest = BigInt(sequence)
    this.#aheadMs = nowMs
    this.#come = new Set([this.#highest])
    this.#run = []
    return [outcome, 1]
  }
}

const MODULUS = 2n ** 32n
