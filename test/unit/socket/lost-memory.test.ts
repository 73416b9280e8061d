import { describe, expect, test } from 'vitest'
import { Endpoint, type ReceiveBatch } from '../../../src/core/index.js'
import { openFake, turnAll } from '../support/open-fake.js'
import { settled } from '../support/turns.js'

/** Payload views share one ArrayBuffer, which a program can transfer away with any of them (postMessage, structuredClone). */
function transferAway(view: Uint8Array): void {
  structuredClone(view, { transfer: [view.buffer as ArrayBuffer] })
}

const A = Endpoint.of('192.0.2.1', 1001)

describe('receive memory that a handler transferred away', () => {
  test('is replaced: the next batch arrives', async () => {
    const { socket, native, addon } = openFake()
    const seen: string[] = []
    socket.on('datagram', (payload) => {
      seen.push(String(payload))
      if (seen.length === 1) transferAway(payload)
    })
    native.arrive({ payload: 'one' })
    native.turn()
    for (const payload of ['two', 'three']) {
      native.arrive({ payload })
      turnAll(native)
    }
    await settled()
    expect(seen).toEqual(['one', 'two', 'three'])
    expect(addon.uncaught).toEqual([])
    expect(socket.closed).toBe(false)
  })

  test('is replaced also when it goes between two batches', async () => {
    const { socket, native, addon } = openFake()
    const seen: string[] = []
    socket.on('datagram', (payload) => void seen.push(String(payload)))
    transferAway(addon.tables!.slab)
    native.arrive({ payload: 'one' })
    turnAll(native)
    await settled()
    expect(seen).toEqual(['one'])
    expect(socket.closed).toBe(false)
  })

  test('and was retained is not used again after its release', () => {
    const { socket, native, addon } = openFake()
    const held: ReceiveBatch[] = []
    socket.on('batch', (batch) => void held.push(batch.retain()))
    for (const payload of ['one', 'two', 'three']) {
      native.arrive({ payload })
      native.turn()
      if (held.length === 1) {
        transferAway(held[0]!.payload(0))
        held[0]!.release()
      }
    }
    expect(held.slice(1).map((batch) => String(batch.payload(0)))).toEqual(['two', 'three'])
    expect(addon.uncaught).toEqual([])
  })
})

describe('send memory that a program transferred away', () => {
  test('fails what lay in it, counted, and the next datagram is sent', async () => {
    const { socket, native } = openFake()
    const errors: string[] = []
    socket.on('sendError', (error) => void errors.push(error.code))
    socket.send('lost', A)
    const view = socket.reserve(4, A)!
    socket.commit()
    transferAway(view)
    await settled()
    expect(errors).toEqual(['EFAULT', 'EFAULT'])
    expect(socket.stats()).toMatchObject({ datagramsQueued: 2, datagramsFailed: 2, queuedDatagrams: 0, queuedBytes: 0 })
    expect(socket.send('next', A)).toBe(true)
    await settled()
    expect(native.datagrams.map(({ payload }) => String(payload))).toEqual(['next'])
  })

  test('does not make the next send throw', async () => {
    const { socket, native } = openFake()
    const view = socket.reserve(4, A)!
    socket.commit()
    socket.flush()
    transferAway(view)
    expect(socket.send('next', A)).toBe(true)
    await settled()
    expect(native.datagrams.map(({ payload }) => String(payload)).slice(1)).toEqual(['next'])
  })

  test('while a datagram is reserved in it costs that one', async () => {
    const { socket, native } = openFake()
    socket.send('lost', A)
    transferAway(socket.reserve(4, A)!)
    socket.flush()
    socket.commit()
    socket.send('next', A)
    await settled()
    expect(socket.stats()).toMatchObject({ datagramsFailed: 2, datagramsSent: 1, queuedDatagrams: 0 })
    expect(native.datagrams.map(({ payload }) => String(payload))).toEqual(['next'])
  })
})
