import { formatRatio } from './report.js'
import type { Result } from './result.js'

/**
 * A bar chart of ratios as SVG: a bar from 1 to the ratio on a logarithmic scale, a whisker over its spread, a tick at the target.
 * It follows the reader's light or dark colour scheme.
 */
export function drawRatios(results: readonly Result[]): string {
  const drawn = results.filter(hasRatio)
  const scale = logarithmicScale(drawn)
  const height = TOP + drawn.length * ROW + BOTTOM
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
<title>Ratios of geysir to each benchmark's reference, logarithmic scale</title>
<style>${STYLE}</style>
${scale.marks.map((mark) => drawMark(mark, scale.x(mark), height)).join('\n')}
${drawn.map((result, i) => drawRow(result, TOP + i * ROW, scale.x)).join('\n')}
<text x="${LEFT}" y="${height - 12}" class="quiet">bar: median ratio, whisker: its spread; blue: target (dashes) met, red: missed, grey: no target</text>
</svg>
`
}

type Ratio = Result & { readonly ratio: number; readonly ratioMin: number; readonly ratioMax: number }

function hasRatio(result: Result): result is Ratio {
  return result.ratio !== null
}

function drawRow(
  { name, reference, ratio, ratioMin, ratioMax, target, met }: Ratio,
  top: number,
  x: (ratio: number) => number,
): string {
  const middle = top + ROW / 2
  const [from, to] = [x(1), x(ratio)].sort((left, right) => left - right) as [number, number]
  const kind = met === null ? 'informative' : met ? 'met' : 'missed'
  const limit = target === null ? '' : drawTarget(x(Number(target.replace(/^\D+/, ''))), top)
  return [
    `<text x="${LEFT - 10}" y="${middle + 4}" class="name">${escape(name)} <tspan class="quiet">: ${escape(reference!)}</tspan></text>`,
    `<rect x="${fixed(from)}" y="${top + 4}" width="${fixed(Math.max(1, to - from))}" height="${ROW - 8}" class="${kind}"/>`,
    `<path d="M${fixed(x(ratioMin))} ${middle}H${fixed(x(ratioMax))}" class="spread"/>${limit}`,
    `<text x="${WIDTH - 12}" y="${middle + 4}" class="value">${formatRatio(ratio)}</text>`,
  ].join('\n')
}

function drawTarget(x: number, top: number): string {
  return `<path d="M${fixed(x)} ${top + 1}v${ROW - 2}" class="target"/>`
}

function drawMark(mark: number, x: number, height: number): string {
  return [
    `<path d="M${fixed(x)} ${TOP - 4}V${height - BOTTOM}" class="${mark === 1 ? 'one' : 'grid'}"/>`,
    `<text x="${fixed(x)}" y="${TOP - 10}" class="mark">${mark}</text>`,
  ].join('\n')
}

function logarithmicScale(results: readonly Ratio[]): { x: (ratio: number) => number; marks: number[] } {
  const least = Math.min(0.5, ...results.map(({ ratioMin }) => ratioMin))
  const greatest = Math.max(2, ...results.map(({ ratioMax }) => ratioMax))
  const pixelsPerOctave = (WIDTH - LEFT - RIGHT) / Math.log2(greatest / least)
  return {
    x: (ratio) => LEFT + Math.log2(ratio / least) * pixelsPerOctave,
    marks: [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100].filter((mark) => mark >= least && mark <= greatest),
  }
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function fixed(value: number): string {
  return value.toFixed(1)
}

const WIDTH = 960
const LEFT = 430
const RIGHT = 70
const TOP = 36
const BOTTOM = 36
const ROW = 20

const STYLE = `
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.name, .value { text-anchor: end } .mark { text-anchor: middle } .quiet, .mark { fill: #59636e }
.grid { stroke: #d1d9e0 } .one { stroke: #59636e } .spread { stroke: #1f2328; stroke-width: 1.5 }
.target { stroke: #1f2328; stroke-width: 2; stroke-dasharray: 2 2 }
.met { fill: #4393c3 } .missed { fill: #d6604d } .informative { fill: #a8b1bb }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .quiet, .mark { fill: #9198a1 }
.grid { stroke: #3d444d } .one { stroke: #9198a1 } .spread, .target { stroke: #f0f6fc }
.met { fill: #2166ac } .missed { fill: #b2182b } .informative { fill: #656c76 }
}
`
