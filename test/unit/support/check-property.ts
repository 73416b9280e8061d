import { relative } from 'node:path'
import fc from 'fast-check'
import { expect } from 'vitest'

/**
 * Runs a property as often as `runs` says. A failure prints the smallest counterexample found, its seed and the command that repeats it;
 * `GEYSIR_RUNS` multiplies the runs, for a long search. With `defaultSeed` a run without `GEYSIR_SEED` is always the same one.
 */
export async function checkProperty<T>(property: fc.IRawProperty<T>, runs = 300, defaultSeed?: number): Promise<void> {
  const { GEYSIR_SEED, GEYSIR_PATH, GEYSIR_RUNS } = process.env
  const parameters: fc.Parameters<T> = {
    numRuns: Math.ceil(runs * Number(GEYSIR_RUNS ?? 1)),
    ...seedOf(GEYSIR_SEED === undefined ? defaultSeed : Number(GEYSIR_SEED)),
    ...(GEYSIR_PATH === undefined ? {} : { path: GEYSIR_PATH }),
  }
  const result = await fc.check(property as fc.IAsyncProperty<T>, parameters)
  if (!result.failed) return
  const report = await fc.asyncDefaultReportMessage(result)
  throw new Error(`${report}\n\nTo repeat: ${repeatCommand(result)}`, { cause: result.errorInstance })
}

function seedOf(seed: number | undefined): { seed?: number } {
  return seed === undefined ? {} : { seed }
}

function repeatCommand(result: { seed: number; counterexamplePath: string | null }): string {
  const { testPath = '', currentTestName = '' } = expect.getState()
  const name = currentTestName.split(' > ').at(-1) ?? ''
  const path = result.counterexamplePath === null ? '' : ` GEYSIR_PATH=${result.counterexamplePath}`
  return `GEYSIR_SEED=${result.seed}${path} npx vitest run ${relative(process.cwd(), testPath)} -t '${name}'`
}
