import { describe, expect, test } from 'vitest'
import { fixedRate, type RoundTripTimes } from '../../../src/stream/congestion-control.js'
import { Cubic } from '../../../src/stream/cubic.js'
import { Path } from '../../../src/stream/path.js'
import { RoundTrip } from '../../../src/stream/round-trip.js'
import { SlowStart } from '../../../src/stream/slow-start.js'

function times(ms: number): RoundTripTimes {
  return { latestMs: ms, smoothedMs: ms, minMs: ms }
}

describe('CUBIC', () => {
  /** A new one that has had `packets` acknowledged, each round trip of 20 ms the whole window. */
  function grown(packets: number): Cubic {
    const cubic = new Cubic()
    cubic.onAcknowledged(packets - cubic.windowPackets, 0, times(20), true)
    expect(cubic.windowPackets).toBe(packets)
    return cubic
  }

  test('doubles the window in a round trip until something is lost, and not while it is not used', () => {
    const cubic = new Cubic()
    expect(cubic.windowPackets).toBe(10)
    cubic.onAcknowledged(10, 0, times(20), true)
    expect(cubic.windowPackets).toBe(20)
    cubic.onAcknowledged(20, 20, times(20), false)
    expect(cubic.windowPackets).toBe(20)
  })

  test('shrinks once for all losses of a round trip', () => {
    const cubic = grown(100)
    cubic.onLost(5, 30)
    expect(cubic.windowPackets).toBe(70)
    cubic.onLost(29, 31)
    expect(cubic.windowPackets).toBe(70)
    cubic.onLost(32, 50)
    expect(cubic.windowPackets).toBe(49)
  })

  test('does not grow by what was sent before it shrank', () => {
    const cubic = grown(100)
    cubic.onLost(5, 30)
    cubic.onAcknowledged(50, 50, times(20), true)
    expect(cubic.windowPackets).toBe(70)
    cubic.onAcknowledged(50, 51, times(20), true)
    expect(cubic.windowPackets).toBeGreaterThan(70)
  })

  test('is back at the old window after K seconds of RFC 9438, flat there, and then beyond', () => {
    const cubic = grown(1000)
    cubic.onLost(99, 100)
    const k = Math.cbrt((1000 * 0.3) / 0.4)
    const windowAt = (seconds: number): number => {
      for (; time < seconds * 1000; time += 100) cubic.onAcknowledged(cubic.windowPackets, 201 + time, times(100), true)
      return cubic.windowPackets
    }
    let time = 0
    expect(windowAt(k / 2)).toBeGreaterThan(900)
    expect(windowAt(k)).toBeGreaterThan(980)
    expect(windowAt(k)).toBeLessThan(1020)
    expect(windowAt(2 * k)).toBeGreaterThan(1200)
  })

  test('grows as Reno where that is faster: 0.53 packets a round trip, and one once it is back', () => {
    const cubic = grown(20)
    cubic.onLost(5, 10)
    const windows: number[] = []
    for (let i = 0; i < 40; i++) {
      cubic.onAcknowledged(cubic.windowPackets, 12 + i, times(1), true)
      windows.push(cubic.windowPackets)
    }
    expect(windows[0]! - 14).toBeCloseTo(0.9 / 1.7, 2)
    expect(windows.findIndex((packets) => packets >= 20)).toBeGreaterThan(8)
    expect(windows[39]! - windows[38]!).toBeCloseTo(1, 2)
  })

  test('gains nothing by time in which it was not used', () => {
    const [busy, idle] = [grown(1000), grown(1000)]
    for (const cubic of [busy, idle]) {
      cubic.onLost(5, 10)
      for (let i = 1; i <= 10; i++) cubic.onAcknowledged(cubic.windowPackets, 10 + i * 25, times(20), true)
    }
    idle.onAcknowledged(5, 60_000, times(20), false)
    busy.onAcknowledged(busy.windowPackets, 285, times(20), true)
    idle.onAcknowledged(idle.windowPackets, 100_000, times(20), true)
    expect(Math.abs(idle.windowPackets - busy.windowPackets)).toBeLessThan(5)
  })

  test('a timeout leaves two packets', () => {
    const cubic = new Cubic()
    cubic.onTimeout(100)
    expect(cubic.windowPackets).toBe(2)
  })
})

describe('slow start', () => {
  /** Rounds of 20 acknowledgements, whose round trip is what `roundTripOf` says: by how much each grew. */
  function rounds(slowStart: SlowStart, count: number, roundTripOf: (round: number, i: number) => number): number[] {
    const grown: number[] = []
    for (let round = 0; round < count; round++) {
      let sum = 0
      for (let i = 0; i < 20; i++) {
        sum += slowStart.grow(1, nowMs, times(roundTripOf(round, i)))
        nowMs += 1
      }
      nowMs += 100
      grown.push(sum)
    }
    return grown
  }
  let nowMs = 0

  test('ends when the round trip has grown, and stays so', () => {
    const slowStart = new SlowStart()
    expect(rounds(slowStart, 3, () => 20)).toEqual([20, 20, 20])
    expect(slowStart.isConservative).toBe(false)
    const slow = rounds(slowStart, 6, () => 25)
    expect(slow[1]).toBe(5)
    expect(slowStart.isConservative).toBe(true)
    rounds(slowStart, 1, () => 25)
    expect(slowStart.isOver).toBe(true)
  })

  test('goes on when it was chance, and when only some took longer', () => {
    const slowStart = new SlowStart()
    rounds(slowStart, 3, (round, i) => (round === 2 && i > 3 ? 40 : 20))
    expect(slowStart.isConservative).toBe(false)
    rounds(slowStart, 1, () => 30)
    expect(slowStart.isConservative).toBe(true)
    rounds(slowStart, 1, () => 20)
    expect([slowStart.isConservative, slowStart.isOver]).toEqual([false, false])
    expect(rounds(slowStart, 10, () => 20)[9]).toBe(20)
    expect(slowStart.isOver).toBe(false)
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

describe('a path', () => {
  /** At each of these times, sends what may leave: how much that was. Something waits always, or never. */
  function send(path: Path, timesMs: readonly number[], waits = true): number[] {
    return timesMs.map((nowMs) => {
      let sent = 0
      path.refill(nowMs)
      for (; path.maySend(); sent++) path.spend(1000)
      if (waits) path.nextSendMs()
      return sent
    })
  }
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

  test('sends at its rate although timers are late, and never more than a small burst', () => {
    const path = new Path(fixedRate(1_000_000)(), 1000)
    // Nothing runs for 20 ms in each 100.
    const sent = send(
      path,
      Array.from({ length: 1000 }, (_, ms) => ms).filter((ms) => ms % 100 > 19),
    )
    expect(sum(sent)).toBeGreaterThan(970)
    expect(sum(sent)).toBeLessThanOrEqual(1010)
    expect(Math.max(...sent)).toBeLessThanOrEqual(11)
  })

  test('does not make up for a whole pause', () => {
    const path = new Path(fixedRate(1_000_000)(), 1000)
    const sent = send(path, [0, ...Array.from({ length: 1000 }, (_, i) => 10_000 + i)])
    expect(sum(sent)).toBeLessThanOrEqual(10 + 10 + 1000 + 100)
  })

  test('saves up no more than a burst while nothing waits', () => {
    const path = new Path(fixedRate(1_000_000)(), 1000)
    send(path, [0], false)
    expect(sum(send(path, [1000, 1010, 1020]))).toBeLessThanOrEqual(10 + 20 + 1)
  })

  test('has a time for the next packet when the pace holds it back', () => {
    const path = new Path(fixedRate(1_000_000)(), 1000)
    send(path, [0, 40])
    expect(path.isPaceLimited).toBe(true)
    expect(path.nextSendMs()).toBeGreaterThan(40)
  })
})

describe('a full window', () => {
  test('lets out two packets for a probe, once a probe timeout whoever asks, and one for what is lost', () => {
    const path = new Path({ ...fixedRate(1e9)(), windowPackets: 2 }, 1000)
    for (let i = 0; i < 50; i++) path.roundTrip.update(40)
    const sendAll = (nowMs: number): number => {
      let sent = 0
      for (path.refill(nowMs); path.maySend() && sent < 100; sent++) {
        path.inFlightPackets++
        path.spend(1000)
      }
      return sent
    }
    expect([sendAll(0), sendAll(1)]).toEqual([2, 0])
    path.allowProbes(100)
    expect(path.limit(true, undefined)).toBe('congestion')
    expect([sendAll(100), sendAll(101)]).toEqual([2, 0])
    path.allowProbes(110)
    expect(sendAll(110)).toBe(0)
    path.allowProbes(200)
    path.allowProbes(200)
    path.allowRepeat()
    expect(sendAll(200)).toBe(2)
    path.allowRepeat()
    path.allowRepeat()
    expect([sendAll(201), sendAll(202)]).toEqual([1, 0])
  })
})
