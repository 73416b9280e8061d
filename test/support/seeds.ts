import { relative } from 'node:path'
import { expect } from 'vitest'
import { forSeeds } from '../../src/testing/index.js'

/**
 * Runs a simulation for the seeds from 1 to `count`, or for `GEYSIR_SEED` alone; `GEYSIR_RUNS` multiplies the count, for a long search.
 * A failure names the seed and the command that repeats it.
 */
export async function forEachSeed(count: number, run: (seed: number) => void | Promise<void>): Promise<void> {
  await forSeeds(seedsFor(count), run, repeatCommand)
}

function seedsFor(count: number): number[] {
  const { GEYSIR_SEED, GEYSIR_RUNS } = process.env
  if (GEYSIR_SEED !== undefined) return [Number(GEYSIR_SEED)]
  return Array.from({ length: Math.ceil(count * Number(GEYSIR_RUNS ?? 1)) }, (_, i) => i + 1)
}

function repeatCommand(seed: number): string {
  const { testPath = '', currentTestName = '' } = expect.getState()
  const name = currentTestName.split(' > ').at(-1) ?? ''
  return `GEYSIR_SEED=${seed} npx vitest run ${relative(process.cwd(), testPath)} -t '${name}'`
}
