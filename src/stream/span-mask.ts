/** Some of 64 consecutive packets: bit i of `low`, or bit i - 32 of `high`, is the i-th. Never changed. */
export interface SpanMask {
  readonly low: number
  readonly high: number
}

export const EMPTY_MASK: SpanMask = { low: 0, high: 0 }

/** Those from `from` up to but without `end`. */
export function rangeMask(from: number, end: number): SpanMask {
  return { low: wordRange(from, end), high: wordRange(from - 32, end - 32) }
}

export function hasBit(mask: SpanMask, index: number): boolean {
  return (((index < 32 ? mask.low : mask.high) >>> (index & 31)) & 1) === 1
}

export function withBit({ low, high }: SpanMask, index: number): SpanMask {
  return index < 32 ? { low: (low | (1 << index)) >>> 0, high } : { low, high: (high | (1 << (index - 32))) >>> 0 }
}

export function withoutBit({ low, high }: SpanMask, index: number): SpanMask {
  return index < 32 ? { low: (low & ~(1 << index)) >>> 0, high } : { low, high: (high & ~(1 << (index - 32))) >>> 0 }
}

export function union(one: SpanMask, other: SpanMask): SpanMask {
  return { low: (one.low | other.low) >>> 0, high: (one.high | other.high) >>> 0 }
}

export function intersection(one: SpanMask, other: SpanMask): SpanMask {
  return { low: (one.low & other.low) >>> 0, high: (one.high & other.high) >>> 0 }
}

/** Those that are in one of them alone. */
export function symmetricDifference(one: SpanMask, other: SpanMask): SpanMask {
  return { low: (one.low ^ other.low) >>> 0, high: (one.high ^ other.high) >>> 0 }
}

export function isEmpty({ low, high }: SpanMask): boolean {
  return low === 0 && high === 0
}

/** Are all of `inner` in `outer`? */
export function isWithin(inner: SpanMask, outer: SpanMask): boolean {
  return (inner.low & ~outer.low) === 0 && (inner.high & ~outer.high) === 0
}

export function countBits({ low, high }: SpanMask): number {
  return countWord(low) + countWord(high)
}

/** The lowest, of a mask that is not empty. */
export function firstBit({ low, high }: SpanMask): number {
  return low !== 0 ? 31 - Math.clz32(low & -low) : 63 - Math.clz32(high & -high)
}

/** The highest; of an empty mask -1. */
export function lastBit({ low, high }: SpanMask): number {
  return high !== 0 ? 63 - Math.clz32(high) : 31 - Math.clz32(low)
}

/** Calls `visit` with each, ascending. */
export function forEachBit({ low, high }: SpanMask, visit: (index: number) => void): void {
  forEachInWord(low, 0, visit)
  forEachInWord(high, 32, visit)
}

function wordRange(from: number, end: number): number {
  const first = Math.min(Math.max(from, 0), 32)
  const last = Math.min(Math.max(end, first), 32)
  return (2 ** last - 2 ** first) >>> 0
}

function forEachInWord(word: number, offset: number, visit: (index: number) => void): void {
  for (let bits = word; bits !== 0;) {
    const lowest = bits & -bits
    bits ^= lowest
    visit(offset + 31 - Math.clz32(lowest))
  }
}

function countWord(word: number): number {
  let bits = word - ((word >>> 1) & 0x5555_5555)
  bits = (bits & 0x3333_3333) + ((bits >>> 2) & 0x3333_3333)
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24
}
