import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { crc32c } from '../../../src/stream/crc32c.js'
import { crcIntegrity, secretIntegrity } from '../../../src/stream/integrity.js'
import { checkProperty } from '../support/check-property.js'

/** Bit by bit, from the definition. */
function slowCrc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1
  }
  return ~crc >>> 0
}

test('CRC-32C is that of RFC 3720', () => {
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe306_9283)
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a91_36aa)
  expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8_ab43)
})

test('the fast CRC agrees with the slow one', async () => {
  await checkProperty(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      expect(crc32c(bytes)).toBe(slowCrc32c(bytes))
    }),
  )
})

test.each([
  ['CRC-32C', crcIntegrity],
  ['a secret', secretIntegrity(Buffer.alloc(16, 7))],
])('%s notices every changed bit', (_, integrity) => {
  const frame = Buffer.alloc(64 + integrity.trailerBytes, 0x5a)
  integrity.seal(frame)
  expect(integrity.verify(frame)).toBe(true)
  for (let bit = 0; bit < frame.length * 8; bit++) {
    frame[bit >> 3]! ^= 1 << (bit & 7)
    expect(integrity.verify(frame)).toBe(false)
    frame[bit >> 3]! ^= 1 << (bit & 7)
  }
})

test('the trailer of a secret is the first 16 bytes of HMAC-SHA-256', () => {
  const secret = Buffer.from('a secret of twenty-two')
  const frame = Buffer.alloc(36, 1)
  secretIntegrity(secret).seal(frame)
  const expected = createHmac('sha256', secret).update(Buffer.alloc(20, 1)).digest().subarray(0, 16)
  expect(frame.subarray(20)).toEqual(expected)
})
