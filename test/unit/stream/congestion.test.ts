import { describe, expect, test } from 'vitest'
import { fixedRate } from '../../../src/stream/congestion-control.js'
import { Cubic } from '../../../src/stream/cubic.js'
import { Path } from '../../../src/stream/path.js'
import { RoundTrip } from '../../../src/stream/round-trip.js'

describe('CUBIC', () => {
  test('doubles the window in a round trip until something is lost, and not while it is not used', () => {
    const cubic = new Cubic()
    expect(cubic.windowPackets).toBe(10)
    cubic.onAcknowledged(10, 0, 20, true)
    expect(cubic.windowPackets).toBe(20)
    cubic.onAcknowledged(20, 20, 20, false)
    expect(cubic.windowPackets).toBe(20)
  })

  test('shrinks once for all losses of a round trip', () => {
    const cubic = new Cubic()
    for (let i = 0; i < 9; i++) cubic.onAcknowledged(10, i, 20, true)
    cubic.onLost(5, 30)
    expect(cubic.windowPackets).toBe(70)
    cubic.onLost(29, 31)
    expect(cubic.windowPackets).toBe(70)
    cubic.onLost(32, 50)
    expect(cubic.windowPackets).toBe(49)
  })

  test('is back at the old window after K seconds of RFC 9438, flat there, and then beyond', () => {
    const cubic = new Cubic()
    for (let i = 0; i < 99; i++) cubic.onAcknowledged(10, i, 20, true)
    expect(cubic.windowPackets).toBe(1000)
    cubic.onLost(99, 100)
    const k = Math.cbrt((1000 * 0.3) / 0.4)
    const windowAt = (seconds: number): number => {
      for (; time < seconds * 1000; time += 100) cubic.onAcknowledged(cubic.windowPackets, 100 + time, 100, true)
      return cubic.windowPackets
    }
    let time = 0
    expect(windowAt(k / 2)).toBeGreaterThan(900)
    expect(windowAt(k)).toBeGreaterThan(980)
    expect(windowAt(k)).toBeLessThan(1020)
    expect(windowAt(2 * k)).toBeGreaterThan(1200)
  })

  test('a timeout leaves two packets', () => {
    const cubic = new Cubic()
    cubic.onTimeout(100)
    expect(cubic.windowPackets).toBe(2)
  })
})

test('the round trip is estimated as in RFC 9002, section 5.3', () => {
  const roundTrip = new RoundTrip()
  roundTrip.update(100)
  expect([roundTrip.smoothedMs, roundTrip.variationMs, roundTrip.minMs]).toEqual([100, 50, 100])
  roundTrip.update(60)
  expect([roundTrip.smoothedMs, roundTrip.variationMs, roundTrip.minMs]).toEqual([95, 47.5, 60])
  roundTrip.update(NaN)
  roundTrip.update(-1)
  expect(roundTrip.smoothedMs).toBe(95)
})

test('a path sends at its rate, however its timers come', () => {
  const path = new Path(fixedRate(1_000_000)(), 1000)
  let sent = 0
  for (const nowMs of [0, 1, 1.5, 3, 7, 8, 20, 21, 22, 23.7, 30, 40]) {
    path.refill(nowMs)
    for (; path.maySend(); sent++) path.spend(1000)
  }
  // 40 ms at 1 packet a millisecond, the first burst of 10, and no more than 10 saved up while it slept.
  expect(sent).toBeGreaterThanOrEqual(45)
  expect(sent).toBeLessThanOrEqual(51)
  expect(path.nextSendMs()).toBeGreaterThan(40)
})
