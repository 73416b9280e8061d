import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ReceiveLedger } from '../../../src/channel/receive-ledger.js'
import { Endpoint } from '../../../src/core/index.js'
import { checkProperty } from '../support/check-property.js'

const endpoint = (i: number): Endpoint => Endpoint.of(`10.0.${i >>> 8}.${i & 255}`, 1000 + (i % 7))

function ledger(maxSources: number): {
  enter: (i: number, sequence: number, nowMs?: number) => number
  known: () => string[]
  books: ReceiveLedger
} {
  const books = new ReceiveLedger(maxSources, 1000)
  return {
    books,
    enter: (i, sequence, nowMs = 0) => {
      books.enter(endpoint(i), sequence, 10, nowMs)
      return books.lead
    },
    known: () => books.sources.snapshots().map((source) => source.endpoint.toString()),
  }
}

describe('the sources of a channel', () => {
  test('count apart, by address and port', () => {
    const { enter, books } = ledger(10)
    expect([enter(1, 5), enter(2, 900), enter(1, 6), enter(2, 902), enter(1, 6)]).toEqual([1, 1, 1, 2, 0])
    const [one, other] = books.sources.snapshots()
    expect(one).toMatchObject({ datagrams: 3, bytes: 30, gaps: 0, missing: 0, duplicates: 1, sequence: 6 })
    expect(other).toMatchObject({ datagrams: 2, gaps: 1, missing: 1, sequence: 902 })
    expect(books.counters).toMatchObject({ datagramsReceived: 5, bytesReceived: 50, gaps: 1, missing: 1, duplicates: 1 })
    books.enter(Endpoint.of(endpoint(1).address, 9), 0, 0, 0)
    expect([books.lead, books.sources.size]).toEqual([1, 3])
  })

  test('are so many at most: who was silent lately makes room', () => {
    const { enter, known, books } = ledger(3)
    for (const i of [1, 2, 3]) enter(i, 0)
    enter(4, 0) // all were fresh: the first goes
    expect(known()).toEqual([2, 3, 4].map((i) => endpoint(i).toString()))
    enter(2, 1) // heard again, so 3 is the one that was silent
    enter(5, 0)
    expect(known().sort()).toEqual([2, 4, 5].map((i) => endpoint(i).toString()))
    expect([books.sources.evicted, enter(2, 2)]).toEqual([2, 1])
  })

  test('stay within their bound under a flood of forged ones', () => {
    const { enter, books } = ledger(16)
    for (let i = 0; i < 10_000; i++) {
      enter(i, i)
      if (books.sources.size > 16) throw new Error('too many')
    }
    expect([books.sources.size, books.sources.evicted]).toEqual([16, 9984])
  })

  test('are forgotten after their silence, and begin anew', () => {
    const { enter, known, books } = ledger(10)
    enter(1, 100, 0)
    enter(2, 100, 500)
    books.sources.expire(0)
    expect(known()).toEqual([endpoint(2).toString()])
    expect([enter(1, 7, 600), enter(2, 101, 600), books.sources.expired]).toEqual([1, 1, 1])
  })

  test('a restart is counted, and leads by 1', () => {
    const { enter, books } = ledger(10)
    expect([enter(1, 5000), enter(1, 0), enter(1, 1)]).toEqual([1, 1, 1])
    expect(books.counters).toMatchObject({ restarts: 1, gaps: 0 })
    expect([enter(1, 9, 100), enter(1, 4, 1200)]).toEqual([8, 1])
    expect(books.counters).toMatchObject({ restarts: 2, gaps: 1, missing: 7 })
  })

  test('have books that balance after loss, repetition and reordering within the window', () => {
    const fate = fc.record({
      isLost: fc.boolean(),
      repeats: fc.constantFrom(0, 0, 0, 1, 2),
      delay: fc.constantFrom(0, 0, 0, 1, 5, 20),
    })
    return checkProperty(
      fc.property(fc.nat(0xffff_ffff), fc.array(fate, { minLength: 1, maxLength: 200, size: 'max' }), (first, fates) => {
        const arrivals = fates.flatMap(({ isLost, repeats, delay }, i) =>
          isLost ? [] : Array.from({ length: repeats + 1 }, (_, copy) => ({ i, at: i + delay * (copy + 1) })),
        )
        // Stable: what comes at one time comes in order.
        arrivals.sort((one, other) => one.at - other.at)
        const { books } = ledger(1)
        const heard = new Set<number>()
        const begin = arrivals[0]?.i ?? 0
        for (const { i } of arrivals) {
          books.enter(endpoint(1), (first + i) >>> 0, 0, 0)
          // What was published before the first that came is not missing: nobody knew of it.
          if (i >= begin) heard.add(i)
        }
        const { missing, late, duplicates, datagramsReceived, restarts } = books.counters
        const end = Math.max(...arrivals.map(({ i }) => i), begin)
        const unheard = arrivals.length === 0 ? 0 : end - begin + 1 - heard.size
        const before = arrivals.filter(({ i }) => i < begin)
        expect([datagramsReceived, restarts]).toEqual([arrivals.length, 0])
        expect(missing - (late - new Set(before.map(({ i }) => i)).size)).toBe(unheard)
        expect(duplicates).toBe(arrivals.length - heard.size - new Set(before.map(({ i }) => i)).size)
      }),
      100,
    )
  })
})
