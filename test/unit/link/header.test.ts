import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DATAGRAM_TYPE, HEADER_BYTES, emptyHeader, readHeader, writeHeader } from '../../../src/link/header.js'
import { checkProperty } from '../support/check-property.js'

test('a header is written as it is documented, and read again', () => {
  const bytes = Buffer.alloc(HEADER_BYTES)
  writeHeader(bytes, DATAGRAM_TYPE.response, 0x01020304, 0x05060708, 0x090a0b0c)
  expect(bytes.toString('hex')).toBe('475901020102030405060708090a0b0c')
  const header = emptyHeader()
  expect(readHeader(bytes, header)).toBe(true)
  expect(header).toEqual({ type: 2, sender: 0x01020304, addressee: 0x05060708, correlation: 0x090a0b0c })
})

test('what is no header of this version is refused', () => {
  const good = Buffer.alloc(HEADER_BYTES)
  writeHeader(good, 0, 7)
  const header = emptyHeader()
  for (const [at, value] of [
    [0, 0],
    [1, 0],
    [2, 2],
    [3, 4],
    [7, 0],
  ] as const) {
    const bad = Buffer.from(good)
    bad[at] = value
    expect(readHeader(bad, header), `byte ${at}`).toBe(false)
  }
  expect(readHeader(good.subarray(0, -1), header)).toBe(false)
})

test('any bytes are a header or none', async () => {
  await checkProperty(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.boolean(), (bytes, likely) => {
      const payload = Buffer.from(bytes)
      if (likely) payload.set([0x47, 0x59, 1].slice(0, payload.length))
      readHeader(payload, emptyHeader())
    }),
    1000,
  )
})
