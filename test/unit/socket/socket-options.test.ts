import { describe, expect, test } from 'vitest'
import { UdpSocket, type UdpSocketOptions } from '../../../src/socket/index.js'
import { KERNEL_OPTION_NAMES, OPTION_TABLE, type KernelOptionName } from '../../../src/socket/option-table.js'
import { FakeAddon } from '../../support/fake-addon.js'
import { failure } from '../support/errors.js'
import { openFake } from '../support/open-fake.js'

/** Constructs a socket that must not come to be, and makes sure that none was opened for it. */
function refused(options: unknown, code: string, message: RegExp): void {
  const addon = new FakeAddon()
  failure(() => new UdpSocket(options as UdpSocketOptions, addon), code, message)
  expect(addon.sockets, 'sockets that were opened').toHaveLength(0)
}

const BAD_BOOLEANS = [0, 1, 'true', null, {}]
const BAD_INTEGERS = ['1', null, true, 1n, {}]
const BAD_TEXTS = [0, null, true, {}, Buffer.from('lo')]

/** Values of a wrong type, and numbers or words out of range, for each kind of kernel option. */
function badValues(name: KernelOptionName): { types: unknown[]; ranges: unknown[] } {
  const { kind } = OPTION_TABLE[name]
  switch (kind.type) {
    case 'boolean':
    case 'dontFragment':
      return { types: BAD_BOOLEANS, ranges: [] }
    case 'integer':
      return { types: BAD_INTEGERS, ranges: [kind.min - 1, kind.max + 1, kind.min + 0.5, NaN, Infinity] }
    case 'bufferSize':
      return { types: BAD_INTEGERS, ranges: [0, -1, 0x4000_0000, 1.5, NaN] }
    case 'rate':
      return { types: BAD_INTEGERS, ranges: [0, -1, 2 ** 53, 1.5, NaN] }
    case 'enum':
      return { types: [0, null, true, {}], ranges: [] }
    case 'text':
      return { types: BAD_TEXTS, ranges: [] }
    case 'interface':
      return { types: [null, true, {}, 1n], ranges: [-1, 1.5, 2 ** 31] }
  }
}

describe('the constructor refuses, before it opens anything,', () => {
  const settable = KERNEL_OPTION_NAMES.filter((name) => !OPTION_TABLE[name].readOnly)

  test.each(settable)('%s of a wrong type', (name) => {
    for (const value of badValues(name).types) {
      refused({ [name]: value }, 'ERR_INVALID_ARG_TYPE', new RegExp(`"options\\.${name}" property must be`))
    }
  })

  test.each(settable.filter((name) => badValues(name).ranges.length > 0))('%s out of range', (name) => {
    for (const value of badValues(name).ranges) {
      refused({ [name]: value }, 'ERR_OUT_OF_RANGE', new RegExp(`"options\\.${name}" is out of range`))
    }
  })

  test.each(['ipv6Only', 'receiveOffload', 'sendOffload'])('%s that is no boolean', (name) => {
    for (const value of BAD_BOOLEANS) {
      refused({ type: 'udp6', [name]: value }, 'ERR_INVALID_ARG_TYPE', new RegExp(`options\\.${name}.*boolean`))
    }
  })

  test.each([
    ['maxDatagramBytes', [0, -1, 65_536, 1.5, NaN]],
    ['receiveBatchMessages', [0, 257, 1.5, NaN]],
    ['spinMicroseconds', [-1, 1001, 1.5, NaN]],
    ['sendQueueBytes', [0, -1, 2 ** 31, 1.5]],
    ['sendQueueDatagrams', [0, -1, 2 ** 31, 1.5]],
  ] as [string, number[]][])('%s that is no number, or out of range', (name, ranges) => {
    for (const value of BAD_INTEGERS) refused({ [name]: value }, 'ERR_INVALID_ARG_TYPE', new RegExp(`options\\.${name}`))
    for (const value of ranges) refused({ [name]: value }, 'ERR_OUT_OF_RANGE', new RegExp(`options\\.${name}`))
  })

  test('a type that is none, with those there are', () => {
    refused({ type: 'udp5' }, 'ERR_INVALID_ARG_VALUE', /options\.type.*'udp4', 'udp6'/)
    refused({ type: 4 }, 'ERR_INVALID_ARG_TYPE', /options\.type/)
  })

  test('a kind of path MTU discovery that is none, with those there are', () => {
    refused({ pathMtuDiscovery: 'yes' }, 'ERR_INVALID_ARG_VALUE', /options\.pathMtuDiscovery.*'dont', 'want', 'do'/)
  })

  test('a device name that is longer than the kernel keeps, in bytes', () => {
    refused({ bindToDevice: 'x'.repeat(16) }, 'ERR_INVALID_ARG_VALUE', /options\.bindToDevice.*15 bytes/)
    refused({ bindToDevice: 'ð'.repeat(8) }, 'ERR_INVALID_ARG_VALUE', /options\.bindToDevice.*15 bytes/)
  })

  test('a lookup that is no function, and a signal that is none', () => {
    for (const value of ['dns', {}, null, true]) refused({ lookup: value }, 'ERR_INVALID_ARG_TYPE', /options\.lookup/)
    for (const value of ['abort', {}, null, true]) refused({ signal: value }, 'ERR_INVALID_ARG_TYPE', /options\.signal/)
  })

  test('a name that it does not know, with those it does', () => {
    refused({ recvBufferSize: 1 }, 'ERR_INVALID_ARG_VALUE', /options\.recvBufferSize.*receiveBufferBytes/)
    refused({ TTL: 1 }, 'ERR_INVALID_ARG_VALUE', /options\.TTL/)
    // Unknown is unknown, also without a value.
    refused({ TTL: undefined }, 'ERR_INVALID_ARG_VALUE', /options\.TTL/)
  })

  test('options that are no object', () => {
    for (const value of [null, 'udp4', 5, [], true])
      refused(value, 'ERR_INVALID_ARG_TYPE', /"options" argument must be of type object/)
  })

  test('what can only be read', () => {
    refused({ pathMtuBytes: 1500 }, 'ERR_INVALID_ARG_VALUE', /options\.pathMtuBytes.*only read/)
  })

  test('options that exclude each other', () => {
    refused({ ipv6Only: true }, 'ERR_INVALID_ARG_VALUE', /options\.ipv6Only.*udp6/)
    refused({ type: 'udp4', ipv6Only: true }, 'ERR_INVALID_ARG_VALUE', /options\.ipv6Only/)
    refused(
      { maxDatagramBytes: 1500, receiveOffload: true },
      'ERR_INVALID_ARG_VALUE',
      /options\.maxDatagramBytes.*receiveOffload/,
    )
  })

  test('everything at its first fault, an unknown name before a wrong value', () => {
    refused({ ttl: 0, nonsense: 1 }, 'ERR_INVALID_ARG_VALUE', /nonsense/)
  })
})

describe('the constructor accepts', () => {
  test('no options, and options that are undefined', () => {
    openFake().socket.close()
    const undefinedOptions = Object.fromEntries(KERNEL_OPTION_NAMES.map((name) => [name, undefined])) as UdpSocketOptions
    const { socket, native } = openFake({ ...undefinedOptions, type: undefined as never, signal: undefined as never })
    // What the socket sets for itself: the drop counter and offload both ways.
    expect(native.optionCalls).toHaveLength(3)
    socket.close()
  })

  test.each([
    ['ttl', [1, 255]],
    ['tos', [0, 255]],
    ['multicastTtl', [0, 255]],
    ['maxDatagramBytes', [1, 65_535]],
    ['receiveBatchMessages', [1, 256]],
    ['spinMicroseconds', [0, 1000]],
    ['sendQueueBytes', [1, 2 ** 31 - 1]],
    ['sendQueueDatagrams', [1, 2 ** 31 - 1]],
    ['receiveBufferBytes', [1, 0x3fff_ffff]],
    ['mark', [0, 0xffff_ffff]],
    ['maxPacingBytesPerSecond', [1, Number.MAX_SAFE_INTEGER]],
    ['bindToDevice', ['', 'x'.repeat(15)]],
  ] as [string, unknown[]][])('%s at its bounds', (name, values) => {
    for (const value of values) openFake({ [name]: value }).socket.close()
  })

  test('the whole datagram size together with receive offload', () => {
    expect(openFake({ maxDatagramBytes: 65_535, receiveOffload: true }).socket.offload.receive).toBe(true)
  })
})

describe('how long a turn looks for the next batch', () => {
  test.each([0, 1, 50, 1000])(
    '%i microseconds are as many thousand nanoseconds, within a turn of one millisecond',
    (spinMicroseconds) => {
      expect(openFake({ spinMicroseconds }).native.turnLimits).toEqual({ spinNs: spinMicroseconds * 1000, turnNs: 1_000_000 })
    },
  )
})

describe('how a batch divides its memory', () => {
  test('with receive offload: slots for the longest message, sixteen unless asked for otherwise', () => {
    expect(openFake().native.slots).toMatchObject({ bytes: 65_535, count: 16 })
    expect(openFake({ receiveBatchMessages: 4 }).native.slots.count).toBe(4)
  })

  test('with receive offload: never more messages than their datagrams have records for', () => {
    const { slots } = openFake({ receiveBatchMessages: 256 }).native
    expect(slots.count).toBe(64)
  })

  test('without: slots of the size asked for, sixty-four unless asked for otherwise', () => {
    expect(openFake({ maxDatagramBytes: 1500 }).native.slots).toMatchObject({ bytes: 1500, count: 64 })
    expect(openFake({ maxDatagramBytes: 1500, receiveBatchMessages: 256 }).native.slots.count).toBe(256)
    expect(openFake({ receiveOffload: false, receiveBatchMessages: 256 }).native.slots).toMatchObject({
      bytes: 65_535,
      count: 64,
    })
  })

  test.each([1, 63, 64, 65, 1472, 1500, 4095, 4096, 9000, 32_768, 65_535])(
    'slots of %i bytes lie a whole and odd number of cache lines apart, inside the slab',
    (maxDatagramBytes) => {
      const { native, addon } = openFake({ maxDatagramBytes, receiveBatchMessages: 256, receiveOffload: false })
      const { bytes, stride, count } = native.slots
      expect(bytes).toBe(maxDatagramBytes)
      expect(stride).toBeGreaterThanOrEqual(bytes)
      expect(stride % 64).toBe(0)
      expect(stride % 4096).not.toBe(0)
      expect(count).toBeGreaterThan(0)
      expect(count * stride).toBeLessThanOrEqual(addon.tables!.slab.length)
    },
  )
})
