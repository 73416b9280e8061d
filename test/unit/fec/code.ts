import { SeededRandom, randomBelow, randomFill, type Random } from '../../../src/core/index.js'
import { BitMatrix, Decoder, RowEncoder, XorRun, drawBalancedRows, drawSparseRows, PORTABLE_XOR } from '../../../src/fec/index.js'

/** A message of blocks with its redundant rows, as a sender has it. */
export class Code {
  readonly random: Random
  readonly source: Uint8Array
  readonly masks: BitMatrix
  readonly rows: Uint8Array[] = []

  constructor(
    seed: number,
    readonly bytes: number,
    readonly blockBytes: number,
    rows: number,
    isSparse: boolean,
  ) {
    this.random = new SeededRandom(seed)
    this.source = new Uint8Array(bytes)
    randomFill(this.random, this.source)
    this.masks = BitMatrix.ofSize(rows, this.blocks)
    if (isSparse) drawSparseRows(this.random, this.masks, rows)
    else drawBalancedRows(this.random, this.masks, rows)
    const encoder = new RowEncoder(new XorRun(PORTABLE_XOR))
    for (let row = 0; row < rows; row++) {
      const payload = new Uint8Array(blockBytes)
      encoder.encode(payload, this.masks, row, 1, this.source, blockBytes)
      this.rows.push(payload)
    }
  }

  get blocks(): number {
    return Math.ceil(this.bytes / this.blockBytes)
  }

  block(i: number): Uint8Array {
    return this.source.subarray(i * this.blockBytes, (i + 1) * this.blockBytes)
  }

  columnsOf(row: number): Set<number> {
    const columns = new Set<number>()
    this.masks.forEach(row, (column) => columns.add(column))
    return columns
  }
}

/** A receiver's side of a {@link Code}. */
export class Receiving {
  readonly received: Uint8Array
  readonly decoder: Decoder

  constructor(
    readonly code: Code,
    maxRows = code.rows.length,
    run = new XorRun(),
  ) {
    this.received = new Uint8Array(code.bytes).fill(0xee)
    this.decoder = new Decoder(code.blocks, code.blockBytes, this.received, run, (masks) => {
      masks.words.set(code.masks.words)
    })
    const rows = code.rows.length
    if (maxRows === 0) return
    this.decoder.setRowMemory(new Uint8Array(this.decoder.rowMemoryBytes(maxRows, rows)).fill(0xee), maxRows, rows)
  }

  /** Source blocks count from 0, rows from the number of blocks. */
  take(item: number, payload = this.payload(item)): void {
    if (item < this.code.blocks) {
      this.received.set(payload, item * this.code.blockBytes)
      this.decoder.markSource(item)
    } else this.decoder.addRow(item - this.code.blocks, payload)
  }

  payload(item: number): Uint8Array {
    return item < this.code.blocks ? this.code.block(item) : this.code.rows[item - this.code.blocks]!
  }
}

export function shuffled(random: Random, count: number): number[] {
  const items = Array.from({ length: count }, (_, i) => i)
  for (let i = count - 1; i > 0; i--) {
    const j = randomBelow(random, i + 1)
    ;[items[i], items[j]] = [items[j]!, items[i]!]
  }
  return items
}
