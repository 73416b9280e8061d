import { describe, expect, test } from 'vitest'
import { ERRNO } from '../../../src/binding/index.js'
import { InterfaceMonitor, type InterfaceChange, type InterfaceMonitorOptions } from '../../../src/net/index.js'
import { MAX_WAITING_BURSTS, type ChangeQueue } from '../../../src/net/change-queue.js'
import { readInterfaces } from '../../../src/net/interfaces.js'
import { MAX_ATTEMPTS } from '../../../src/net/interface-feed.js'
import * as n from '../../../src/net/netlink-constants.js'
import { interfaceEntry } from '../../support/fake-addon.js'
import { failure } from '../support/errors.js'
import { settled, uncaughtDuring } from '../support/turns.js'
import { FakeRouteKernel } from './support/fake-route-kernel.js'
import { ManualClock } from './support/manual-clock.js'
import { UP, addressMessage, linkMessage, routeMessage } from './support/netlink-messages.js'

interface Opened {
  kernel: FakeRouteKernel
  clock: ManualClock
  monitor: InterfaceMonitor
  told: string[]
  bursts: (readonly InterfaceChange[])[]
}

/** A host with lo and eth0 (10.0.0.1), and a monitor of it. */
function open(options: InterfaceMonitorOptions = {}, prepare: (kernel: FakeRouteKernel) => void = () => {}): Opened {
  const kernel = new FakeRouteKernel()
  kernel.links.set(1, { index: 1, name: 'lo', flags: n.IFF_UP | n.IFF_LOOPBACK | n.IFF_RUNNING })
  kernel.links.set(2, { index: 2, name: 'eth0' })
  kernel.addresses = [
    { index: 1, address: '127.0.0.1', prefixLength: 8 },
    { index: 2, address: '10.0.0.1' },
  ]
  prepare(kernel)
  const clock = new ManualClock()
  const monitor = new InterfaceMonitor({ clock, ...options }, kernel.addon)
  const told: string[] = []
  const bursts: (readonly InterfaceChange[])[] = []
  monitor.on('change', (changes) => {
    bursts.push(changes)
    told.push(...changes.map(describeChange))
  })
  return { kernel, clock, monitor, told, bursts }
}

function describeChange(change: InterfaceChange): string {
  const address = 'addressAfter' in change ? ` ${(change.addressAfter ?? change.addressBefore)!.address}` : ''
  return `${change.type} ${(change.after ?? change.before)?.name ?? 'none'}${address}`
}

const at = (address: string): { address: string; port: number } => ({ address, port: 9 })

describe('a monitor', () => {
  test('has everything as soon as it is made, and tells nothing of it', async () => {
    const { monitor, told, kernel } = open()
    expect(monitor.source).toBe('netlink')
    expect(monitor.interfaces().map(({ name }) => name)).toEqual(['lo', 'eth0'])
    expect(monitor.interfaces()).toBe(monitor.interfaces())
    expect(monitor.interface('eth0')).toBe(monitor.interface(2))
    expect(monitor.interface('eth9')).toBeUndefined()
    await settled()
    expect(told).toEqual([])
    monitor.close()
    expect(kernel.addon.open).toBe(0)
  })

  test('puts a burst off until it has settled, counted from its first change, and tells it in order', () => {
    const { kernel, clock, monitor, told } = open({ settleMs: 50 })
    kernel.setLink({ index: 2, name: 'eth0', mtuBytes: 1400 })
    kernel.turn()
    clock.pass(49)
    kernel.setLink({ index: 3, name: 'eth1' })
    kernel.setAddress({ index: 3, address: '10.1.0.1' })
    kernel.setLink({ index: 1, name: 'lo', flags: n.IFF_LOOPBACK })
    kernel.turn()
    expect(told).toEqual([])
    expect(monitor.interface('eth1')).toBeDefined()
    clock.pass(1)
    expect(told).toEqual([
      'mtuChanged eth0', 'interfaceAdded eth1', 'addressAdded eth1 10.1.0.1', 'interfaceDown lo', 'interfaceChanged lo',
    ]) // prettier-ignore
    expect(monitor.stats()).toMatchObject({ bursts: 1, changes: 5, malformed: 0 })
  })

  test('tells the beginning and the end of a burst, not what was in between', () => {
    const { kernel, clock, told, bursts } = open()
    for (const mtuBytes of [1400, 1300, 1200]) kernel.setLink({ index: 2, name: 'eth0', mtuBytes })
    kernel.setLink({ index: 3, name: 'eth1' })
    kernel.removeLink(3)
    kernel.removeAddress({ index: 2, address: '10.0.0.1' })
    kernel.setAddress({ index: 2, address: '10.0.0.1' })
    kernel.turn()
    clock.pass(50)
    expect(told).toEqual(['mtuChanged eth0'])
    expect(bursts[0]![0]).toMatchObject({ before: { mtuBytes: 1500 }, after: { mtuBytes: 1200 } })
  })

  test('tells at once with a settle time of 0, and by the name of each change too', () => {
    const { kernel, monitor, told } = open({ settleMs: 0 })
    const named: unknown[] = []
    monitor.on('interfaceRenamed', ({ before, after }) => named.push([before!.name, after!.name]))
    monitor.on('addressRemoved', ({ addressBefore, after }) => named.push([addressBefore!.address, after!.addresses.length]))
    kernel.setLink({ index: 2, name: 'wan' })
    kernel.removeAddress({ index: 2, address: '10.0.0.1' })
    kernel.turn()
    expect(named).toEqual([['10.0.0.1', 0], ['eth0', 'wan']]) // prettier-ignore
    expect(told).toEqual(['addressRemoved wan 10.0.0.1', 'interfaceRenamed wan'])
  })

  test('an interface made again under the same index and name is another one', () => {
    const { kernel, clock, told } = open()
    kernel.removeLink(2)
    kernel.setLink({ index: 2, name: 'eth0' })
    kernel.turn()
    clock.pass(50)
    expect(told).toEqual(['addressRemoved eth0 10.0.0.1', 'interfaceRemoved eth0', 'interfaceAdded eth0'])
  })

  test('an address that changes its state says how it was and how it is', () => {
    const { kernel, monitor, bursts } = open({ settleMs: 0 })
    const address = { index: 2, address: 'fe80::1', scope: 253, flags: n.IFA_F_TENTATIVE }
    kernel.setAddress(address)
    kernel.turn()
    expect(monitor.isLocalEndpoint(at('fe80::1'))).toBe(false)
    kernel.setAddress({ ...address, flags: n.IFA_F_PERMANENT })
    kernel.turn()
    expect(bursts[1]).toMatchObject([
      { type: 'addressChanged', addressBefore: { tentative: true, scope: 'link' }, addressAfter: { tentative: false } },
    ])
    expect(monitor.isLocalEndpoint(at('fe80::1'))).toBe(true)
  })

  test('knows its own addresses without delay', () => {
    const { kernel, monitor } = open({ settleMs: 60_000 })
    const ours = (address: string): boolean => monitor.isLocalEndpoint(at(address))
    for (const address of ['10.0.0.1', '::ffff:10.0.0.1', '127.0.0.1', '127.255.0.9', '0.0.0.0', '::'])
      expect(ours(address), address).toBe(true)
    for (const address of ['10.0.0.2', '10.0.0.255', '224.0.0.1', '128.0.0.1', 'fe80::1', '::1'])
      expect(ours(address), address).toBe(false)
    for (const index of [2, 1]) kernel.setAddress({ index, address: 'fe80::1' })
    kernel.removeAddress({ index: 2, address: '10.0.0.1' })
    kernel.removeAddress({ index: 1, address: '127.0.0.1', prefixLength: 8 })
    kernel.turn()
    for (const address of ['10.0.0.1', '127.0.0.1']) expect(ours(address), address).toBe(false)
    expect(['fe80::1', 'fe80::1%1', 'fe80::1%2', 'fe80::1%3'].map(ours)).toEqual([true, true, true, false])
  })

  test('a listener that throws costs nobody else the event', async () => {
    const { kernel, monitor, told } = open({ settleMs: 0 })
    monitor.prependListener('change', () => {
      throw new Error('listener')
    })
    monitor.on('mtuChanged', () => told.push('by name'))
    const uncaught = await uncaughtDuring(() => {
      kernel.setLink({ index: 2, name: 'eth0', mtuBytes: 1400 })
      kernel.turn()
    })
    expect(uncaught).toHaveLength(1)
    expect(told).toEqual(['by name'])
  })

  test('may be closed by its listener', () => {
    const { kernel, monitor, told } = open({ settleMs: 0 })
    monitor.prependOnceListener('change', () => monitor.close())
    monitor.on('mtuChanged', () => told.push('by name'))
    kernel.setLink({ index: 2, name: 'eth0', mtuBytes: 1400 })
    kernel.turn()
    expect(told).toEqual(['mtuChanged eth0'])
    failure(() => monitor.interfaces(), 'ERR_CLOSED')
    failure(() => monitor.isLocalEndpoint(at('10.0.0.1')), 'ERR_CLOSED')
    monitor.close()
    expect(monitor.stats().bursts).toBe(1)
  })

  test('closes by its signal, tells so, and holds nothing then', async () => {
    const controller = new AbortController()
    const { kernel, clock, monitor, told } = open({ signal: controller.signal })
    kernel.setLink({ index: 2, name: 'eth0', mtuBytes: 1400 })
    kernel.turn()
    let closed = 0
    monitor.on('close', () => closed++)
    controller.abort()
    await monitor[Symbol.asyncDispose]()
    expect({ closed, isClosed: monitor.closed, timers: clock.held, sockets: kernel.addon.open }).toEqual({
      closed: 1, isClosed: true, timers: 0, sockets: 0,
    }) // prettier-ignore
    expect(told).toEqual([])
  })

  test('does not keep the process alive when it is unref-ed', () => {
    const { kernel, clock, monitor } = open()
    monitor.unref()
    kernel.setLink({ index: 2, name: 'eth0', mtuBytes: 1400 })
    kernel.turn()
    expect({ socket: kernel.socket.isRef, timers: clock.held }).toEqual({ socket: false, timers: 0 })
    monitor.ref()
    expect(kernel.socket.isRef).toBe(true)
  })

  test.each([
    [{ settleMs: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ settleMs: '5' }, 'ERR_INVALID_ARG_TYPE'],
    [{ pollMs: 9 }, 'ERR_OUT_OF_RANGE'],
    [{ defaultRoutes: 1 }, 'ERR_INVALID_ARG_TYPE'],
    [{ clock: {} }, 'ERR_INVALID_ARG_TYPE'],
    [{ signal: {} }, 'ERR_INVALID_ARG_TYPE'],
    [{ settle: 5 }, 'ERR_INVALID_ARG_VALUE'],
  ])('refuses %j and opens nothing', (options, code) => {
    const kernel = new FakeRouteKernel()
    failure(() => new InterfaceMonitor(options as InterfaceMonitorOptions, kernel.addon), code)
    expect(kernel.addon.sockets).toHaveLength(0)
  })
})

describe('dumps and events at the same time', () => {
  test('what an event told while the kernel read is not undone by the older answer', () => {
    const { monitor } = open({}, (kernel) => {
      kernel.afterRead = (type) => {
        kernel.afterRead = type === n.RTM_GETADDR ? undefined : kernel.afterRead
        if (type === n.RTM_GETADDR) kernel.removeAddress({ index: 2, address: '10.0.0.1' })
        if (type === n.RTM_GETLINK) kernel.setLink({ index: 2, name: 'eth0', mtuBytes: 1280 })
      }
    })
    expect(monitor.interface('eth0')).toMatchObject({ mtuBytes: 1280, addresses: [] })
    expect(monitor.isLocalEndpoint(at('10.0.0.1'))).toBe(false)
  })

  test('an interrupted dump is asked for again', () => {
    const { monitor } = open({}, (kernel) => (kernel.interruptions = 3))
    expect(monitor.stats()).toMatchObject({ interruptedDumps: 3, dumps: 2 + 3 + 2 })
    expect(monitor.interfaces()).toHaveLength(2)
  })

  test('one that is interrupted again and again is taken as it is, and asked for again later', () => {
    const { kernel, clock, monitor, told } = open({ defaultRoutes: false }, (k) => (k.interruptions = MAX_ATTEMPTS + 1))
    expect(monitor.interfaces()).toHaveLength(2)
    kernel.links.delete(2)
    clock.pass(1000)
    clock.pass(50)
    expect(told).toEqual(['addressRemoved eth0 10.0.0.1', 'interfaceRemoved eth0'])
    expect(clock.held).toBe(0)
  })

  test('what was lost is found out by a dump, at once in the table and settled in the events', () => {
    const { kernel, clock, monitor, told } = open()
    kernel.setLink({ index: 3, name: 'eth1' })
    kernel.removeAddress({ index: 2, address: '10.0.0.1' })
    kernel.overrun()
    expect(monitor.isLocalEndpoint(at('10.0.0.1'))).toBe(false)
    expect(told).toEqual([])
    clock.pass(50)
    expect(told).toEqual(['interfaceAdded eth1', 'addressRemoved eth0 10.0.0.1'])
    expect(monitor.stats()).toMatchObject({ overruns: 1 })
  })

  test('a dump that fails is tried again', () => {
    const { kernel, clock, monitor, told } = open()
    kernel.links.set(3, { index: 3, name: 'eth1' })
    kernel.errnos.set(n.RTM_GETLINK, ERRNO.ENOMEM)
    kernel.overrun()
    clock.pass(999)
    expect(monitor.stats().failures).toBe(1)
    kernel.errnos.clear()
    clock.pass(51)
    expect(told).toEqual(['interfaceAdded eth1'])
  })

  test('what is not from the kernel is not read, and what cannot be read is counted', () => {
    const { kernel, monitor, told } = open({ settleMs: 0 })
    kernel.tell(linkMessage({ index: 9, name: 'evil' }), 4711)
    kernel.tell(Buffer.alloc(16))
    kernel.tell(addressMessage({ index: 77, address: '10.0.0.1' }))
    kernel.turn()
    expect(told).toEqual([])
    expect(monitor.stats()).toMatchObject({ foreign: 1, malformed: 1, orphans: 1 })
  })
})

describe('default routes', () => {
  test('are those of the kernel, best first, with the interface that they lead by', () => {
    const { kernel, clock, monitor, bursts } = open({}, (k) => {
      k.routes = [
        { index: 2, family: 4, gateway: '10.0.0.8', metric: 9 },
        { index: 2, family: 4, gateway: '10.0.0.9', metric: 5 },
      ]
    })
    expect(monitor.defaultRoutes().map(({ gateway }) => gateway)).toEqual(['10.0.0.9', '10.0.0.8'])
    kernel.routes = [{ index: 2, family: 6, gateway: 'fe80::9' }]
    kernel.tell(routeMessage(kernel.routes[0]!))
    kernel.tell(routeMessage({ index: 2, family: 4 }, n.RTM_DELROUTE))
    kernel.turn()
    clock.pass(50)
    expect(bursts[0]).toMatchObject([
      { type: 'defaultRouteChanged', family: 'IPv4', before: { name: 'eth0' }, after: undefined },
      { type: 'defaultRouteChanged', family: 'IPv6', before: undefined, after: { name: 'eth0' } },
    ])
    expect(monitor.defaultRoutes('IPv4')).toEqual([])
  })

  test('are asked for when a link goes down, because the kernel drops them in silence', () => {
    const { kernel, told } = open({ settleMs: 0 }, (k) => (k.routes = [{ index: 2, family: 4, gateway: '10.0.0.9' }]))
    kernel.routes = []
    kernel.setLink({ index: 2, name: 'eth0', flags: UP & ~n.IFF_UP })
    kernel.turn()
    expect(told).toEqual(['interfaceDown eth0', 'defaultRouteChanged eth0'])
  })

  test('are left alone where nobody wants them', () => {
    const { kernel, monitor } = open({ defaultRoutes: false }, (k) => (k.routes = [{ index: 2, family: 4 }]))
    expect(monitor.defaultRoutes()).toEqual([])
    expect(kernel.dumps).toBe(2)
  })
})

describe('where netlink is refused', () => {
  test.each(['EAFNOSUPPORT', 'EPROTONOSUPPORT', 'EPERM'] as const)('%s: it looks from time to time, and says so', (code) => {
    const kernel = new FakeRouteKernel()
    kernel.addon.openErrno = ERRNO[code]
    kernel.addon.interfaceEntries = [interfaceEntry('eth0', 2, '10.0.0.1')]
    const clock = new ManualClock()
    const monitor = new InterfaceMonitor({ clock, pollMs: 100 }, kernel.addon)
    const told: string[] = []
    monitor.on('change', (changes) => told.push(...changes.map(describeChange)))
    expect(monitor.source).toBe('polling')
    expect(monitor.interface('eth0')!.addresses).toMatchObject([{ address: '10.0.0.1', prefixLength: 32 }])
    kernel.addon.interfaceEntries = [interfaceEntry('eth0', 2, '10.0.0.2'), interfaceEntry('eth0:1', 2, 'fe80::1%2')]
    clock.pass(100)
    expect(told).toEqual(['addressRemoved eth0 10.0.0.1', 'addressAdded eth0 10.0.0.2', 'addressAdded eth0 fe80::1'])
    kernel.addon.interfaceEntries = -ERRNO.ENOMEM
    clock.pass(100)
    kernel.addon.interfaceEntries = []
    clock.pass(100)
    expect(told.slice(3)).toEqual(['addressRemoved eth0 10.0.0.2', 'addressRemoved eth0 fe80::1', 'interfaceRemoved eth0'])
    expect(monitor.stats()).toMatchObject({ polls: 4, failures: 1 })
    monitor.unref()
    expect(clock.held).toBe(0)
    monitor.ref()
    expect(clock.held).toBe(1)
    monitor.close()
    expect(clock.held).toBe(0)
  })

  test('a socket whose groups or dumps are refused is closed', () => {
    const kernel = new FakeRouteKernel()
    kernel.errnos.set(n.RTM_GETLINK, ERRNO.EOPNOTSUPP)
    const monitor = new InterfaceMonitor({ clock: new ManualClock() }, kernel.addon)
    expect({ source: monitor.source, open: kernel.addon.open }).toEqual({ source: 'polling', open: 0 })
    expect(readInterfaces(kernel.addon).map(({ name }) => name)).toEqual(monitor.interfaces().map(({ name }) => name))
    monitor.close()
  })

  test('any other error is thrown, and nothing stays open', () => {
    const kernel = new FakeRouteKernel()
    kernel.addon.onSocket = ((script) => (socket) => {
      script(socket)
      socket.pollErrno = ERRNO.ENOMEM
    })(kernel.addon.onSocket!)
    const clock = new ManualClock()
    failure(() => new InterfaceMonitor({ clock }, kernel.addon), 'ENOMEM')
    expect({ open: kernel.addon.open, timers: clock.held }).toEqual({ open: 0, timers: 0 })
    kernel.addon.openErrno = 24
    failure(() => new InterfaceMonitor({ clock: new ManualClock() }, kernel.addon), 'EMFILE')
    failure(() => readInterfaces(kernel.addon), 'EMFILE')
  })
})

describe('iteration', () => {
  test('gives burst after burst, and ends with the monitor', async () => {
    const { kernel, monitor } = open({ settleMs: 0 })
    const iterator = monitor[Symbol.asyncIterator]() as ChangeQueue
    const first = iterator.next()
    for (const mtuBytes of [1400, 1300]) {
      kernel.setLink({ index: 2, name: 'eth0', mtuBytes })
      kernel.turn()
    }
    expect((await first).value![0]!.after!.mtuBytes).toBe(1400)
    monitor.close()
    expect((await iterator.next()).value![0]!.after!.mtuBytes).toBe(1300)
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
  })

  test('whoever is slow gets one difference instead of many, and misses nothing of how things are', async () => {
    const { kernel, monitor } = open({ settleMs: 0 })
    const iterator = monitor[Symbol.asyncIterator]() as ChangeQueue
    const left = monitor[Symbol.asyncIterator]() as ChangeQueue
    await left.return()
    for (let i = 0; i <= MAX_WAITING_BURSTS; i++) {
      kernel.setLink({ index: 2, name: 'eth0', mtuBytes: 1300 + i })
      if (i === 7) kernel.setLink({ index: 3, name: 'eth1' })
      kernel.turn()
    }
    const { value } = await iterator.next()
    expect(value!.map(describeChange)).toEqual(['mtuChanged eth0', 'interfaceAdded eth1'])
    expect(value![0]).toMatchObject({ before: { mtuBytes: 1500 }, after: { mtuBytes: 1300 + MAX_WAITING_BURSTS } })
    expect(monitor.stats().collapses).toBe(1)
    monitor.close()
  })
})
