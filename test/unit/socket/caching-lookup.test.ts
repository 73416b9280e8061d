import type { LookupFunction } from 'node:net'
import { describe, expect, test } from 'vitest'
import { cachingLookup, type CachingLookupOptions } from '../../../src/socket/caching-lookup.js'

class ManualClock {
  ms = 0
  nowMs = () => this.ms
  wallMicroseconds = () => 0
  setTimer = () => {
    throw new Error('a cache needs no timer')
  }
}

type Answer = (error: Error | null, address?: string, family?: number) => void

function setUp(options: CachingLookupOptions = {}) {
  const asked: string[] = []
  const open: Answer[] = []
  const clock = new ManualClock()
  const lookup = ((name: string, how: unknown, callback: Answer) => {
    asked.push(`${name} ${JSON.stringify(how)}`)
    open.push(callback)
  }) as unknown as LookupFunction
  const cached = cachingLookup({ lookup, clock, ...options }) as unknown as (name: string, how: unknown, callback: Answer) => void
  const ask = (name: string, how: unknown = 4) =>
    new Promise<unknown[]>((resolve) => cached(name, how, (...values) => resolve(values)))
  const answer = (...values: Parameters<Answer>) => open.shift()!(...values)
  return { asked, clock, ask, answer }
}

describe('a lookup that remembers', () => {
  test('asks once for as long as an answer is good', async () => {
    const { asked, clock, ask, answer } = setUp({ maxAgeMs: 100 })
    const first = ask('a')
    answer(null, '192.0.2.1', 4)
    expect(await first).toEqual([null, '192.0.2.1', 4])
    clock.ms = 99
    expect(await ask('a')).toEqual([null, '192.0.2.1', 4])
    expect(asked).toHaveLength(1)
    clock.ms = 100
    const again = ask('a')
    answer(null, '192.0.2.2', 4)
    expect(await again).toEqual([null, '192.0.2.2', 4])
    expect(asked).toHaveLength(2)
  })

  test('gives one answer to all who ask meanwhile', async () => {
    const { asked, ask, answer } = setUp()
    const both = [ask('a'), ask('a')]
    answer(null, '192.0.2.1', 4)
    expect(await Promise.all(both)).toEqual([
      [null, '192.0.2.1', 4],
      [null, '192.0.2.1', 4],
    ])
    expect(asked).toEqual(['a 4'])
  })

  test('keeps families and forms of asking apart', async () => {
    const { asked, ask, answer } = setUp()
    for (const how of [4, 6, { family: 4 }]) {
      const one = ask('a', how)
      answer(null, `for ${JSON.stringify(how)}`)
      await one
    }
    expect(asked).toEqual(['a 4', 'a 6', 'a {"family":4}'])
    expect(await ask('a', 6)).toEqual([null, 'for 6'])
  })

  test('keeps no failure', async () => {
    const { asked, ask, answer } = setUp()
    const failed = ask('a')
    const error = new Error('not known')
    answer(error)
    expect(await failed).toEqual([error])
    void ask('a')
    expect(asked).toHaveLength(2)
  })

  test('forgets the least recently used name beyond its bound', async () => {
    const { asked, ask, answer } = setUp({ maxNames: 2 })
    for (const name of ['a', 'b']) {
      const one = ask(name)
      answer(null, name)
      await one
    }
    await ask('a')
    const third = ask('c')
    answer(null, 'c')
    await third
    await ask('a')
    expect(asked).toHaveLength(3)
    void ask('b')
    expect(asked).toHaveLength(4)
  })

  test.each([[{ maxNames: 0 }], [{ maxAgeMs: -1 }], [{ lookup: 1 }], [{ nothing: 1 }]])('refuses %o', (options) => {
    expect(() => cachingLookup(options as CachingLookupOptions)).toThrow(/options\./)
  })
})
