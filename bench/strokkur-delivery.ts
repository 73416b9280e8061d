/**
 * How likely a message is delivered, by simulation: `node --import tsx bench/strokkur-delivery.ts [messages a point]`. Writes
 * docs/strokkur-delivery.svg and docs/strokkur-delivery.json.
 *
 * A message of 1 MiB crosses a path with an MTU of 1500, that loses packets: independently, or in bursts of five on average
 * (Gilbert-Elliott). Compact: a packet is a chunk. Classic: six fragments are a chunk. What is decided is whether the rows that arrive
 * determine the chunks that do not, as in src/fec, on masks alone: chunk by chunk, rows are drawn as docs/wire/strokkur.md says.
 */
import { writeFile } from 'node:fs/promises'
import { drawDelivery, type DeliveryCurve, type SpareCurve } from './runner/delivery-chart.js'

const MESSAGE_BYTES = 1 << 20
const LOSSES = [0.01, 0.02, 0.05, 0.1]
const BURST_PACKETS = 5
const MAX_SPARE = 16

interface Format {
  readonly name: 'classic' | 'compact'
  readonly chunks: number
  readonly packetsPerChunk: number
  readonly maxRows: number
  /** The rows from 1 on that a chunk is in. */
  readonly isSparse: boolean
}

const FORMATS: readonly Format[] = [
  {
    name: 'compact',
    // 1472 bytes of UDP payload, 40 of them the header, and whole cache lines.
    chunks: Math.ceil((MESSAGE_BYTES + 32) / 1408),
    packetsPerChunk: 1,
    maxRows: 4096,
    isSparse: true,
  },
  {
    name: 'classic',
    chunks: MESSAGE_BYTES / 8192,
    // 8328 bytes with the headers of the format and of UDP, 1480 in a packet.
    packetsPerChunk: 6,
    maxRows: 65,
    isSparse: false,
  },
]

/** xorshift128+, for speed; nothing here depends on which it is. */
const state = new Uint32Array([0x9e3779b9, 0x243f6a88, 0xb7e15162, 0xdeadbeef])
function next(): number {
  let t = state[3]!
  const s = state[0]!
  state[3] = state[2]!
  state[2] = state[1]!
  state[1] = s
  t ^= t << 11
  t ^= t >>> 8
  state[0] = t ^ s ^ (s >>> 19)
  return (state[0] >>> 0) / 2 ** 32
}

class Path {
  #isBad = false
  readonly #enter: number
  readonly #leave: number
  readonly #loss: number

  constructor(loss: number, inBursts: boolean) {
    this.#loss = inBursts ? 0 : loss
    this.#leave = 1 / BURST_PACKETS
    this.#enter = inBursts ? (loss * this.#leave) / (1 - loss) : 0
  }

  loses(): boolean {
    if (this.#enter === 0) return next() < this.#loss
    this.#isBad = this.#isBad ? next() >= this.#leave : next() < this.#enter
    return this.#isBad
  }
}

const spares: Record<string, { tried: Float64Array; failed: Float64Array }> = {}

/** One message: is it delivered? */
function deliver(format: Format, rows: number, path: Path): boolean {
  const arrives = (): boolean => {
    let whole = true
    for (let i = 0; i < format.packetsPerChunk; i++) if (path.loses()) whole = false
    return whole
  }
  let lost = 0
  for (let i = 0; i < format.chunks; i++) if (!arrives()) lost++
  const arrived: number[] = []
  for (let row = 0; row < rows; row++) if (arrives()) arrived.push(row)
  if (lost === 0) return true
  const spare = arrived.length - lost
  if (spare < 0) return false
  const solved = isSolvable(lost, rows, arrived, format)
  const tally = (spares[format.name] ??= { tried: new Float64Array(MAX_SPARE + 1), failed: new Float64Array(MAX_SPARE + 1) })
  if (spare <= MAX_SPARE && lost > MAX_SPARE) {
    tally.tried[spare]!++
    if (!solved) tally.failed[spare]!++
  }
  return solved
}

let vectors = new Int32Array(0)

function isSolvable(lost: number, rows: number, arrived: readonly number[], format: Format): boolean {
  const words = (lost + 31) >>> 5
  if (vectors.length < rows * words) vectors = new Int32Array(rows * words)
  vectors.fill(0, 0, rows * words)
  const drawn = rows - 1
  for (let column = 0; column < lost; column++) {
    const bit = 1 << (column & 31)
    const word = column >>> 5
    vectors[word]! |= bit
    if (format.isSparse && drawn <= 12) {
      for (let row = 1; row <= drawn; row++) if (next() < 0.5) vectors[row * words + word]! |= bit
      continue
    }
    const perColumn = format.isSparse ? 6 + Math.floor(2 * next()) : Math.ceil(drawn / 2)
    for (let chosen = 0; chosen < perColumn;) {
      const at = (1 + Math.floor(next() * drawn)) * words + word
      if ((vectors[at]! & bit) !== 0) continue
      vectors[at]! |= bit
      chosen++
    }
  }
  const pivots = new Int32Array(lost).fill(-1)
  let rank = 0
  for (const [i, row] of arrived.entries()) {
    if (arrived.length - i < lost - rank) return false
    const start = row * words
    for (let word = 0; word < words; word++) {
      for (let bits = vectors[start + word]!; bits !== 0; bits = vectors[start + word]!) {
        const column = word * 32 + 31 - Math.clz32(bits & -bits)
        const pivot = pivots[column]!
        if (pivot < 0) {
          pivots[column] = start
          rank++
          word = words
          break
        }
        for (let other = word; other < words; other++) vectors[start + other]! ^= vectors[pivot + other]!
      }
    }
    if (rank === lost) return true
  }
  return false
}

const messages = Number(process.argv[2] ?? 100_000)
const curves: DeliveryCurve[] = []
for (const loss of LOSSES) {
  for (const inBursts of [false, true]) {
    for (const format of FORMATS) {
      const points: DeliveryCurve['points'][number][] = []
      const chunkLoss = 1 - (1 - loss) ** (inBursts ? 1 + (format.packetsPerChunk - 1) / BURST_PACKETS : format.packetsPerChunk)
      const needed = (format.chunks * chunkLoss) / (1 - chunkLoss)
      for (const factor of [0.7, 0.9, 1, 1.1, 1.25, 1.5, 2, 2.5]) {
        const rows = Math.min(format.maxRows, Math.max(1, Math.round(needed * factor)))
        if (points.some((point) => point.rows === rows)) continue
        const path = new Path(loss, inBursts)
        let delivered = 0
        for (let i = 0; i < messages; i++) if (deliver(format, rows, path)) delivered++
        points.push({ rows, overhead: rows / format.chunks, delivered: delivered / messages })
      }
      curves.push({ format: format.name, loss, inBursts, points })
      console.error(
        format.name,
        loss,
        inBursts ? 'bursts' : 'independent',
        points.map(({ rows, delivered }) => `${rows}:${delivered}`).join(' '),
      )
    }
  }
}
const spareCurves: SpareCurve[] = Object.entries(spares).map(([format, { tried, failed }]) => ({
  format,
  points: [...tried.keys()]
    .filter((spare) => tried[spare]! >= 1000)
    .map((spare) => ({ spare, failed: failed[spare]! / tried[spare]!, tried: tried[spare]! })),
}))
await writeFile(
  new URL('../docs/strokkur-delivery.json', import.meta.url),
  `${JSON.stringify({ messages, curves, spares: spareCurves }, null, 1)}\n`,
)
await writeFile(new URL('../docs/strokkur-delivery.svg', import.meta.url), drawDelivery(curves, spareCurves, messages))
