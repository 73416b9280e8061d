import { describe, expect, test } from 'vitest'
import type { ReceiveBatch } from '../../../src/core/index.js'
import { failure } from '../support/errors.js'
import { openFake } from '../support/open-fake.js'
import { settled } from '../support/turns.js'

describe('an async iteration', () => {
  test('gives batches as they come, each until the next step', async () => {
    const { socket, native } = openFake()
    const seen: string[] = []
    let before: Buffer | undefined
    const loop = (async () => {
      for await (const batch of socket) {
        if (before) expect(before, 'poisoned').toEqual(Buffer.alloc(before.length, 0xdb))
        await settled()
        seen.push(String(batch.payload(0)))
        before = batch.payload(0)
        if (seen.length === 3) break
      }
    })()
    for (const payload of ['one', 'two', 'three']) {
      await settled()
      native.arrive({ payload })
      native.turn()
      await settled()
    }
    await loop
    expect(seen).toEqual(['one', 'two', 'three'])
  })

  test('receives only while somebody waits: the kernel’s buffer is the queue', async () => {
    const { socket, native } = openFake()
    const iteration = socket[Symbol.asyncIterator]()
    expect(native.isReading).toBe(false)
    const first = iteration.next()
    await settled()
    expect(native.isReading).toBe(true)
    native.arrive({ payload: 'a' })
    native.turn()
    expect(native.isReading).toBe(false)
    native.arrive({ payload: 'b' })
    expect(native.turn()).toBe(false)
    expect(String(((await first).value as ReceiveBatch).payload(0))).toBe('a')
    const second = iteration.next()
    await settled()
    native.turn()
    expect(String(((await second).value as ReceiveBatch).payload(0))).toBe('b')
  })

  test('that is left gives its batch back, stops receiving and leaves the socket open', async () => {
    const { socket, native } = openFake()
    let kept: ReceiveBatch | undefined
    const loop = (async () => {
      for await (const batch of socket) {
        kept = batch
        expect(batch.isRetained).toBe(true)
        break
      }
    })()
    await settled()
    native.arrive({ payload: 'a' })
    native.turn()
    await loop
    expect(kept!.isRetained).toBe(false)
    expect(native.isReading).toBe(false)
    expect(socket.closed).toBe(false)
  })

  test('that is left by an exception gives its batch back too', async () => {
    const { socket, native } = openFake()
    let kept: ReceiveBatch | undefined
    const loop = (async () => {
      for await (const batch of socket) {
        kept = batch
        throw new Error('body')
      }
    })()
    const outcome = expect(loop).rejects.toThrow('body')
    await settled()
    native.arrive({ payload: 'a' })
    native.turn()
    await outcome
    expect(kept!.isRetained).toBe(false)
  })

  test('ends when the socket is closed', async () => {
    const { socket } = openFake()
    let bodies = 0
    const loop = (async () => {
      for await (const batch of socket) bodies += batch.count
    })()
    await settled()
    socket.close()
    await loop
    expect(bodies).toBe(0)
  })

  test('that holds a batch when the socket is closed keeps it until the next step, which is the last', async () => {
    const { socket, native } = openFake()
    const iteration = socket[Symbol.asyncIterator]()
    const step = iteration.next()
    await settled()
    native.arrive({ payload: 'a' })
    native.turn()
    const batch = (await step).value as ReceiveBatch
    socket.close()
    expect(String(batch.payload(0))).toBe('a')
    expect(await iteration.next()).toEqual({ done: true, value: undefined })
    expect(batch.count).toBe(0)
    expect(await iteration.next()).toEqual({ done: true, value: undefined })
  })

  test('cannot begin on a closed socket', () => {
    const { socket } = openFake()
    socket.close()
    failure(() => socket[Symbol.asyncIterator](), 'ERR_CLOSED')
  })

  test('is over after return, also for who asks again', async () => {
    const { socket, native } = openFake()
    const iteration = socket[Symbol.asyncIterator]()
    expect(await iteration.return!()).toEqual({ done: true, value: undefined })
    expect(await iteration.next()).toEqual({ done: true, value: undefined })
    expect(native.isReading).toBe(false)
  })

  test('can be begun again after it was left', async () => {
    const { socket, native } = openFake()
    const once = async (): Promise<string> => {
      for await (const batch of socket) return String(batch.payload(0))
      return 'none'
    }
    for (const payload of ['a', 'b']) {
      const result = once()
      await settled()
      native.arrive({ payload })
      native.turn()
      expect(await result).toBe(payload)
    }
  })

  test('of two who wait gives each batch to one, in turn', async () => {
    const { socket, native } = openFake()
    const seen: string[] = []
    const steps = ['first', 'second'].map(async (name) => {
      const { value } = await socket[Symbol.asyncIterator]().next()
      seen.push(`${name} ${(value as ReceiveBatch).payload(0)}`)
    })
    await settled()
    native.arrive({ payload: 'a' })
    native.turn()
    native.arrive({ payload: 'b' })
    native.turn()
    await Promise.all(steps)
    expect(seen).toEqual(['first a', 'second b'])
  })

  test('shares batches with listeners', async () => {
    const { socket, native } = openFake()
    const seen: string[] = []
    socket.on('batch', (batch) => void seen.push(String(batch.payload(0))))
    const step = socket[Symbol.asyncIterator]().next()
    await settled()
    native.arrive({ payload: 'a' })
    native.turn()
    expect(String(((await step).value as ReceiveBatch).payload(0))).toBe('a')
    expect(seen).toEqual(['a'])
    expect(native.isReading, 'for the listener').toBe(true)
  })

  test('does not take a batch from a listener that retained it', async () => {
    const { socket, native } = openFake()
    let kept: ReceiveBatch | undefined
    socket.on('batch', (batch) => {
      kept ??= batch.retain()
    })
    const iteration = socket[Symbol.asyncIterator]()
    const step = iteration.next()
    await settled()
    native.arrive({ payload: 'mine' })
    native.turn()
    await step
    void iteration.next()
    await settled()
    expect(kept!.isRetained).toBe(true)
    expect(String(kept!.payload(0))).toBe('mine')
    socket.close()
  })

  test('keeps its batch until the next step, also when a listener that retained it gives it back before', async () => {
    const { socket, native } = openFake()
    let kept: ReceiveBatch | undefined
    socket.once('batch', (batch) => void (kept = batch.retain()))
    const step = socket[Symbol.asyncIterator]().next()
    await settled()
    native.arrive({ payload: 'shared' })
    native.turn()
    const batch = (await step).value as ReceiveBatch
    kept!.release()
    expect(batch.count).toBe(1)
    expect(String(batch.payload(0))).toBe('shared')
  })

  test('goes on with the next batch when a listener retained and released one', async () => {
    const { socket, native, addon } = openFake()
    let first = true
    socket.on('batch', (batch) => {
      if (first) batch.retain().release()
      first = false
    })
    const step = socket[Symbol.asyncIterator]().next()
    await settled()
    native.arrive({ payload: 'a' })
    native.turn()
    native.arrive({ payload: 'b' })
    native.turn()
    expect(addon.uncaught).toEqual([])
    expect(String(((await step).value as ReceiveBatch).payload(0))).toBe('b')
  })

  test('that is left while it waits waits no more, and takes no batch with it', async () => {
    const { socket, native } = openFake()
    const iteration = socket[Symbol.asyncIterator]()
    const step = iteration.next()
    await settled()
    await iteration.return!()
    expect(native.isReading, 'still receives for nobody').toBe(false)
    expect(await step).toEqual({ done: true, value: undefined })
  })

  test('has the exception that the socket’s error is, or ends, when receiving fails', async () => {
    const { socket, native } = openFake()
    const errors: Error[] = []
    socket.on('error', (error) => void errors.push(error))
    const step = socket[Symbol.asyncIterator]().next()
    await settled()
    native.receiveErrno = 12
    native.turn()
    expect((await step).done).toBe(true)
    expect(errors).toHaveLength(1)
  })
})
