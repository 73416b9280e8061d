import { readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  Endpoint,
  PATH_MTU_DISCOVERY,
  UdpSocket,
  capabilities,
  type KernelOptionValues,
  type UdpSocketOptions,
} from '../../src/index.js'
import { fallbackProblem, lacking, toolProblem } from '../support/capabilities.js'
import { bound, open, thrownBy } from '../support/sockets.js'
import { run } from '../support/tools.js'

const TYPES = [{ type: 'udp4' }, { type: 'udp6' }, { type: 'udp6', ipv6Only: true }] as const

type Settable = Omit<KernelOptionValues, 'pathMtuBytes'>

/** Values of each option that a socket without privileges may set, none of them the default. */
const VALUES: { [Name in keyof Settable]: readonly Settable[Name][] } = {
  receiveBufferBytes: [10_000, 100_000],
  sendBufferBytes: [10_000, 100_000],
  reuseAddress: [true, false],
  reusePort: [true, false],
  broadcast: [true, false],
  ttl: [1, 255, 64],
  tos: [0xb8, 0x03, 0xff, 0],
  dontFragment: [true, false],
  pathMtuDiscovery: PATH_MTU_DISCOVERY,
  bindToDevice: ['lo', ''],
  priority: [6, 0],
  mark: [7, 0xffff_ffff],
  busyPollMicroseconds: [50, 0],
  maxPacingBytesPerSecond: [1_000_000, 0x1_0000_0000],
  multicastAll: [false, true],
  multicastTtl: [0, 255, 1],
  multicastLoopback: [false, true],
  multicastInterface: [1, 0],
  freeBind: [true, false],
  receiveErrors: [true, false],
  receivePacketInfo: [true, false],
  receiveTtl: [true, false],
  receiveTos: [true, false],
  receiveTimestamp: [true, false],
}

/** The kernel keeps twice what is asked (socket(7), SO_RCVBUF). */
const DOUBLED = new Set(['receiveBufferBytes', 'sendBufferBytes'])
const PRIVILEGED: { readonly [Name in keyof Settable]?: boolean } = {
  mark: capabilities().mark,
  busyPollMicroseconds: capabilities().busyPoll,
  bindToDevice: capabilities().bindToDevice,
}

describe.each(TYPES)('%o', (options) => {
  test.each(Object.keys(VALUES) as (keyof Settable)[])('%s is set and read back', (name) => {
    if (PRIVILEGED[name] === false) return console.warn(`skipped: ${name} is not for this user`)
    const reused = open(options)
    for (const value of VALUES[name]) {
      // Who has no CAP_NET_RAW may name a device, and not take it back.
      const socket = name === 'bindToDevice' ? open(options) : reused
      socket.setOption(name, value)
      const kept = DOUBLED.has(name) ? (value as number) * 2 : value
      expect(socket.getOption(name)).toBe(kept)
      const constructed = open({ ...options, [name]: value })
      expect(constructed.getOption(name)).toBe(kept)
    }
  })

  test('an option that is not given stays as the kernel has it', () => {
    const socket = open(options)
    expect(socket.getOption('ttl')).toBe(64)
    expect(socket.getOption('tos')).toBe(0)
    expect(socket.getOption('multicastTtl')).toBe(1)
    expect(socket.getOption('multicastLoopback')).toBe(true)
    expect(socket.getOption('multicastAll')).toBe(true)
    expect(socket.getOption('reuseAddress')).toBe(false)
    expect(socket.getOption('bindToDevice')).toBe('')
    expect(socket.getOption('receiveErrors')).toBe(false)
  })
})

test('dontFragment and pathMtuDiscovery are two names of one thing', () => {
  const socket = open({ dontFragment: true })
  expect(socket.getOption('pathMtuDiscovery')).toBe('do')
  socket.setOption('pathMtuDiscovery', 'probe')
  expect(socket.getOption('dontFragment')).toBe(false)
})

test.skipIf(lacking('the addon', fallbackProblem()))(
  'the path MTU is that of the interface to the peer, and of a connected socket only',
  async () => {
    const socket = open()
    expect(thrownBy(() => socket.getOption('pathMtuBytes'))).toMatchObject({ code: 'ENOTCONN', syscall: 'getsockopt' })
    await socket.connect({ address: '127.0.0.1', port: 9 })
    expect(socket.getOption('pathMtuBytes')).toBe(65_535)
    expect(thrownBy(() => socket.setOption('pathMtuBytes', 1500))).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
    const six = open({ type: 'udp6' })
    await six.connect({ address: '::1', port: 9 })
    expect(six.getOption('pathMtuBytes')).toBe(65_536)
  },
)

test.skipIf(lacking('SO_RCVBUFFORCE', capabilities().forceBufferSizes ? undefined : 'no CAP_NET_ADMIN'))(
  'a privileged process has buffers beyond the limit, without a warning',
  async () => {
    const { maxReceiveBufferBytes, maxSendBufferBytes } = capabilities()
    const [receive, send] = [maxReceiveBufferBytes! + 4096, maxSendBufferBytes! + 4096]
    const socket = open({ receiveBufferBytes: receive, sendBufferBytes: send })
    socket.on('warning', (message) => expect.unreachable(message))
    expect(socket.getOption('receiveBufferBytes')).toBe(receive * 2)
    expect(socket.getOption('sendBufferBytes')).toBe(send * 2)
    await new Promise((resolve) => setImmediate(resolve))
  },
)

test.skipIf(lacking('the addon', fallbackProblem()))('a socket that cannot have an option is not left open', () => {
  const before = openDescriptors()
  const attempts: [UdpSocketOptions, string][] = [
    [{ bindToDevice: 'nosuch0' }, 'ENODEV'],
    [{ multicastInterface: 'nosuch0' }, 'ENODEV'],
    [{ multicastInterface: '192.0.2.99' }, 'EADDRNOTAVAIL'],
    [{ ttl: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ colour: 'blue' } as UdpSocketOptions, 'ERR_INVALID_ARG_VALUE'],
    [{ type: 'udp5' } as unknown as UdpSocketOptions, 'ERR_INVALID_ARG_VALUE'],
  ]
  for (const [options, code] of attempts) expect(thrownBy(() => new UdpSocket(options))).toMatchObject({ code })
  expect(openDescriptors()).toBe(before)
})

test.skipIf(lacking('the addon', fallbackProblem()))('a failed option names itself in the error', () => {
  const error = thrownBy(() => open({ bindToDevice: 'nosuch0' }))
  expect(error).toMatchObject({ code: 'ENODEV', syscall: 'setsockopt' })
  expect(error.message).toContain('(bindToDevice)')
})

test.skipIf(lacking('ss', toolProblem('ss', '-V')))('ss sees the same socket', async () => {
  const socket = await bound({ receiveBufferBytes: 50_000, sendBufferBytes: 60_000, bindToDevice: 'lo' })
  const seen = ss(socket)
  expect(seen).toContain('rb100000')
  expect(seen).toContain('tb120000')
  expect(seen).toContain(`127.0.0.1%lo:${socket.address().port}`)
  const six = await bound({ type: 'udp6', ipv6Only: true }, { address: '::' })
  expect(ss(six)).toContain('v6only:1')
  const dual = await bound({ type: 'udp6' }, { address: '::' })
  expect(ss(dual)).toContain('v6only:0')
})

function ss(socket: UdpSocket): string {
  return run('ss', '-uanme', `sport = :${socket.address().port}`)
}

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length
}

describe('the longest payload that stays whole', () => {
  test('is that of Ethernet for a socket without a peer, by the family of the endpoint', () => {
    const [ipv4, ipv6] = [open(), open({ type: 'udp6' })]
    expect([ipv4.unfragmentedBytes(), ipv4.maxPayloadBytes]).toEqual([1472, 65_507])
    expect([ipv6.unfragmentedBytes(), ipv6.maxPayloadBytes]).toEqual([1452, 65_527])
    expect(ipv6.unfragmentedBytes(Endpoint.of('::ffff:192.0.2.1', 9))).toBe(1472)
  })

  test.skipIf(lacking('the addon', fallbackProblem()))('is that of the path for the peer of a connected socket', async () => {
    const [socket, peer] = [await bound(), await bound()]
    await socket.connect(peer.address())
    expect(socket.unfragmentedBytes()).toBe(65_507)
    expect(socket.unfragmentedBytes(peer.address())).toBe(65_507)
    expect(socket.unfragmentedBytes(Endpoint.of('192.0.2.1', 9))).toBe(1472)
  })
})
