import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { SeededRandom } from '../../src/core/index.js'
import { CoverageFuzzer } from './coverage-fuzzer.js'

/** What is fuzzed. */
export interface FuzzTarget {
  /** What is to keep the rules, as the tests' names say it. */
  readonly name: string
  /** Where inputs are kept. */
  readonly folder: URL
  /** Whose coverage counts: part of the files' paths. */
  readonly files: RegExp
  /** Throws when a rule is broken. */
  readonly runInput: (input: Buffer) => void
  readonly seedInputs: () => Iterable<Buffer>
  /** Looking at the coverage takes longer than running: a short search begins with one in so many of the corpus. Default 1. */
  readonly corpusShare?: number
}

/**
 * Two tests: the corpus, and a search, of a second by default. `GEYSIR_FUZZ_SECONDS=600 npx vitest run test/fuzz` searches longer, and writes
 * what it finds to the corpus; an input that breaks a rule is written as `crash-….bin`.
 */
export function fuzzTests(target: FuzzTarget): void {
  const { name, runInput, seedInputs } = target

  test(`every input of the corpus, and every seed, leaves ${name} in order`, () => {
    for (const input of seedInputs()) runInput(input)
    for (const input of corpus(target)) runInput(input)
  })

  test(`nothing that fuzzing makes of it breaks ${name}`, { timeout: 86_400_000 }, () => {
    const wanted = process.env['GEYSIR_FUZZ_SECONDS']
    const seed = Number(process.env['GEYSIR_SEED'] ?? Date.now() % 1_000_000)
    let current = Buffer.alloc(0)
    const fuzzer = new CoverageFuzzer(new SeededRandom(seed), target.files, (input) => {
      current = input as Buffer<ArrayBuffer>
      runInput(input)
    })
    try {
      for (const input of seedInputs()) fuzzer.add(input)
      const share = wanted === undefined ? (target.corpusShare ?? 1) : 1
      for (const [i, input] of corpus(target).entries()) if (i % share === seed % share) fuzzer.add(input)
      expect(fuzzer.blocks, 'coverage is seen').toBeGreaterThan(100)
      for (const endMs = performance.now() + Number(wanted ?? 1) * 1000; performance.now() < endMs;) {
        const found = fuzzer.step()
        if (found !== undefined && wanted !== undefined && found.length <= MAX_KEPT_BYTES) keep(target, '', found)
      }
      if (wanted !== undefined) {
        console.log(`${fuzzer.runs} inputs, ${fuzzer.blocks} blocks, ${fuzzer.corpus.length} kept; seed ${seed}`)
      }
    } catch (error) {
      const file = keep(target, 'crash-', current)
      throw new Error(`seed ${seed}, input in ${file}: ${(error as Error).message}`, { cause: error })
    } finally {
      fuzzer.close()
    }
  })
}

function corpus({ folder }: FuzzTarget): Buffer[] {
  const names = readdirSync(folder).filter((name) => name.endsWith('.bin'))
  return names.map((name) => readFileSync(new URL(name, folder)))
}

function keep({ folder }: FuzzTarget, prefix: string, input: Buffer): string {
  mkdirSync(folder, { recursive: true })
  const name = `${prefix}${createHash('sha256').update(input).digest('hex').slice(0, 16)}.bin`
  writeFileSync(new URL(name, folder), input)
  return name
}

/** Longer ones are too much for a repository. */
const MAX_KEPT_BYTES = 2048
