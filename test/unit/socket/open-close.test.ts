import type { LookupFunction } from 'node:net'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { ERRNO } from '../../../src/binding/index.js'
import { Endpoint } from '../../../src/core/index.js'
import { UdpSocket, type UdpSocketOptions } from '../../../src/socket/index.js'
import { FakeAddon } from '../../support/fake-addon.js'
import { failure, rejection } from '../support/errors.js'
import { openFake, turnAll } from '../support/open-fake.js'
import { settled } from '../support/turns.js'

const PEER = { address: '192.0.2.1', port: 7 }

afterEach(() => void vi.restoreAllMocks())

/** Names every event in the order in which it comes. */
function eventsOf(socket: UdpSocket): string[] {
  const events: string[] = []
  for (const name of ['listening', 'connect', 'drain', 'error', 'close', 'sendError', 'peerError'] as const) {
    socket.on(name, () => void events.push(name))
  }
  return events
}

describe('opening', () => {
  test.each([
    [{}, 2],
    [{ type: 'udp4' }, 2],
    [{ type: 'udp6' }, 10],
  ] as [UdpSocketOptions, number][])('%j makes a datagram socket of family %i', (options, domain) => {
    const { native } = openFake(options)
    expect(native).toMatchObject({ domain, type: 2, protocol: 0, isOpen: true })
  })

  test('fails as the kernel does when descriptors have run out', () => {
    const addon = new FakeAddon()
    addon.openErrno = 24
    const error = failure(() => new UdpSocket({}, addon), 'EMFILE')
    expect(error).toMatchObject({ message: 'socket EMFILE', syscall: 'socket', errno: -24 })
    expect(addon.open).toBe(0)
  })

  test('polls nothing until somebody listens', () => {
    expect(openFake().native.interest).toBe(0)
  })

  test('makes one receive memory for all sockets of a thread', () => {
    const addon = new FakeAddon()
    openFake({}, addon)
    const { tables } = addon
    openFake({}, addon)
    expect(addon.tables).toBe(tables)
  })
})

describe('bind', () => {
  test('resolves with the local endpoint and then says listening', async () => {
    const { socket } = openFake()
    const events = eventsOf(socket)
    const local = await socket.bind({ address: '127.0.0.1', port: 5000 })
    expect(String(local)).toBe('127.0.0.1:5000')
    await settled()
    expect(events).toEqual(['listening'])
    expect(socket.address().equals(local)).toBe(true)
  })

  test.each([
    [{}, '0.0.0.0'],
    [{ type: 'udp6' }, '::'],
  ] as [UdpSocketOptions, string][])(
    'of %j without an address binds to %s, at a port of the kernel’s',
    async (options, address) => {
      const { socket } = openFake(options)
      const local = await socket.bind()
      expect(local.address).toBe(address)
      expect(local.port).toBeGreaterThan(0)
    },
  )

  test('takes effect at once for a literal, before the promise settles', () => {
    const { socket } = openFake()
    void socket.bind({ port: 5000 })
    expect(socket.address().port).toBe(5000)
  })

  test('of an IPv6 socket to an IPv4 address binds to the mapped one', async () => {
    const { socket } = openFake({ type: 'udp6' })
    expect((await socket.bind({ address: '127.0.0.1' })).address).toBe('::ffff:127.0.0.1')
  })

  test('takes the zone of a link-local address by interface name', async () => {
    const { socket } = openFake({ type: 'udp6' })
    expect((await socket.bind({ address: 'fe80::7%eth7' })).address).toBe('fe80::7%7')
    await rejection((async () => socket.bind({ address: 'fe80::7%eth9' }))(), 'ENODEV')
  })

  test.each([
    ['EADDRINUSE', ERRNO.EADDRINUSE],
    ['EADDRNOTAVAIL', ERRNO.EADDRNOTAVAIL],
    ['EACCES', ERRNO.EACCES],
  ])('rejects with %s as the kernel has it, and the socket stays open', async (code, errno) => {
    const { socket, native } = openFake()
    native.bindErrno = errno
    const error = await rejection(socket.bind({ address: '127.0.0.1', port: 53 }), code)
    expect(error).toMatchObject({
      syscall: 'bind',
      errno: -errno,
      address: '127.0.0.1',
      port: 53,
      message: `bind ${code} 127.0.0.1:53`,
    })
    native.bindErrno = 0
    expect((await socket.bind({ port: 5353 })).port).toBe(5353)
  })

  test('refuses misuse at once', () => {
    const { socket } = openFake()
    failure(() => socket.bind(null as never), 'ERR_INVALID_ARG_TYPE', /options/)
    failure(() => socket.bind(53 as never), 'ERR_INVALID_ARG_TYPE', /options/)
    failure(() => socket.bind({ port: '53' as never }), 'ERR_INVALID_ARG_TYPE', /options\.port/)
    failure(() => socket.bind({ port: 65_536 }), 'ERR_OUT_OF_RANGE', /options\.port/)
    failure(() => socket.bind({ address: 5 as never }), 'ERR_INVALID_ARG_TYPE', /options\.address/)
    failure(() => socket.bind({ host: '::' } as never), 'ERR_INVALID_ARG_VALUE', /options\.host/)
    failure(() => socket.bind({ address: '::1' }), 'ERR_INVALID_ARG_VALUE', /options\.address.*IPv4/)
    failure(() => socket.bind({ address: 'localhost' }), 'ERR_INVALID_ARG_VALUE', /options\.address.*lookup/)
    failure(
      () => openFake({ type: 'udp6', ipv6Only: true }).socket.bind({ address: '127.0.0.1' }),
      'ERR_INVALID_ARG_VALUE',
      /IPv6/,
    )
  })
})

describe('connect', () => {
  test('resolves with the peer and then says connect', async () => {
    const { socket } = openFake()
    const events = eventsOf(socket)
    const peer = await socket.connect(PEER)
    expect(String(peer)).toBe('192.0.2.1:7')
    expect(socket.remoteAddress()).toBe(peer)
    await settled()
    expect(events).toEqual(['connect'])
  })

  test('rejects as the kernel does and leaves the socket unconnected', async () => {
    const { socket, native } = openFake()
    native.connectErrno = ERRNO.ENETUNREACH
    expect(await rejection(socket.connect(PEER), 'ENETUNREACH')).toMatchObject({
      syscall: 'connect',
      address: '192.0.2.1',
      port: 7,
    })
    failure(() => socket.remoteAddress(), 'ERR_SOCKET_DGRAM_NOT_CONNECTED')
  })

  test('refuses misuse at once', () => {
    const { socket } = openFake()
    failure(() => socket.connect(undefined as never), 'ERR_INVALID_ARG_TYPE', /peer/)
    failure(() => socket.connect(null as never), 'ERR_INVALID_ARG_TYPE', /peer/)
    failure(() => socket.connect('192.0.2.1' as never), 'ERR_INVALID_ARG_TYPE', /peer/)
    failure(() => socket.connect({ address: '192.0.2.1', port: 0 }), 'ERR_OUT_OF_RANGE', /peer\.port/)
    failure(() => socket.connect({ address: '192.0.2.1' } as never), 'ERR_INVALID_ARG_TYPE', /peer\.port/)
    failure(() => socket.connect({ port: 7 } as never), 'ERR_INVALID_ARG_TYPE', /peer\.address/)
    failure(() => socket.connect({ address: '::1', port: 7 }), 'ERR_INVALID_ARG_VALUE', /peer\.address/)
    failure(() => socket.connect({ address: 'example.net', port: 7 }), 'ERR_INVALID_ARG_VALUE', /peer\.address.*lookup/)
  })

  test('keeps datagrams that were queued for the peer before from the new one', async () => {
    const { socket, native } = openFake()
    await socket.connect(PEER)
    socket.send('to the first')
    await socket.connect({ address: '192.0.2.2', port: 7 })
    socket.send('to the second')
    socket.flush()
    expect(native.datagrams.map(({ payload, destination }) => `${payload} ${destination}`)).toEqual([
      'to the first 192.0.2.1:7',
      'to the second 192.0.2.2:7',
    ])
  })

  test('keeps datagrams for the one peer and for the other in messages of their own', async () => {
    const { socket, native } = openFake()
    await socket.connect(PEER)
    native.room = 0
    socket.send('waits')
    socket.flush()
    socket.send('for A')
    await socket.connect({ address: '192.0.2.2', port: 7 })
    socket.send('for B')
    native.room = Infinity
    native.turn()
    expect(native.datagrams.map(({ payload, destination }) => `${payload} ${destination}`)).toEqual([
      'waits 192.0.2.1:7',
      'for A 192.0.2.1:7',
      'for B 192.0.2.2:7',
    ])
  })

  test('keeps a datagram that was reserved for the peer before from the new one', async () => {
    const { socket, native } = openFake()
    await socket.connect(PEER)
    socket.reserve(5, undefined)!.write('first')
    await socket.connect({ address: '192.0.2.2', port: 7 })
    socket.commit()
    socket.flush()
    expect(native.datagrams.map(({ payload, destination }) => `${payload} ${destination}`)).toEqual(['first 192.0.2.1:7'])
  })

  test('keeps datagrams that have to wait for the peer before from the new one', async () => {
    const { socket, native } = openFake()
    await socket.connect(PEER)
    native.room = 0
    socket.send('to the first')
    socket.flush()
    await socket.connect({ address: '192.0.2.2', port: 7 })
    native.room = Infinity
    native.turn()
    expect(native.datagrams.map(({ payload, destination }) => `${payload} ${destination}`)).toEqual(['to the first 192.0.2.1:7'])
  })
})

describe('disconnect', () => {
  test('undoes connect', async () => {
    const { socket } = openFake()
    await socket.connect(PEER)
    socket.disconnect()
    failure(() => socket.remoteAddress(), 'ERR_SOCKET_DGRAM_NOT_CONNECTED')
    failure(() => socket.send('x'), 'ERR_SOCKET_DGRAM_NOT_CONNECTED')
  })

  test('sends what was queued for the peer first', async () => {
    const { socket, native } = openFake()
    await socket.connect(PEER)
    socket.send('last words')
    socket.disconnect()
    expect(native.datagrams.map(({ destination }) => String(destination))).toEqual(['192.0.2.1:7'])
  })

  test('does not lose datagrams that have to wait', async () => {
    const { socket, native } = openFake()
    await socket.connect(PEER)
    native.room = 0
    socket.send('waiting')
    socket.disconnect()
    native.room = Infinity
    native.turn()
    await settled()
    expect(socket.stats()).toMatchObject({ datagramsSent: 1, datagramsFailed: 0 })
    expect(native.datagrams.map(({ destination }) => String(destination))).toEqual(['192.0.2.1:7'])
  })

  test('of a socket that is not connected is refused', () => {
    failure(() => openFake().socket.disconnect(), 'ERR_SOCKET_DGRAM_NOT_CONNECTED')
  })

  test('fails as the kernel does', async () => {
    const { socket, native } = openFake()
    await socket.connect(PEER)
    native.connectErrno = ERRNO.EINVAL
    expect(failure(() => socket.disconnect(), 'EINVAL')).toMatchObject({ syscall: 'connect' })
    expect(String(socket.remoteAddress())).toBe('192.0.2.1:7')
  })
})

describe('a name', () => {
  const found: LookupFunction = (_name, _options, callback) => callback(null, '192.0.2.9', 4)

  test('is resolved by the lookup option, for bind, connect and resolve', async () => {
    const lookup = vi.fn(found)
    const { socket } = openFake({ lookup })
    expect(String(await socket.bind({ address: 'a.example', port: 5 }))).toBe('192.0.2.9:5')
    expect(String(await socket.connect({ address: 'b.example', port: 6 }))).toBe('192.0.2.9:6')
    expect(String(await socket.resolve('c.example', 7))).toBe('192.0.2.9:7')
    expect(lookup.mock.calls.map(([name, options]) => [name, options.family])).toEqual([
      ['a.example', 4],
      ['b.example', 4],
      ['c.example', 4],
    ])
  })

  test('that is a literal never touches the lookup', async () => {
    const lookup = vi.fn(found)
    const { socket } = openFake({ type: 'udp6', lookup })
    await socket.bind({ address: '::1' })
    await socket.connect({ address: '127.0.0.1', port: 5 })
    await socket.resolve('fe80::1%7', 5)
    expect(lookup).not.toHaveBeenCalled()
  })

  test.each([
    [{ type: 'udp4' }, 4],
    [{ type: 'udp6' }, 0],
    [{ type: 'udp6', ipv6Only: true }, 6],
  ] as [UdpSocketOptions, number][])('for %j is asked for in family %i', async (options, family) => {
    const lookup = vi.fn<LookupFunction>((_name, _options, callback) =>
      callback(null, family === 4 ? '192.0.2.9' : '2001:db8::9', 6),
    )
    await openFake({ ...options, lookup }).socket.resolve('a.example', 1)
    expect(lookup.mock.calls[0]![1].family).toBe(family)
  })

  test('may be answered with a list', async () => {
    const lookup: LookupFunction = (_name, _options, callback) => {
      callback(null, [{ address: '192.0.2.9', family: 4 }] as never)
    }
    expect((await openFake({ lookup }).socket.resolve('a.example', 1)).address).toBe('192.0.2.9')
  })

  test('that is not found rejects with the error of the lookup', async () => {
    const error = Object.assign(new Error('no such name'), { code: 'ENOTFOUND' })
    const lookup: LookupFunction = (_name, _options, callback) => callback(error, '')
    const { socket } = openFake({ lookup })
    expect(await rejection(socket.bind({ address: 'a.example' }))).toBe(error)
    expect(await rejection(socket.connect({ address: 'a.example', port: 1 }))).toBe(error)
  })

  test('that a lookup throws about rejects with that', async () => {
    const { socket } = openFake({
      lookup: () => {
        throw new Error('broken lookup')
      },
    })
    expect((await rejection(socket.resolve('a.example', 1))).message).toBe('broken lookup')
  })

  test.each(['', 'still.a.name', '::1'])('that is answered with %j is refused, with the argument named', async (answer) => {
    const lookup: LookupFunction = (_name, _options, callback) => callback(null, answer, 4)
    await rejection(
      openFake({ lookup }).socket.connect({ address: 'a.example', port: 1 }),
      'ERR_INVALID_ARG_VALUE',
      /peer\.address/,
    )
  })

  test('that is still being looked up when the socket is closed rejects at once, and opens nothing later', async () => {
    let answer: (() => void) | undefined
    const lookup: LookupFunction = (_name, _options, callback) => {
      answer = () => callback(null, '192.0.2.9', 4)
    }
    const { socket, native } = openFake({ lookup })
    const bound = rejection(socket.bind({ address: 'a.example' }), 'ERR_CLOSED')
    const connected = rejection(socket.connect({ address: 'a.example', port: 1 }), 'ERR_CLOSED')
    socket.close()
    await bound
    await connected
    answer!()
    await settled()
    expect(native.isOpen).toBe(false)
  })
})

describe('close', () => {
  test('closes the descriptor once and says so once, later', async () => {
    const { socket, native } = openFake()
    const events = eventsOf(socket)
    socket.close()
    socket.close()
    expect(native.closeCalls).toBe(1)
    expect(socket.closed).toBe(true)
    expect(events).toEqual([])
    await settled()
    socket.close()
    await settled()
    expect(events).toEqual(['close'])
  })

  test('right after bind or connect leaves out what they would have said', async () => {
    const { socket } = openFake()
    const events = eventsOf(socket)
    void socket.bind()
    void socket.connect(PEER)
    socket.close()
    await settled()
    expect(events).toEqual(['close'])
  })

  test('sends what is queued as far as the kernel takes it, and counts the rest', async () => {
    const { socket, native } = openFake({ sendOffload: false })
    native.room = 3
    const to = Endpoint.of('192.0.2.1', 7)
    for (let i = 0; i < 5; i++) socket.send('x', to)
    socket.close()
    expect(native.datagrams).toHaveLength(3)
    expect(socket.stats()).toMatchObject({
      datagramsQueued: 5,
      datagramsSent: 3,
      datagramsDiscarded: 2,
      queuedDatagrams: 0,
      queuedBytes: 0,
    })
    await settled()
  })

  test('reports sends that failed in it before it says close', async () => {
    const { socket, native } = openFake()
    const events = eventsOf(socket)
    native.sendRule = () => ERRNO.EPERM
    socket.send('x', PEER)
    socket.close()
    await settled()
    expect(events).toEqual(['sendError', 'close'])
  })

  test('makes every method refuse, but those that can be asked of a closed socket', async () => {
    const { socket, native } = openFake()
    await socket.connect(PEER)
    socket.close()
    const uses: [string, () => unknown][] = [
      ['bind', () => socket.bind()],
      ['connect', () => socket.connect(PEER)],
      ['disconnect', () => socket.disconnect()],
      ['address', () => socket.address()],
      ['remoteAddress', () => socket.remoteAddress()],
      ['resolve', () => socket.resolve('192.0.2.1', 1)],
      ['send', () => socket.send('x', PEER)],
      ['reserve', () => socket.reserve(1, PEER)],
      ['commit', () => socket.commit()],
      ['reply', () => socket.reply({} as never, 0, 'x')],
      ['flush', () => socket.flush()],
      ['joinGroup', () => socket.joinGroup('239.1.1.1')],
      ['leaveGroup', () => socket.leaveGroup('239.1.1.1')],
      ['setOption', () => socket.setOption('ttl', 5)],
      ['getOption', () => socket.getOption('ttl')],
      ['pause', () => socket.pause()],
      ['resume', () => socket.resume()],
      ['asyncIterator', () => socket[Symbol.asyncIterator]()],
    ]
    for (const [name, use] of uses) {
      expect(failure(use, 'ERR_CLOSED', /socket is closed/), name).toBeDefined()
    }
    expect(socket.stats().datagramsQueued).toBe(0)
    expect(socket.offload.send).toBe(true)
    expect(socket.ref()).toBe(socket)
    expect(socket.unref()).toBe(socket)
    socket.on('batch', () => undefined)
    expect(native.interest).toBe(0)
  })

  test('follows an AbortSignal', async () => {
    const controller = new AbortController()
    const { socket, native } = openFake({ signal: controller.signal })
    expect(native.isOpen).toBe(true)
    controller.abort()
    expect(native.isOpen).toBe(false)
    expect(socket.closed).toBe(true)
    await settled()
  })

  test('follows an AbortSignal that was aborted before, so that listeners can be there', async () => {
    const { socket } = openFake({ signal: AbortSignal.abort() })
    const events = eventsOf(socket)
    expect(socket.closed).toBe(false)
    await settled()
    expect(events).toEqual(['close'])
  })

  test('leaves no listener at the signal', () => {
    const controller = new AbortController()
    const add = vi.spyOn(controller.signal, 'addEventListener')
    const remove = vi.spyOn(controller.signal, 'removeEventListener')
    const { socket } = openFake({ signal: controller.signal })
    socket.close()
    expect(add.mock.calls.map(([type, listener]) => [type, listener])).toEqual(
      remove.mock.calls.map(([type, listener]) => [type, listener]),
    )
  })

  test('leaves no listener at the signal of a socket that could not be opened', () => {
    const addon = new FakeAddon()
    addon.openErrno = 24
    const { signal } = new AbortController()
    const add = vi.spyOn(signal, 'addEventListener')
    failure(() => new UdpSocket({ signal }, addon), 'EMFILE')
    expect(add).not.toHaveBeenCalled()
  })

  test('of a subclass is what an abort, an error and asyncDispose call', async () => {
    class Telling extends UdpSocket {
      closings = 0
      override close(): void {
        this.closings++
        super.close()
      }
    }
    const controller = new AbortController()
    const aborted = new Telling({ signal: controller.signal }, new FakeAddon())
    const late = new Telling({ signal: AbortSignal.abort() }, new FakeAddon())
    controller.abort()
    const addon = new FakeAddon()
    const failed = new Telling({}, addon).on('error', () => undefined).on('batch', () => undefined)
    addon.socket.pendingErrno = ERRNO.ENOMEM
    turnAll(addon.socket)
    const disposed = new Telling({}, new FakeAddon())
    await disposed[Symbol.asyncDispose]()
    expect([aborted, late, failed, disposed].map(({ closed, closings }) => [closed, closings])).toEqual(
      Array.from({ length: 4 }, () => [true, 1]),
    )
  })

  test('is what asyncDispose does and waits for', async () => {
    const { socket, native } = openFake()
    const events = eventsOf(socket)
    await socket[Symbol.asyncDispose]()
    expect(native.isOpen).toBe(false)
    expect(events).toEqual(['close'])
    await socket[Symbol.asyncDispose]()
    expect(events).toEqual(['close'])
  })

  test('is waited for by asyncDispose also when it was called just before', async () => {
    const { socket } = openFake()
    const events = eventsOf(socket)
    socket.close()
    await socket[Symbol.asyncDispose]()
    expect(events).toEqual(['close'])
  })
})

describe('ref and unref', () => {
  test('pass on whether the socket keeps the process alive', () => {
    const { socket, native } = openFake()
    expect(socket.unref()).toBe(socket)
    expect(native.isRef).toBe(false)
    expect(socket.ref()).toBe(socket)
    expect(native.isRef).toBe(true)
  })
})
