import { test } from 'vitest'
import { surviveAsGroup } from './support/stream-group-survival.js'
import { forSeeds } from '../../src/testing/index.js'
import { repeat, seedsOf } from './support/stream-nodes.js'

/** `GEYSIR_SEEDS=5000` for so many. */
test('publications survive everything at once', { timeout: 86_400_000 }, async () => {
  const startedMs = performance.now()
  const seeds = seedsOf(LIVES)
  await forSeeds(seeds, surviveAsGroup, repeat)
  console.log(`${seeds.length} lives in ${Math.round(performance.now() - startedMs)} ms`)
})

/** Some 50 ms each, on one core. */
const LIVES = 200
