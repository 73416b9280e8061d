/**
 * How a benchmark joins the runner: `bench/families/<family>.ts` exports by default an array of what {@link defineBenchmark}
 * returns. Nothing else is to be registered.
 */

/** A benchmark: contenders that do the same work, and the comparisons to draw from their figures. */
export interface Benchmark<Name extends string = string> {
  /** In the order in which they take turns. Their names appear as references in the results. */
  readonly contenders: Readonly<Record<Name, Contender>>
  readonly comparisons: readonly Comparison<Name>[]
  /** For a benchmark that measures over a time of its own: it runs once, in this many seconds a contender. */
  readonly durationSeconds?: { readonly full: number; readonly quick: number }
  /** Makes what the contenders need before the first round. */
  readonly prepare?: () => Promise<Preparation>
}

/** Runs one trial in processes of its own. */
export type Contender = (trial: Trial) => Promise<Figures>

/** What one trial measured, by metric: `{ datagramsPerSecond: 9.4e6 }`. */
export type Figures = Readonly<Record<string, number>>

export interface Trial {
  /** How long to measure. */
  readonly seconds: number
  /** How long to run before, so that compilers and caches have settled. */
  readonly warmUpSeconds: number
  readonly quick: boolean
  /** Says something that a reader of the result must know. Told once, however often it is noted. */
  note(text: string): void
}

/** One line of the results: a contender's figure, and its ratio to a reference's in the same round. */
export interface Comparison<Name extends string = string> {
  /** `family/benchmark`, unique among all families. */
  readonly name: string
  readonly contender: NoInfer<Name>
  /** Without a reference the target is for the figure itself. */
  readonly reference?: NoInfer<Name>
  readonly metric: string
  readonly unit: string
  readonly target?: Target
}

export interface Target {
  readonly operator: '>=' | '<='
  readonly value: number
}

/** What {@link Benchmark.prepare} made, or why the benchmark cannot run here. */
export type Preparation = { readonly close: () => Promise<void> } | { readonly skip: string }

export function defineBenchmark<Name extends string>(benchmark: Benchmark<Name>): Benchmark {
  return benchmark
}

export function atLeast(value: number): Target {
  return { operator: '>=', value }
}

export function atMost(value: number): Target {
  return { operator: '<=', value }
}

export function meets(value: number, target: Target): boolean {
  return target.operator === '>=' ? value >= target.value : value <= target.value
}
