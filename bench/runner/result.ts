import { meets, type Comparison, type Figures } from './benchmark.js'
import { median, pairedRatio } from './statistics.js'

/** One comparison, measured: a line of `--json`. */
export interface Result {
  readonly name: string
  /** The contender's median. */
  readonly figure: number
  readonly unit: string
  readonly reference: string | null
  readonly referenceFigure: number | null
  /** The median of the ratios of neighbouring trials, and the least and the greatest of them. */
  readonly ratio: number | null
  readonly ratioMin: number | null
  readonly ratioMax: number | null
  readonly target: string | null
  readonly met: boolean | null
}

/** @param rounds What each contender measured, round by round. */
export function resultOf(comparison: Comparison, rounds: ReadonlyMap<string, readonly Figures[]>): Result {
  const { name, unit, contender, reference, metric, target } = comparison
  const figures = metricOf(metric, contender, rounds)
  const figure = median(figures)
  const referenceFigures = reference === undefined ? undefined : metricOf(metric, reference, rounds)
  const ratio = referenceFigures && pairedRatio(figures, referenceFigures)
  return {
    name,
    figure: rounded(figure),
    unit,
    reference: reference ?? null,
    referenceFigure: referenceFigures ? rounded(median(referenceFigures)) : null,
    ratio: ratio ? rounded(ratio.median) : null,
    ratioMin: ratio ? rounded(ratio.min) : null,
    ratioMax: ratio ? rounded(ratio.max) : null,
    target: target ? `${target.operator} ${target.value}` : null,
    met: target ? meets(rounded(ratio ? ratio.median : figure), target) : null,
  }
}

function metricOf(metric: string, contender: string, rounds: ReadonlyMap<string, readonly Figures[]>): number[] {
  return (rounds.get(contender) ?? []).map((figures) => {
    const value = figures[metric]
    if (value === undefined || !Number.isFinite(value)) throw new Error(`${contender} did not measure ${metric}`)
    return value
  })
}

function rounded(value: number): number {
  return Number(value.toPrecision(SIGNIFICANT_DIGITS))
}

const SIGNIFICANT_DIGITS = 4
