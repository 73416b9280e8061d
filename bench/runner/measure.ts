import type { Benchmark, Comparison, Figures, Trial } from './benchmark.js'
import { resultOf, type Result } from './result.js'

export interface Selected {
  readonly benchmark: Benchmark
  readonly comparisons: readonly Comparison[]
}

/** How long and how often the trials of a run are repeated. */
export interface Plan {
  readonly quick: boolean
  readonly rounds: number
  readonly seconds: number
  readonly warmUpSeconds: number
}

export type Outcome = { readonly results: readonly Result[]; readonly notes: readonly string[] } | { readonly skipped: string }

/**
 * Lets the contenders take turns, A B A B …, and compares each round's figures. Only the contenders that the selected comparisons
 * name take part.
 */
export async function measure(
  { benchmark, comparisons }: Selected,
  plan: Plan,
  onTrial: (contender: string, round: number, rounds: number) => void,
): Promise<Outcome> {
  const preparation = await benchmark.prepare?.()
  if (preparation !== undefined && 'skip' in preparation) return { skipped: preparation.skip }
  try {
    const notes = new Set<string>()
    const trial = trialOf(benchmark, plan, (text) => notes.add(text))
    const rounds = roundsOf(benchmark, plan)
    const figures = new Map<string, Figures[]>(contendersOf({ benchmark, comparisons }).map((name) => [name, []]))
    for (let round = 1; round <= rounds; round++) {
      for (const [name, measured] of figures) {
        onTrial(name, round, rounds)
        measured.push(await benchmark.contenders[name]!(trial))
      }
    }
    return { results: comparisons.map((comparison) => resultOf(comparison, figures)), notes: [...notes] }
  } finally {
    await preparation?.close()
  }
}

/**
 * A whole family, quickly: the time that it may take in total is shared out among its trials, so that fewer benchmarks get more
 * rounds.
 */
export function quickPlan(selection: readonly Selected[]): Plan {
  const fixedSeconds = sum(selection.map(({ benchmark }) => benchmark.durationSeconds?.quick ?? 0))
  const trials = sum(selection.map((selected) => (selected.benchmark.durationSeconds ? 0 : contendersOf(selected).length)))
  const families = new Set(selection.flatMap(({ comparisons }) => comparisons.map(({ name }) => name.split('/')[0])))
  const roundSeconds = trials * (QUICK.seconds + QUICK.warmUpSeconds + START_UP_SECONDS)
  const affordable = Math.floor((families.size * QUICK_FAMILY_SECONDS - fixedSeconds) / roundSeconds)
  return { quick: true, ...QUICK, rounds: Math.min(FULL.rounds, Math.max(1, affordable)) }
}

export function fullPlan(rounds: number = FULL.rounds): Plan {
  return { quick: false, ...FULL, rounds }
}

function contendersOf({ benchmark, comparisons }: Selected): string[] {
  const named = new Set(comparisons.flatMap(({ contender, reference }) => [contender, reference]))
  return Object.keys(benchmark.contenders).filter((name) => named.has(name))
}

function roundsOf(benchmark: Benchmark, plan: Plan): number {
  return benchmark.durationSeconds ? 1 : plan.rounds
}

function trialOf({ durationSeconds }: Benchmark, plan: Plan, note: (text: string) => void): Trial {
  const seconds = durationSeconds ? durationSeconds[plan.quick ? 'quick' : 'full'] : plan.seconds
  return { seconds, warmUpSeconds: plan.warmUpSeconds, quick: plan.quick, note }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

/** Many short rounds rather than few long ones: the two halves of a pair are to see the same machine (see statistics.ts). */
const FULL = { rounds: 9, seconds: 0.8, warmUpSeconds: 0.5 }
const QUICK = { seconds: 0.2, warmUpSeconds: 0.15 }
const QUICK_FAMILY_SECONDS = 38
/** What starting the processes of a trial takes, about. */
const START_UP_SECONDS = 0.15
