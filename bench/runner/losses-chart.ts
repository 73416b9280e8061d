/** Goodput by loss, as SVG: what streams get, in simulation and through a relay process, beside what the formula of CUBIC says. */
export interface LossPoint {
  readonly loss: number
  /** As shares of the capacity. */
  readonly least: number
  readonly median: number
  readonly most: number
}

export interface LossCurve {
  readonly name: string
  /** Its class in the style below. */
  readonly kind: 'fixed' | 'cubic'
  /** Points with whiskers from processes; a line from simulation. */
  readonly isMeasured: boolean
  readonly points: readonly LossPoint[]
}

/** Both axes are logarithmic; a loss of 0 has a column of its own. */
export function drawLosses(curves: readonly LossCurve[], formula: (loss: number) => number): string {
  const theory = Array.from({ length: 101 }, (_, i) => LEAST_LOSS * (MOST_LOSS / LEAST_LOSS) ** (i / 100))
    .filter((loss) => formula(loss) <= 1)
    .map((loss) => [x(loss), y(formula(loss))] as const)
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img">
<title>Goodput of reliable streams by loss: 100 Mbit/s, 20 ms round trip</title>
<style>${STYLE}</style>
<text x="${LEFT}" y="${TOP - 16}">goodput as a share of 100 Mbit/s; round trip 20 ms, queue 256 KiB</text>
${[1, 0.5, 0.2, 0.1, 0.05, 0.02].map((mark) => horizontal(mark)).join('\n')}
${[0, 0.001, 0.01, 0.05, 0.1].map((loss) => `<text x="${x(loss)}" y="${HEIGHT - BOTTOM + 18}" class="mark">${100 * loss} %</text>`).join('\n')}
<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - BOTTOM + 38}" class="mark">packets lost, in both directions</text>
<path d="${line(theory)}" class="theory"/>
${curves.map((curve) => (curve.isMeasured ? drawPoints(curve) : drawLine(curve))).join('\n')}
${drawLegend(curves)}
</svg>
`
}

function drawLine({ kind, points }: LossCurve): string {
  const lossy = points.filter(({ loss }) => loss > 0).map(({ loss, median }) => [x(loss), y(median)] as const)
  const lossless = points
    .filter(({ loss }) => loss === 0)
    .map(({ median }) => `<circle cx="${x(0)}" cy="${y(median)}" r="3" class="${kind}"/>`)
  return [`<path d="${line(lossy)}" class="${kind}"/>`, ...lossless].join('\n')
}

function drawPoints({ kind, points }: LossCurve): string {
  return points
    .map(({ loss, least, median, most }) => {
      const middle = x(loss) + MEASURED_SHIFT
      return [
        `<path d="M${middle} ${y(least)}V${y(most)}" class="${kind}"/>`,
        `<rect x="${middle - 4}" y="${(Number(y(median)) - 4).toFixed(1)}" width="8" height="8" class="${kind}"/>`,
      ].join('\n')
    })
    .join('\n')
}

function drawLegend(curves: readonly LossCurve[]): string {
  const rows = [...curves.map(({ name, kind, isMeasured }) => ({ name, kind: kind, isMeasured })), FORMULA]
  return rows
    .map(({ name, kind, isMeasured }, i) => {
      const top = TOP + 14 + i * 20
      const mark = isMeasured
        ? `<rect x="${WIDTH - RIGHT + 28}" y="${top - 8}" width="8" height="8" class="${kind}"/>`
        : `<path d="M${WIDTH - RIGHT + 18} ${top - 4}h28" class="${kind}"/>`
      return `${mark}<text x="${WIDTH - RIGHT + 54}" y="${top}">${name}</text>`
    })
    .join('\n')
}

function horizontal(share: number): string {
  return `<path d="M${LEFT} ${y(share)}H${WIDTH - RIGHT}" class="grid"/><text x="${LEFT - 6}" y="${Number(y(share)) + 4}" class="value">${share}</text>`
}

function x(loss: number): number {
  if (loss === 0) return LEFT + 24
  const width = WIDTH - RIGHT - LEFT - NOTHING_LOST - 24
  return Math.round(LEFT + NOTHING_LOST + (Math.log(loss / LEAST_LOSS) / Math.log(MOST_LOSS / LEAST_LOSS)) * width)
}

function y(share: number): string {
  const height = HEIGHT - TOP - BOTTOM
  return (TOP + (Math.log(Math.max(share, LEAST_SHARE)) / Math.log(LEAST_SHARE)) * height).toFixed(1)
}

function line(points: readonly (readonly [number, string])[]): string {
  return points.map(([atX, atY], i) => `${i === 0 ? 'M' : 'L'}${atX} ${atY}`).join('')
}

const FORMULA = { name: 'CUBIC by formula', kind: 'theory', isMeasured: false }
const WIDTH = 960
const HEIGHT = 440
const LEFT = 56
const RIGHT = 270
const TOP = 44
const BOTTOM = 56
/** Room at the left for a loss of 0. */
const NOTHING_LOST = 80
/** Measured points stand beside simulated ones. */
const MEASURED_SHIFT = 6
const LEAST_LOSS = 0.0005
const MOST_LOSS = 0.1
const LEAST_SHARE = 0.01

const STYLE = `
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.value { text-anchor: end } .mark { text-anchor: middle } .mark, .value { fill: #59636e }
path { fill: none; stroke-width: 2 } .grid { stroke: #d1d9e0; stroke-width: 1 } path.theory { stroke: #a8b1bb; stroke-width: 5 }
path.fixed { stroke: #4393c3 } path.cubic { stroke: #d6604d }
rect.fixed, circle.fixed { fill: #4393c3 } rect.cubic, circle.cubic { fill: #d6604d }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .mark, .value { fill: #9198a1 }
.grid { stroke: #3d444d }
}
`
