import { describe, expect, test } from 'vitest'
import { Endpoint } from '../../../src/core/index.js'
import type { SendOptions, UdpSocket, UdpSocketOptions } from '../../../src/socket/index.js'
import { failure } from '../support/errors.js'
import { openFake } from '../support/open-fake.js'
import { settled } from '../support/turns.js'

const A = Endpoint.of('192.0.2.1', 1001)
const SIX = Endpoint.of('2001:db8::1', 6)

describe('a payload', () => {
  test.each<[string, Uint8Array | DataView | string, string]>([
    ['a Buffer', Buffer.from('bytes'), 'bytes'],
    ['a Uint8Array', new TextEncoder().encode('bytes'), 'bytes'],
    ['part of an array', Buffer.from('xbytesx').subarray(1, 6), 'bytes'],
    ['a DataView', new DataView(new TextEncoder().encode('xbytesx').buffer, 1, 5), 'bytes'],
    ['a typed array of longer elements', new Uint16Array(Uint8Array.from(Buffer.from('sixbyt')).buffer) as never, 'sixbyt'],
    [
      'part of a typed array of longer elements',
      new Uint16Array(Uint8Array.from(Buffer.from('sixbyt')).buffer, 2) as never,
      'xbyt',
    ],
    ['text, as UTF-8', 'grýla ☃ 🌋', 'grýla ☃ 🌋'],
    ['nothing', '', ''],
  ])('may be %s', (_name, payload, expected) => {
    const { socket, native } = openFake()
    expect(socket.send(payload, A)).toBe(true)
    socket.flush()
    expect(String(native.datagrams[0]!.payload)).toBe(expected)
  })

  test('is copied: it can be changed at once', () => {
    const { socket, native } = openFake()
    const payload = Buffer.from('before')
    socket.send(payload, A)
    payload.fill('x')
    socket.flush()
    expect(String(native.datagrams[0]!.payload)).toBe('before')
  })

  test('of another type is refused', () => {
    const { socket } = openFake()
    for (const payload of [undefined, null, 5, {}, [1, 2], new ArrayBuffer(4), true, () => 0]) {
      failure(
        () => socket.send(payload as never, A),
        'ERR_INVALID_ARG_TYPE',
        /"payload" argument must be of type string or an instance of/,
      )
    }
    expect(socket.stats().datagramsQueued).toBe(0)
  })

  test('may be as long as UDP carries, and no longer', () => {
    const { socket, native } = openFake()
    expect(socket.send(Buffer.alloc(65_507), A)).toBe(true)
    socket.flush()
    expect(native.datagrams[0]!.payload).toHaveLength(65_507)
    failure(() => socket.send(Buffer.alloc(65_508), A), 'ERR_OUT_OF_RANGE', /payload\.length.*65507/)
    failure(() => socket.send('☃'.repeat(21_836), A), 'ERR_OUT_OF_RANGE', /payload\.length/)
  })

  test('over IPv6 may be longer by the header that IPv4 counts', () => {
    const { socket, native } = openFake({ type: 'udp6' })
    expect(socket.send(Buffer.alloc(65_527), SIX)).toBe(true)
    socket.flush()
    expect(native.datagrams[0]!.payload).toHaveLength(65_527)
    failure(() => socket.send(Buffer.alloc(65_528), SIX), 'ERR_OUT_OF_RANGE', /65527/)
    failure(() => socket.send(Buffer.alloc(65_508), A), 'ERR_OUT_OF_RANGE', /65507/)
    failure(() => socket.send(Buffer.alloc(65_508), Endpoint.of('::ffff:192.0.2.1', 1)), 'ERR_OUT_OF_RANGE', /65507/)
  })
})

/** Send, reserve and reserveRun take the same endpoint and options. */
const ways: [string, (socket: UdpSocket, endpoint: never, options?: SendOptions) => unknown][] = [
  ['send', (socket, endpoint, options) => socket.send('x', endpoint, options)],
  ['reserve', (socket, endpoint, options) => socket.reserve(1, endpoint, options)],
  ['reserveRun', (socket, endpoint, options) => socket.reserveRun(1, 1, endpoint, options)],
]

describe.each(ways)('%s', (_name, use) => {
  test('refuses an endpoint that is none', () => {
    const { socket } = openFake()
    for (const endpoint of [null, 5, '192.0.2.1:5', true]) {
      failure(() => use(socket, endpoint as never), 'ERR_INVALID_ARG_TYPE', /endpoint/)
    }
    failure(() => use(socket, {} as never), 'ERR_INVALID_ARG_TYPE', /address/)
    failure(() => use(socket, { address: '192.0.2.1' } as never), 'ERR_INVALID_ARG_TYPE', /port/)
    failure(() => use(socket, { address: 'localhost', port: 1 } as never), 'ERR_INVALID_ARG_VALUE', /address/)
    failure(() => use(socket, { address: '192.0.2.1', port: 0 } as never), 'ERR_OUT_OF_RANGE', /port/)
    failure(() => use(socket, { address: '192.0.2.1', port: 65_536 } as never), 'ERR_OUT_OF_RANGE', /port/)
    failure(() => use(socket, { address: '192.0.2.1', port: '5' } as never), 'ERR_INVALID_ARG_TYPE', /port/)
    failure(() => use(socket, Endpoint.of('192.0.2.1', 0) as never), 'ERR_OUT_OF_RANGE', /port/)
  })

  test('refuses the same after an endpoint that was one', () => {
    const { socket } = openFake()
    socket.send('x', A)
    for (const endpoint of [5, '192.0.2.1:5', true, {}, { address: '192.0.2.1' }, { port: 1001 }]) {
      failure(() => use(socket, endpoint as never), 'ERR_INVALID_ARG_TYPE')
    }
    failure(() => use(socket, { address: '192.0.2.1', port: 0 } as never), 'ERR_OUT_OF_RANGE', /port/)
  })

  test.each([
    [{ type: 'udp4' }, SIX],
    [{ type: 'udp6', ipv6Only: true }, A],
    [{ type: 'udp6', ipv6Only: true }, Endpoint.of('::ffff:192.0.2.1', 5)],
  ] as [UdpSocketOptions, Endpoint][])('on %j refuses the family of %s', (options, endpoint) => {
    const { socket } = openFake(options)
    failure(() => use(socket, endpoint as never), 'ERR_INVALID_ARG_VALUE', /'endpoint' must be IPv[46], as this socket is/)
  })

  test('needs an endpoint on a socket that is not connected', () => {
    failure(() => use(openFake().socket, undefined as never), 'ERR_SOCKET_DGRAM_NOT_CONNECTED')
  })

  test.each<[SendOptions, string, RegExp]>([
    [null as never, 'ERR_INVALID_ARG_TYPE', /options/],
    [5 as never, 'ERR_INVALID_ARG_TYPE', /options/],
    [{ hops: 5 } as never, 'ERR_INVALID_ARG_VALUE', /options\.hops/],
    [{ ttl: 0 }, 'ERR_OUT_OF_RANGE', /options\.ttl/],
    [{ ttl: 256 }, 'ERR_OUT_OF_RANGE', /options\.ttl/],
    [{ ttl: '5' as never }, 'ERR_INVALID_ARG_TYPE', /options\.ttl/],
    [{ tos: -1 }, 'ERR_OUT_OF_RANGE', /options\.tos/],
    [{ tos: 256 }, 'ERR_OUT_OF_RANGE', /options\.tos/],
    [{ tos: true as never }, 'ERR_INVALID_ARG_TYPE', /options\.tos/],
    [{ source: '::1' }, 'ERR_INVALID_ARG_VALUE', /options\.source.*IPv4/],
    [{ interface: null as never }, 'ERR_INVALID_ARG_TYPE', /options\.interface/],
    [{ interface: -1 }, 'ERR_OUT_OF_RANGE', /options\.interface/],
    [{ interface: 'eth9' }, 'ENODEV', /eth9/],
  ])('refuses the options %j', (options, code, message) => {
    const { socket } = openFake()
    failure(() => use(socket, A as never, options), code, message)
    expect(socket.stats().datagramsQueued).toBe(0)
    expect(socket.send('fine', A), 'nothing is left reserved').toBe(true)
  })
})

test('an endpoint that is null is refused also after one that was an endpoint', () => {
  const { socket } = openFake()
  socket.send('x', A)
  failure(() => socket.send('x', null as never), 'ERR_INVALID_ARG_TYPE', /endpoint/)
})

test('the option source is named where its address is wrong', () => {
  const { socket } = openFake()
  failure(() => socket.send('x', A, { source: 5 as never }), 'ERR_INVALID_ARG_TYPE', /"options\.source" property/)
  failure(() => socket.send('x', A, { source: 'nonsense' }), 'ERR_INVALID_ARG_VALUE', /'options\.source'/)
})

describe('an endpoint that changes under the same plain object', () => {
  test('is looked at anew', () => {
    const { socket, native } = openFake()
    const to = { address: '192.0.2.1', port: 1 }
    socket.send('a', to)
    to.port = 2
    socket.send('b', to)
    to.address = '192.0.2.2'
    socket.send('c', to)
    socket.flush()
    expect(native.datagrams.map(({ destination }) => String(destination))).toEqual(['192.0.2.1:1', '192.0.2.1:2', '192.0.2.2:2'])
  })
})

describe('the options of one datagram', () => {
  test('cross the border as ancillary data at the level of the destination’s family', () => {
    const { socket, native } = openFake({ type: 'udp6' })
    const options = (source: string): SendOptions => ({ source, interface: 'eth7', ttl: 9, tos: 0xb9 })
    socket.send('four', A, options('192.0.2.7'))
    socket.send('six', SIX, options('2001:db8::7'))
    socket.flush()
    expect(native.messages.map(({ control }) => control)).toEqual([
      { source: '192.0.2.7', interfaceIndex: 7, ttl: 9, tos: 0xb9, ipv6: false },
      { source: '2001:db8::7', interfaceIndex: 7, ttl: 9, tos: 0xb9, ipv6: true },
    ])
  })

  test('may be an interface without a source, and a source without an interface', () => {
    const { socket, native } = openFake()
    socket.send('a', A, { interface: 7 })
    socket.send('b', A, { source: Endpoint.of('192.0.2.7', 99) })
    socket.flush()
    expect(native.messages.map(({ control }) => control)).toMatchObject([
      { source: '0.0.0.0', interfaceIndex: 7 },
      { source: '192.0.2.7', interfaceIndex: 0 },
    ])
  })

  test('are not left over for the next datagram', () => {
    const { socket, native } = openFake()
    socket.send('a', A, { source: '192.0.2.7', interface: 7, ttl: 9, tos: 3 })
    socket.send('b', A)
    socket.send('c', A, { ttl: 4 })
    socket.send('d', A, { interface: 1 })
    socket.flush()
    const none = { source: undefined, interfaceIndex: undefined, ttl: undefined, tos: undefined, ipv6: false }
    expect(native.messages.map(({ control }) => control)).toEqual([
      { source: '192.0.2.7', interfaceIndex: 7, ttl: 9, tos: 3, ipv6: false },
      none,
      { ...none, ttl: 4 },
      { ...none, interfaceIndex: 1, source: '0.0.0.0' },
    ])
  })

  test('of a reserved datagram are those it was reserved with, whatever is tried in between', () => {
    const { socket, native } = openFake({ receivePacketInfo: true })
    socket.reserve(1, A, { ttl: 5 })
    failure(() => socket.send('x', A, { ttl: 9 }), 'ERR_INVALID_STATE')
    failure(() => socket.reserve(1, A, { ttl: 9 }), 'ERR_INVALID_STATE')
    socket.commit()
    socket.flush()
    expect(native.messages[0]!.control.ttl).toBe(5)
  })
})

describe('reserve and commit', () => {
  test('queue what was written in place', () => {
    const { socket, native } = openFake()
    const view = socket.reserve(10, A)!
    expect(view).toHaveLength(10)
    view.write('0123456789')
    expect(socket.stats().datagramsQueued).toBe(0)
    socket.commit()
    expect(socket.stats()).toMatchObject({ datagramsQueued: 1, queuedDatagrams: 1, queuedBytes: 10 })
    socket.flush()
    expect(String(native.datagrams[0]!.payload)).toBe('0123456789')
  })

  test('leave at the end of the tick', async () => {
    const { socket, native } = openFake()
    socket.reserve(1, A)!.write('x')
    socket.commit()
    await settled()
    expect(native.datagrams).toHaveLength(1)
  })

  test.each([0, 1, 9, 10])('send as little as was written: %i of 10 bytes', (length) => {
    const { socket, native } = openFake()
    socket.reserve(10, A)!.write('0123456789')
    socket.commit(length)
    socket.send('next', A)
    socket.flush()
    expect(native.datagrams.map(({ payload }) => String(payload))).toEqual(['0123456789'.slice(0, length), 'next'])
  })

  test('may have a flush between them', () => {
    const { socket, native } = openFake()
    socket.send('before', A)
    const view = socket.reserve(3, A)!
    expect(socket.flush()).toBe(true)
    expect(native.datagrams.map(({ payload }) => String(payload))).toEqual(['before'])
    view.write('mid')
    socket.flush()
    socket.commit()
    socket.send('behind', A)
    socket.flush()
    expect(native.datagrams.map(({ payload }) => String(payload))).toEqual(['before', 'mid', 'behind'])
  })

  test('hand out the same view again for the same place and size', () => {
    const { socket } = openFake()
    const once = (): (Buffer | undefined)[] => {
      const views = [100, 100, 50].map((length) => {
        const view = socket.reserve(length, A)
        socket.commit()
        return view
      })
      socket.flush()
      return views
    }
    const first = once()
    for (const [i, view] of once().entries()) expect(view).toBe(first[i])
  })

  test('refuse lengths that are none', () => {
    const { socket } = openFake()
    for (const length of ['5', null, undefined, {}, 5n]) {
      failure(() => socket.reserve(length as never, A), 'ERR_INVALID_ARG_TYPE', /"lengthBytes"/)
    }
    for (const length of [-1, 1.5, NaN, Infinity, 65_508, 65_528]) {
      failure(() => socket.reserve(length, A), 'ERR_OUT_OF_RANGE', /"lengthBytes"/)
    }
    socket.reserve(10, A)
    for (const length of [-1, 1.5, NaN]) failure(() => socket.commit(length), 'ERR_OUT_OF_RANGE', /"lengthBytes"/)
    failure(() => socket.commit('5' as never), 'ERR_INVALID_ARG_TYPE', /"lengthBytes"/)
    socket.commit(10)
  })

  test('refuse to commit more than was reserved, which stays reserved', () => {
    const { socket, native } = openFake()
    socket.reserve(5, A)!.write('bytes')
    failure(() => socket.commit(6), 'ERR_INVALID_ARG_VALUE', /'lengthBytes'.*5/)
    socket.commit(5)
    socket.flush()
    expect(String(native.datagrams[0]!.payload)).toBe('bytes')
  })

  test('are one at a time', () => {
    const { socket } = openFake()
    failure(() => socket.commit(), 'ERR_INVALID_STATE', /nothing is reserved/)
    socket.reserve(5, A)
    failure(() => socket.reserve(5, A), 'ERR_INVALID_STATE', /committed or cancelled first/)
    failure(() => socket.send('x', A), 'ERR_INVALID_STATE', /committed or cancelled first/)
    socket.commit()
    failure(() => socket.commit(), 'ERR_INVALID_STATE')
    socket.flush()
    expect(socket.stats().datagramsSent).toBe(1)
  })

  test('may end in a cancel: the place is the next one’s, and nobody sees what was written', () => {
    const { socket, native } = openFake()
    socket.send('before', A)
    socket.reserve(3, A, { ttl: 5 })!.write('not')
    socket.cancel()
    failure(() => socket.commit(), 'ERR_INVALID_STATE', /nothing is reserved/)
    socket.send('behind', A)
    socket.reserveRun(4, 8, A)!.fill('x')
    socket.flush()
    socket.cancel()
    socket.cancel()
    failure(() => socket.commitRun(), 'ERR_INVALID_STATE', /nothing is reserved/)
    socket.send('last', A)
    socket.flush()
    expect(native.datagrams.map(({ payload }) => String(payload))).toEqual(['before', 'behind', 'last'])
    expect(socket.stats()).toMatchObject({ datagramsQueued: 3, datagramsSent: 3, datagramsDiscarded: 0 })
    socket.close()
    socket.cancel()
  })

  test('reach over a close that came between: nothing is sent', () => {
    const { socket, native } = openFake()
    socket.reserve(5, A)
    socket.close()
    failure(() => socket.commit(), 'ERR_CLOSED')
    expect(native.datagrams).toHaveLength(0)
    expect(socket.stats()).toMatchObject({ datagramsQueued: 0, datagramsDiscarded: 0 })
  })

  test('over and over with a flush between never run out of room', () => {
    const { socket, native } = openFake()
    for (let i = 0; i < 50; i++) {
      expect(socket.send(Buffer.alloc(50_000), A)).toBe(true)
      expect(socket.reserve(50_000, A)).toBeDefined()
      socket.flush()
      socket.commit(i)
    }
    socket.flush()
    expect(native.datagrams).toHaveLength(100)
  })
})

describe('a run', () => {
  test('queues its datagrams together', () => {
    const { socket, native } = openFake()
    const view = socket.reserveRun(2, 3, A)!
    expect(view).toHaveLength(6)
    view.write('aabbcc')
    socket.commitRun()
    socket.flush()
    expect(native.messages.map((message) => message.datagrams.map(String))).toEqual([['aa', 'bb', 'cc']])
    expect(socket.stats()).toMatchObject({ datagramsQueued: 3, datagramsSent: 3, bytesSent: 6 })
  })

  test('queues as many as were written', () => {
    const { socket, native } = openFake()
    socket.reserveRun(2, 3, A)!.write('aabbcc')
    socket.commitRun(1)
    socket.send('next', A)
    socket.flush()
    expect(native.datagrams.map(({ payload }) => String(payload))).toEqual(['aa', 'next'])
  })

  test('is as long as there is room: of the slab, the table and the queue', () => {
    expect(openFake().socket.reserveRun(60_000, 100, A)).toHaveLength(8 * 60_000)
    expect(openFake({ sendQueueDatagrams: 5 }).socket.reserveRun(10, 100, A)).toHaveLength(50)
    expect(openFake({ sendQueueBytes: 45 }).socket.reserveRun(10, 100, A)).toHaveLength(40)
    const { socket, native } = openFake({ sendOffload: false })
    const view = socket.reserveRun(10, 60_000, A)!
    expect(view.length % 10).toBe(0)
    socket.commitRun()
    socket.flush()
    expect(native.datagrams).toHaveLength(view.length / 10)
  })

  test('leaves at the end of the tick', async () => {
    const { socket, native } = openFake()
    socket.reserveRun(1, 5, A)
    socket.commitRun()
    await settled()
    expect(native.datagrams).toHaveLength(5)
  })

  test('refuses sizes and counts that are none', () => {
    const { socket } = openFake()
    for (const length of [0, -1, 1.5, 65_508]) failure(() => socket.reserveRun(length, 1, A), 'ERR_OUT_OF_RANGE', /"lengthBytes"/)
    for (const count of [0, -1, 1.5]) failure(() => socket.reserveRun(1, count, A), 'ERR_OUT_OF_RANGE', /"count"/)
    failure(() => socket.reserveRun('1' as never, 1, A), 'ERR_INVALID_ARG_TYPE', /"lengthBytes"/)
    failure(() => socket.reserveRun(1, '1' as never, A), 'ERR_INVALID_ARG_TYPE', /"count"/)
    failure(() => socket.commitRun(), 'ERR_INVALID_STATE', /nothing is reserved/)
    socket.reserveRun(1, 2, A)
    for (const count of [-1, 1.5]) failure(() => socket.commitRun(count), 'ERR_OUT_OF_RANGE', /"count"/)
    socket.commitRun(2)
  })

  test('refuses to commit more than was reserved, which stays reserved', () => {
    const { socket, native } = openFake()
    socket.reserveRun(1, 2, A)!.write('ab')
    failure(() => socket.commitRun(3), 'ERR_INVALID_ARG_VALUE', /'count'.*2/)
    socket.commitRun(2)
    socket.flush()
    expect(native.datagrams.map(({ payload }) => String(payload))).toEqual(['a', 'b'])
  })

  test('that is given up after a flush, over and over, does not stop the queue', () => {
    const { socket, native } = openFake()
    for (let i = 0; i < 20; i++) {
      socket.send(Buffer.alloc(60_000), A)
      socket.reserveRun(100, 5, A)
      socket.flush()
      socket.commitRun(0)
    }
    socket.flush()
    expect(native.datagrams).toHaveLength(20)
    expect(socket.stats().queuedDatagrams).toBe(0)
  })
})
