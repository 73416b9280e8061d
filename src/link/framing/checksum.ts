/** The checksum that UDP itself has: the ones' complement of the ones' complement sum of 16-bit words (RFC 1071). */
export function internetChecksum(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let sum = 0
  let i = start
  for (; i + 1 < end; i += 2) sum += (bytes[i]! << 8) | bytes[i + 1]!
  if (i < end) sum += bytes[i]! << 8
  // 32 767 words at most, so the sum has not left the safe integers; two folds bring it to 16 bits.
  sum = (sum & 0xffff) + Math.floor(sum / 0x1_0000)
  sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}
