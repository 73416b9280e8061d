/**
 * IP addresses as text and as numbers, without the operating system: an address is four 32-bit words in network order,
 * most significant first. An IPv4 address stands in the last word of its IPv4-mapped form (RFC 4291 section 2.5.5.2).
 */

export interface ParsedAddress {
  readonly family: 4 | 6
  /** Network order. For IPv4 only `words[3]` counts. */
  readonly words: readonly [number, number, number, number]
  /** The zone of a scoped IPv6 literal (RFC 4007 section 11), a number or an interface name; `''` without one. */
  readonly zone: string
}

/** Reads a literal as `inet_pton(3)` does (no octal, no short forms); undefined for anything else, so for names. */
export function parseAddress(text: string): ParsedAddress | undefined {
  const percent = text.indexOf('%')
  const literal = percent < 0 ? text : text.slice(0, percent)
  const zone = percent < 0 ? '' : text.slice(percent + 1)
  if (!literal.includes(':')) {
    if (percent >= 0) return undefined
    const word = parseIpv4(literal)
    return word === undefined ? undefined : { family: 4, words: [0, 0, 0, word], zone: '' }
  }
  if (percent >= 0 && !/^[\w.:-]+$/.test(zone)) return undefined
  const words = parseIpv6(literal)
  return words && { family: 6, words, zone }
}

export function formatIpv4(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`
}

/** The canonical text of RFC 5952: lower case, the longest run of zero groups shortened. */
export function formatIpv6(words: readonly [number, number, number, number]): string {
  const [a, b, c, d] = words
  if (isIpv4MappedPrefix(a, b, c)) return `::ffff:${formatIpv4(d)}`
  const groups = words.flatMap((word) => [word >>> 16, word & 0xffff])
  const run = longestZeroRun(groups)
  if (run.length < 2) return groups.map(hex).join(':')
  const head = groups.slice(0, run.start).map(hex).join(':')
  const tail = groups
    .slice(run.start + run.length)
    .map(hex)
    .join(':')
  return `${head}::${tail}`
}

export function isIpv4MappedPrefix(a: number, b: number, c: number): boolean {
  return a === 0 && b === 0 && c === 0xffff
}

/** 224.0.0.0/4 (RFC 5771). */
export function isIpv4MulticastWord(word: number): boolean {
  return word >>> 28 === 0xe
}

function parseIpv4(text: string): number | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  let word = 0
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined
    word = word * 256 + Number(part)
  }
  return word
}

function parseIpv6(text: string): [number, number, number, number] | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const head = parseGroups(halves[0] ?? '', halves.length === 1)
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? '', true) : []
  if (!head || !tail) return undefined
  const missing = IPV6_GROUPS - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail]
  const word = (i: number): number => ((groups[i] ?? 0) * 0x10000 + (groups[i + 1] ?? 0)) >>> 0
  return [word(0), word(2), word(4), word(6)]
}

/** Groups between colons; the last may be a dotted IPv4 address (RFC 4291 section 2.2) where the text ends. */
function parseGroups(text: string, atEnd: boolean): number[] | undefined {
  if (text === '') return []
  const groups: number[] = []
  const parts = text.split(':')
  for (const [i, part] of parts.entries()) {
    if (part.includes('.') && atEnd && i === parts.length - 1) {
      const word = parseIpv4(part)
      if (word === undefined) return undefined
      groups.push(word >>> 16, word & 0xffff)
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16))
    } else {
      return undefined
    }
  }
  return groups
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 }
  let start = 0
  for (let i = 0; i <= groups.length; i++) {
    if (i < groups.length && groups[i] === 0) continue
    if (i - start > best.length) best = { start, length: i - start }
    start = i + 1
  }
  return best
}

function hex(group: number): string {
  return group.toString(16)
}

const IPV6_GROUPS = 8
