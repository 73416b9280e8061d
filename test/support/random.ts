import { onTestFailed } from 'vitest'

/**
 * Numbers from 0 to `bound - 1`, the same for the same seed. The seed is the test's own choice of chance: it is printed when the test
 * fails, and `GEYSIR_SEED=… npx vitest run FILE` repeats it.
 */
export function random(): (bound: number) => number {
  const seed = Number(process.env['GEYSIR_SEED'] ?? Date.now() % 1_000_000)
  onTestFailed(({ task }) => console.error(`repeat with: GEYSIR_SEED=${seed} npx vitest run ${task.file.name} -t '${task.name}'`))
  // mulberry32
  let state = seed >>> 0
  return (bound) => {
    state = (state + 0x6d2b_79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound
  }
}
