/** The readable twin of `Elimination`: are the columns in `missing` determined by `rows`, given as sets of columns? */
export function isDetermined(rows: readonly ReadonlySet<number>[], missing: readonly number[]): boolean {
  let vectors = rows.map((row) => new Set(missing.filter((column) => row.has(column))))
  for (const column of missing) {
    const pivot = vectors.find((vector) => vector.has(column))
    if (pivot === undefined) return false
    vectors = vectors.filter((vector) => vector !== pivot)
    for (const vector of vectors) if (vector.has(column)) toggle(vector, pivot)
  }
  return true
}

function toggle(vector: Set<number>, other: ReadonlySet<number>): void {
  for (const column of other) if (!vector.delete(column)) vector.add(column)
}
