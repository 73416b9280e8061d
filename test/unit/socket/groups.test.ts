import { describe, expect, test } from 'vitest'
import { ERRNO, decodeSockaddr } from '../../../src/binding/index.js'
import type { GroupOptions, UdpSocketOptions } from '../../../src/socket/index.js'
import * as k from '../../../src/socket/kernel-constants.js'
import { optionKey, type FakeSocket } from '../../support/fake-addon.js'
import { failure } from '../support/errors.js'
import { openFake } from '../support/open-fake.js'

/** The last setsockopt, read as struct group_req or group_source_req of a 64-bit ABI. */
function lastRequest(native: FakeSocket): {
  level: number
  name: number
  index: number
  group: string
  source: string | undefined
} {
  const { level, name, value } = native.optionCalls.at(-1)!
  const index = new DataView(value.buffer).getUint32(0, true)
  const group = decodeSockaddr(value.subarray(8))!.address
  const source = value.length === 264 ? decodeSockaddr(value.subarray(136))!.address : undefined
  return { level, name, index, group, source }
}

describe('joining and leaving a group', () => {
  test.each([
    ['239.1.2.3', {}, { level: k.IPPROTO_IP, index: 0, group: '239.1.2.3', source: undefined }],
    ['239.1.2.3', { interface: 'eth7' }, { level: k.IPPROTO_IP, index: 7, group: '239.1.2.3', source: undefined }],
    ['239.1.2.3', { interface: 7 }, { level: k.IPPROTO_IP, index: 7, group: '239.1.2.3', source: undefined }],
    ['239.1.2.3', { interface: '192.0.2.7' }, { level: k.IPPROTO_IP, index: 7, group: '239.1.2.3', source: undefined }],
    ['239.1.2.3', { interface: 0 }, { level: k.IPPROTO_IP, index: 0, group: '239.1.2.3', source: undefined }],
    ['232.1.2.3', { source: '192.0.2.9' }, { level: k.IPPROTO_IP, index: 0, group: '232.1.2.3', source: '192.0.2.9' }],
    ['ff02::5', { interface: 'eth7' }, { level: k.IPPROTO_IPV6, index: 7, group: 'ff02::5', source: undefined }],
    ['ff02::5%7', {}, { level: k.IPPROTO_IPV6, index: 7, group: 'ff02::5%7', source: undefined }],
    [
      'ff3e::5',
      { source: '2001:db8::1', interface: 1 },
      { level: k.IPPROTO_IPV6, index: 1, group: 'ff3e::5', source: '2001:db8::1' },
    ],
  ] as [string, GroupOptions, object][])('%s with %j asks the kernel for just that', (group, options, expected) => {
    const { socket, native } = openFake({ type: 'udp6' })
    socket.joinGroup(group, options)
    const joined = options.source === undefined ? k.MCAST_JOIN_GROUP : k.MCAST_JOIN_SOURCE_GROUP
    expect(lastRequest(native)).toEqual({ ...expected, name: joined })
    socket.leaveGroup(group, options)
    const left = options.source === undefined ? k.MCAST_LEAVE_GROUP : k.MCAST_LEAVE_SOURCE_GROUP
    expect(lastRequest(native)).toEqual({ ...expected, name: left })
  })

  test('an interface by index is not looked up: what is gone can be left', () => {
    const { socket, native, addon } = openFake()
    addon.interfaceEntries = []
    socket.leaveGroup('239.1.2.3', { interface: 4711 })
    expect(lastRequest(native)).toMatchObject({ name: k.MCAST_LEAVE_GROUP, index: 4711 })
  })

  test.each([
    ['ENOBUFS', ERRNO.ENOBUFS, /join on eth7.*igmp_max_memberships/],
    ['EADDRINUSE', ERRNO.EADDRINUSE, /has joined it already/],
    ['ENODEV', ERRNO.ENODEV, /no interface with multicast/],
    ['EPERM', ERRNO.EPERM, /\(join on eth7\)/],
  ])('fails with %s and says what it means here', (code, errno, message) => {
    const { socket, addon } = openFake()
    addon.optionErrnos.set(optionKey(k.IPPROTO_IP, k.MCAST_JOIN_GROUP), errno)
    const error = failure(() => socket.joinGroup('239.1.2.3', { interface: 'eth7' }), code, message)
    expect(error).toMatchObject({ syscall: 'setsockopt', address: '239.1.2.3' })
  })

  test('of a group that was not joined says so', () => {
    const { socket, addon } = openFake()
    addon.optionErrnos.set(optionKey(k.IPPROTO_IP, k.MCAST_LEAVE_GROUP), ERRNO.EADDRNOTAVAIL)
    failure(() => socket.leaveGroup('239.1.2.3'), 'EADDRNOTAVAIL', /not a member/)
  })

  test('refuses misuse before it asks the kernel', () => {
    const { socket, native } = openFake()
    const calls = native.optionCalls.length
    for (const change of [socket.joinGroup.bind(socket), socket.leaveGroup.bind(socket)]) {
      failure(() => change('192.0.2.1'), 'ERR_INVALID_ARG_VALUE', /'group' must be a multicast address/)
      failure(() => change('group.example'), 'ERR_INVALID_ARG_VALUE', /literal/)
      failure(() => change(undefined as never), 'ERR_INVALID_ARG_TYPE')
      failure(() => change('239.1.2.3', { source: '2001:db8::1' }), 'ERR_INVALID_ARG_VALUE', /'options\.source'.*family/)
      failure(() => change('239.1.2.3', { iface: 'lo' } as never), 'ERR_INVALID_ARG_VALUE', /options\.iface/)
      failure(() => change('239.1.2.3', null as never), 'ERR_INVALID_ARG_TYPE', /options/)
      failure(() => change('239.1.2.3', { interface: {} as never }), 'ERR_INVALID_ARG_TYPE', /options\.interface/)
      failure(() => change('239.1.2.3', { interface: -1 }), 'ERR_OUT_OF_RANGE', /options\.interface/)
      failure(() => change('239.1.2.3', { interface: 'eth9' }), 'ENODEV')
    }
    expect(native.optionCalls).toHaveLength(calls)
  })

  test.each([
    [{ type: 'udp4' }, 'ff02::5'],
    [{ type: 'udp6', ipv6Only: true }, '239.1.2.3'],
  ] as [UdpSocketOptions, string][])('on %j refuses the group %s of a family that it does not have', (options, group) => {
    const { socket, native } = openFake(options)
    const calls = native.optionCalls.length
    failure(() => socket.joinGroup(group), 'ERR_INVALID_ARG_VALUE', /'group'.*as this socket is/)
    expect(native.optionCalls).toHaveLength(calls)
  })

  test('names its own argument where an address is wrong', () => {
    const { socket } = openFake()
    failure(() => socket.joinGroup(5 as never), 'ERR_INVALID_ARG_TYPE', /"group" argument/)
    failure(() => socket.joinGroup('nonsense'), 'ERR_INVALID_ARG_VALUE', /'group'/)
    failure(() => socket.joinGroup('239.1.2.3', { source: 5 as never }), 'ERR_INVALID_ARG_TYPE', /"options\.source" property/)
    failure(() => socket.joinGroup('239.1.2.3', { source: 'nonsense' }), 'ERR_INVALID_ARG_VALUE', /'options\.source'/)
  })
})
