/** What sources and sinks of geysir do with a datagram: each byte at its ends is written, or read, so that both touch its memory. */
import type { ReceiveBatch } from 'geysir'
import type { ReceiveWindow } from './contender.js'

interface Reserving {
  reserve(lengthBytes: number): Buffer | undefined
  commit(): void
}

interface ReservingRuns {
  reserveRun(lengthBytes: number, count: number): Buffer | undefined
  commitRun(): void
}

let value = 0

/** Offers up to `count` datagrams, written in place, at once. Returns how many were taken. */
export function offerRun(link: ReservingRuns, bytes: number, count: number): number {
  const payloads = link.reserveRun(bytes, count)
  if (payloads === undefined) return 0
  for (let at = 0; at < payloads.length; at += bytes) {
    value = (value + 1) & 0xff
    payloads[at] = payloads[at + bytes - 1] = value
  }
  link.commitRun()
  return payloads.length / bytes
}

/** Offers one datagram, written in place. Returns how many were taken: it, or none. */
export function offerOne(link: Reserving, bytes: number): number {
  const payload = link.reserve(bytes)
  if (payload === undefined) return 0
  value = (value + 1) & 0xff
  payload[0] = payload[bytes - 1] = value
  link.commit()
  return 1
}

/** Counts what has arrived. */
export function countBatch(window: ReceiveWindow, batch: ReceiveBatch): void {
  const { slab, count } = batch
  let { touched } = window
  for (let i = 0; i < count; i++) {
    const offset = batch.offset(i)
    touched = (touched + slab[offset]! + slab[offset + batch.length(i) - 1]!) | 0
  }
  window.touched = touched
  window.datagrams += count
  window.bytes += batch.bytes
  window.checkSometimes()
}
