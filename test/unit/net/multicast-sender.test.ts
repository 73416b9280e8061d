import { describe, expect, test } from 'vitest'
import type { NativeInterfaceEntry } from '../../../src/binding/index.js'
import { openMulticastReceiver, openMulticastSender, type MulticastSenderOptions } from '../../../src/net/index.js'
import * as k from '../../../src/socket/kernel-constants.js'
import { FakeAddon, interfaceEntry } from '../../support/fake-addon.js'
import { failure } from '../support/errors.js'
import { FakeInterfaces, ethernet } from './membership-fakes.js'

const GROUP = { address: '239.1.2.3', port: 5000 }
const GROUP6 = { address: 'ff15::3', port: 5000 }

function addon(): FakeAddon {
  const made = new FakeAddon()
  const LOOPBACK = 0x49
  made.interfaceEntries = [
    { ...interfaceEntry('lo', 1, '127.0.0.1'), flags: LOOPBACK },
    interfaceEntry('eth7', 7, '192.0.2.7'),
    interfaceEntry('eth7', 7, '198.51.100.7'),
    interfaceEntry('eth8', 8, '192.0.2.7'),
    interfaceEntry('eth8', 8, 'fe80::8'),
  ]
  return made
}

function open(options: Partial<MulticastSenderOptions>, made = addon()): ReturnType<typeof describeSender> {
  const sender = openMulticastSender({ group: GROUP, ...options }, made)
  return describeSender(sender, made)
}

function describeSender(sender: ReturnType<typeof openMulticastSender>, made: FakeAddon) {
  const { socket } = made
  return {
    sender,
    socket,
    /** struct ip_mreqn: group, address, index. */
    interface: [...(socket.options.get(`${k.IPPROTO_IP}:${k.IP_MULTICAST_IF}`) ?? [])].slice(4),
    ttl: socket.optionInt(k.IPPROTO_IP, k.IP_MULTICAST_TTL),
    loopback: socket.optionInt(k.IPPROTO_IP, k.IP_MULTICAST_LOOP),
  }
}

describe('a sender tells the kernel interface and source together', () => {
  test.each<[Partial<MulticastSenderOptions>, number[]]>([
    [{}, [0, 0, 0, 0, 0, 0, 0, 0]],
    [{ interface: 'eth7' }, [192, 0, 2, 7, 7, 0, 0, 0]],
    [{ interface: 7 }, [192, 0, 2, 7, 7, 0, 0, 0]],
    [{ interface: '198.51.100.7' }, [198, 51, 100, 7, 7, 0, 0, 0]],
    [{ interface: 'eth7', source: '198.51.100.7' }, [198, 51, 100, 7, 7, 0, 0, 0]],
    [{ interface: 'eth8', source: '192.0.2.7' }, [192, 0, 2, 7, 8, 0, 0, 0]],
    [{ source: '198.51.100.7' }, [198, 51, 100, 7, 7, 0, 0, 0]],
  ])('%j', (options, expected) => {
    const { interface: given, ttl, loopback } = open(options)
    expect([given, ttl, loopback]).toEqual([expected, 1, 1])
  })

  test('sends to its group unless told otherwise, by every way', () => {
    const { sender, socket } = open({ ttl: 3, loopback: false })
    sender.send('a')
    sender.reserve(1)!.write('b')
    sender.commit()
    sender.reserveRun(1, 1)!.write('c')
    sender.commitRun(1)
    sender.send('d', { address: '192.0.2.1', port: 9 }, { ttl: 9, interface: 'eth7' })
    sender.flush()
    expect(socket.datagrams.map(({ payload, destination }) => `${payload.toString()} ${destination!.toString()}`)).toEqual([
      ...['a', 'b', 'c'].map((text) => `${text} 239.1.2.3:5000`),
      'd 192.0.2.1:9',
    ])
    expect([sender.isHostOnly, sender.interfaceIndex]).toEqual([false, 0])
    failure(() => sender.setOption('multicastTtl', 0), 'ERR_INVALID_ARG_VALUE', /ttl 0/)
    sender.setOption('multicastTtl', 5)
  })
})

describe('TTL 0 means this host only', () => {
  test('over IPv4 it goes by loopback, and nothing undoes that', () => {
    const { sender, interface: given, ttl } = open({ ttl: 0 })
    expect([given, ttl, sender.isHostOnly]).toEqual([[127, 0, 0, 1, 1, 0, 0, 0], 0, true])
    for (const [name, value] of [
      ['multicastTtl', 1],
      ['multicastInterface', 'eth7'],
      ['multicastLoopback', false],
      ['bindToDevice', 'eth7'],
    ] as const) {
      // prettier-ignore
      failure(() => sender.setOption(name, value), 'ERR_INVALID_ARG_VALUE', /this host only/)
    }
    failure(() => sender.send('x', sender.group, { ttl: 2 }), 'ERR_INVALID_ARG_VALUE', /options\.ttl/)
    failure(() => sender.send('x', sender.group, { interface: 7 }), 'ERR_INVALID_ARG_VALUE', /options\.interface/)
    failure(() => sender.reserve(1, sender.group, { interface: 7 }), 'ERR_INVALID_ARG_VALUE', /options\.interface/)
    failure(() => sender.reserveRun(1, 1, sender.group, { interface: 7 }), 'ERR_INVALID_ARG_VALUE', /options\.interface/)
    sender.send('x', sender.group, { interface: 0, tos: 4 })
    sender.setOption('priority', 3)
  })

  test('over IPv6 the sender is a member where it sends, and stays it', () => {
    const made = addon()
    // This kernel lets go of a group on whichever interface is asked first.
    made.interfaceEntries = (made.interfaceEntries as NativeInterfaceEntry[]).slice().reverse()
    const { sender, socket } = open({ group: GROUP6, ttl: 0 }, made)
    const joins = socket.optionCalls.filter(({ name }) => name === k.MCAST_JOIN_GROUP)
    const index = new DataView(joins.at(-1)!.value.buffer).getUint32(0, true)
    expect(index).toBe(socket.optionInt(k.IPPROTO_IPV6, k.IPV6_MULTICAST_IF))
    failure(() => sender.leaveGroup('ff15:0::3'), 'ERR_INVALID_ARG_VALUE', /TTL 0/)
    failure(() => sender.send('x', { address: 'ff15::4', port: 5000 }), 'ERR_INVALID_ARG_VALUE', /endpoint/)
    sender.send('x', { address: 'ff15::3', port: 5001 })
    sender.joinGroup('ff15::9')
    sender.leaveGroup('ff15::9')
  })

  test.each<[Partial<MulticastSenderOptions>, RegExp]>([
    [{ interface: 'eth7' }, /'options\.interface' cannot be with ttl 0, which means this host only/],
    [{ interface: 7 }, /options\.interface/],
    [{ interface: '192.0.2.7' }, /options\.interface/],
    [{ group: { address: 'ff02::1%7', port: 9 } }, /options\.interface/],
    [{ source: '192.0.2.7' }, /options\.source/],
    [{ loopback: false }, /options\.loopback/],
    [{ socket: { bindToDevice: 'eth7' } as object }, /bindToDevice/],
  ])('and refuses %j', (options, message) => {
    const made = addon()
    failure(() => open({ ttl: 0, ...options }, made), 'ERR_INVALID_ARG_VALUE', message)
    expect(made.open).toBe(0)
  })

  test.each(['lo', 1, '127.0.0.1', 0])('and takes the interface %j', (given) => {
    expect(open({ ttl: 0, interface: given }).interface.slice(4)).toEqual([1, 0, 0, 0])
  })
})

describe('a sender with a monitor follows its interface', () => {
  test('by name: a new index, a new address; what is not there for a while changes nothing', () => {
    const made = addon()
    const monitor = new FakeInterfaces()
    const { sender } = open({ interface: 'eth7', monitor }, made)
    const told = (): number[] => describeSender(sender, made).interface
    made.interfaceEntries = [interfaceEntry('lo', 1, '127.0.0.1')]
    monitor.tell()
    expect([told(), sender.interfaceIndex]).toEqual([[192, 0, 2, 7, 7, 0, 0, 0], 7])
    made.interfaceEntries = [interfaceEntry('eth7', 9, '192.0.2.77')]
    monitor.tell()
    expect([told(), sender.interfaceIndex]).toEqual([[192, 0, 2, 77, 9, 0, 0, 0], 9])
  })

  test('over IPv6 with TTL 0: it joins again where the kernel chooses now, and until then looks at each change', () => {
    const made = addon()
    const eth8 = ethernet(8, 'eth8')
    const monitor = new FakeInterfaces()
    const entries = (made.interfaceEntries as NativeInterfaceEntry[]).filter(({ name }) => name !== 'eth7').reverse()
    made.interfaceEntries = entries
    const { sender, socket } = open({ group: GROUP6, ttl: 0, monitor }, made)
    const calls = (): string[] =>
      socket.optionCalls
        .splice(0)
        .map(({ name, value }) => `${name === k.MCAST_JOIN_GROUP ? 'join' : name === k.MCAST_LEAVE_GROUP ? 'leave' : 'set'} ${new DataView(value.buffer).getUint32(0, true)}`) // prettier-ignore
    calls()
    expect(sender.interfaceIndex).toBe(8)
    monitor.tell({ type: 'interfaceChanged', before: eth8, after: eth8 })
    expect(calls()).toEqual([])
    made.interfaceEntries = entries.filter(({ name }) => name === 'lo')
    monitor.tell({ type: 'interfaceRemoved', before: eth8, after: undefined })
    expect(calls()).toEqual(['leave 8', 'join 0', 'leave 1'])
    made.interfaceEntries = entries
    monitor.tell({ type: 'interfaceAdded', before: undefined, after: eth8 })
    expect(calls()).toEqual(['join 0', 'leave 8', 'join 8', 'set 8'])
    expect(sender.interfaceIndex).toBe(8)
  })

  test('until it is closed', async () => {
    const monitor = new FakeInterfaces()
    const { sender } = open({ interface: 'eth7', monitor })
    await sender[Symbol.asyncDispose]()
    expect(monitor.listenerCount('change')).toBe(0)
  })
})

describe('misuse is refused before anything is opened', () => {
  test.each<[object, string, RegExp]>([
    [{ group: undefined }, 'ERR_INVALID_ARG_TYPE', /options\.group/],
    [{ group: { address: '192.0.2.1', port: 9 } }, 'ERR_INVALID_ARG_VALUE', /options\.group.*multicast/],
    [{ group: { address: '239.1.1.1', port: 0 } }, 'ERR_OUT_OF_RANGE', /options\.group\.port/],
    [{ ttl: 256 }, 'ERR_OUT_OF_RANGE', /options\.ttl/],
    [{ ttl: '1' }, 'ERR_INVALID_ARG_TYPE', /options\.ttl/],
    [{ loopback: 1 }, 'ERR_INVALID_ARG_TYPE', /options\.loopback/],
    [{ interface: true }, 'ERR_INVALID_ARG_TYPE', /options\.interface/],
    [{ interface: 'eth9' }, 'ENODEV', /eth9/],
    [{ source: 'fe80::8' }, 'ERR_INVALID_ARG_VALUE', /options\.source.*family/],
    [{ source: '239.1.1.1' }, 'ERR_INVALID_ARG_VALUE', /options\.source/],
    [{ interface: 'eth8', source: '198.51.100.7' }, 'EADDRNOTAVAIL', /198\.51\.100\.7%8/],
    [{ socket: { multicastTtl: 3 } }, 'ERR_INVALID_ARG_VALUE', /multicastTtl/],
    [{ monitor: {} }, 'ERR_INVALID_ARG_TYPE', /options\.monitor/],
    [{ hops: 3 }, 'ERR_INVALID_ARG_VALUE', /options\.hops/],
  ])('%j', (options, code, message) => {
    const made = addon()
    failure(() => open(options, made), code, message)
    expect(made.open).toBe(0)
  })

  test.each<[object, string, RegExp]>([
    [{ group: '192.0.2.1' }, 'ERR_INVALID_ARG_VALUE', /options\.group/],
    [{ group: 'ff15::1' }, 'ERR_INVALID_ARG_VALUE', /family/],
    [{ type: 'udp' }, 'ERR_INVALID_ARG_VALUE', /options\.type/],
    [{ port: -1 }, 'ERR_OUT_OF_RANGE', /options\.port/],
    [{ socket: { reuseAddress: false } }, 'ERR_INVALID_ARG_VALUE', /reuseAddress/],
    [{ socket: { reusePorts: true } }, 'ERR_INVALID_ARG_VALUE', /reusePorts/],
  ])('by a receiver: %j', (options, code, message) => {
    const made = addon()
    failure(() => openMulticastReceiver(options, made), code, message)
    expect(made.open).toBe(0)
  })
})
