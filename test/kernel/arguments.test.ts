import { describe, expect, test } from 'vitest'
import { Endpoint, UdpSocket, endpoint, type KernelOptionName } from '../../src/index.js'
import { bound, open, thrownBy } from '../support/sockets.js'

// Misuse is thrown at once, with Node's codes, and the message names what is wrong. The casts are the point: this is what a
// program without types can do.

const TYPE = 'ERR_INVALID_ARG_TYPE'
const RANGE = 'ERR_OUT_OF_RANGE'
const VALUE = 'ERR_INVALID_ARG_VALUE'

type Case = [value: unknown, code: string]

describe('new UdpSocket', () => {
  test.each<Case>([
    [null, TYPE],
    [42, TYPE],
    ['udp4', TYPE],
    [[], TYPE],
  ])('takes no %j for its options', (value, code) => {
    expect(thrownBy(() => new UdpSocket(value as never))).toMatchObject({
      code,
      message: expect.stringContaining('"options"') as string,
    })
  })

  const BOOLEANS = ['ipv6Only', 'receiveOffload', 'sendOffload', 'reuseAddress', 'reusePort', 'broadcast', 'dontFragment', 'multicastAll',
    'multicastLoopback', 'freeBind', 'receiveErrors', 'receivePacketInfo', 'receiveTtl', 'receiveTos', 'receiveTimestamp'] // prettier-ignore
  test.each(BOOLEANS)('%s is a boolean', (name) => {
    for (const value of [1, 'true', null, {}]) expectRefused(name, value, TYPE)
  })

  const NUMBERS: [name: string, tooSmall: number, tooLarge: number][] = [
    ['maxDatagramBytes', 0, 65_536],
    ['receiveBatchMessages', 0, 257],
    ['spinMicroseconds', -1, 1001],
    ['sendQueueBytes', 0, 2 ** 31],
    ['sendQueueDatagrams', 0, 2 ** 31],
    ['receiveBufferBytes', 0, 2 ** 30],
    ['sendBufferBytes', 0, 2 ** 30],
    ['ttl', 0, 256],
    ['tos', -1, 256],
    ['priority', -1, 2 ** 31],
    ['mark', -1, 2 ** 32],
    ['busyPollMicroseconds', -1, 2 ** 31],
    ['maxPacingBytesPerSecond', 0, 2 ** 53],
    ['multicastTtl', -1, 256],
  ]
  test.each(NUMBERS)('%s is an integer within its range', (name, tooSmall, tooLarge) => {
    for (const value of ['1', true, null, {}, 1n]) expectRefused(name, value, TYPE)
    for (const value of [tooSmall, tooLarge, 1.5, NaN, Infinity]) expectRefused(name, value, RANGE)
  })

  test.each<[name: string, ...Case]>([
    ['type', 'udp', VALUE],
    ['type', 4, TYPE],
    ['pathMtuDiscovery', 'never', VALUE],
    ['pathMtuDiscovery', 2, TYPE],
    ['bindToDevice', 'a-name-longer-than-15', VALUE],
    ['bindToDevice', 1, TYPE],
    ['multicastInterface', true, TYPE],
    ['multicastInterface', -1, RANGE],
    ['multicastInterface', 1.5, RANGE],
    ['lookup', 'dns', TYPE],
    ['signal', {}, TYPE],
    ['signal', 'abort', TYPE],
    ['pathMtuBytes', 1500, VALUE],
    ['reuseAddr', true, VALUE],
    ['recvBufferSize', 1, VALUE],
  ])('%s cannot be %j', (name, value, code) => {
    expectRefused(name, value, code)
  })

  test('an unknown option is answered with the known ones', () => {
    const error = thrownBy(() => new UdpSocket({ reuseAddr: true } as never))
    expect(error.message).toContain("'options.reuseAddr'")
    expect(error.message).toContain('reuseAddress')
  })

  test('options that contradict each other are refused', () => {
    expect(thrownBy(() => new UdpSocket({ ipv6Only: true }))).toMatchObject({
      code: VALUE,
      message: expect.stringContaining('udp6') as string,
    })
    const both = thrownBy(() => new UdpSocket({ receiveOffload: true, maxDatagramBytes: 1500 }))
    expect(both).toMatchObject({ code: VALUE, message: expect.stringContaining('receiveOffload') as string })
  })

  test('undefined is an option that is not given', () => {
    const socket = open({
      type: undefined,
      ttl: undefined,
      signal: undefined,
      lookup: undefined,
      maxDatagramBytes: undefined,
    } as never)
    expect(socket.getOption('ttl')).toBe(64)
  })

  function expectRefused(name: string, value: unknown, code: string): void {
    const error = thrownBy(() => new UdpSocket({ [name]: value }))
    expect({ code: error.code, names: error.message.includes(`options.${name}`) }, error.message).toEqual({ code, names: true })
  }
})

describe('setOption and getOption', () => {
  test('unknown names are refused', () => {
    const socket = open()
    expect(thrownBy(() => socket.setOption('colour' as KernelOptionName, 1))).toMatchObject({ code: VALUE })
    expect(thrownBy(() => socket.getOption('colour' as KernelOptionName))).toMatchObject({ code: VALUE })
    expect(thrownBy(() => socket.getOption('toString' as KernelOptionName))).toMatchObject({ code: VALUE })
    expect(thrownBy(() => socket.setOption('sendQueueBytes' as KernelOptionName, 1))).toMatchObject({ code: VALUE })
  })

  test('a refused value changes nothing', () => {
    const socket = open({ ttl: 5 })
    expect(thrownBy(() => socket.setOption('ttl', 256))).toMatchObject({ code: RANGE })
    expect(thrownBy(() => socket.setOption('ttl', undefined as never))).toMatchObject({ code: TYPE })
    expect(socket.getOption('ttl')).toBe(5)
  })
})

describe('bind', () => {
  test.each<[options: unknown, code: string, names: string]>([
    [null, TYPE, 'options'],
    [5353, TYPE, 'options'],
    [{ port: '1' }, TYPE, 'options.port'],
    [{ port: -1 }, RANGE, 'options.port'],
    [{ port: 65_536 }, RANGE, 'options.port'],
    [{ port: 1.5 }, RANGE, 'options.port'],
    [{ address: 7 }, TYPE, 'options.address'],
    [{ address: 'localhost' }, VALUE, 'options.address'],
    [{ address: '256.0.0.1' }, VALUE, 'options.address'],
    [{ address: '::1' }, VALUE, 'options.address'],
    [{ host: '127.0.0.1' }, VALUE, 'options.host'],
  ])('takes no %j', (options, code, names) => {
    const socket = open()
    const error = thrownBy(() => socket.bind(options as never))
    expect(error.code).toBe(code)
    expect(error.message).toContain(names)
    expect(socket.address().port).toBe(0)
  })
})

describe('connect and resolve', () => {
  test.each<[peer: unknown, code: string, names: string]>([
    [undefined, TYPE, 'peer'],
    [null, TYPE, 'peer'],
    ['127.0.0.1:53', TYPE, 'peer'],
    [{ address: '127.0.0.1' }, TYPE, 'peer.port'],
    [{ address: '127.0.0.1', port: 0 }, RANGE, 'peer.port'],
    [{ address: '127.0.0.1', port: 65_536 }, RANGE, 'peer.port'],
    [{ port: 9 }, TYPE, 'peer.address'],
    [{ address: 'localhost', port: 9 }, VALUE, 'peer.address'],
    [{ address: '::1', port: 9 }, VALUE, 'peer.address'],
  ])('connect takes no %j', (peer, code, names) => {
    const socket = open()
    const error = thrownBy(() => socket.connect(peer as never))
    expect(error.code).toBe(code)
    expect(error.message).toContain(names)
    expect(socket.address().port).toBe(0)
  })

  test('resolve checks its address and port', () => {
    const socket = open()
    expect(thrownBy(() => socket.resolve(1 as never, 9))).toMatchObject({ code: TYPE })
    expect(thrownBy(() => socket.resolve('127.0.0.1', 0))).toMatchObject({ code: RANGE })
    expect(thrownBy(() => socket.resolve('127.0.0.1', '9' as never))).toMatchObject({ code: TYPE })
  })
})

describe('send, reserve, commit and reply', () => {
  const somewhere = endpoint('127.0.0.1', 9)

  test.each<Case>([
    [undefined, TYPE],
    [null, TYPE],
    [42, TYPE],
    [{}, TYPE],
    [[1, 2], TYPE],
    [new ArrayBuffer(4), TYPE],
  ])('the payload cannot be %o', async (payload, code) => {
    const socket = await bound()
    const error = thrownBy(() => socket.send(payload as never, somewhere))
    expect(error).toMatchObject({ code, message: expect.stringContaining('"payload"') as string })
    expect(socket.stats().datagramsQueued).toBe(0)
  })

  test.each<[to: unknown, code: string]>([
    [null, TYPE],
    [9, TYPE],
    ['127.0.0.1:9', TYPE],
    [{}, TYPE],
    [{ address: '127.0.0.1' }, TYPE],
    [{ address: '127.0.0.1', port: '9' }, TYPE],
    [{ address: '127.0.0.1', port: 0 }, RANGE],
    [{ address: '127.0.0.1', port: 65_536 }, RANGE],
    [{ address: '127.0.0.1', port: 9.5 }, RANGE],
    [{ address: 'localhost', port: 9 }, VALUE],
    [{ address: '::1', port: 9 }, VALUE],
    [endpoint('127.0.0.1', 0), RANGE],
    [endpoint('::1', 9), VALUE],
  ])('the endpoint cannot be %o', async (to, code) => {
    const socket = await bound()
    expect(thrownBy(() => socket.send('x', to as never))).toMatchObject({ code })
    expect(thrownBy(() => socket.reserve(1, to as never))).toMatchObject({ code })
    expect(socket.stats().datagramsQueued).toBe(0)
  })

  test.each<[options: unknown, code: string, names: string]>([
    [null, TYPE, 'options'],
    [7, TYPE, 'options'],
    [{ ttl: 0 }, RANGE, 'options.ttl'],
    [{ ttl: 256 }, RANGE, 'options.ttl'],
    [{ ttl: '1' }, TYPE, 'options.ttl'],
    [{ tos: 256 }, RANGE, 'options.tos'],
    [{ tos: null }, TYPE, 'options.tos'],
    [{ source: 7 }, TYPE, 'options.source'],
    [{ source: 'localhost' }, VALUE, 'options.source'],
    [{ source: '::1' }, VALUE, 'options.source'],
    [{ interface: {} }, TYPE, 'options.interface'],
    [{ interface: -1 }, RANGE, 'options.interface'],
    [{ hops: 7 }, VALUE, 'options.hops'],
  ])('the options cannot be %j', async (options, code, names) => {
    const socket = await bound()
    for (const call of [
      () => socket.send('x', somewhere, options as never),
      () => socket.reserve(1, somewhere, options as never),
    ]) {
      const error = thrownBy(call)
      expect(error.code).toBe(code)
      expect(error.message).toContain(names)
    }
    // Nothing stays reserved, nothing of the refused options sticks to the next datagram.
    expect(socket.send('x', somewhere)).toBe(true)
  })

  test.each<Case>([
    [-1, RANGE],
    [1.5, RANGE],
    [65_528, RANGE],
    [NaN, RANGE],
    ['5', TYPE],
    [undefined, TYPE],
    [5n, TYPE],
  ])('the length to reserve cannot be %s', async (length, code) => {
    const socket = await bound()
    const error = thrownBy(() => socket.reserve(length as never, somewhere))
    expect(error).toMatchObject({ code, message: expect.stringContaining('lengthBytes') as string })
  })

  test('the length to commit is at most what was reserved', async () => {
    const socket = await bound()
    socket.reserve(4, somewhere)
    expect(thrownBy(() => socket.commit('4' as never))).toMatchObject({ code: TYPE })
    expect(thrownBy(() => socket.commit(-1))).toMatchObject({ code: RANGE })
    expect(thrownBy(() => socket.commit(5))).toMatchObject({ code: VALUE })
    socket.commit(4)
    expect(thrownBy(() => socket.commit())).toMatchObject({ code: 'ERR_INVALID_STATE' })
  })
})

describe('reserveRun and commitRun', () => {
  const somewhere = endpoint('127.0.0.1', 9)

  test.each<[length: unknown, count: unknown, code: string, names: string]>([
    [0, 1, RANGE, 'lengthBytes'],
    [-1, 1, RANGE, 'lengthBytes'],
    [1.5, 1, RANGE, 'lengthBytes'],
    [65_508, 1, RANGE, 'lengthBytes'],
    ['1', 1, TYPE, 'lengthBytes'],
    [1, 0, RANGE, 'count'],
    [1, 1.5, RANGE, 'count'],
    [1, undefined, TYPE, 'count'],
    [1, 65_537, RANGE, 'count'],
  ])('a run cannot be %j by %j', async (length, count, code, names) => {
    const socket = await bound()
    const error = thrownBy(() => socket.reserveRun(length as never, count as never, somewhere))
    expect(error).toMatchObject({ code, message: expect.stringContaining(names) as string })
    expect(socket.send('x', somewhere)).toBe(true)
  })

  test('what is committed is at most what was reserved', async () => {
    const socket = await bound()
    expect(thrownBy(() => socket.commitRun())).toMatchObject({ code: 'ERR_INVALID_STATE' })
    socket.reserveRun(10, 4, somewhere)
    expect(thrownBy(() => socket.commitRun(5))).toMatchObject({ code: VALUE })
    expect(thrownBy(() => socket.commitRun(-1))).toMatchObject({ code: RANGE })
    expect(thrownBy(() => socket.commitRun('1' as never))).toMatchObject({ code: TYPE })
    socket.commitRun(4)
    expect(socket.stats().datagramsQueued).toBe(4)
  })
})

test('reply takes a batch and nothing else', async () => {
  const socket = await bound({ receivePacketInfo: true })
  for (const value of [undefined, null, {}, 'batch']) {
    const error = thrownBy(() => socket.reply(value as never, 0, 'x'))
    expect(error).toMatchObject({ code: TYPE, message: expect.stringContaining('"batch"') as string })
  }
})

describe('groups', () => {
  test.each<[group: unknown, options: unknown, code: string, names: string]>([
    [undefined, {}, TYPE, 'group'],
    [7, {}, TYPE, 'group'],
    ['all-hosts', {}, VALUE, 'group'],
    ['192.0.2.1', {}, VALUE, 'group'],
    ['::1', {}, VALUE, 'group'],
    ['239.1.1.1', null, TYPE, 'options'],
    ['239.1.1.1', 'lo', TYPE, 'options'],
    ['239.1.1.1', { iface: 'lo' }, VALUE, 'options.iface'],
    ['239.1.1.1', { interface: true }, TYPE, 'options.interface'],
    ['239.1.1.1', { interface: -1 }, RANGE, 'options.interface'],
    ['239.1.1.1', { source: 7 }, TYPE, 'source'],
    ['239.1.1.1', { source: 'here' }, VALUE, 'source'],
    ['239.1.1.1', { source: '::1' }, VALUE, 'options.source'],
    ['ff02::1', { interface: 1 }, VALUE, 'group'],
  ])('a group cannot be %j with %j', (group, options, code, names) => {
    const socket = open()
    for (const call of ['joinGroup', 'leaveGroup'] as const) {
      const error = thrownBy(() => socket[call](group as never, options as never))
      expect({ code: error.code, message: error.message }).toEqual({ code, message: expect.stringContaining(names) as string })
    }
  })
})

describe('endpoint', () => {
  test.each<[address: unknown, port: unknown, code: string]>([
    [undefined, 9, TYPE],
    [7, 9, TYPE],
    ['localhost', 9, VALUE],
    ['127.0.0.01', 9, VALUE],
    ['127.1', 9, VALUE],
    ['', 9, VALUE],
    ['127.0.0.1%lo', 9, VALUE],
    ['fe80::1%', 9, VALUE],
    ['fe80::1%nosuch0', 9, 'ENODEV'],
    ['127.0.0.1', undefined, TYPE],
    ['127.0.0.1', '9', TYPE],
    ['127.0.0.1', -1, RANGE],
    ['127.0.0.1', 65_536, RANGE],
    ['127.0.0.1', 0.5, RANGE],
  ])('cannot be made of %j and %j', (address, port, code) => {
    expect(thrownBy(() => endpoint(address as never, port as never))).toMatchObject({ code })
  })

  test('Endpoint.of takes a zone by number only, Endpoint.from names what it was given', () => {
    expect(Endpoint.of('fe80::1%1', 9).scopeId).toBe(1)
    expect(thrownBy(() => Endpoint.of('fe80::1%lo', 9))).toMatchObject({ code: VALUE })
    expect(thrownBy(() => Endpoint.of('fe80::1%4294967296', 9))).toMatchObject({ code: RANGE })
    expect(thrownBy(() => Endpoint.from(7 as never, 'peer')).message).toContain('"peer"')
  })
})

test('an error of misuse is printed as Node prints its own', () => {
  const error = thrownBy(() => new UdpSocket({ ttl: 'far' } as never))
  expect(error).toBeInstanceOf(TypeError)
  expect(error.message).toBe('The "options.ttl" property must be of type number. Received type string (\'far\')')
  expect(error.stack).toMatch(/^TypeError \[ERR_INVALID_ARG_TYPE\]: The "options.ttl"/)
  expect(thrownBy(() => new UdpSocket({ ttl: 0 }))).toBeInstanceOf(RangeError)
})
