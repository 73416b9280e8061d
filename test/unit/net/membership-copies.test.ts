import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Endpoint } from '../../../src/core/index.js'
import { CopyWindow, type Arrival } from '../../../src/net/membership-copies.js'
import { checkProperty } from '../support/check-property.js'

const PEER = Endpoint.of('192.0.2.1', 7)
const WINDOW_MS = 500

function arrival(text: string, interfaceIndex: number, more: Partial<Arrival> = {}): Arrival {
  const payload = Buffer.from(text)
  return { group: '239.1.1.1', source: PEER, payload, wireLength: payload.length, interfaceIndex, ...more }
}

/** `x2` is the payload x by interface 2. */
function delivered(window: CopyWindow, arrivals: string, atMs = 0): string {
  return arrivals
    .split(' ')
    .filter((each) => !window.isCopy(arrival(each[0]!, Number(each[1])), atMs))
    .join(' ')
}

describe('a copy', () => {
  test.each([
    ['comes by another interface', 'x1 x2', 'x1'],
    ['comes by each other interface', 'x1 x2 x3', 'x1'],
    ['never comes by the same one', 'x1 x1 x1', 'x1 x1 x1'],
    ['is matched once: a sender that repeats itself loses nothing', 'x1 x2 x2', 'x1 x2'],
    ['may come in any order', 'x1 x1 x2 x2 x2', 'x1 x1 x2'],
    ['may be ahead on either side', 'x1 x2 x2 x1 x1 x2', 'x1 x2 x1'],
    ['has the same bytes', 'x1 y2 y1 x2', 'x1 y2'],
  ])('%s', (_, arrivals, expected) => {
    expect(delivered(new CopyWindow(WINDOW_MS, 100, 1), arrivals)).toBe(expected)
  })

  test('has the same source, port, group and length on the wire', () => {
    const window = new CopyWindow(WINDOW_MS, 100, 1)
    const others: Partial<Arrival>[] = [
      { source: PEER.withPort(8) },
      { source: Endpoint.of('192.0.2.2', 7) },
      { group: '239.1.1.2' },
      { wireLength: 2 },
    ]
    expect(window.isCopy(arrival('x', 1), 0)).toBe(false)
    for (const other of others) expect(window.isCopy(arrival('x', 2, other), 0)).toBe(false)
    expect(window.isCopy(arrival('x', 2), 0)).toBe(true)
  })

  test('comes within the window, counted from the delivery', () => {
    const window = new CopyWindow(WINDOW_MS, 100, 1)
    expect(delivered(window, 'x1', 0)).toBe('x1')
    expect(delivered(window, 'x2', WINDOW_MS - 1)).toBe('')
    expect(delivered(window, 'x3', WINDOW_MS)).toBe('x3')
    expect(delivered(window, 'x2', WINDOW_MS)).toBe('')
    expect(window.unwatched).toBe(0)
  })

  test('is compared in memory of its own', () => {
    const window = new CopyWindow(WINDOW_MS, 100, 1)
    const payload = Buffer.from('x')
    window.isCopy(arrival('', 1, { payload }), 0)
    payload.fill(0)
    expect(window.isCopy(arrival('', 2, { payload: Buffer.from('x') }), 0)).toBe(true)
  })
})

describe('the window is bounded', () => {
  test('in datagrams: the oldest is forgotten, and counted', () => {
    const window = new CopyWindow(WINDOW_MS, 3, 1)
    expect(delivered(window, 'a1 b1 c1 d1', 0)).toBe('a1 b1 c1 d1')
    expect([window.size, window.unwatched]).toEqual([3, 1])
    expect(delivered(window, 'd2 c2', 0)).toBe('')
    for (let i = 0; i < 1000; i++) window.isCopy(arrival(String(i), 1), i * WINDOW_MS)
    expect(window.size).toBe(1)
  })

  test('in what looks alike: a forger with one hash cannot make it search', () => {
    const window = new CopyWindow(WINDOW_MS, 4096, 1)
    // Lengths that the hash cannot tell apart, of one payload.
    const alike = (i: number, interfaceIndex: number): Arrival => arrival('x', interfaceIndex, { wireLength: 1 + i * 65_536 })
    for (let i = 0; i < 20; i++) expect(window.isCopy(alike(i, 1), 0)).toBe(false)
    expect([window.size, window.unwatched]).toEqual([8, 12])
    expect([window.isCopy(alike(7, 2), 0), window.isCopy(alike(8, 2), 0)]).toEqual([true, false])
  })
})

test('of n equal datagrams by one interface and m by another, max(n, m) are delivered, whatever their order', async () => {
  await checkProperty(
    fc.property(
      fc.array(fc.record({ text: fc.constantFrom('a', 'b', 'c'), by: fc.integer({ min: 1, max: 3 }) }), {
        maxLength: 60,
        size: 'max',
      }),
      (arrivals) => {
        const window = new CopyWindow(WINDOW_MS, 1000, 7)
        const passed = arrivals.filter(({ text, by }) => !window.isCopy(arrival(text, by), 0))
        for (const text of ['a', 'b', 'c']) {
          const by = [1, 2, 3].map((index) => arrivals.filter((each) => each.text === text && each.by === index).length)
          expect(passed.filter((each) => each.text === text)).toHaveLength(Math.max(...by))
        }
      },
    ),
  )
})
