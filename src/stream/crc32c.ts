/**
 * CRC-32C (Castagnoli), as iSCSI has it (RFC 3720, appendix B.4): polynomial 0x1EDC6F41, reflected, all ones before and after.
 *
 * Eight bytes a step over eight tables ("slicing by 8").
 */
export function crc32c(bytes: Uint8Array, end: number = bytes.length): number {
  let crc = ~0
  let at = 0
  for (const last = end - 8; at <= last; at += 8) {
    const low = crc ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24))
    crc =
      TABLES[0x700 | (low & 0xff)]! ^
      TABLES[0x600 | ((low >>> 8) & 0xff)]! ^
      TABLES[0x500 | ((low >>> 16) & 0xff)]! ^
      TABLES[0x400 | (low >>> 24)]! ^
      TABLES[0x300 | bytes[at + 4]!]! ^
      TABLES[0x200 | bytes[at + 5]!]! ^
      TABLES[0x100 | bytes[at + 6]!]! ^
      TABLES[bytes[at + 7]!]!
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ TABLES[(crc ^ bytes[at]!) & 0xff]!
  return ~crc >>> 0
}

const REFLECTED_POLYNOMIAL = 0x82f6_3b78

/** Table t, entry b: the CRC of byte b with t zero bytes behind it. */
const TABLES = makeTables()

function makeTables(): Int32Array {
  const tables = new Int32Array(8 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ REFLECTED_POLYNOMIAL : crc >>> 1
    tables[byte] = crc
  }
  for (let at = 256; at < tables.length; at++) {
    const before = tables[at - 256]!
    tables[at] = (before >>> 8) ^ tables[before & 0xff]!
  }
  return tables
}
