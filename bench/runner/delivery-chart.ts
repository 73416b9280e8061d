/** Delivery probabilities as SVG; like `chart.ts` it follows the reader's light or dark colour scheme. */

export interface DeliveryCurve {
  readonly format: string
  readonly loss: number
  readonly inBursts: boolean
  readonly points: readonly { readonly rows: number; readonly overhead: number; readonly delivered: number }[]
}

export interface SpareCurve {
  readonly format: string
  readonly points: readonly { readonly spare: number; readonly failed: number; readonly tried: number }[]
}

/** Left: failures by spare rows, beside the theory. Right: a panel a loss, delivered by overhead. */
export function drawDelivery(curves: readonly DeliveryCurve[], spares: readonly SpareCurve[], messages: number): string {
  const losses = [...new Set(curves.map(({ loss }) => loss))]
  const panels = losses.map((loss, i) => {
    const own = curves.filter((curve) => curve.loss === loss)
    return drawLoss(own, loss, PANEL_LEFT + (i % 2) * PANEL_STEP_X, TOP + Math.floor(i / 2) * PANEL_STEP_Y)
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img">
<title>Delivery of messages of 1 MiB, ${messages} simulated a point</title>
<style>${STYLE}</style>
${drawSpares(spares)}
${panels.join('\n')}
<text x="${PANEL_LEFT}" y="${HEIGHT - 14}" class="quiet">blue: compact, red: classic; solid: independent losses, dashed: in bursts of 5 packets</text>
</svg>
`
}

function drawSpares(spares: readonly SpareCurve[]): string {
  const x = (spare: number): number => LEFT + (spare / MAX_SPARE) * SPARE_WIDTH
  const y = (failed: number): number => TOP + (-Math.log10(Math.max(failed, LEAST)) / -Math.log10(LEAST)) * SPARE_HEIGHT
  const theory = Array.from({ length: MAX_SPARE + 1 }, (_, spare) => [x(spare), y(denseFailure(spare))] as const)
  return [
    `<text x="${LEFT}" y="${TOP - 14}">not delivered, by redundant chunks beyond the lost ones</text>`,
    ...[1, 0.1, 0.01, 1e-3, 1e-4].map((mark) => grid(LEFT, SPARE_WIDTH, y(mark), String(mark))),
    ...[0, 4, 8, 12].map((mark) => `<text x="${x(mark)}" y="${TOP + SPARE_HEIGHT + 18}" class="mark">${mark}</text>`),
    `<path d="${line(theory)}" class="theory"/>`,
    `<text x="${LEFT + 8}" y="${TOP + SPARE_HEIGHT - 8}" class="quiet">grey: theory of dense rows</text>`,
    ...spares.map(({ format, points }) => {
      const drawn = points.filter(({ spare, failed }) => spare <= MAX_SPARE && failed >= LEAST)
      return `<path d="${line(drawn.map(({ spare, failed }) => [x(spare), y(failed)] as const))}" class="${format}"/>`
    }),
  ].join('\n')
}

function drawLoss(curves: readonly DeliveryCurve[], loss: number, left: number, top: number): string {
  const most = Math.max(...curves.flatMap(({ points }) => points.map(({ overhead }) => overhead)))
  const x = (overhead: number): number => left + (overhead / most) * PANEL_WIDTH
  const y = (delivered: number): number => top + (1 - delivered) * PANEL_HEIGHT
  return [
    `<text x="${left}" y="${top - 14}">delivered, ${loss * 100} % of packets lost</text>`,
    ...[0, 0.5, 1].map((mark) => grid(left, PANEL_WIDTH, y(mark), String(mark))),
    ...[0, 0.5, 1].map(
      (part) =>
        `<text x="${x(part * most)}" y="${top + PANEL_HEIGHT + 18}" class="mark">+${Math.round(part * most * 100)} %</text>`,
    ),
    ...curves.map(({ format, inBursts, points }) => {
      const drawn = points.map(({ overhead, delivered }) => [x(overhead), y(delivered)] as const)
      return `<path d="${line(drawn)}" class="${format}${inBursts ? ' bursts' : ''}"/>`
    }),
  ].join('\n')
}

/** The chance that n + spare random rows over GF(2) do not determine n columns, for large n. */
export function denseFailure(spare: number): number {
  let solved = 1
  for (let i = spare + 1; i < spare + 60; i++) solved *= 1 - 2 ** -i
  return 1 - solved
}

function grid(left: number, width: number, y: number, label: string): string {
  return `<path d="M${left} ${y.toFixed(1)}h${width}" class="grid"/><text x="${left - 6}" y="${(y + 4).toFixed(1)}" class="value">${label}</text>`
}

function line(points: readonly (readonly [number, number])[]): string {
  return points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`).join('')
}

const WIDTH = 1040
const HEIGHT = 560
const TOP = 44
const LEFT = 60
const SPARE_WIDTH = 300
const SPARE_HEIGHT = 420
const PANEL_LEFT = 440
const PANEL_STEP_X = 310
const PANEL_STEP_Y = 250
const PANEL_WIDTH = 250
const PANEL_HEIGHT = 180
const MAX_SPARE = 14
const LEAST = 1e-5

const STYLE = `
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.value { text-anchor: end } .mark { text-anchor: middle } .quiet, .mark, .value { fill: #59636e }
path { fill: none; stroke-width: 2 } .grid { stroke: #d1d9e0; stroke-width: 1 } .theory { stroke: #a8b1bb; stroke-width: 5 }
.compact { stroke: #4393c3 } .classic { stroke: #d6604d } .bursts { stroke-dasharray: 5 3 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .quiet, .mark, .value { fill: #9198a1 }
.grid { stroke: #3d444d }
}
`
