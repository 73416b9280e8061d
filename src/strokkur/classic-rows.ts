import type { BitMatrix, Decoder, XorRun } from '../fec/index.js'
import type { ChunkRejection } from './chunk-header.js'

/** Is the mask in `row` one of those before it? Classic rows have no number by which to know them again. */
export function hasEqualMask(masks: BitMatrix, row: number): boolean {
  const { words, wordsPerRow } = masks
  for (let other = 0; other < row; other++) {
    let same = true
    for (let i = 0; i < wordsPerRow && same; i++) same = words[other * wordsPerRow + i] === words[row * wordsPerRow + i]
    if (same) return true
  }
  return false
}

/**
 * A row that was cut to the length of the last chunk. Of the longer chunks that it covers, bytes are missing; but where these have arrived, it
 * gives the last chunk at once, which is written to `content`.
 *
 * @see docs/wire/strokkur.md, "The original's defects"
 */
export function lastBlockOfCutRow(
  decoder: Decoder,
  row: number,
  payload: Uint8Array,
  content: Uint8Array,
  run: XorRun,
): ChunkRejection | undefined {
  const { masks, blockBytes, blocks } = decoder
  const last = blocks - 1
  const start = last * blockBytes
  if (!masks.has(row, last) || payload.length < content.length - start) return 'truncated'
  if (decoder.has(last)) return decoder.missing > 0 ? 'truncated' : 'surplus'
  let open = 0
  masks.forEach(row, (column) => {
    if (!decoder.has(column)) open++
  })
  if (open > 1) return 'truncated'
  content.set(payload.subarray(0, content.length - start), start)
  run.begin(content, content, blockBytes)
  masks.forEach(row, (column) => {
    if (column !== last) run.add(last, column)
  })
  run.finish()
  decoder.markSource(last)
  return undefined
}
