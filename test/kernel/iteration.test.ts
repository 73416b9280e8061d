import { once } from 'node:events'
import { expect, test } from 'vitest'
import { type ReceiveBatch, type UdpSocket } from '../../src/index.js'
import { received, texts } from '../support/received.mjs'
import { ROOMY, accountedFor, bound, open, thrownBy } from '../support/sockets.js'

test('iteration loses nothing under load, however slow its body is', async () => {
  const [a, b] = [await bound(), await bound(ROOMY)]
  const total = 20_000
  const wave = 300
  const to = b.address()
  let sent = 0
  const sendWave = (): void => {
    for (const end = Math.min(sent + wave, total); sent < end; sent++) expect(a.send(`${sent}`, to)).toBe(true)
    a.flush()
  }
  sendWave()
  let seen = 0
  for await (const batch of b) {
    // Work of its own in the loop's body: the kernel's buffer is the queue meanwhile.
    await new Promise((resolve) => setImmediate(resolve))
    for (let i = 0; i < batch.count; i++)
      if (batch.payload(i).toString() !== `${seen++}`) expect.unreachable(`out of order at ${seen - 1}`)
    if (seen === total) break
    if (seen === sent) sendWave()
  }
  expect(b.stats()).toMatchObject({ datagramsReceived: total, kernelDrops: 0 })
  expect(accountedFor(a)).toBe(total)
  expect(b.closed).toBe(false)
})

test('a batch of an iteration lives until the next step', async () => {
  const [a, b] = [await bound(), await bound()]
  a.send('first', b.address())
  const iterator = b[Symbol.asyncIterator]()
  const first = await nextBatch(iterator)
  const view = first.payload(0)
  a.send('second', b.address())
  a.flush()
  await new Promise((resolve) => setImmediate(resolve))
  expect(view.toString()).toBe('first')
  expect(first.count).toBe(1)
  const second = await nextBatch(iterator)
  expect(second.payload(0).toString()).toBe('second')
  expect(first.count).toBe(0)
  await iterator.return!()
  expect(second.count).toBe(0)
})

test('what comes after a loop was left waits for the next one', async () => {
  const [a, b] = [await bound(), await bound()]
  const to = b.address()
  a.send('one', to)
  for await (const batch of b) {
    expect(batch.payload(0).toString()).toBe('one')
    break
  }
  a.send('two', to)
  a.flush()
  await new Promise((resolve) => setImmediate(resolve))
  for await (const batch of b) {
    expect(batch.payload(0).toString()).toBe('two')
    break
  }
})

test('two loops share the batches', async () => {
  const [a, b] = [await bound(), await bound({ receiveBatchMessages: 1, receiveOffload: false })]
  const seen: string[] = []
  const loop = async (): Promise<void> => {
    for await (const batch of b) {
      seen.push(batch.payload(0).toString())
      if (seen.length >= 10) b.close()
    }
  }
  const loops = [loop(), loop()]
  for (let i = 0; i < 10; i++) a.send(`${i}`, b.address())
  await Promise.all(loops)
  expect(seen.sort()).toEqual(Array.from({ length: 10 }, (_, i) => `${i}`))
})

test('closing the socket ends its loops', async () => {
  const socket = await bound()
  const loop = (async () => {
    for await (const batch of socket) void batch
  })()
  socket.close()
  await loop
  expect(thrownBy(() => socket[Symbol.asyncIterator]())).toMatchObject({ code: 'ERR_CLOSED' })
})

test('a loop whose body closes the socket still has its batch', async () => {
  const [a, b] = [await bound(), await bound()]
  a.send('last', b.address())
  const seen: string[] = []
  for await (const batch of b) {
    b.close()
    seen.push(batch.payload(0).toString())
  }
  expect(seen).toEqual(['last'])
})

test('a step that is left waiting ends with its iterator, and takes no batch from others', async () => {
  const [a, b] = [await bound(), await bound()]
  const abandoned = b[Symbol.asyncIterator]()
  const step = abandoned.next()
  await abandoned.return!()
  a.send('for the listener', b.address())
  expect(texts(await received(b))).toEqual(['for the listener'])
  expect((await step).done).toBe(true)
})

test('a batch that a listener retained stays its own, though a loop had it too', async () => {
  const [a, b] = [await bound(), await bound()]
  const retained: ReceiveBatch[] = []
  b.on('batch', (batch) => retained.push(batch.retain()))
  const iterator = b[Symbol.asyncIterator]()
  const step = nextBatch(iterator)
  a.send('kept', b.address())
  await step
  await iterator.return!()
  expect(retained[0]!.count).toBe(1)
  expect(retained[0]!.payload(0).toString()).toBe('kept')
})

test('steps asked for ahead of time get batches in turn', async () => {
  const [a, b] = [await bound(), await bound({ receiveBatchMessages: 1, receiveOffload: false })]
  const iterator = b[Symbol.asyncIterator]()
  const steps = [nextText(iterator), nextText(iterator), nextText(iterator)]
  for (const text of ['1', '2', '3']) a.send(text, b.address())
  expect(await Promise.all(steps)).toEqual(['1', '2', '3'])
})

test('an abort signal closes the socket', async () => {
  const controller = new AbortController()
  const socket = open({ signal: controller.signal })
  await socket.bind()
  const closed = once(socket, 'close')
  controller.abort()
  expect(socket.closed).toBe(true)
  await closed
})

test('a signal that was aborted before closes the socket in a moment', async () => {
  const socket = open({ signal: AbortSignal.abort() })
  await once(socket, 'close')
  expect(socket.closed).toBe(true)
})

test('a closed socket lets go of its signal', async () => {
  const controller = new AbortController()
  let listening = 0
  const { signal } = controller
  const counted = new Proxy(signal, {
    get: (target, key) => {
      if (key === 'addEventListener') listening++
      if (key === 'removeEventListener') listening--
      const value: unknown = Reflect.get(target, key)
      return typeof value === 'function' ? (value as () => unknown).bind(target) : value
    },
  })
  const socket = open({ signal: counted })
  expect(listening).toBe(1)
  await socket[Symbol.asyncDispose]()
  expect(listening).toBe(0)
})

test('await using closes the socket', async () => {
  let seen: UdpSocket
  {
    await using socket = open()
    await socket.bind()
    seen = socket
    expect(seen.closed).toBe(false)
  }
  expect(seen.closed).toBe(true)
  await seen[Symbol.asyncDispose]()
})

async function nextBatch(iterator: AsyncIterator<ReceiveBatch>): Promise<ReceiveBatch> {
  return (await iterator.next()).value as ReceiveBatch
}

async function nextText(iterator: AsyncIterator<ReceiveBatch>): Promise<string> {
  return (await nextBatch(iterator)).copy(0).toString()
}
