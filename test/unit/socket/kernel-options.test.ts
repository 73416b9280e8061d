import { describe, expect, test } from 'vitest'
import { ERRNO } from '../../../src/binding/index.js'
import { PATH_MTU_DISCOVERY, UdpSocket, type UdpSocketOptions } from '../../../src/socket/index.js'
import * as k from '../../../src/socket/kernel-constants.js'
import { KERNEL_OPTION_NAMES, OPTION_TABLE, type KernelOptionName } from '../../../src/socket/option-table.js'
import { FakeAddon, optionKey } from '../../support/fake-addon.js'
import { failure } from '../support/errors.js'
import { openFake } from '../support/open-fake.js'
import { settled } from '../support/turns.js'

/** A value other than the kernel's default for every option that keeps what it is given. */
const SAMPLES: Partial<Record<KernelOptionName, unknown>> = {
  reuseAddress: true,
  reusePort: true,
  broadcast: true,
  ttl: 33,
  tos: 0xb8,
  pathMtuDiscovery: 'probe',
  dontFragment: true,
  bindToDevice: 'eth7',
  priority: 6,
  mark: 0xffff_fff0,
  busyPollMicroseconds: 50,
  maxPacingBytesPerSecond: 1_000_000,
  multicastAll: true,
  multicastTtl: 0,
  multicastLoopback: true,
  freeBind: true,
  receiveErrors: true,
  receivePacketInfo: true,
  receiveTtl: true,
  receiveTos: true,
  receiveTimestamp: true,
}
const sampled = Object.keys(SAMPLES) as KernelOptionName[]

test('there is a sample of every option that keeps what it is given', () => {
  const others = ['receiveBufferBytes', 'sendBufferBytes', 'pathMtuBytes', 'multicastInterface']
  expect([...sampled, ...others].sort()).toEqual([...KERNEL_OPTION_NAMES].sort())
})

describe.each([
  ['an IPv4 socket', { type: 'udp4' }, ['ipv4']],
  ['an IPv6-only socket', { type: 'udp6', ipv6Only: true }, ['ipv6']],
  ['a dual-stack socket', { type: 'udp6' }, ['ipv6', 'ipv4']],
] as [string, UdpSocketOptions, ('ipv4' | 'ipv6')[]][])('on %s', (_name, options, families) => {
  test.each(sampled)('%s given to the constructor reads back, from each half of the stack that there is', (name) => {
    const { socket, native } = openFake({ ...options, [name]: SAMPLES[name] })
    expect(socket.getOption(name)).toBe(SAMPLES[name])
    const spec = OPTION_TABLE[name]
    const places = spec.socket ? [spec.socket] : families.map((family) => spec[family]!)
    const value = native.options.get(optionKey(...places[0]!))
    expect(value).toBeDefined()
    for (const place of places) expect(native.options.get(optionKey(...place))).toEqual(value)
  })

  test.each(sampled)('%s set later reads back', (name) => {
    const { socket } = openFake(options)
    socket.setOption(name, SAMPLES[name] as never)
    expect(socket.getOption(name)).toBe(SAMPLES[name])
  })

  test('touches no option of a half that it does not have', () => {
    const { native } = openFake({ ...options, ...SAMPLES } as UdpSocketOptions)
    const levels = new Set(native.optionCalls.map((call) => call.level))
    expect(levels.has(k.IPPROTO_IP)).toBe(families.includes('ipv4'))
    expect(levels.has(k.IPPROTO_IPV6)).toBe(families.includes('ipv6'))
  })
})

describe('an option', () => {
  test.each([
    ['broadcast', true, [1, 0, 0, 0]],
    ['broadcast', false, [0, 0, 0, 0]],
    ['ttl', 64, [64, 0, 0, 0]],
    ['mark', 0x8000_0001, [1, 0, 0, 0x80]],
    ['bindToDevice', 'lo', [0x6c, 0x6f, 0]],
    ['bindToDevice', '', [0]],
    ['dontFragment', true, [2, 0, 0, 0]],
    ['dontFragment', false, [1, 0, 0, 0]],
  ] as [KernelOptionName, never, number[]][])(
    '%s %j crosses the border as the bytes that the kernel takes',
    (name, value, bytes) => {
      const { socket, native } = openFake()
      socket.setOption(name, value)
      const spec = OPTION_TABLE[name]
      const stored = [...native.options.get(optionKey(...(spec.socket ?? spec.ipv4!)))!]
      // Written for little-endian machines, as all that we build for are.
      expect(stored).toEqual(bytes)
    },
  )

  test('for path MTU discovery goes by name, each with the kernel’s number', () => {
    for (const [number, name] of PATH_MTU_DISCOVERY.entries()) {
      const { socket, native } = openFake({ pathMtuDiscovery: name })
      expect(native.optionInt(k.IPPROTO_IP, k.IP_MTU_DISCOVER)).toBe(number)
      expect(socket.getOption('pathMtuDiscovery')).toBe(name)
      expect(socket.getOption('dontFragment')).toBe(name === 'do')
    }
  })

  test('for path MTU discovery that this library has no name for reads as its number', () => {
    const { socket, native } = openFake()
    native.options.set(optionKey(k.IPPROTO_IP, k.IP_MTU_DISCOVER), Uint8Array.of(9, 0, 0, 0))
    expect(socket.getOption('pathMtuDiscovery')).toBe('9')
  })

  test.each([1, 1_000_000, 0xffff_fffe, 0xffff_ffff, 0x1_0000_0000, Number.MAX_SAFE_INTEGER])(
    'maxPacingBytesPerSecond %d reads back, in eight bytes where four do not do',
    (rate) => {
      const { socket, native } = openFake({ maxPacingBytesPerSecond: rate })
      const bytes = native.options.get(optionKey(k.SOL_SOCKET, k.SO_MAX_PACING_RATE))!
      expect(bytes).toHaveLength(rate < 0xffff_ffff ? 4 : 8)
      expect(socket.getOption('maxPacingBytesPerSecond')).toBe(rate)
    },
  )

  test('that the kernel lacks says so, and leaves nothing open', () => {
    for (const name of sampled) {
      const addon = new FakeAddon()
      const spec = OPTION_TABLE[name]
      addon.lacks(...(spec.socket ?? spec.ipv4!))
      const options = { [name]: SAMPLES[name] } as UdpSocketOptions
      failure(() => new UdpSocket(options, addon), 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM', new RegExp(name))
      expect(addon.sockets).toHaveLength(1)
      expect(addon.open).toBe(0)
    }
  })

  test('that the kernel forbids says which, and leaves nothing open', () => {
    const addon = new FakeAddon()
    addon.optionErrnos.set(optionKey(k.SOL_SOCKET, k.SO_MARK), ERRNO.EPERM)
    const error = failure(() => new UdpSocket({ mark: 5 }, addon), 'EPERM', /setsockopt EPERM.*mark/)
    expect(error).toMatchObject({ syscall: 'setsockopt', errno: -1 })
    expect(addon.open).toBe(0)
  })

  test('that cannot be read is a system error that names it', () => {
    const { socket } = openFake()
    expect(failure(() => socket.getOption('pathMtuBytes'), 'ENOTCONN', /pathMtuBytes/)).toMatchObject({ syscall: 'getsockopt' })
  })

  test('for the path MTU is known of a connected socket', async () => {
    const { socket } = openFake()
    await socket.connect({ address: '192.0.2.1', port: 7 })
    expect(socket.getOption('pathMtuBytes')).toBe(1500)
  })

  test('of a wrong name or value is refused, and nothing is set', () => {
    const { socket, native } = openFake()
    const calls = native.optionCalls.length
    failure(() => socket.setOption('nonsense' as never, 1 as never), 'ERR_INVALID_ARG_VALUE', /options\.nonsense/)
    failure(() => socket.setOption('__proto__' as never, 1 as never), 'ERR_INVALID_ARG_VALUE', /options\.__proto__/)
    failure(() => socket.setOption('toString' as never, 1 as never), 'ERR_INVALID_ARG_VALUE', /options\.toString/)
    failure(() => socket.getOption('nonsense' as never), 'ERR_INVALID_ARG_VALUE', /options\.nonsense/)
    failure(() => socket.setOption('ttl', 256), 'ERR_OUT_OF_RANGE', /options\.ttl/)
    failure(() => socket.setOption('ttl', undefined as never), 'ERR_INVALID_ARG_TYPE', /options\.ttl/)
    failure(() => socket.setOption('pathMtuBytes', 1500), 'ERR_INVALID_ARG_VALUE', /options\.pathMtuBytes/)
    expect(native.optionCalls).toHaveLength(calls)
  })

  test('is set in the order of the table: reusing an address comes first', () => {
    const { native } = openFake({ receiveTos: true, reuseAddress: true })
    const names = native.optionCalls.map((call) => call.name)
    expect(names.indexOf(k.SO_REUSEADDR)).toBeLessThan(names.indexOf(k.IP_RECVTOS))
  })
})

describe('IPV6_V6ONLY', () => {
  test.each([
    [{ type: 'udp6' }, 0],
    [{ type: 'udp6', ipv6Only: false }, 0],
    [{ type: 'udp6', ipv6Only: true }, 1],
  ] as [UdpSocketOptions, number][])('is set for %j to %i, whatever the sysctl says', (options, value) => {
    expect(openFake(options).native.optionInt(k.IPPROTO_IPV6, k.IPV6_V6ONLY)).toBe(value)
  })

  test('is not touched on an IPv4 socket', () => {
    expect(openFake().native.optionInt(k.IPPROTO_IPV6, k.IPV6_V6ONLY)).toBeUndefined()
  })

  test('that cannot be set closes the socket again', () => {
    const addon = new FakeAddon()
    addon.optionErrnos.set(optionKey(k.IPPROTO_IPV6, k.IPV6_V6ONLY), ERRNO.EINVAL)
    failure(() => new UdpSocket({ type: 'udp6' }, addon), 'EINVAL', /ipv6Only/)
    expect(addon.open).toBe(0)
  })
})

describe.each([
  ['receiveBufferBytes', 'net.core.rmem_max', k.SO_RCVBUF],
  ['sendBufferBytes', 'net.core.wmem_max', k.SO_SNDBUF],
] as const)('%s', (name, sysctl, option) => {
  test('is granted without a word where the kernel allows it', async () => {
    const { socket } = openFake({ [name]: 100_000 })
    const warnings: string[] = []
    socket.on('warning', (message) => warnings.push(message))
    await settled()
    expect(socket.getOption(name)).toBe(200_000)
    expect(warnings).toEqual([])
  })

  test('is forced where the kernel clamps it and the process may', async () => {
    const { socket, native } = openFake()
    const warnings: string[] = []
    socket.on('warning', (message) => warnings.push(message))
    native.mayForceBuffers = true
    socket.setOption(name, 4_000_000)
    await settled()
    expect(native.optionInt(k.SOL_SOCKET, option)).toBe(8_000_000)
    expect(warnings).toEqual([])
  })

  test('warns where it is clamped, with what was given and the line that would help', async () => {
    const { socket } = openFake({ [name]: 4_000_000 })
    const warnings: string[] = []
    socket.on('warning', (message) => warnings.push(message))
    expect(warnings, 'not before listeners can be there').toEqual([])
    await settled()
    expect(warnings).toEqual([
      `${name}: asked for 4000000 bytes, the kernel gave 212992. To allow it: sudo sysctl -w ${sysctl}=4000000`,
    ])
  })

  test('warns the process where nobody listens', async () => {
    const warnings: Error[] = []
    const note = (warning: Error): void => void warnings.push(warning)
    process.on('warning', note)
    openFake({ [name]: 4_000_000 })
    await settled()
    await settled()
    process.off('warning', note)
    expect(warnings.map((warning) => warning.message).join()).toContain(`sudo sysctl -w ${sysctl}=4000000`)
  })
})

describe('the interface of multicast', () => {
  function ipMreqn(bytes: Uint8Array): { address: string; index: number } {
    const words = new Uint32Array(Uint8Array.from(bytes).buffer)
    return { address: bytes.subarray(4, 8).join('.'), index: words[2]! }
  }

  test.each([
    ['its name', 'eth7', '192.0.2.7'],
    ['its index', 7, '192.0.2.7'],
    ['its first address', '192.0.2.7', '192.0.2.7'],
    ['another of its addresses', '198.51.100.7', '198.51.100.7'],
  ])('is named by %s, and given with a source address', (_how, value, address) => {
    const { socket, native } = openFake({ multicastInterface: value })
    expect(ipMreqn(native.options.get(optionKey(k.IPPROTO_IP, k.IP_MULTICAST_IF))!)).toEqual({ address, index: 7 })
    expect(socket.getOption('multicastInterface')).toBe(7)
  })

  test('is set in both halves of a dual-stack socket', () => {
    const { native } = openFake({ type: 'udp6', multicastInterface: 'eth7' })
    expect(native.optionInt(k.IPPROTO_IPV6, k.IPV6_MULTICAST_IF)).toBe(7)
    expect(ipMreqn(native.options.get(optionKey(k.IPPROTO_IP, k.IP_MULTICAST_IF))!).index).toBe(7)
  })

  test('0 leaves it to the routing table again', () => {
    const { socket, native } = openFake({ multicastInterface: 'eth7' })
    socket.setOption('multicastInterface', 0)
    expect(ipMreqn(native.options.get(optionKey(k.IPPROTO_IP, k.IP_MULTICAST_IF))!)).toEqual({ address: '0.0.0.0', index: 0 })
    expect(socket.getOption('multicastInterface')).toBe(0)
  })

  test('that is not there is a system error, and nothing stays open', () => {
    for (const [value, code] of [
      ['eth9', 'ENODEV'],
      [99, 'ENODEV'],
      ['203.0.113.1', 'EADDRNOTAVAIL'],
    ] as const) {
      const addon = new FakeAddon()
      expect(failure(() => new UdpSocket({ multicastInterface: value }, addon), code)).toMatchObject({ address: String(value) })
      expect(addon.open).toBe(0)
    }
  })

  test('cannot be looked up where getifaddrs fails', () => {
    const addon = new FakeAddon()
    addon.interfaceEntries = -ERRNO.ENOMEM
    expect(failure(() => new UdpSocket({ multicastInterface: 'lo' }, addon), 'ENOMEM')).toMatchObject({ syscall: 'getifaddrs' })
    expect(addon.open).toBe(0)
  })

  test('is not taken for another family’s address of the same bits', () => {
    failure(() => openFake({ multicastInterface: '0.0.0.1' }), 'EADDRNOTAVAIL')
  })
})

describe('offload', () => {
  test('is on both ways by default', () => {
    const { socket, native } = openFake()
    expect(socket.offload).toEqual({ receive: true, send: true })
    expect(native.optionInt(k.IPPROTO_UDP, k.UDP_GRO)).toBe(1)
    expect(native.optionInt(k.IPPROTO_UDP, k.UDP_SEGMENT)).toBe(0)
  })

  test('is off where it is switched off, and where small datagrams exclude it', () => {
    expect(openFake({ receiveOffload: false, sendOffload: false }).socket.offload).toEqual({ receive: false, send: false })
    expect(openFake({ maxDatagramBytes: 1500 }).socket.offload).toEqual({ receive: false, send: true })
    expect(openFake({ receiveOffload: false }).native.optionInt(k.IPPROTO_UDP, k.UDP_GRO)).toBeUndefined()
  })

  test('is off where the kernel lacks it', () => {
    const addon = new FakeAddon()
    addon.lacks(k.IPPROTO_UDP, k.UDP_GRO)
    addon.lacks(k.IPPROTO_UDP, k.UDP_SEGMENT)
    expect(openFake({}, addon).socket.offload).toEqual({ receive: false, send: false })
    expect(addon.socket.slots).toMatchObject({ bytes: 65_535, count: 64 })
  })

  test.each([
    ['receiveOffload', k.UDP_GRO],
    ['sendOffload', k.UDP_SEGMENT],
  ])('%s that was asked for by name and that the kernel lacks is an error', (name, option) => {
    const addon = new FakeAddon()
    addon.lacks(k.IPPROTO_UDP, option)
    failure(() => new UdpSocket({ [name]: true }, addon), 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM', new RegExp(name))
    expect(addon.open).toBe(0)
  })

  test('does not need the kernel to count drops', () => {
    const addon = new FakeAddon()
    addon.lacks(k.SOL_SOCKET, k.SO_RXQ_OVFL)
    addon.lacks(k.SOL_SOCKET, k.SO_MEMINFO)
    const { socket } = openFake({}, addon)
    expect(socket.stats().kernelDrops).toBe(0)
  })
})
