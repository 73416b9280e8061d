import { expect, test } from 'vitest'
import { Endpoint } from '../../../src/core/index.js'
import { LossReports } from '../../../src/strokkur/loss-reports.js'
import { REPORT_BYTES, writeReport } from '../../../src/strokkur/report-codec.js'
import { seeded, sendMessage } from './messages.js'

const PEER = Endpoint.of('10.0.0.1', 7)

function reportOf(seed: number): { id: Uint8Array; report: Buffer } {
  const { id, chunks } = sendMessage(seeded(seed), { format: 'compact', bytes: 2000 })
  const report = Buffer.alloc(REPORT_BYTES)
  writeReport(report, chunks[0]!, 20, 10)
  return { id, report }
}

test('a report is believed once, and only about a message that was sent', () => {
  const losses = new LossReports()
  const { id, report } = reportOf(1)
  expect(losses.take(report, PEER)).toBe(false)
  losses.expect(id, PEER)
  expect(losses.take(report, PEER)).toBe(true)
  expect(losses.take(report, PEER)).toBe(false)
  expect(losses.of(PEER)!.loss).toBeGreaterThan(0.1)
  expect(losses.of(Endpoint.of('10.0.0.2', 7))).toBeUndefined()
})

test("a link's only peer is the same one, named or not", () => {
  const losses = new LossReports()
  const { id, report } = reportOf(2)
  losses.expect(id, undefined)
  expect(losses.take(report, PEER)).toBe(true)
  expect(losses.of(undefined)!.loss).toBeGreaterThan(0.1)
  expect(losses.of(PEER)).toBe(losses.of(undefined))
})
