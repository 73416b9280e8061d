import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { fallbackProblem, lacking } from '../support/capabilities.js'
import { endpoint } from '../../src/index.js'
import { received, texts } from '../support/received.mjs'
import { ROOMY, bound, thrownBy } from '../support/sockets.js'

test('zero-length datagrams arrive, alone and between others', async () => {
  const [a, b] = [await bound(), await bound()]
  a.send('', b.address())
  expect(await received(b)).toMatchObject([{ text: '', wireLength: 0, truncated: false }])
  const to = b.address()
  for (const text of ['ab', '', 'cd', '', '', 'e']) a.send(text, to)
  expect(texts(await received(b, 6))).toEqual(['ab', '', 'cd', '', '', 'e'])
  expect(b.stats()).toMatchObject({ datagramsReceived: 7, bytesReceived: 5 })
  expect(a.stats()).toMatchObject({ datagramsSent: 7, bytesSent: 5 })
})

test.each([
  ['udp4', 65_507],
  ['udp6', 65_527],
] as const)('over %s %i bytes arrive whole, and one more is refused', async (type, longest) => {
  const [a, b] = [await bound({ type }), await bound({ type })]
  const payload = Buffer.alloc(longest, 'geysir')
  a.send(payload, b.address())
  const [datagram] = await received(b)
  expect(datagram!.payload.equals(payload)).toBe(true)
  expect(datagram).toMatchObject({ truncated: false, wireLength: longest })

  const tooLong = thrownBy(() => a.send(Buffer.alloc(longest + 1), b.address()))
  expect(tooLong).toMatchObject({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' })
  expect(tooLong.message).toContain('payload.length')
  expect(thrownBy(() => a.reserve(longest + 1, b.address()))).toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
  expect(a.stats().datagramsQueued).toBe(1)
})

test('a dual-stack socket refuses to an IPv4 peer what only IPv6 can carry', async () => {
  const dual = await bound({ type: 'udp6' }, { address: '::' })
  expect(thrownBy(() => dual.send(Buffer.alloc(65_508), endpoint('127.0.0.1', 9)))).toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
})

test('the longest datagrams do not fit together, and all of them arrive', async () => {
  const [a, b] = [await bound(), await bound(ROOMY)]
  const payloads = Array.from({ length: 3 }, (_, i) => Buffer.alloc(65_507, `${i}`))
  const to = b.address()
  for (const payload of payloads) a.send(payload, to)
  expect((await received(b, 3)).map(({ payload }, i) => payload.equals(payloads[i]!))).toEqual(Array(3).fill(true))
})

test('a datagram longer than maxDatagramBytes is cut, marked and counted', async () => {
  const [a, b] = [await bound({ sendOffload: false }), await bound({ maxDatagramBytes: 100 })]
  for (const length of [300, 100, 101, 0, 99]) a.send(Buffer.alloc(length, length), b.address())
  const datagrams = await received(b, 5)
  expect(datagrams.map(({ payload, wireLength, truncated }) => [payload.length, wireLength, truncated])).toEqual([
    [100, 300, true],
    [100, 100, false],
    [100, 101, true],
    [0, 0, false],
    [99, 99, false],
  ])
  expect(datagrams[0]!.payload.equals(Buffer.alloc(100, 300))).toBe(true)
  expect(b.stats()).toMatchObject({ truncated: 2, datagramsReceived: 5, bytesReceived: 399 })
  expect(b.offload.receive).toBe(false)
})

test.skipIf(lacking('the addon', fallbackProblem()))(
  'coalesced datagrams are cut one by one where the receiver takes short ones only',
  async () => {
    const [a, b] = [await bound(), await bound({ maxDatagramBytes: 10 })]
    const to = b.address()
    for (let i = 0; i < 5; i++) a.send(Buffer.alloc(12, `${i}`), to)
    expect(texts(await received(b, 5))).toEqual(['0', '1', '2', '3', '4'].map((digit) => digit.repeat(10)))
    expect(a.stats().coalescedSends).toBe(1)
    expect(b.stats().truncated).toBe(5)
  },
)

test('a payload may be text or any view of memory', async () => {
  const [a, b] = [await bound(), await bound()]
  const memory = new Uint8Array([0, 104, 105, 0]).buffer
  a.send('þá ☃', b.address())
  a.send(new Uint8Array(memory, 1, 2), b.address())
  a.send(new DataView(memory, 1, 2), b.address())
  a.send(Buffer.from('hi'), b.address())
  // Of another realm, where nothing is an instance of our Uint8Array, and of memory that threads share.
  a.send(runInNewContext('new Uint8Array([104, 105])') as Uint8Array, b.address())
  a.send(runInNewContext('new Uint16Array([0x6968])') as Uint8Array, b.address())
  const shared = new Uint8Array(new SharedArrayBuffer(2))
  shared.set([104, 105])
  a.send(shared, b.address())
  expect(texts(await received(b, 7))).toEqual(['þá ☃', 'hi', 'hi', 'hi', 'hi', 'hi', 'hi'])
})

test('send takes a copy: the caller may write over its payload at once', async () => {
  const [a, b] = [await bound(), await bound()]
  const payload = Buffer.from('before')
  a.send(payload, b.address())
  payload.fill('x')
  expect(texts(await received(b))).toEqual(['before'])
})

test('a reserved datagram is written in place, and may turn out shorter', async () => {
  const [a, b] = [await bound(), await bound()]
  const room = a.reserve(10, b.address())!
  expect(room.length).toBe(10)
  room.write('0123456789')
  a.commit()
  a.reserve(1000, b.address())!.write('short')
  a.commit(5)
  a.reserve(0, b.address())
  a.commit()
  a.send('sent', b.address())
  expect(texts(await received(b, 4))).toEqual(['0123456789', 'short', '', 'sent'])
})

test('a flush while a datagram is reserved does not touch it', async () => {
  const [a, b] = [await bound(), await bound()]
  a.send('first', b.address())
  const room = a.reserve(8, b.address())!
  room.write('res')
  expect(a.flush()).toBe(true)
  expect(texts(await received(b))).toEqual(['first'])
  room.write('erved', 3)
  a.commit()
  a.send('last', b.address())
  expect(texts(await received(b, 2))).toEqual(['reserved', 'last'])
})

test('one datagram at a time can be reserved', async () => {
  const [a, b] = [await bound(), await bound()]
  expect(thrownBy(() => a.commit())).toMatchObject({ code: 'ERR_INVALID_STATE' })
  a.reserve(4, b.address())!.write('kept')
  expect(thrownBy(() => a.reserve(4, b.address()))).toMatchObject({ code: 'ERR_INVALID_STATE' })
  expect(thrownBy(() => a.send('x', b.address()))).toMatchObject({ code: 'ERR_INVALID_STATE' })
  expect(thrownBy(() => a.commit(5))).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
  a.commit()
  expect(texts(await received(b))).toEqual(['kept'])
})

test('a run of datagrams is written in place and queued together', async () => {
  const [a, b] = [await bound(), await bound()]
  const to = b.address()
  const room = a.reserveRun(100, 10, to)!
  expect(room.length).toBe(1000)
  for (let i = 0; i < 10; i++) room.fill(`${i}`, i * 100, i * 100 + 100)
  a.commitRun()
  const rest = a.reserveRun(4, 5, to)!
  rest.write('one.two.gone')
  a.commitRun(2)
  a.reserveRun(7, 3, to)
  a.commitRun(0)
  a.send('last', to)
  expect(texts(await received(b, 13))).toEqual([
    ...Array.from({ length: 10 }, (_, i) => `${i}`.repeat(100)),
    'one.',
    'two.',
    'last',
  ])
  expect(a.stats()).toMatchObject({ datagramsQueued: 13, datagramsSent: 13, bytesSent: 1012 })
})

test('a run longer than there is room for is given in parts', async () => {
  const [a, b] = [await bound({ sendQueueBytes: 7500 }), await bound(ROOMY)]
  const to = b.address()
  let next = 0
  while (next < 100) {
    const room = a.reserveRun(1000, 100 - next, to)!
    expect(room.length).toBeLessThanOrEqual(7000)
    expect(room.length % 1000).toBe(0)
    expect(room.length).toBeGreaterThan(0)
    for (let at = 0; at < room.length; at += 1000) room.fill('.', at, at + 1000).write(`${next++}`, at)
    a.commitRun()
  }
  const datagrams = await received(b, 100)
  expect(datagrams.map(({ text }) => Number.parseInt(text))).toEqual(Array.from({ length: 100 }, (_, i) => i))
  expect(new Set(datagrams.map(({ payload }) => payload.length))).toEqual(new Set([1000]))
})

test('a run keeps to the bound of the queue', async () => {
  const [a, b] = [await bound({ sendQueueDatagrams: 7, sendQueueBytes: 50 }), await bound()]
  const to = b.address()
  expect(a.reserveRun(4, 100, to)!.length).toBe(7 * 4)
  a.commitRun()
  expect(a.reserveRun(10, 100, to)!.length).toBe(5 * 10)
  a.commitRun(0)
  expect(await received(b, 7)).toHaveLength(7)
})
