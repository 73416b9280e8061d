import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { SeededRandom } from '../../src/core/index.js'
import { CoverageFuzzer } from './coverage-fuzzer.js'
import { runInput, seedInputs } from './stream-target.js'

const FOLDER = new URL('stream-corpus/', import.meta.url)

test('every input of the corpus, and every seed, leaves a node of streams in order', () => {
  for (const input of seedInputs()) runInput(input)
  for (const name of readdirSync(FOLDER)) {
    if (name.endsWith('.bin')) runInput(readFileSync(new URL(name, FOLDER)))
  }
})

/**
 * A second by default. `GEYSIR_FUZZ_SECONDS=600 npx vitest run test/fuzz/stream.test.ts` searches longer, and writes what it finds to the corpus; an input
 * that breaks a rule is written as `crash-….bin`.
 */
test('nothing that fuzzing makes of it breaks a node of streams', { timeout: 86_400_000 }, () => {
  const wanted = process.env['GEYSIR_FUZZ_SECONDS']
  const seed = Number(process.env['GEYSIR_SEED'] ?? Date.now() % 1_000_000)
  let current = Buffer.alloc(0)
  const fuzzer = new CoverageFuzzer(new SeededRandom(seed), /src\/stream\//, (input) => {
    current = input as Buffer<ArrayBuffer>
    runInput(input)
  })
  try {
    for (const input of seedInputs()) fuzzer.add(input)
    for (const name of readdirSync(FOLDER)) if (name.endsWith('.bin')) fuzzer.add(readFileSync(new URL(name, FOLDER)))
    expect(fuzzer.blocks, 'coverage is seen').toBeGreaterThan(100)
    for (const endMs = performance.now() + Number(wanted ?? 1) * 1000; performance.now() < endMs;) {
      const found = fuzzer.step()
      if (found !== undefined && wanted !== undefined && found.length <= MAX_KEPT_BYTES) save('', found)
    }
    if (wanted !== undefined)
      console.log(`${fuzzer.runs} inputs, ${fuzzer.blocks} blocks, ${fuzzer.corpus.length} kept; seed ${seed}`)
  } catch (error) {
    const name = save('crash-', current)
    throw new Error(`seed ${seed}, input in ${name}: ${(error as Error).message}`, { cause: error })
  } finally {
    fuzzer.close()
  }
})

function save(prefix: string, input: Buffer): string {
  mkdirSync(FOLDER, { recursive: true })
  const name = `${prefix}${createHash('sha256').update(input).digest('hex').slice(0, 16)}.bin`
  writeFileSync(new URL(name, FOLDER), input)
  return name
}

/** Longer ones are too much for a repository. */
const MAX_KEPT_BYTES = 2048
