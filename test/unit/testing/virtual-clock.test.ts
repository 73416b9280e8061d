import { once, EventEmitter } from 'node:events'
import { describe, expect, test } from 'vitest'
import { SimulatedNetwork, VirtualClock } from '../../../src/testing/index.js'
import { failure, rejection } from '../support/errors.js'

describe('a virtual clock', () => {
  test('stands still until it is moved, and then is where it was moved to', () => {
    const clock = new VirtualClock()
    expect(clock.nowMs()).toBe(0)
    clock.advance(1.5)
    clock.runUntil(10)
    clock.runUntil(3)
    expect(clock.nowMs()).toBe(10)
  })

  test('begins where it is told to, and its wall clock goes along', () => {
    const clock = new VirtualClock({ startMs: 500, wallStartMicroseconds: 1_000_000 })
    expect([clock.nowMs(), clock.wallMicroseconds()]).toEqual([500, 1_000_000])
    clock.advance(0.25)
    expect(clock.wallMicroseconds()).toBe(1_000_250)
    expect(new VirtualClock().wallMicroseconds()).toBe(Date.UTC(2026, 0, 1) * 1000)
  })

  test('runs timers at their time, those of one time in the order in which they were set', () => {
    const clock = new VirtualClock()
    const seen: string[] = []
    for (const [name, delayMs] of [['c', 5], ['a', 2], ['d', 5], ['b', 2], ['now', 0], ['past', -3]] as const) {
      clock.setTimer(() => seen.push(`${name}@${clock.nowMs()}`), delayMs)
    } // prettier-ignore
    expect(seen).toEqual([])
    clock.advance(4)
    expect(seen).toEqual(['now@0', 'past@0', 'a@2', 'b@2'])
    clock.advance(1)
    expect(seen.slice(4)).toEqual(['c@5', 'd@5'])
  })

  test('runs a timer that a timer sets, when it is due', () => {
    const clock = new VirtualClock()
    const seen: number[] = []
    const tick = (): void => {
      seen.push(clock.nowMs())
      clock.setTimer(tick, 10)
    }
    clock.setTimer(tick, 10)
    clock.advance(35)
    expect(seen).toEqual([10, 20, 30])
  })

  test('does not run what was cancelled, even by a timer of the same moment; cancelling is harmless afterwards', () => {
    const clock = new VirtualClock()
    const seen: string[] = []
    const first = clock.setTimer(() => {
      seen.push('first')
      second.cancel()
      first.cancel()
    }, 1)
    const second = clock.setTimer(() => seen.push('second'), 1)
    clock.runUntilIdle()
    first.cancel()
    first.unref()
    second.cancel()
    expect(seen).toEqual(['first'])
  })

  test('is idle when only unref’d or cancelled timers are left', () => {
    const clock = new VirtualClock()
    let repeats = 0
    const repeat = (): void => {
      repeats++
      clock.setTimer(repeat, 10).unref()
    }
    repeat()
    clock.setTimer(() => undefined, 25)
    clock.setTimer(() => undefined, 1000).cancel()
    const twice = clock.setTimer(() => undefined, 1000)
    twice.unref()
    twice.unref()
    twice.cancel()
    clock.runUntilIdle()
    expect([clock.nowMs(), repeats]).toEqual([25, 3])
  })

  test('says so when it does not become idle', async () => {
    const clock = new VirtualClock()
    const repeat = (): void => void clock.setTimer(repeat, 1)
    repeat()
    failure(() => clock.runUntilIdle(100), 'ERR_INVALID_STATE', /still busy after 100 events/)
    await rejection(clock.runUntilIdleAsync(100), 'ERR_INVALID_STATE', /still busy/)
    clock.advance(1)
  })

  test('forgets many cancelled timers of the far future', () => {
    const clock = new VirtualClock()
    const seen: number[] = []
    for (let i = 0; i < 10_000; i++) {
      const timer = clock.setTimer(() => seen.push(i), 1e6 + i)
      if (i % 1000 !== 0) timer.cancel()
    }
    clock.runUntilIdle()
    expect(seen).toEqual([0, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000])
  })

  test('runs until something is true, or the time is up', () => {
    const clock = new VirtualClock()
    let count = 0
    for (let i = 1; i <= 5; i++) clock.setTimer(() => count++, i)
    expect(clock.runUntilTrue(() => count === 3, 100)).toBe(true)
    expect(clock.nowMs()).toBe(3)
    expect(clock.runUntilTrue(() => count === 5, 1)).toBe(false)
    expect(clock.runUntilTrue(() => count === 6, 100)).toBe(false)
    expect([count, clock.nowMs()]).toEqual([5, 104])
  })

  test('lets out what a timer throws, and goes on with the next one', () => {
    const clock = new VirtualClock()
    const seen: string[] = []
    clock.setTimer(() => {
      throw new Error('of a timer')
    }, 1)
    clock.setTimer(() => seen.push('next'), 1)
    expect(() => clock.advance(5)).toThrow('of a timer')
    clock.advance(5)
    expect(seen).toEqual(['next'])
  })

  test('cannot be moved from inside an event', () => {
    const clock = new VirtualClock()
    clock.setTimer(() => clock.advance(1), 1)
    failure(() => clock.advance(5), 'ERR_INVALID_STATE', /running/)
    clock.advance(1)
  })

  test('cannot be moved by two at once', async () => {
    const clock = new VirtualClock()
    const first = clock.advanceAsync(1)
    await rejection(clock.advanceAsync(1), 'ERR_INVALID_STATE')
    await first
    expect(clock.nowMs()).toBe(1)
  })

  test.each([Number.NaN, Infinity, '1', undefined])('refuses a delay of %s', (delayMs) => {
    const clock = new VirtualClock()
    const code = typeof delayMs === 'number' ? 'ERR_OUT_OF_RANGE' : 'ERR_INVALID_ARG_TYPE'
    failure(() => clock.setTimer(() => undefined, delayMs as number), code)
    failure(() => clock.advance(delayMs as number), code)
    failure(() => clock.runUntil(delayMs as number), code)
  })

  test('refuses what is no callback, a step back and unknown options', () => {
    const clock = new VirtualClock()
    failure(() => clock.setTimer('x' as never, 1), 'ERR_INVALID_ARG_TYPE')
    failure(() => clock.advance(-1), 'ERR_OUT_OF_RANGE')
    failure(() => new VirtualClock({ start: 1 } as object), 'ERR_INVALID_ARG_VALUE')
  })
})

describe('the ways with promises', () => {
  /** Waits three times, each time for a while, with every way there is to put something off in between. */
  async function program(clock: VirtualClock, seen: number[]): Promise<void> {
    for (let i = 0; i < 3; i++) {
      await new Promise<void>((resolve) => void clock.setTimer(resolve, 10))
      for (let turns = 0; turns < 20; turns++) await Promise.resolve()
      const emitter = new EventEmitter()
      process.nextTick(() => process.nextTick(() => emitter.emit('done')))
      await once(emitter, 'done')
      await new Promise<void>((resolve) => queueMicrotask(resolve))
      seen.push(clock.nowMs())
    }
  }

  test('let everything that was put off run before time moves on', async () => {
    const clock = new VirtualClock()
    const seen: number[] = []
    const done = program(clock, seen)
    await clock.advanceAsync(100)
    await done
    expect(seen).toEqual([10, 20, 30])
    expect(clock.nowMs()).toBe(100)
  })

  test('let what a link tells at the end of the tick be heard before time moves on', async () => {
    const network = new SimulatedNetwork(1)
    const link = network.addHost().openLink()
    const seen: number[] = []
    network.clock.setTimer(() => undefined, 11)
    void (async () => {
      await new Promise<void>((resolve) => void network.clock.setTimer(resolve, 10))
      await Promise.resolve()
      link.close()
      await once(link, 'close')
      seen.push(network.clock.nowMs())
    })()
    await network.clock.runUntilIdleAsync()
    expect(seen).toEqual([10])
  })

  test('become idle, or see a condition, only then', async () => {
    const [one, other] = [new VirtualClock(), new VirtualClock()]
    const seen: number[] = []
    void program(one, seen)
    await one.runUntilIdleAsync()
    expect(seen).toEqual([10, 20, 30])
    const others: number[] = []
    void program(other, others)
    expect(await other.runUntilTrueAsync(() => others.length === 2, 1000)).toBe(true)
    expect(other.nowMs()).toBe(20)
    expect(await other.runUntilTrueAsync(() => others.length === 4, 1000)).toBe(false)
  })

  test('reject with what a timer throws', async () => {
    const clock = new VirtualClock()
    clock.setTimer(() => {
      throw new Error('of a timer')
    }, 1)
    await expect(clock.advanceAsync(5)).rejects.toThrow('of a timer')
    await clock.advanceAsync(5)
    expect(clock.nowMs()).toBe(6)
  })
})
