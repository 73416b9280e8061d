import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { capabilities, type UdpSocket } from '../../src/index.js'
import { fallbackProblem, lacking } from '../support/capabilities.js'
import { receivedUntil, texts } from '../support/received.mjs'
import { ROOMY, bound } from '../support/sockets.js'

const dropsProblem = capabilities().kernelDrops ? undefined : 'this kernel has no SO_RXQ_OVFL'
const onDemandProblem = capabilities().kernelDropsOnDemand ? undefined : 'this kernel has no SO_MEMINFO'

/** One datagram a message, so that the kernel counts datagrams. */
const ONE_BY_ONE = { sendOffload: false } as const
const SMALL_BUFFER = { receiveBufferBytes: 16_384 } as const

test.skipIf(lacking('drop counting', dropsProblem))('what a full receive buffer drops is counted exactly', async () => {
  const [a, b] = [await bound(ONE_BY_ONE), await bound(SMALL_BUFFER)]
  b.pause()
  blast(a, b, 2000)
  b.resume()
  const datagrams = await receivedUntil(b, () => kernelRow(b).queuedBytes === 0)
  const { datagramsReceived, kernelDrops, bytesReceived } = b.stats()
  expect(a.stats().datagramsSent).toBe(2000)
  expect(datagrams).toHaveLength(datagramsReceived)
  expect(kernelDrops).toBeGreaterThan(0)
  expect(datagramsReceived + kernelDrops).toBe(2000)
  expect(bytesReceived).toBe(texts(datagrams).join('').length)
  // What came is the beginning: a full buffer drops what comes later.
  expect(texts(datagrams)).toEqual(Array.from({ length: datagramsReceived }, (_, i) => numbered(i)))
})

test.skipIf(lacking('drop counting on demand', onDemandProblem))('drops can be seen while the socket is paused', async () => {
  const [a, b] = [await bound(ONE_BY_ONE), await bound(SMALL_BUFFER)]
  b.pause()
  blast(a, b, 500)
  expect(b.stats().kernelDrops).toBe(kernelRow(b).drops)
  expect(b.stats().kernelDrops).toBeGreaterThan(0)
})

test.skipIf(lacking('drop counting on demand', onDemandProblem))(
  'a datagram that waited since before a drop does not turn the counter back',
  async () => {
    const [a, b] = [await bound(ONE_BY_ONE), await bound({ ...SMALL_BUFFER, receiveBatchMessages: 1 })]
    b.pause()
    blast(a, b, 500)
    const firstDrops = b.stats().kernelDrops
    b.resume()
    // Half of them go, so there is room for datagrams that remember the first drops; then the buffer is full again.
    await receivedUntil(b, (soFar) => soFar.length >= (500 - firstDrops) / 2)
    blast(a, b, 500)
    const secondDrops = b.stats().kernelDrops
    expect(firstDrops).toBeGreaterThan(0)
    expect(secondDrops).toBeGreaterThan(firstDrops)
    await receivedUntil(b, () => kernelRow(b).queuedBytes === 0)
    const { datagramsReceived, kernelDrops } = b.stats()
    expect(kernelDrops).toBe(kernelRow(b).drops)
    expect(datagramsReceived + kernelDrops).toBe(1000)
  },
)

test.skipIf(lacking('drop counting', dropsProblem))('the drops of a closed socket are still told', async () => {
  const [a, b] = [await bound(ONE_BY_ONE), await bound(SMALL_BUFFER)]
  b.pause()
  blast(a, b, 500)
  const dropped = kernelRow(b).drops
  b.close()
  expect(b.stats().kernelDrops).toBe(dropped)
})

test.skipIf(lacking('drop counting', dropsProblem))('a coalesced message that is dropped counts once', async () => {
  const [a, b] = [await bound(), await bound(SMALL_BUFFER)]
  if (!a.offload.send || !b.offload.receive) return console.warn('skipped: this kernel does not coalesce')
  b.pause()
  const to = b.address()
  for (let message = 0; message < 50; message++) {
    for (let i = 0; i < 10; i++) a.send(numbered(i), to)
    a.flush()
  }
  b.resume()
  await receivedUntil(b, () => kernelRow(b).queuedBytes === 0)
  const { datagramsReceived, kernelDrops } = b.stats()
  expect(kernelDrops).toBeGreaterThan(0)
  expect(datagramsReceived / 10 + kernelDrops).toBe(50)
})

test.skipIf(lacking('the addon', fallbackProblem())).each([1, 10, 256])(
  'a batch has no more messages than receiveBatchMessages: %i',
  async (receiveBatchMessages) => {
    const [a, b] = [await bound(ONE_BY_ONE), await bound({ ...ROOMY, receiveBatchMessages, maxDatagramBytes: 200 })]
    b.pause()
    blast(a, b, 300)
    const counts: number[] = []
    b.on('batch', (batch) => counts.push(batch.count))
    b.resume()
    await receivedUntil(b, (soFar) => soFar.length >= 300)
    const full = Math.floor(300 / receiveBatchMessages)
    expect(counts).toEqual(
      [...Array<number>(full).fill(receiveBatchMessages), 300 % receiveBatchMessages].filter((count) => count > 0),
    )
  },
)

test('a batch of coalesced messages is bounded by the memory that it needs', async () => {
  const [a, b] = [await bound(ONE_BY_ONE), await bound({ ...ROOMY, receiveBatchMessages: 256 })]
  b.pause()
  blast(a, b, 300)
  b.resume()
  expect(texts(await receivedUntil(b, (soFar) => soFar.length >= 300))).toEqual(
    Array.from({ length: 300 }, (_, i) => numbered(i)),
  )
})

test('what is sent while nobody listens waits in the kernel, in order', async () => {
  const [a, b] = [await bound(), await bound()]
  blast(a, b, 100)
  expect(b.stats().datagramsReceived).toBe(0)
  const datagrams = await receivedUntil(b, (soFar) => soFar.length >= 100)
  expect(texts(datagrams)).toEqual(Array.from({ length: 100 }, (_, i) => numbered(i)))
})

test('while it is paused a socket delivers nothing', async () => {
  const [a, b] = [await bound(), await bound()]
  let seen = 0
  b.on('batch', (batch) => (seen += batch.count))
  b.pause()
  blast(a, b, 10)
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
  expect(seen).toBe(0)
  const all = receivedUntil(b, (soFar) => soFar.length >= 10)
  b.resume()
  await all
  expect(seen).toBe(10)
})

test('pausing in a handler stops after the batch at hand', async () => {
  const [a, b] = [await bound(ONE_BY_ONE), await bound({ receiveBatchMessages: 4 })]
  blast(a, b, 10)
  const batches: number[] = []
  await new Promise<void>((resolve) => {
    b.on('batch', (batch) => {
      batches.push(batch.count)
      b.pause()
      resolve()
    })
  })
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
  expect(batches).toEqual([4])
})

function blast(from: UdpSocket, to: UdpSocket, count: number): void {
  const endpoint = to.address()
  for (let i = 0; i < count; i++) {
    expect(from.send(numbered(i), endpoint)).toBe(true)
    if (i % 100 === 99) expect(from.flush()).toBe(true)
  }
  expect(from.flush()).toBe(true)
}

function numbered(i: number): string {
  return `datagram ${i}`.padEnd(100)
}

/** What /proc/net/udp says of a socket (proc(5)): payload and overhead that wait to be received, and datagrams dropped. */
function kernelRow(socket: UdpSocket): { queuedBytes: number; drops: number } {
  const port = socket.address().port.toString(16).toUpperCase().padStart(4, '0')
  const rows = readFileSync('/proc/net/udp', 'utf8').split('\n')
  const fields = rows.map((row) => row.trim().split(/\s+/)).find(([, local]) => local?.endsWith(`:${port}`))!
  return { queuedBytes: Number.parseInt(fields[4]!.split(':')[1]!, 16), drops: Number(fields.at(-1)) }
}
