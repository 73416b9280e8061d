import { expect, test } from 'vitest'
import { FramePool } from '../../../src/stream/frame-pool.js'
import { MissingPackets } from '../../../src/stream/missing-packets.js'
import { ReceiveWindow } from '../../../src/stream/receive-window.js'
import { RoundTrip } from '../../../src/stream/round-trip.js'

function make(roundTripMs: number | undefined): {
  window: ReceiveWindow
  naks: MissingPackets
  miss: (first: number, count: number) => void
} {
  const pool = new FramePool(1500, 1e6)
  const window = new ReceiveWindow(0, pool, { take: () => true, give: () => undefined })
  const roundTrip = new RoundTrip()
  if (roundTripMs !== undefined) for (let i = 0; i < 50; i++) roundTrip.update(roundTripMs)
  const naks = new MissingPackets(window, roundTrip)
  return {
    window,
    naks,
    miss: (first, count) => {
      window.raiseHighest(first + count)
      naks.onMissing(first, first + count, 0)
    },
  }
}

/** Takes at each deadline: when something was asked for. */
function asked(naks: MissingPackets, untilMs: number): number[] {
  const times: number[] = []
  while (naks.deadlineMs <= untilMs) {
    const nowMs = naks.deadlineMs
    if (naks.take(nowMs).length > 0) times.push(nowMs)
  }
  return times
}

test('what is missing is asked for after a grace time, and again, at last with growing patience', () => {
  const { naks, miss } = make(40)
  miss(0, 3)
  const times = asked(naks, 1000)
  expect(times[0]).toBe(5)
  expect(times[1]! - times[0]!).toBeCloseTo(60, 0)
  expect(times[2]! - times[1]!).toBeCloseTo(60, 0)
  expect(times[3]! - times[2]!).toBeCloseTo(60, 0)
  expect(times[4]! - times[3]!).toBeCloseTo(90, 0)
})

test('who has seen what was asked for come knows better how long that takes', () => {
  // A single sample, of a bad moment.
  const { window, naks, miss } = make(undefined)
  miss(0, 20)
  expect(naks.take(100)).toEqual([{ first: 0, count: 20 }])
  for (let packet = 1; packet < 20; packet++) {
    naks.onFound(packet, 1, 120)
    window.put(packet, new FramePool(1500, 1e6).take(true)!)
  }
  // 100 ms by default; by now 1.5 times 20 ms, and some variation.
  naks.deadlineMs = 120
  const [again] = asked(naks, 1000)
  expect(again).toBeGreaterThanOrEqual(130)
  expect(again).toBeLessThan(140)
})

test('what came by its first sending tells nothing about answers, but that the path reorders', () => {
  const { naks, miss } = make(40)
  miss(0, 20)
  naks.take(5)
  for (let packet = 1; packet < 20; packet++) naks.onFound(packet, 0, 6)
  naks.deadlineMs = 5
  const [again] = asked(naks, 1000)
  expect(again).toBeGreaterThan(60)
  miss(20, 1)
  expect(naks.deadlineMs).toBeGreaterThan(60)
})
