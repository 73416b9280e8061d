import { describe, expect, test } from 'vitest'
import { ERRNO } from '../../../src/binding/index.js'
import { failure } from '../support/errors.js'
import { openFake } from '../support/open-fake.js'
import { settled } from '../support/turns.js'

const PEER = { address: '192.0.2.1', port: 7 }

describe('a socket receives', () => {
  test.each(['batch', 'datagram'] as const)('while somebody listens for %s', (event) => {
    const { socket, native } = openFake()
    const listener = (): void => undefined
    socket.on(event, listener)
    expect(native.isReading).toBe(true)
    socket.off(event, listener)
    expect(native.isReading).toBe(false)
  })

  test('for listeners that came and go by any of the ways of an EventEmitter', () => {
    const { socket, native } = openFake()
    const listener = (): void => undefined
    for (const add of ['on', 'addListener', 'prependListener', 'once', 'prependOnceListener'] as const) {
      for (const remove of ['off', 'removeListener'] as const) {
        socket[add]('batch', listener)
        expect(native.isReading, add).toBe(true)
        socket[remove]('batch', listener)
        expect(native.isReading, remove).toBe(false)
      }
      socket[add]('batch', listener)
      socket.removeAllListeners('batch')
      expect(native.isReading, 'removeAllListeners of one event').toBe(false)
      socket[add]('datagram', listener)
      socket.removeAllListeners()
      expect(native.isReading, 'removeAllListeners').toBe(false)
    }
  })

  test('one batch for a listener that listens once', () => {
    const { socket, native } = openFake()
    let batches = 0
    socket.once('batch', () => void batches++)
    native.arrive({ payload: 'a' })
    native.turn()
    native.arrive({ payload: 'b' })
    native.turn()
    expect(batches).toBe(1)
    expect(native.isReading).toBe(false)
    expect(native.unread).toBe(1)
  })

  test('still, while one of two listeners is left', () => {
    const { socket, native } = openFake()
    const [a, b] = [(): void => undefined, (): void => undefined]
    socket.on('batch', a).on('datagram', b)
    socket.off('batch', a)
    expect(native.isReading).toBe(true)
  })

  test('nothing because of listeners for other events', () => {
    const { socket, native } = openFake()
    socket
      .on('close', () => undefined)
      .on('drain', () => undefined)
      .on('peerError', () => undefined)
    expect(native.interest).toBe(0)
  })

  test('not while it is paused, and again when it is resumed', () => {
    const { socket, native } = openFake()
    const seen: string[] = []
    socket.on('datagram', (payload) => void seen.push(String(payload)))
    socket.pause()
    expect(native.isReading).toBe(false)
    native.arrive({ payload: 'a' })
    native.turn()
    expect(seen).toEqual([])
    socket.resume()
    native.turn()
    expect(seen).toEqual(['a'])
  })

  test('not when it was paused before anybody listened', () => {
    const { socket, native } = openFake()
    socket.pause()
    socket.on('batch', () => undefined)
    expect(native.isReading).toBe(false)
    socket.resume()
    expect(native.isReading).toBe(true)
  })

  test('not for an async iteration while it is paused', async () => {
    const { socket, native } = openFake()
    socket.pause()
    const step = socket[Symbol.asyncIterator]().next()
    await settled()
    expect(native.isReading).toBe(false)
    socket.resume()
    expect(native.isReading).toBe(true)
    socket.close()
    expect((await step).done).toBe(true)
  })
})

describe('a socket watches for errors', () => {
  test('alone, where somebody listens for peerError and there can be some', async () => {
    const { socket, native } = openFake()
    socket.on('peerError', () => undefined)
    expect(native.isWatchingErrors).toBe(false)
    await socket.connect(PEER)
    expect(native.isWatchingErrors).toBe(true)
    socket.disconnect()
    expect(native.isWatchingErrors).toBe(false)
    socket.setOption('receiveErrors', true)
    expect(native.isWatchingErrors).toBe(true)
    socket.setOption('receiveErrors', false)
    expect(native.isWatchingErrors).toBe(false)
  })

  test('from the start with the option receiveErrors, when a listener comes', () => {
    const { socket, native } = openFake({ receiveErrors: true })
    expect(native.interest).toBe(0)
    socket.once('peerError', () => undefined)
    expect(native.isWatchingErrors).toBe(true)
    expect(native.isReading).toBe(false)
  })
})

describe('a poll that the system refuses', () => {
  test('is thrown where somebody starts to listen', () => {
    const { socket, native } = openFake()
    native.pollErrno = ERRNO.ENOMEM
    expect(failure(() => socket.on('batch', () => undefined), 'ENOMEM')).toMatchObject({ syscall: 'poll' })
  })
})
