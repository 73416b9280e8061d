/** NAKs and repairs by the size of a group as SVG; like `chart.ts` it follows the reader's light or dark colour scheme. */

export interface GroupPoint {
  readonly receivers: number
  /** Packets that at least one receiver missed. */
  readonly lost: number
  /** The following a packet lost. */
  readonly naks: number
  readonly echoes: number
  readonly repairs: number
  /** Which share of what was sent again was XOR. */
  readonly xorShare: number
}

export interface GroupCurve {
  readonly isShared: boolean
  readonly points: readonly GroupPoint[]
}

/** Left: losses of each receiver by itself. Right: losses that all share. */
export function drawGroupRepair(curves: readonly GroupCurve[], packets: number): string {
  const most = Math.max(
    2,
    ...curves.flatMap(({ points }) => points.flatMap(({ naks, echoes, repairs }) => [naks, echoes, repairs])),
  )
  const panels = curves.map((curve, i) => drawPanel(curve, LEFT + i * STEP_X, Math.ceil(most)))
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img">
<title>NAKs, echoes and repairs a packet lost, by the number of receivers; ${packets} packets simulated a point</title>
<style>${STYLE}</style>
${panels.join('\n')}
<text x="${LEFT}" y="${HEIGHT - 14}" class="quiet">a packet lost: NAKs heard (blue), echoes (grey), packets and repairs sent again (red); by the number of receivers</text>
</svg>
`
}

function drawPanel({ isShared, points }: GroupCurve, left: number, most: number): string {
  const x = (receivers: number): number => left + (Math.log10(receivers) / 3) * PANEL_WIDTH
  const y = (value: number): number => TOP + (1 - value / most) * PANEL_HEIGHT
  const curve = (name: 'naks' | 'echoes' | 'repairs'): string =>
    `<path d="${line(points.map((point) => [x(point.receivers), y(point[name])] as const))}" class="${name}"/>`
  return [
    `<text x="${left}" y="${TOP - 14}">1 % lost, ${isShared ? 'the same at all receivers' : 'each receiver by itself'}</text>`,
    ...Array.from({ length: 5 }, (_, i) => (i * most) / 4).map((mark) => grid(left, y(mark), String(mark))),
    ...[1, 10, 100, 1000].map((mark) => `<text x="${x(mark)}" y="${TOP + PANEL_HEIGHT + 18}" class="mark">${mark}</text>`),
    curve('echoes'),
    curve('naks'),
    curve('repairs'),
  ].join('\n')
}

function grid(left: number, y: number, label: string): string {
  return `<path d="M${left} ${y.toFixed(1)}h${PANEL_WIDTH}" class="grid"/><text x="${left - 6}" y="${(y + 4).toFixed(1)}" class="value">${label}</text>`
}

function line(points: readonly (readonly [number, number])[]): string {
  return points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`).join('')
}

const WIDTH = 860
const HEIGHT = 340
const TOP = 44
const LEFT = 60
const STEP_X = 410
const PANEL_WIDTH = 350
const PANEL_HEIGHT = 230

const STYLE = `
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.value { text-anchor: end } .mark { text-anchor: middle } .quiet, .mark, .value { fill: #59636e }
path { fill: none; stroke-width: 2 } .grid { stroke: #d1d9e0; stroke-width: 1 }
.naks { stroke: #4393c3 } .repairs { stroke: #d6604d } .echoes { stroke: #a8b1bb }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .quiet, .mark, .value { fill: #9198a1 }
.grid { stroke: #3d444d }
}
`
