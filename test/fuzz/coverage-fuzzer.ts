import { Session } from 'node:inspector'
import { randomBelow, type Random } from '../../src/core/index.js'

/**
 * A small fuzzer that is guided by coverage: V8 counts the blocks that run, an input that runs a new one, or one of them an order of
 * magnitude more often, is kept and changed further. Slower than libFuzzer, but it needs nothing besides Node.
 */
export class CoverageFuzzer {
  readonly corpus: Buffer[] = []
  runs = 0
  readonly #session = new Session()
  readonly #random: Random
  readonly #target: (input: Buffer) => void
  readonly #files: RegExp
  readonly #seen = new Set<string>()

  /** @param files Matches the URLs of the scripts whose coverage counts. */
  constructor(random: Random, files: RegExp, target: (input: Buffer) => void) {
    this.#random = random
    this.#files = files
    this.#target = target
    this.#session.connect()
    this.#session.post('Profiler.enable')
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  get blocks(): number {
    return this.#seen.size
  }

  /** Runs an input, and keeps it if it does something new. True if so. @throws What the target throws. */
  add(input: Buffer): boolean {
    this.runs++
    this.#target(input)
    if (!this.#isNew()) return false
    this.corpus.push(input)
    return true
  }

  /** One more input, made from those that were kept. */
  step(): Buffer | undefined {
    let input = this.#mutate(this.#pick())
    for (let more = randomBelow(this.#random, 4); more > 0; more--) input = this.#mutate(input)
    return this.add(input) ? input : undefined
  }

  close(): void {
    this.#session.disconnect()
  }

  #isNew(): boolean {
    let found = false
    // The answer comes before post returns.
    this.#session.post('Profiler.takePreciseCoverage', (error, taken) => {
      if (error !== null) throw error
      for (const { url, scriptId, functions } of taken.result) {
        if (!this.#files.test(url)) continue
        for (const { ranges } of functions) {
          for (const { startOffset, endOffset, count } of ranges) {
            if (count === 0) continue
            const key = `${scriptId} ${startOffset} ${endOffset} ${Math.ceil(Math.log2(count + 1))}`
            if (this.#seen.has(key)) continue
            this.#seen.add(key)
            found = true
          }
        }
      }
    })
    return found
  }

  #pick(): Buffer {
    // The latest ones are the least explored.
    const recent = Math.min(this.corpus.length, 1 + randomBelow(this.#random, this.corpus.length))
    return this.corpus[this.corpus.length - 1 - randomBelow(this.#random, recent)]!
  }

  #mutate(input: Buffer): Buffer {
    const random = this.#random
    const output = Buffer.from(input)
    if (output.length === 0) return Buffer.from([randomBelow(random, 256)])
    const at = randomBelow(random, output.length)
    const length = 1 + randomBelow(random, Math.min(64, output.length - at))
    switch (randomBelow(random, 7)) {
      case 0:
        output[at]! ^= 1 << randomBelow(random, 8)
        return output
      case 1:
        output[at] = randomBelow(random, 256)
        return output
      case 2:
        output[at] = INTERESTING[randomBelow(random, INTERESTING.length)]!
        return output
      case 3:
        return Buffer.concat([output.subarray(0, at), output.subarray(at + length)])
      case 4:
        return Buffer.concat([output.subarray(0, at), output.subarray(at, at + length), output.subarray(at)])
      case 5: {
        const other = this.#pick()
        const from = randomBelow(random, other.length + 1)
        return Buffer.concat([output.subarray(0, at), other.subarray(from, from + 2 * length), output.subarray(at)])
      }
      default: {
        if (at + 4 > output.length) return output
        output.writeInt32LE((output.readInt32LE(at) + randomBelow(random, 33) - 16) | 0, at)
        return output
      }
    }
  }
}

const INTERESTING = [0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 127, 128, 254, 255]
