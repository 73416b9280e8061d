import { expect, test } from 'vitest'
import { capabilities, endpoint } from '../../src/index.js'
import { lacking } from '../support/capabilities.js'
import { received, texts } from '../support/received.mjs'
import { ROOMY, accountedFor, bound } from '../support/sockets.js'

const kernel = capabilities()
const offloadProblem = kernel.sendOffload && kernel.receiveOffload ? undefined : 'this kernel has no UDP_SEGMENT or UDP_GRO'

test.skipIf(lacking('segmentation offload', offloadProblem))(
  'neighbours travel as one message, the last of them shorter',
  async () => {
    const [a, b] = [await bound(), await bound()]
    const to = b.address()
    const sizes = [...(Array(10).fill(1000) as number[]), 300]
    for (const [i, size] of sizes.entries()) a.send(Buffer.alloc(size, i), to)
    const datagrams = await received(b, sizes.length)
    expect(datagrams.map(({ wireLength, truncated }) => [wireLength, truncated])).toEqual(sizes.map((size) => [size, false]))
    expect(datagrams.map(({ payload }) => [payload.length, payload[0], payload.at(-1)])).toEqual(
      sizes.map((size, i) => [size, i, i]),
    )
    expect(a.stats()).toMatchObject({ datagramsSent: 11, coalescedSends: 1, segmentsSent: 11, batchesSent: 1, bytesSent: 10_300 })
    expect(b.stats()).toMatchObject({ datagramsReceived: 11, segmentsReceived: 11, batchesReceived: 1, bytesReceived: 10_300 })
  },
)

test.skipIf(lacking('segmentation offload', offloadProblem))(
  'a message holds 64 datagrams at most, and less than 64 KiB',
  async () => {
    const [a, b] = [await bound(), await bound(ROOMY)]
    const to = b.address()
    for (let i = 0; i < 200; i++) a.send(`${i % 10}`, to)
    await received(b, 200)
    expect(a.stats()).toMatchObject({ coalescedSends: 4, segmentsSent: 200 })

    for (let i = 0; i < 7; i++) a.send(Buffer.alloc(30_000, i), to)
    const datagrams = await received(b, 7)
    expect(datagrams.map(({ payload }) => payload.length)).toEqual(Array(7).fill(30_000))
    expect(a.stats()).toMatchObject({ coalescedSends: 4 + 3, segmentsSent: 200 + 6, datagramsSent: 207 })
  },
)

test('a longer datagram, another destination and an empty one begin a message of their own', async () => {
  const [a, b, c] = [await bound(), await bound(), await bound()]
  const [toB, toC] = [b.address(), c.address()]
  for (const text of ['aa', 'bb', 'ccc', 'ddd', '', 'ee']) a.send(text, toB)
  for (const to of [toC, toB, toC]) a.send('ff', to)
  expect(texts(await received(b, 7))).toEqual(['aa', 'bb', 'ccc', 'ddd', '', 'ee', 'ff'])
  expect(texts(await received(c, 2))).toEqual(['ff', 'ff'])
  // aa bb | ccc ddd | '' | ee | ff | ff | ff
  if (offloadProblem === undefined) expect(a.stats()).toMatchObject({ coalescedSends: 2, segmentsSent: 4 })
  expect(a.stats()).toMatchObject({ datagramsSent: 9, batchesSent: 1 })
})

test('after a shorter datagram nothing more joins its message', async () => {
  const [a, b] = [await bound(), await bound()]
  const to = b.address()
  const texted = ['aaa', 'aaa', 'b', 'b', 'b', 'aaa']
  for (const text of texted) a.send(text, to)
  expect(texts(await received(b, 6))).toEqual(texted)
})

test('many sizes and destinations in one flush arrive in order at each', async () => {
  const a = await bound()
  const receivers = [await bound(ROOMY), await bound(ROOMY), await bound(ROOMY)]
  const endpoints = receivers.map((receiver) => receiver.address())
  const expected: string[][] = [[], [], []]
  for (let i = 0; i < 300; i++) {
    const to = Math.floor(i / (1 + (i % 5))) % 3
    const text = `${i}:`.padEnd((i * 7919) % 1400, '.')
    expected[to]!.push(text)
    expect(a.send(text, endpoints[to])).toBe(true)
  }
  for (const [i, receiver] of receivers.entries())
    expect(texts(await received(receiver, expected[i]!.length))).toEqual(expected[i])
  expect(a.stats()).toMatchObject({ datagramsSent: 300, datagramsQueued: 300 })
  expect(accountedFor(a)).toBe(300)
})

test.each([
  { sendOffload: false, receiveOffload: false },
  { sendOffload: false, receiveOffload: true },
  { sendOffload: true, receiveOffload: false },
])('offload can be switched off at either end: %o', async ({ sendOffload, receiveOffload }) => {
  const [a, b] = [await bound({ sendOffload }), await bound({ receiveOffload })]
  const to = b.address()
  for (let i = 0; i < 20; i++) a.send(`datagram ${i % 10}`, to)
  expect(await received(b, 20)).toHaveLength(20)
  expect(a.offload.send).toBe(sendOffload)
  expect(b.offload.receive).toBe(receiveOffload)
  expect(a.stats().coalescedSends).toBe(sendOffload ? 1 : 0)
  expect(b.stats().segmentsReceived).toBe(0)
})

test('endpoints that are equal but not the same object reach the same peer', async () => {
  const [a, b] = [await bound(), await bound()]
  for (let i = 0; i < 4; i++) a.send(`${i}`, endpoint('127.0.0.1', b.address().port))
  expect(texts(await received(b, 4))).toEqual(['0', '1', '2', '3'])
})

test('options of one datagram keep it apart from neighbours with others', async () => {
  const [a, b] = [await bound(), await bound({ receiveTos: true })]
  const to = b.address()
  for (const tos of [undefined, 8, 8, 4, undefined, undefined]) a.send('same', to, tos === undefined ? undefined : { tos })
  expect((await received(b, 6)).map((datagram) => datagram.tos)).toEqual([0, 8, 8, 4, 0, 0])
  if (offloadProblem === undefined) expect(a.stats()).toMatchObject({ coalescedSends: 2, segmentsSent: 4 })
})

test('datagrams of several senders in one batch keep their endpoints', async () => {
  const b = await bound()
  const senders = [await bound(), await bound(), await bound()]
  for (const [i, sender] of senders.entries()) {
    for (let n = 0; n <= i; n++) sender.send(`${i}`, b.address())
    sender.flush()
  }
  const datagrams = await received(b, 6)
  expect(datagrams.map(({ text, endpoint: { port } }) => [text, port])).toEqual(
    [0, 1, 1, 2, 2, 2].map((i) => [`${i}`, senders[i]!.address().port]),
  )
})

test('the datagram event tells every datagram of a batch, by index', async () => {
  const [a, b] = [await bound(), await bound()]
  for (let i = 0; i < 5; i++) a.send(`n${i}`, b.address())
  const seen: unknown[] = []
  await new Promise<void>((resolve) => {
    b.on('datagram', (payload, from, batch, i) => {
      seen.push([payload.toString(), from.port, batch.payload(i) === payload])
      if (seen.length === 5) resolve()
    })
  })
  expect(seen).toEqual([0, 1, 2, 3, 4].map((i) => [`n${i}`, a.address().port, true]))
})
