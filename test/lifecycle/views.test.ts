import { once } from 'node:events'
import { expect, test } from 'vitest'
import type { ReceiveBatch, UdpSocket } from '../../src/index.js'
import { received, texts } from '../support/received.mjs'
import { bound, thrownBy } from '../support/sockets.js'

const POISON = 0xdb

test('a view that outlives its handler reads poison', async () => {
  const [a, b] = [await bound(), await bound()]
  a.send('gone', b.address())
  const { view, batch } = await nextBatch(b, (arrived) => ({ view: arrived.payload(0), batch: arrived }))
  expect([...view]).toEqual(Array(4).fill(POISON))
  expect(batch.count).toBe(0)
  expect(thrownBy(() => batch.payload(0))).toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
})

test("a copy is the user's own", async () => {
  const [a, b] = [await bound(), await bound()]
  a.send('kept', b.address())
  const copy = await nextBatch(b, (batch) => batch.copy(0))
  a.send('next', b.address())
  await received(b)
  expect(copy.toString()).toBe('kept')
})

test('retained batches survive the traffic that follows', async () => {
  const [a, b] = [await bound(), await bound()]
  const kept: { batch: ReceiveBatch; text: string; view: Buffer }[] = []
  for (let i = 0; i < 20; i++) {
    const text = `batch ${i}`.padEnd(1000, '.')
    a.send(text, b.address())
    kept.push(await nextBatch(b, (batch) => ({ batch: batch.retain(), text, view: batch.payload(0) })))
    a.send('traffic in between', b.address())
    await received(b)
  }
  for (const { batch, text, view } of kept) {
    expect(batch.isRetained).toBe(true)
    expect(batch.payload(0).toString()).toBe(text)
    expect(view.toString()).toBe(text)
    expect(batch.endpoint(0).port).toBe(a.address().port)
  }
  for (const { batch, view } of kept) {
    batch.release()
    batch.release()
    expect(batch.isRetained).toBe(false)
    expect(batch.count).toBe(0)
    expect(view.every((byte) => byte === POISON)).toBe(true)
  }
  a.send('after', b.address())
  expect(texts(await received(b))).toEqual(['after'])
})

test('a batch is retained once, and while its handler runs', async () => {
  const [a, b] = [await bound(), await bound()]
  a.send('x', b.address())
  const batch = await nextBatch(b, (arrived) => arrived)
  expect(thrownBy(() => batch.retain())).toMatchObject({ code: 'ERR_INVALID_STATE' })
  a.send('x', b.address())
  await nextBatch(b, (arrived) => {
    arrived.retain()
    expect(thrownBy(() => arrived.retain())).toMatchObject({ code: 'ERR_INVALID_STATE' })
    arrived.release()
    expect(thrownBy(() => arrived.retain())).toMatchObject({ code: 'ERR_INVALID_STATE' })
  })
})

test('what is released within its handler can be used again at once', async () => {
  const [a, b] = [await bound(), await bound()]
  for (let i = 0; i < 10; i++) {
    a.send(`${i}`, b.address())
    const text = await nextBatch(b, (batch) => {
      const copied = batch.retain().copy(0).toString()
      batch.release()
      return copied
    })
    expect(text).toBe(`${i}`)
  }
})

test('a retained batch of a closed socket stays readable', async () => {
  const [a, b] = [await bound(), await bound()]
  a.send('kept', b.address())
  const batch = await nextBatch(b, (arrived) => arrived.retain())
  b.close()
  await once(b, 'close')
  expect(batch.payload(0).toString()).toBe('kept')
  batch.release()
})

test('a listener may retain what another listener has read', async () => {
  const [a, b] = [await bound(), await bound()]
  const seen: string[] = []
  b.on('batch', (batch) => seen.push(batch.copy(0).toString()))
  const kept = nextBatch(b, (batch) => batch.retain())
  a.send('both', b.address())
  expect((await kept).payload(0).toString()).toBe('both')
  expect(seen).toEqual(['both'])
})

test('a slab that its user transferred away costs that batch only', async () => {
  const [a, b, other] = [await bound(), await bound(), await bound()]
  a.send('taken', b.address())
  const taken = await nextBatch(b, (batch) => {
    const offset = batch.offset(0)
    const buffer = structuredClone(batch.slab.buffer as ArrayBuffer, { transfer: [batch.slab.buffer as ArrayBuffer] })
    expect(batch.slab.length).toBe(0)
    return Buffer.from(buffer, offset, 5).toString()
  })
  expect(taken).toBe('taken')
  a.send('to the same', b.address())
  a.send('to another', other.address())
  expect(texts(await received(b))).toEqual(['to the same'])
  expect(texts(await received(other))).toEqual(['to another'])
})

test('a retained slab that its user transferred away is not used again', async () => {
  const [a, b] = [await bound(), await bound()]
  a.send('taken', b.address())
  const batch = await nextBatch(b, (arrived) => arrived.retain())
  structuredClone(batch.slab.buffer as ArrayBuffer, { transfer: [batch.slab.buffer as ArrayBuffer] })
  batch.release()
  for (let i = 0; i < 10; i++) {
    a.send(`${i}`, b.address())
    const next = await nextBatch(b, (arrived) => arrived.retain())
    expect(next.payload(0).toString()).toBe(`${i}`)
  }
})

test('a send slab that its user transferred away does no harm beyond its socket', async () => {
  const [a, b] = [await bound(), await bound()]
  const room = a.reserve(4, b.address())!
  structuredClone(room.buffer as ArrayBuffer, { transfer: [room.buffer as ArrayBuffer] })
  a.commit()
  try {
    a.flush()
  } catch (error) {
    expect(error).toBeInstanceOf(Error)
  }
  a.close()
  expect(a.closed).toBe(true)
  const c = await bound()
  c.send('unharmed', b.address())
  expect((await received(b)).at(-1)!.text).toBe('unharmed')
})

/** What `look` finds in the next batch, before its handler returns. */
function nextBatch<T>(socket: UdpSocket, look: (batch: ReceiveBatch) => T): Promise<T> {
  return new Promise((resolve, reject) => {
    socket.once('batch', (batch) => {
      try {
        resolve(look(batch))
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)))
      }
    })
  })
}
