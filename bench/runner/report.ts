import type { Result } from './result.js'

/** Results for people. */
export function formatTable(results: readonly Result[]): string {
  const rows = results.map(cellsOf)
  const widths = HEADINGS.map((heading, column) => Math.max(heading.length, ...rows.map((row) => row[column]!.length)))
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd()
  return [line(HEADINGS), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}

export function formatMarkdownTable(results: readonly Result[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(HEADINGS), line(HEADINGS.map(() => '---')), ...results.map((result) => line(cellsOf(result)))].join('\n')
}

const HEADINGS = ['benchmark', 'figure', 'reference', 'its figure', 'ratio', 'min–max', 'target', 'met'] as const

function cellsOf(result: Result): string[] {
  const { name, figure, unit, reference, referenceFigure, ratio, ratioMin, ratioMax, target, met } = result
  return [
    name,
    formatFigure(figure, unit),
    reference ?? '',
    referenceFigure === null ? '' : formatFigure(referenceFigure, unit),
    ratio === null ? '' : formatRatio(ratio),
    ratioMin === null || ratioMax === null ? '' : `${formatRatio(ratioMin)}–${formatRatio(ratioMax)}`,
    target ?? '',
    met === null ? '' : met ? 'yes' : 'NO',
  ]
}

/** `11.4 M datagrams/s`, `1370 k datagrams/s` */
function formatFigure(figure: number, unit: string): string {
  const [divisor, prefix] = SCALES.find(([scale]) => figure >= 10 * scale) ?? [1, '']
  return `${Number((figure / divisor).toPrecision(3))} ${prefix}${unit}`
}

export function formatRatio(ratio: number): string {
  return ratio >= 10 ? ratio.toFixed(1) : ratio.toFixed(2)
}

const SCALES: readonly (readonly [number, string])[] = [
  [1e9, 'G '],
  [1e6, 'M '],
  [1e3, 'k '],
]
