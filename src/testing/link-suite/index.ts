import { backPressureCases, breakingCases, failingCases } from './back-pressure.js'
import { closingCases } from './closing.js'
import type { LinkPair, LinkSuiteOptions, TestFramework } from './options.js'
import { iteratingCases, receivingCases } from './receiving.js'
import { misuseCases, reservingCases, sendingCases } from './sending.js'
import { Workbench, type LinkCase } from './workbench.js'

export { LinkSuiteError } from './assert.js'
export type { LinkPair, LinkSuiteOptions, LinkTraits, TestFramework } from './options.js'

/**
 * Defines the tests that every `Link` passes: the contract, sentence by sentence. Call it in a test file.
 *
 * @param options How to make two links that reach each other, and what their kind can do. Cases that need more are left out.
 * @param framework `{ describe, test }` of vitest, of `node:test`, or of any other that has them.
 */
export function linkSuite<Pair extends LinkPair>(options: LinkSuiteOptions<Pair>, framework: TestFramework): void {
  const { describe, test } = framework
  describe(`${options.name}: the contract of links`, () => {
    for (const [topic, cases] of Object.entries(TOPICS)) {
      const possible = cases.filter((one) => isPossible(one, options))
      if (possible.length === 0) continue
      describe(topic, () => {
        for (const one of possible) test(one.name, () => runCase(one, options))
      })
    }
  })
}

async function runCase<Pair extends LinkPair>(one: LinkCase, options: LinkSuiteOptions<Pair>): Promise<void> {
  const bench = await Workbench.open(options)
  try {
    await one.run(bench as unknown as Workbench)
  } finally {
    await bench.close()
  }
}

function isPossible<Pair extends LinkPair>({ needs }: LinkCase, options: LinkSuiteOptions<Pair>): boolean {
  if (needs === undefined) return true
  if (needs === 'many peers') return !options.traits?.singlePeer
  if (needs === 'one peer') return options.traits?.singlePeer ?? false
  if (needs === 'empty') return options.traits?.empty ?? true
  return options[needs] !== undefined
}

const TOPICS: Readonly<Record<string, readonly LinkCase[]>> = {
  sending: sendingCases,
  reserving: reservingCases,
  misuse: misuseCases,
  receiving: receivingCases,
  iterating: iteratingCases,
  'back pressure': backPressureCases,
  'datagrams that fail': failingCases,
  closing: closingCases,
  breaking: breakingCases,
}
