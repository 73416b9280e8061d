import { describe, expect, test } from 'vitest'
import { systemClock, systemRandom } from '../../src/system/index.js'

describe('the real clock', () => {
  test('goes on, and calls back after the delay, not before it returns', async () => {
    const before = systemClock.nowMs()
    let called = false
    await new Promise<void>((resolve) => {
      systemClock.setTimer(() => {
        called = true
        resolve()
      }, 5)
      expect(called).toBe(false)
    })
    // Node's timers count whole milliseconds.
    expect(systemClock.nowMs() - before).toBeGreaterThanOrEqual(4)
  })

  test('calls a cancelled timer never', async () => {
    let called = false
    systemClock.setTimer(() => (called = true), 0).cancel()
    await new Promise<void>((resolve) => systemClock.setTimer(resolve, 5))
    expect(called).toBe(false)
  })

  test('tells the time of day in microseconds', () => {
    expect(Math.abs(systemClock.wallMicroseconds() / 1000 - Date.now())).toBeLessThan(1000)
  })
})

test('real randomness differs from draw to draw, over more than a block', () => {
  const drawn = new Set(Array.from({ length: 1000 }, () => systemRandom.uint32()))
  expect(drawn.size).toBeGreaterThan(990)
})
