import { describe, expect, test } from 'vitest'
import { byteSize, decodeHex, given, localPlace, rate, wholeNumber } from '../../src/cli/arguments.js'
import { printable } from '../../src/cli/datagram-format.js'
import { bytes, counted, grouped, perSecond } from '../../src/cli/numbers.js'
import { MAX_CATCH_UP_MS, Pacer } from '../../src/cli/pacer.js'
import { cut } from '../../src/cli/payloads.js'

describe('arguments', () => {
  test.each<[string, { address: string | undefined; port: number }]>([
    ['9000', { address: undefined, port: 9000 }],
    [':9000', { address: undefined, port: 9000 }],
    ['*:9000', { address: undefined, port: 9000 }],
    ['127.0.0.1:0', { address: '127.0.0.1', port: 0 }],
    ['[fe80::1%eth0]:65535', { address: 'fe80::1%eth0', port: 65_535 }],
    ['my-host.example:53', { address: 'my-host.example', port: 53 }],
  ])('%s is a place to listen', (text, place) => {
    expect(localPlace(text)).toEqual(place)
  })

  test.each(['', ':', '65536', 'x', '127.0.0.1', '::1', '::1:9000', '[::1]9000', '1.2.3.4:99999', '1.2.3.4:-1', '1 2:3:4'])(
    '%j is none',
    (text) => expect(() => localPlace(text)).toThrow(/It must be|The port must be/),
  )

  test('numbers, sizes and rates', () => {
    expect(['0', '0x2e', '255'].map(wholeNumber(0, 255))).toEqual([0, 46, 255])
    for (const text of ['256', '-1', '1.5', '', ' 1', '1e2', '0xzz'])
      expect(() => wholeNumber(0, 255)(text)).toThrow(/from 0 to 255/)
    expect(['1', '1k', '1.5K', '4M'].map(byteSize(1, 2 ** 30))).toEqual([1, 1024, 1536, 4 << 20])
    for (const text of ['0', '2G', '1.0001k', '4MB', 'k']) expect(() => byteSize(1, 2 ** 30)(text)).toThrow(/4M/)
    expect(['500', '20k', '1.5M', '10G'].map(rate)).toEqual([500, 20_000, 1_500_000, 1e10])
    for (const text of ['0', '-1', '1T', '']) expect(() => rate(text)).toThrow(/above 0/)
  })

  test('hexadecimal', () => {
    expect(decodeHex('de:AD be\nef')).toEqual(Buffer.from('deadbeef', 'hex'))
    expect(decodeHex('0x00')).toEqual(Buffer.from([0]))
    expect(decodeHex('')).toHaveLength(0)
    expect(() => decodeHex('0g')).toThrow(/'g'/)
    expect(() => decodeHex('abc')).toThrow(/odd/)
  })

  test('what was not given is left out', () => {
    expect(given({ a: 1, b: undefined, c: false })).toEqual({ a: 1, c: false })
    expect('b' in given({ b: undefined })).toBe(false)
  })
})

describe('output', () => {
  test.each([
    ['plain\ttext ☃', 'plain\ttext ☃'],
    ['line\n', 'line'],
    ['line\r\n', 'line'],
    ['two\n\n', 'two\\n'],
    ['\x00\x1b[31m\x7f\x9b\u2028', '\\x00\\x1b[31m\\x7f\\x9b\\u2028'],
  ])('%j is printed as %j', (payload, text) => {
    expect(printable(Buffer.from(payload))).toBe(text)
  })

  test('bytes that are not UTF-8 are printed one by one', () => {
    expect(printable(Buffer.from([0x41, 0xff, 0x0a, 0x80]))).toBe('A\\xff\\n\\x80')
  })

  test('numbers', () => {
    expect([0, 999, 1000, 1_234_567].map(grouped)).toEqual(['0', '999', '1 000', '1 234 567'])
    expect([counted(1, 'datagram'), counted(0, 'datagram')]).toEqual(['1 datagram', '0 datagrams'])
    expect([4_512_345, 312_000, 950, 12.34].map(perSecond)).toEqual(['4.51 million', '312 thousand', '950', '12.3'])
    expect([4 << 20, 212_992, 1, 5].map(bytes)).toEqual(['4 MiB', '208 KiB', '1 byte', '5 bytes'])
  })
})

describe('a pacer', () => {
  /** Sends as soon as it may, for a second of virtual time with a timer that is `lateMs` late. */
  function sentIn(pacer: Pacer, lengthBytes: number, lateMs: number): number {
    let sent = 0
    for (let nowMs = 0; nowMs < 1000;) {
      const wait = pacer.waitMs(nowMs)
      if (wait > 0) nowMs += wait + lateMs
      else {
        pacer.spend(lengthBytes, nowMs)
        sent++
      }
    }
    return sent
  }

  test.each([0, 0.5, 5])('keeps the rate with a timer that is %f ms late', (lateMs) => {
    expect(sentIn(new Pacer(1000, undefined), 100, lateMs)).toBeGreaterThanOrEqual(990)
    expect(sentIn(new Pacer(1000, undefined), 100, lateMs)).toBeLessThanOrEqual(1001)
    expect(sentIn(new Pacer(undefined, 80_000), 100, lateMs)).toBeGreaterThanOrEqual(98)
    expect(sentIn(new Pacer(undefined, 80_000), 100, lateMs)).toBeLessThanOrEqual(101)
  })

  test('keeps the lower of two rates', () => {
    expect(sentIn(new Pacer(10, 80_000), 100, 0)).toBe(10)
    expect(sentIn(new Pacer(1000, 80_000), 100, 0)).toBe(100)
  })

  test('does not make up for a long pause', () => {
    const pacer = new Pacer(1000, undefined)
    pacer.spend(1, 0)
    let sent = 0
    while (pacer.waitMs(10_000) === 0) {
      pacer.spend(1, 10_000)
      sent++
    }
    // What it may catch up, and the one that is due.
    expect(sent).toBe(MAX_CATCH_UP_MS + 1)
  })
})

test('an input is cut the same, however it comes', async () => {
  const content = Buffer.from(Array.from({ length: 1000 }, (_, i) => i & 0xff))
  for (const pieces of [[1000], [999, 1], [0, 1, 2, 3, 994], [7, 7, 7, 979], Array<number>(1000).fill(1)]) {
    const found: Buffer[] = []
    for await (const group of cut(inPieces(content, pieces), 7)) found.push(...group)
    expect(found.map(({ length }) => length)).toEqual([...Array<number>(142).fill(7), 6])
    expect(Buffer.concat(found).equals(content)).toBe(true)
  }
})

// eslint-disable-next-line @typescript-eslint/require-await -- an input is asynchronous
async function* inPieces(content: Buffer, lengths: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0
  for (const length of lengths) yield content.subarray(at, (at += length))
}
