import { readdir } from 'node:fs/promises'
import type { Benchmark } from './benchmark.js'
import type { Selected } from './measure.js'

/** Every benchmark of every file in `bench/families/`. */
export async function loadBenchmarks(): Promise<Benchmark[]> {
  const files = (await readdir(FAMILIES)).filter((name) => name.endsWith('.ts')).sort()
  const benchmarks: Benchmark[] = []
  for (const file of files) {
    const family = (await import(new URL(file, FAMILIES).href)) as { default: readonly Benchmark[] }
    benchmarks.push(...family.default)
  }
  const names = namesOf(benchmarks)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new Error(`two comparisons are called ${twice}`)
  return benchmarks
}

export function namesOf(benchmarks: readonly Benchmark[]): string[] {
  return benchmarks.flatMap(({ comparisons }) => comparisons.map(({ name }) => name))
}

/**
 * What the given names stand for: a name that is complete for that comparison alone, any other for everything that begins with it.
 * No names: everything.
 */
export function select(benchmarks: readonly Benchmark[], wanted: readonly string[]): Selected[] {
  const names = namesOf(benchmarks)
  const selected = new Set(wanted.length === 0 ? names : wanted.flatMap((name) => expand(name, names)))
  return benchmarks
    .map((benchmark) => ({ benchmark, comparisons: benchmark.comparisons.filter(({ name }) => selected.has(name)) }))
    .filter(({ comparisons }) => comparisons.length > 0)
}

function expand(wanted: string, names: readonly string[]): string[] {
  if (names.includes(wanted)) return [wanted]
  const found = names.filter((name) => name.startsWith(wanted))
  if (found.length === 0) throw new Error(`no benchmark is called ${wanted}; --list shows them all`)
  return found
}

const FAMILIES = new URL('../families/', import.meta.url)
