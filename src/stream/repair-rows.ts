import type { Random } from '../core/index.js'
import { countBits, firstBit, hasBit, intersection, isEmpty, symmetricDifference, type SpanMask } from './span-mask.js'

/**
 * Chooses which packets each of some repairs is the XOR of. The first covers all; the others cover random halves, drawn so that the
 * receivers that have asked can solve them.
 *
 * @param wanted How many, if they serve all who asked; up to {@link MAX_EXTRA_ROWS} more if they do not.
 * @param asked What each of those who asked misses.
 * @param isFirst Is nothing over these packets on its way already? Otherwise a repair over all of them would be no news.
 */
export function chooseRows(
  random: Random,
  mask: SpanMask,
  wanted: number,
  asked: readonly SpanMask[],
  isFirst: boolean,
): SpanMask[] {
  const rows: SpanMask[] = []
  const bases = asked.map((missing) => new MaskBasis(missing))
  const isServed = (): boolean => bases.every((basis) => basis.isFull)
  while (rows.length < wanted || (rows.length < wanted + MAX_EXTRA_ROWS && !isServed())) {
    const row = rows.length === 0 && isFirst ? mask : drawRow(random, mask, bases)
    for (const basis of bases) basis.add(row)
    rows.push(row)
  }
  return rows
}

/** The best of some random halves: what is news for the most. */
function drawRow(random: Random, mask: SpanMask, bases: readonly MaskBasis[]): SpanMask {
  let best = mask
  let bestNews = -1
  for (let tries = 0; tries < TRIES && bestNews < bases.length; tries++) {
    const row = intersection(mask, { low: random.uint32(), high: random.uint32() })
    if (isEmpty(row)) continue
    const news = bases.reduce((count, basis) => count + (basis.isFull || basis.isNews(row) ? 1 : 0), 0)
    if (news <= bestNews) continue
    best = row
    bestNews = news
  }
  return best
}

/** What repairs tell a receiver that misses some packets: a basis of their masks. */
class MaskBasis {
  readonly #missing: SpanMask
  readonly #wanted: number
  /** Each with a lowest bit that no other has as its lowest. */
  readonly #vectors: SpanMask[] = []

  constructor(missing: SpanMask) {
    this.#missing = missing
    this.#wanted = countBits(missing)
  }

  get isFull(): boolean {
    return this.#vectors.length === this.#wanted
  }

  isNews(row: SpanMask): boolean {
    return !isEmpty(this.#reduce(row))
  }

  add(row: SpanMask): void {
    const reduced = this.#reduce(row)
    if (!isEmpty(reduced)) this.#vectors.push(reduced)
  }

  #reduce(row: SpanMask): SpanMask {
    let rest = intersection(row, this.#missing)
    for (const vector of this.#vectors) {
      if (hasBit(rest, firstBit(vector))) rest = symmetricDifference(rest, vector)
    }
    return rest
  }
}

/** Random halves that one is chosen from. */
const TRIES = 8
/** Who is not served by these asks again. */
const MAX_EXTRA_ROWS = 2
