import { isIP, isIPv4, isIPv6 } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatIpv4, formatIpv6, parseAddress } from '../../../src/core/index.js'
import { checkProperty } from '../support/check-property.js'

type Words = [number, number, number, number]

const word = fc.nat({ max: 0xffff_ffff })
const words: fc.Arbitrary<Words> = fc.oneof(
  fc.tuple(word, word, word, word),
  // Zero groups decide the shortest form, so they must be frequent.
  fc
    .array(fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat({ max: 0xffff })), { minLength: 8, maxLength: 8 })
    .map((g) => [0, 2, 4, 6].map((i) => ((g[i]! << 16) | g[i + 1]!) >>> 0) as Words),
)

/** Text that often is an address and often almost one. */
const nearlyAddress = fc.oneof(
  fc.ipV4(),
  fc.ipV4Extended(),
  fc.ipV6(),
  fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEF:.:.::%g -'), maxLength: 42 }),
  fc
    .array(fc.oneof(fc.constantFrom('', '0', '00', '255', '256', 'ffff', '1.2.3.4', '01.2.3.4'), fc.nat(300).map(String)), {
      maxLength: 10,
    })
    .chain((parts) => fc.constantFrom(':', '.').map((separator) => parts.join(separator))),
  fc.tuple(fc.ipV6(), fc.nat({ max: 45 }), fc.constantFrom('', ':', '.', '0', '%', 'g')).map(([text, at, piece]) => {
    return text.slice(0, at) + piece + text.slice(at + 1)
  }),
)

describe('an IP address as text', () => {
  test.each([
    ['0.0.0.0', [0, 0, 0, 0]],
    ['127.0.0.1', [0, 0, 0, 0x7f00_0001]],
    ['255.255.255.255', [0, 0, 0, 0xffff_ffff]],
  ])('reads the IPv4 address %s', (text, expected) => {
    expect(parseAddress(text)).toEqual({ family: 4, words: expected, zone: '' })
  })

  test.each([
    ['::', [0, 0, 0, 0]],
    ['::1', [0, 0, 0, 1]],
    ['1::', [0x1_0000, 0, 0, 0]],
    ['2001:db8::1', [0x2001_0db8, 0, 0, 1]],
    ['2001:DB8::ABCD', [0x2001_0db8, 0, 0, 0xabcd]],
    ['1:2:3:4:5:6:7:8', [0x1_0002, 0x3_0004, 0x5_0006, 0x7_0008]],
    ['1:2:3:4:5:6:7::', [0x1_0002, 0x3_0004, 0x5_0006, 0x7_0000]],
    ['::2:3:4:5:6:7:8', [2, 0x3_0004, 0x5_0006, 0x7_0008]],
    ['::ffff:192.0.2.1', [0, 0, 0xffff, 0xc000_0201]],
    ['::ffff:c000:201', [0, 0, 0xffff, 0xc000_0201]],
    ['1:2:3:4:5:6:192.0.2.1', [0x1_0002, 0x3_0004, 0x5_0006, 0xc000_0201]],
  ])('reads the IPv6 address %s', (text, expected) => {
    expect(parseAddress(text)).toEqual({ family: 6, words: expected, zone: '' })
  })

  test.each([
    '',
    ' ',
    'localhost',
    '1.2.3',
    '1.2.3.4.5',
    '256.0.0.1',
    '01.2.3.4',
    '0x7f.0.0.1',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1.2.3.-4',
    '1..2.3',
    '1.2.3.4%eth0',
    ':',
    ':::',
    '1:',
    ':1',
    '1::2::3',
    '12345::',
    'g::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '1.2.3.4::',
    '::1.2.3',
    '::1.2.3.4:5',
    '::256.1.1.1',
    'fe80::1%',
    '%eth0',
    '[::1]',
  ])('refuses %j', (text) => {
    expect(parseAddress(text)).toBeUndefined()
  })

  test('keeps the zone of a scoped literal, a name or a number', () => {
    expect(parseAddress('fe80::1%eth0')).toEqual({ family: 6, words: [0xfe80_0000, 0, 0, 1], zone: 'eth0' })
    expect(parseAddress('fe80::1%12')?.zone).toBe('12')
  })

  test('agrees with node:net on what is an address', () =>
    checkProperty(
      fc.property(nearlyAddress, (text) => {
        fc.pre(!text.includes('%'))
        expect(parseAddress(text)?.family ?? 0).toBe(isIP(text))
      }),
      3000,
    ))

  test('agrees with node:net on addresses with a zone', () =>
    checkProperty(
      fc.property(fc.ipV6(), fc.string({ unit: fc.constantFrom(...'abcxyz0189'), minLength: 1, maxLength: 8 }), (text, zone) => {
        const scoped = `${text}%${zone}`
        expect(parseAddress(scoped) !== undefined).toBe(isIPv6(scoped))
        expect(parseAddress(scoped)?.words).toEqual(parseAddress(text)?.words)
      }),
    ))

  test('never throws, whatever the text', () =>
    checkProperty(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), (text) => void parseAddress(text)),
      300,
    ))
})

describe('an IP address to text', () => {
  test('writes IPv4 so that it reads back the same', () =>
    checkProperty(
      fc.property(word, (value) => {
        const text = formatIpv4(value)
        expect(isIPv4(text)).toBe(true)
        expect(parseAddress(text)?.words).toEqual([0, 0, 0, value])
      }),
    ))

  test('writes IPv6 so that it reads back the same', () =>
    checkProperty(
      fc.property(words, (value) => {
        const text = formatIpv6(value)
        expect(isIPv6(text)).toBe(true)
        expect(parseAddress(text)?.words).toEqual(value)
      }),
      1000,
    ))

  test('writes IPv6 as the URL standard does, which follows RFC 5952, but for mapped addresses', () =>
    checkProperty(
      fc.property(words, (value) => {
        fc.pre(!(value[0] === 0 && value[1] === 0 && value[2] === 0xffff))
        const groups = value.flatMap((w) => [(w >>> 16).toString(16), (w & 0xffff).toString(16)])
        expect(`[${formatIpv6(value)}]`).toBe(new URL(`udp://[${groups.join(':')}]`).hostname)
      }),
      1000,
    ))

  test('reads IPv6 as the URL standard does', () =>
    checkProperty(
      fc.property(fc.ipV6(), (text) => {
        const value = parseAddress(text)!.words as Words
        fc.pre(!(value[0] === 0 && value[1] === 0 && value[2] === 0xffff))
        expect(`[${formatIpv6(value)}]`).toBe(new URL(`udp://[${text}]`).hostname)
      }),
      1000,
    ))

  test.each([
    [[0, 0, 0, 0], '::'],
    [[0, 0, 0, 1], '::1'],
    [[0x1_0000, 0, 0, 0], '1::'],
    [[0, 0, 0xffff, 0xc000_0201], '::ffff:192.0.2.1'],
    // RFC 5952 section 4.2.2: one group of zeros is not shortened; 4.2.3: the longest run, the first of two equals.
    [[0x2001_0db8, 0x1, 0x1_0001, 0x1_0001], '2001:db8:0:1:1:1:1:1'],
    [[0x2001_0000, 0, 0x1_0000, 0x0000_0001], '2001::1:0:0:1'],
    [[0x2001_0db8, 0, 0x1_0000, 0x0000_0001], '2001:db8::1:0:0:1'],
    [[0x2001_0000, 0x0000_0001, 0, 0x0000_0001], '2001:0:0:1::1'],
  ])('writes %j as %s', (value, text) => {
    expect(formatIpv6(value as Words)).toBe(text)
  })
})
