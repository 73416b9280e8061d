/** Numbers as people read them. */

/** `1 datagram`, `2 datagrams`, `12 345 678 datagrams`. */
export function counted(count: number, what: string): string {
  return `${grouped(count)} ${what}${count === 1 ? '' : 's'}`
}

/** `12 345 678`. */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ' ')
}

/** `4.20 million`, `312 thousand`, `950`. */
export function perSecond(rate: number): string {
  if (rate >= 1e6) return `${(rate / 1e6).toFixed(2)} million`
  if (rate >= 1e4) return `${(rate / 1e3).toFixed(0)} thousand`
  return rate >= 100 ? rate.toFixed(0) : rate.toFixed(1)
}

/** `4 MiB`, `212992 bytes`. */
export function bytes(count: number): string {
  if (count >= MIB && count % (MIB / 4) === 0) return `${count / MIB} MiB`
  if (count >= KIB && count % KIB === 0) return `${count / KIB} KiB`
  return counted(count, 'byte')
}

/** Payload bits, in units of 10^9. */
export function gigabits(byteCount: number): number {
  return (byteCount * 8) / 1e9
}

const KIB = 1024
const MIB = 1024 * 1024
