import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Endpoint } from '../../../src/core/index.js'
import type { SendOptions } from '../../../src/socket/index.js'
import { FakeAddon, type FakeSocket } from '../../support/fake-addon.js'
import * as k from '../../../src/socket/kernel-constants.js'
import { checkProperty } from '../support/check-property.js'
import { openFake } from '../support/open-fake.js'
import { settled } from '../support/turns.js'
import { SlowCoalescer } from './slow-coalescing.js'

const A = Endpoint.of('192.0.2.1', 1001)
const B = Endpoint.of('192.0.2.2', 1002)

/** The messages that the kernel took, as the sizes of their datagrams. */
function sizes(native: FakeSocket): number[][] {
  return native.messages.map((message) => message.datagrams.map((datagram) => datagram.length))
}

function repeat(count: number, size: number): number[] {
  return Array.from({ length: count }, () => size)
}

/** Sends datagrams of these sizes to one endpoint and flushes. */
function sendSizes(list: number[], options = {}): number[][] {
  const { socket, native } = openFake(options)
  for (const size of list) expect(socket.send(Buffer.alloc(size), A)).toBe(true)
  expect(socket.flush()).toBe(true)
  for (const message of native.messages) expect(message.countInTable).toBe(message.datagrams.length)
  return sizes(native)
}

describe('neighbours coalesce', () => {
  test('when they have one size and one endpoint', () => {
    expect(sendSizes([100, 100, 100])).toEqual([[100, 100, 100]])
  })

  test('with a shorter last one, which closes the message', () => {
    expect(sendSizes([100, 100, 40, 40, 100])).toEqual([[100, 100, 40], [40], [100]])
  })

  test('not with a longer one', () => {
    expect(sendSizes([100, 101, 101])).toEqual([[100], [101, 101]])
  })

  test('never with an empty one, before or behind', () => {
    expect(sendSizes([0, 0, 100, 0, 100, 100])).toEqual([[0], [0], [100], [0], [100, 100]])
  })

  test('as sixty-four at most', () => {
    expect(sendSizes(repeat(130, 10))).toEqual([repeat(64, 10), repeat(64, 10), [10, 10]])
  })

  test.each([1, 1023, 1024, 1200, 1400, 8192, 20_000, 32_730, 32_731, 65_507])(
    'of %i bytes within the longest payload of one IP packet',
    (size) => {
      const messages = sendSizes(repeat(70, size))
      expect(messages.flat()).toEqual(repeat(70, size))
      for (const message of messages) {
        expect(message.length).toBeLessThanOrEqual(Math.min(64, Math.max(1, Math.floor(65_460 / size))))
        if (message.length > 1) expect(message.length * size).toBeLessThanOrEqual(65_460)
      }
      expect(messages[0]).toHaveLength(Math.max(1, Math.min(64, Math.floor(65_460 / size))))
    },
  )

  test('not where the option is off', () => {
    expect(sendSizes([100, 100, 100], { sendOffload: false })).toEqual([[100], [100], [100]])
  })

  test('not where the kernel has no UDP_SEGMENT', () => {
    const addon = new FakeAddon()
    addon.lacks(k.IPPROTO_UDP, k.UDP_SEGMENT)
    const { socket, native } = openFake({}, addon)
    for (let i = 0; i < 3; i++) socket.send('abc', A)
    socket.flush()
    expect(sizes(native)).toEqual([[3], [3], [3]])
  })

  test('not when another destination stands between them', () => {
    const { socket, native } = openFake()
    for (const to of [A, A, B, A, A]) socket.send('abc', to)
    socket.flush()
    expect(sizes(native)).toEqual([[3, 3], [3], [3, 3]])
  })

  test('also to equal endpoints that are different objects', () => {
    const { socket, native } = openFake()
    socket.send('abc', A)
    socket.send('abc', Endpoint.of('192.0.2.1', 1001))
    socket.flush()
    expect(sizes(native)).toEqual([[3, 3]])
  })

  test('to a plain object with address and port, also when it is another one of the same', () => {
    const { socket, native } = openFake()
    for (let i = 0; i < 3; i++) socket.send('abc', { address: '192.0.2.1', port: 1001 })
    socket.flush()
    expect(sizes(native)).toEqual([[3, 3, 3]])
  })

  test('to the connected peer', async () => {
    const { socket, native } = openFake()
    await socket.connect({ address: '192.0.2.1', port: 7 })
    for (let i = 0; i < 3; i++) socket.send('abc')
    socket.flush()
    expect(sizes(native)).toEqual([[3, 3, 3]])
    expect(native.messages[0]!.destination).toBeUndefined()
  })

  test('not across a flush', () => {
    const { socket, native } = openFake()
    socket.send('abc', A)
    socket.flush()
    socket.send('abc', A)
    socket.flush()
    expect(sizes(native)).toEqual([[3], [3]])
  })

  test('across what was written in place and what was copied', () => {
    const { socket, native } = openFake()
    socket.send('abc', A)
    socket.reserve(3, A)!.write('def')
    socket.commit()
    socket.reserve(10, A)!.write('gh')
    socket.commit(2)
    socket.flush()
    expect(native.messages.map((message) => message.datagrams.map(String))).toEqual([['abc', 'def', 'gh']])
  })

  test.each<[string, SendOptions, SendOptions]>([
    ['TTL', { ttl: 5 }, { ttl: 6 }],
    ['TOS', { tos: 1 }, { tos: 2 }],
    ['source', { source: '192.0.2.7' }, { source: '198.51.100.7' }],
    ['interface', { interface: 1 }, { interface: 7 }],
  ])('with the same %s of their own, not with another or none', (_name, one, other) => {
    const { socket, native } = openFake()
    for (const options of [one, { ...one }, other, undefined, undefined, {}, one]) socket.send('abc', A, options)
    socket.flush()
    expect(sizes(native)).toEqual([[3, 3], [3], [3, 3], [3], [3]])
  })

  test('to an IPv6 socket’s destinations of either family', () => {
    const { socket, native } = openFake({ type: 'udp6' })
    const six = Endpoint.of('2001:db8::1', 5)
    for (const to of [six, six, A, A]) socket.send('abc', to)
    socket.flush()
    expect(native.messages.map((message) => `${message.destination} ${message.datagrams.length}`)).toEqual([
      '[2001:db8::1]:5 2',
      '[::ffff:192.0.2.1]:1001 2',
    ])
  })

  test('and are counted as coalesced', () => {
    const { socket } = openFake()
    for (const size of [10, 10, 10, 5, 7]) socket.send(Buffer.alloc(size), A)
    socket.flush()
    expect(socket.stats()).toMatchObject({ datagramsSent: 5, bytesSent: 42, batchesSent: 1, coalescedSends: 1, segmentsSent: 4 })
  })
})

describe('what is queued leaves', () => {
  test('at the end of the tick, in one system call', async () => {
    const { socket, native } = openFake()
    socket.send('a', A)
    socket.send('b', B)
    expect(native.sendCalls).toHaveLength(0)
    await settled()
    expect(native.sendCalls).toHaveLength(1)
    socket.send('c', A)
    await settled()
    expect(native.datagrams.map(({ payload }) => String(payload))).toEqual(['a', 'b', 'c'])
  })

  test('when the table of messages is full', () => {
    const { socket, native } = openFake()
    for (let i = 0; i < 129; i++) socket.send('a', i % 2 === 0 ? A : B)
    expect(native.datagrams).toHaveLength(128)
    expect(native.sendCalls).toHaveLength(1)
  })

  test('when the slab is full', () => {
    const { socket, native } = openFake()
    for (let i = 0; i < 9; i++) socket.send(Buffer.alloc(60_000), A)
    expect(native.datagrams).toHaveLength(8)
    socket.flush()
    expect(native.datagrams).toHaveLength(9)
  })

  test('when the queue’s own bounds are reached', () => {
    const { socket, native } = openFake({ sendQueueDatagrams: 3 })
    for (let i = 0; i < 4; i++) expect(socket.send('a', A)).toBe(true)
    expect(native.datagrams).toHaveLength(3)
    const small = openFake({ sendQueueBytes: 10 })
    for (let i = 0; i < 4; i++) expect(small.socket.send('abcd', A)).toBe(true)
    expect(small.native.datagrams).toHaveLength(2)
  })

  test('when it is longer than the queue may ever be, if nothing else waits', () => {
    const { socket, native } = openFake({ sendQueueBytes: 10 })
    expect(socket.send(Buffer.alloc(100), A)).toBe(true)
    socket.flush()
    expect(native.datagrams).toHaveLength(1)
  })

  test('not at all by a flush of nothing', () => {
    const { socket, native } = openFake()
    expect(socket.flush()).toBe(true)
    expect(native.sendCalls).toHaveLength(0)
  })
})

const OPTIONS: (SendOptions | undefined)[] = [undefined, { ttl: 5 }, { ttl: 5, tos: 3 }, { source: '192.0.2.7' }]
const size = fc.oneof(fc.constantFrom(0, 1, 100, 100, 100, 1200, 1200, 40_000, 65_507), fc.nat(300), fc.nat(65_507))
const action = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      size,
      to: fc.constantFrom(0, 0, 0, 1, 2),
      options: fc.constantFrom(0, 0, 0, 1, 2, 3),
      times: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 140 })),
      unused: fc.option(fc.nat(500)),
    }),
  },
  { weight: 1, arbitrary: fc.constant('flush' as const) },
)

describe('property', () => {
  test('the messages of a willing kernel are those of the slow twin', () =>
    checkProperty(
      fc.property(
        fc.array(action, { maxLength: 20, size: 'max' }),
        fc.boolean(),
        fc.constantFrom(1, 70_000, 4_194_304),
        fc.constantFrom(1, 3, 65_536),
        (actions, sendOffload, sendQueueBytes, sendQueueDatagrams) => {
          const { socket, native } = openFake({ sendOffload, sendQueueBytes, sendQueueDatagrams })
          const twin = new SlowCoalescer(sendOffload, sendQueueBytes, sendQueueDatagrams)
          const endpoints = [A, B, Endpoint.of('192.0.2.1', 1001)]
          for (const step of actions) {
            if (step === 'flush') {
              socket.flush()
              twin.flush()
              continue
            }
            const options = OPTIONS[step.options]
            const to = endpoints[step.to]!
            const reserved = Math.min(65_507, step.size + (step.unused ?? 0))
            for (let i = 0; i < step.times; i++) {
              if (step.unused === null) expect(socket.send(Buffer.alloc(step.size), to, options)).toBe(true)
              else {
                expect(socket.reserve(reserved, to, options)).toHaveLength(reserved)
                socket.commit(step.size)
              }
              twin.add(
                {
                  lengthBytes: step.size,
                  to: step.to === 2 ? A : to,
                  control: options === undefined ? '' : JSON.stringify(options),
                },
                step.unused === null ? step.size : reserved,
              )
            }
          }
          socket.flush()
          twin.flush()
          expect(sizes(native)).toEqual(twin.messages.map((message) => message.map((datagram) => datagram.lengthBytes)))
          for (const [i, message] of native.messages.entries()) {
            expect(message.destination!.equals(twin.messages[i]![0]!.to as Endpoint)).toBe(true)
            expect(message.countInTable).toBe(message.datagrams.length)
          }
        },
      ),
      100,
    ))
})
