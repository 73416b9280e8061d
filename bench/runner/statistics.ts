export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error('the median of nothing')
  const sorted = [...values].sort((left, right) => left - right)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/**
 * The ratios of figures that were measured one after the other. The speed of a machine drifts by more than what is to be measured,
 * from one second to the next; the two figures of a pair share it.
 */
export function pairedRatio(figures: readonly number[], referenceFigures: readonly number[]): Spread {
  if (figures.length !== referenceFigures.length) throw new Error('figures without their pair')
  const ratios = figures.map((figure, i) => figure / referenceFigures[i]!)
  return { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) }
}
