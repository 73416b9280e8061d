import { describe, expect, test } from 'vitest'
import { ERRNO } from '../../../src/binding/index.js'
import { Endpoint } from '../../../src/core/index.js'
import type { GroupBatch, JoinOptions } from '../../../src/net/index.js'
import * as k from '../../../src/socket/kernel-constants.js'
import { failure } from '../support/errors.js'
import { uncaughtDuring } from '../support/turns.js'
import { FakeInterfaces, LO, ethernet, openMembership, type FakeMembership } from './membership-fakes.js'

const G = '239.1.1.1'
const G6 = 'ff15::1'
const PEER = Endpoint.of('192.0.2.99', 7)

function joinedOn({ membership }: FakeMembership, group = G): string[] {
  return (membership.current().get(group) ?? []).map(({ name }) => name)
}

describe('where a group is joined', () => {
  const interfaces = [
    LO,
    ethernet(2, 'eth0', '192.0.2.2', 'fe80::2'),
    ethernet(3, 'eth1', '198.51.100.3'),
    ethernet(4, 'eth2', 'fe80::4'),
    ethernet(5, 'bare0'),
  ]
  test.each<[string, JoinOptions, string[]]>([
    [G, {}, ['lo', 'eth0', 'eth1']],
    [G, { loopback: false }, ['eth0', 'eth1']],
    [G6, {}, ['eth0', 'eth2']],
    [G, { except: ['eth0'] }, ['lo', 'eth1']],
    [G, { except: ['lo', 3] }, ['eth0']],
    [G, { interfaces: ['eth1'] }, ['lo', 'eth1']],
    [G, { interfaces: ['bare0'], loopback: false }, ['bare0']],
    [G, { interfaces: [2, '198.51.100.3'], loopback: false }, ['eth0', 'eth1']],
    [G, { interfaces: ['fe80::4'], loopback: false }, ['eth2']],
    [G, { interfaces: ['fe80::4%eth0'], loopback: false }, []],
    [G, { interfaces: ['fe80::4%4'], loopback: false }, ['eth2']],
    [G, { interfaces: [({ name }) => name.startsWith('eth')], except: [({ index }) => index === 3], loopback: false }, ['eth0', 'eth2']], // prettier-ignore
    [G, { interfaces: [], loopback: false }, []],
    [G, { interfaces: ['lo'], loopback: false }, ['lo']],
    ['ff02::1%4', {}, ['eth2']],
  ])('%s with %j', (group, options, expected) => {
    const fake = openMembership(new FakeInterfaces(...interfaces))
    fake.membership.join(group, options)
    expect(joinedOn(fake, group.replace(/%.*/, ''))).toEqual(expected)
  })

  test('a selector that throws is an uncaught exception, and no', async () => {
    const fake = openMembership()
    const uncaught = await uncaughtDuring(
      () =>
      fake.membership.join(G, { interfaces: [() => { throw new Error('mine') }], loopback: false }), // prettier-ignore
    )
    expect(uncaught).toHaveLength(2)
    expect(joinedOn(fake)).toEqual([])
  })
})

describe('as interfaces change', () => {
  test('it joins what appears, leaves what goes, and joins again what was made again', async () => {
    const fake = openMembership(new FakeInterfaces(LO))
    fake.membership.join(G)
    fake.source.add(ethernet(2, 'eth0', '192.0.2.2'))
    expect(joinedOn(fake)).toEqual(['lo', 'eth0'])
    fake.source.remove(2)
    expect(joinedOn(fake)).toEqual(['lo'])
    fake.source.add(ethernet(9, 'eth0', '192.0.2.2'))
    expect(await fake.audits()).toEqual([
      `joined ${G} on lo: asked for`,
      `joined ${G} on eth0: interface added`,
      `left ${G} on eth0: interface removed`,
      `renewed ${G} on eth0: interface added`,
    ])
    // The dead entry was given back: it would have counted.
    expect(fake.kernel.held()).toEqual([[`${G} on 1`, `${G} on 9`]])
  })

  test('one that is made again with its old index within a burst is joined anew', async () => {
    const fake = openMembership()
    fake.membership.join(G, { loopback: false })
    await fake.audits()
    fake.source.remake(2, ethernet(2, 'eth0', '192.0.2.2'))
    expect(await fake.audits()).toEqual([`left ${G} on eth0: interface removed`, `renewed ${G} on eth0: interface added`])
    expect(fake.kernel.held()).toEqual([[`${G} on 2`]])
  })

  test('sources on an interface that is gone are given back, too', () => {
    const fake = openMembership()
    fake.membership.join(G, { sources: ['192.0.2.9'], loopback: false })
    fake.source.remove(2)
    expect(fake.kernel.held()).toEqual([[]])
  })

  test('it follows names and addresses', () => {
    const fake = openMembership()
    fake.membership.join(G, { interfaces: ['eth0'], loopback: false })
    fake.membership.join('239.1.1.2', { interfaces: ['192.0.2.77'], loopback: false })
    fake.source.become(ethernet(2, 'lan', '192.0.2.77'), 'interfaceRenamed')
    expect([joinedOn(fake), joinedOn(fake, '239.1.1.2')]).toEqual([[], ['lan']])
    fake.source.become(ethernet(2, 'eth0', '192.0.2.2'), 'interfaceRenamed')
    expect([joinedOn(fake), joinedOn(fake, '239.1.1.2')]).toEqual([['eth0'], []])
  })

  test('a rename that changes no wish changes nothing but the name', async () => {
    const fake = openMembership()
    fake.membership.join(G, { loopback: false })
    await fake.audits()
    fake.source.become(ethernet(2, 'lan', '192.0.2.2'), 'interfaceRenamed')
    expect(joinedOn(fake)).toEqual(['lan'])
    expect(await fake.audits()).toEqual([])
  })

  test("the kernel's choice is asked for again after each change", async () => {
    const fake = openMembership(new FakeInterfaces(LO, ethernet(2, 'eth0'), ethernet(3, 'eth1')))
    fake.membership.join(G, { interfaces: 'kernel', loopback: false })
    expect((await fake.audits())[0]).toBe(`failed ${G}: the routing table has no interface for it`)
    fake.kernel.chosen = 2
    fake.source.become(ethernet(3, 'eth1'))
    expect(joinedOn(fake)).toEqual(['eth0'])
    fake.kernel.chosen = 3
    fake.source.become(ethernet(3, 'eth1'))
    expect(joinedOn(fake)).toEqual(['eth1'])
    expect(await fake.audits()).toEqual([
      `joined ${G} on eth0: the routing table chooses another interface`,
      // The new one first: no datagram is missed that comes by both.
      `joined ${G} on eth1: the routing table chooses another interface`,
      `left ${G} on eth0: the routing table chooses another interface`,
    ])
    expect(fake.kernel.held().flat()).toEqual([`${G} on 3`])
    expect(fake.clock.timers).toEqual([])
  })

  test('a source that is closed tells nothing any more, and nothing breaks', () => {
    const fake = openMembership()
    fake.kernel.denied.set(1, ERRNO.EPERM)
    fake.membership.join(G)
    fake.source.closed = true
    expect(joinedOn(fake)).toEqual(['eth0'])
    fake.clock.advance(1000)
    expect(joinedOn(fake)).toEqual(['eth0'])
    failure(() => fake.membership.join('239.1.1.2'), 'ERR_CLOSED')
    expect(fake.membership.stats().groups).toBe(1)
  })

  test('a source that is closed is no reason to fail where the kernel chooses', async () => {
    const fake = openMembership(new FakeInterfaces(LO, ethernet(2, 'eth0')))
    fake.membership.join(G, { interfaces: 'kernel', loopback: false })
    await fake.audits()
    fake.source.closed = true
    fake.clock.advance(1000)
    expect(await fake.audits()).toEqual([`failed ${G}: the routing table has no interface for it`])
  })

  test('a selector may close the membership, and nothing is opened after that', () => {
    const fake = openMembership()
    fake.membership.join(G, {
      interfaces: [
        () => {
          fake.membership.close()
          return true
        },
      ],
    })
    expect([fake.kernel.addon.open, fake.membership.stats().sockets]).toEqual([0, 0])
  })

  test('a selector that is asked again may leave another group that fails, and that is over', async () => {
    const fake = openMembership()
    const other = '239.1.1.2'
    let isOver = false
    const leaveOther = (): boolean => {
      if (isOver && fake.membership.current().has(other)) fake.membership.leave(other)
      return true
    }
    fake.kernel.denied.set(2, ERRNO.EPERM)
    fake.membership.join(G, { loopback: false, interfaces: [leaveOther] })
    fake.membership.join(other, { loopback: false, interfaces: 'kernel' })
    await fake.audits()
    isOver = true
    fake.clock.advance(1000)
    expect((await fake.audits()).filter((audit) => audit.includes(other))).toEqual([])
  })

  test('a selector may leave its own group, and nothing of it is joined after that', () => {
    const fake = openMembership()
    let isOver = false
    fake.membership.join('239.1.1.2', { loopback: false })
    fake.membership.join(G, {
      loopback: false,
      interfaces: [
        () => {
          if (isOver) fake.membership.leave(G)
          return isOver
        },
      ],
    })
    isOver = true
    fake.source.become(ethernet(2, 'eth0', '192.0.2.3'))
    expect([...fake.membership.current().keys()]).toEqual(['239.1.1.2'])
    expect(fake.kernel.held()).toEqual([['239.1.1.2 on 2']])
  })
})

describe('beyond the limits', () => {
  test('as many sockets as the kernel demands hold the groups, and room is used again', async () => {
    const fake = openMembership()
    fake.kernel.maxMemberships = 5
    const groups = Array.from({ length: 12 }, (_, i) => `239.1.2.${i}`)
    for (const group of groups) fake.membership.join(group, { loopback: false })
    expect(fake.kernel.held().map((held) => held.length)).toEqual([5, 5, 2])
    expect((await fake.audits()).filter((audit) => audit.startsWith('sharded'))).toEqual([
      "sharded 239.1.2.5: the kernel's limit for one socket is reached",
      "sharded 239.1.2.10: the kernel's limit for one socket is reached",
    ])
    for (const group of groups.slice(0, 4)) fake.membership.leave(group)
    for (const group of groups.slice(0, 4)) fake.membership.join(group, { loopback: false })
    expect(fake.kernel.held().map((held) => held.length)).toEqual([5, 5, 2])
    expect(fake.membership.stats()).toMatchObject({ sockets: 3, groups: 12, memberships: 12, membershipsFailing: 0 })
    for (const group of groups) fake.membership.leave(group)
    expect(fake.membership.stats()).toMatchObject({ sockets: 0, groups: 0, memberships: 0 })
  })

  test('many sources of one group are shared out', () => {
    const fake = openMembership()
    const sources = Array.from({ length: 23 }, (_, i) => `192.0.2.${100 + i}`)
    fake.membership.join(G, { sources, loopback: false })
    expect(fake.kernel.held().map(([entry]) => entry!.split(' from ').length - 1)).toEqual([10, 10, 3])
    fake.membership.leave(G)
    expect(fake.kernel.held()).toEqual([])
  })

  test('IPv6 with sources: a socket holds a group on one interface, or the kernel would mix them up', () => {
    const fake = openMembership(new FakeInterfaces(ethernet(2, 'eth0', 'fe80::2'), ethernet(3, 'eth1', 'fe80::3')))
    fake.membership.join(G6, { sources: ['2001:db8::1'] })
    expect(fake.kernel.held()).toEqual([[`${G6} on 2 from 2001:db8::1`], [`${G6} on 3 from 2001:db8::1`]])
    fake.membership.join('ff15::2')
    expect(fake.kernel.held()[0]).toContain('ff15::2 on 3')
  })

  test('when the rest of the sources find no socket, the first are given back, and all are tried again', async () => {
    const fake = openMembership()
    const { addon } = fake.kernel
    fake.membership.join('239.1.1.9', { loopback: false })
    addon.openErrno = 24
    fake.membership.join(G, { sources: Array.from({ length: 12 }, (_, i) => `192.0.2.${100 + i}`), loopback: false })
    expect(fake.kernel.held()).toEqual([['239.1.1.9 on 2']])
    expect((await fake.audits()).at(-1)).toBe(`failed ${G} on eth0: asked for`)
    addon.openErrno = 0
    fake.clock.advance(1000)
    expect(fake.kernel.held().flat().map((entry) => entry.split(' from ').length - 1)).toEqual([0, 10, 2]) // prettier-ignore
  })

  test('a source that is denied leaves nothing of the others joined', () => {
    const fake = openMembership()
    fake.kernel.deniedSources.set('192.0.2.52', ERRNO.EPERM)
    fake.membership.join(G, { loopback: false, sources: ['192.0.2.51', '192.0.2.52'] })
    expect(fake.kernel.held()).toEqual([[]])
    expect(fake.membership.stats()).toMatchObject({ memberships: 0, membershipsFailing: 1 })
  })

  test('a socket that was opened in vain is closed again, and not told of', async () => {
    const fake = openMembership(new FakeInterfaces(ethernet(2, 'eth0', '192.0.2.2'), ethernet(3, 'eth1', '192.0.2.3')))
    fake.kernel.maxMemberships = 1
    fake.kernel.denied.set(3, ERRNO.EPERM)
    fake.membership.join(G)
    expect(fake.membership.stats()).toMatchObject({ sockets: 1, memberships: 1, membershipsFailing: 1 })
    expect((await fake.audits()).map((audit) => audit.replace(/ .*/, ''))).toEqual(['joined', 'failed'])
  })

  test('a failed socket is replaced, and what it held is renewed', async () => {
    const fake = openMembership()
    fake.membership.on('batch', () => undefined)
    fake.membership.join(G, { loopback: false })
    await fake.audits()
    const first = fake.kernel.addon.socket
    first.pendingErrno = ERRNO.EIO
    first.turn()
    expect(first.isOpen).toBe(false)
    expect(fake.kernel.held()).toEqual([[`${G} on 2`]])
    expect(await fake.audits()).toEqual([`renewed ${G} on eth0: socket failed: recvmmsg EIO`])
    expect(fake.kernel.addon.socket.isReading).toBe(true)
  })

  test('a failed socket that cannot be replaced is no reason to look for copies any more', () => {
    const lans = new FakeInterfaces(ethernet(2, 'eth0', '192.0.2.2'), ethernet(3, 'eth1', '192.0.2.3'))
    const fake = openMembership(lans, { copies: { maxDatagrams: 1 } })
    fake.membership.on('batch', () => undefined)
    fake.membership.join(G)
    const first = fake.kernel.addon.socket
    fake.kernel.denied.set(3, ERRNO.EPERM)
    first.pendingErrno = ERRNO.EIO
    first.turn()
    const arriving = (text: string): object => ({
      payload: text,
      from: PEER,
      to: Endpoint.of(G, 0),
      interfaceIndex: 2,
    })
    const { socket } = fake.kernel.addon
    socket.arrive(arriving('a') as never, arriving('b') as never)
    socket.turn()
    expect(fake.membership.stats()).toMatchObject({ memberships: 1, datagramsDelivered: 2, copiesUnwatched: 0 })
  })
})

describe('what the kernel refuses', () => {
  test.each([
    [ERRNO.EPERM, 'EPERM', /EPERM/],
    [ERRNO.ENOBUFS, 'ENOBUFS', /net\.ipv4\.igmp_max_memberships/],
    [ERRNO.ENOMEM, 'ENOMEM', /net\.core\.optmem_max/],
    [ERRNO.ENODEV, 'ENODEV', /ENODEV/],
  ])('%i is told, with a clear error, and tried again ever more rarely', async (errno, code, message) => {
    const fake = openMembership()
    fake.kernel.denied.set(2, errno)
    fake.membership.join(G, { loopback: false })
    await new Promise((resolve) => setImmediate(resolve))
    const [failed] = fake.told
    expect(failed).toMatchObject({ action: 'failed', group: G, interface: { index: 2, name: 'eth0' }, retryInMs: 1000 })
    expect(failed!.error).toMatchObject({ code })
    expect(failed!.error!.message).toMatch(message)
    expect(fake.membership.stats()).toMatchObject({ membershipsFailing: 1, sockets: 1 })
    const waits: number[] = []
    for (let i = 0; i < 8; i++) {
      waits.push(...fake.clock.timers)
      fake.clock.advance(fake.clock.timers[0]!)
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000])
    fake.told.length = 0
    fake.kernel.denied.clear()
    fake.clock.advance(60_000)
    expect(joinedOn(fake)).toEqual(['eth0'])
    expect((await fake.audits()).at(-1)).toBe(`joined ${G} on eth0: tried again`)
    expect(fake.clock.timers).toEqual([])
  })

  test('a change of the interface is reason to try at once; its end is reason to give up', () => {
    const fake = openMembership()
    fake.kernel.denied.set(2, ERRNO.EPERM)
    fake.membership.join(G, { loopback: false })
    fake.kernel.denied.clear()
    fake.source.become(ethernet(2, 'eth0', '192.0.2.2', '192.0.2.3'))
    expect(joinedOn(fake)).toEqual(['eth0'])
    expect(fake.clock.timers).toEqual([])

    fake.kernel.denied.set(3, ERRNO.EPERM)
    fake.source.add(ethernet(3, 'eth1', '192.0.2.4'))
    expect(fake.clock.timers).toEqual([1000])
    fake.source.remove(3)
    expect(fake.clock.timers).toEqual([])
    expect(fake.membership.stats().membershipsFailing).toBe(0)
  })

  test('is a warning of the process where nobody listens', async () => {
    const fake = openMembership()
    fake.membership.removeAllListeners('audit')
    fake.kernel.denied.set(2, ERRNO.EPERM)
    const warning = new Promise<Error & { code?: string }>((resolve) => process.once('warning', resolve))
    fake.membership.join(G, { loopback: false })
    expect(await warning).toMatchObject({ code: 'GEYSIR_MEMBERSHIP' })
    expect((await warning).message).toMatch(/cannot join 239\.1\.1\.1 on eth0: setsockopt EPERM.*next try in 1000 ms/)
  })

  test('a port that is taken throws at the first join, and nothing stays', () => {
    const fake = openMembership(undefined, { port: 5000 })
    const { addon } = fake.kernel
    const Socket = addon.Socket
    Object.assign(addon, { Socket: class extends Socket { override bindErrno = ERRNO.EADDRINUSE } }) // prettier-ignore
    failure(() => fake.membership.join(G), 'EADDRINUSE')
    expect(addon.open).toBe(0)
    Object.assign(addon, { Socket })
    fake.membership.join(G)
    expect(fake.membership.port).toBe(5000)
  })
})

describe('what arrives', () => {
  const two = (): FakeInterfaces => new FakeInterfaces(LO, ethernet(2, 'eth0', '192.0.2.2', 'fe80::2'), ethernet(3, 'eth1', '192.0.2.3', 'fe80::3')) // prettier-ignore
  const arriving = (text: string, to = G, interfaceIndex = 2): object => ({
    from: to.includes(':') ? Endpoint.of('2001:db8::9', 7) : PEER,
    payload: text,
    to: Endpoint.of(to, 0),
    interfaceIndex,
  })

  /** Texts by event, and the fake. */
  function hearing(fake: FakeMembership): { batches: string[][]; single: string[] } {
    const heard = { batches: [] as string[][], single: [] as string[] }
    fake.membership.on('batch', (batch) => heard.batches.push(Array.from({ length: batch.count }, (_, i) => batch.payload(i).toString()))) // prettier-ignore
    fake.membership.on('datagram', (payload, _, batch, i) => heard.single.push(`${payload.toString()} ${batch.interfaceIndex(i)}`)) // prettier-ignore
    return heard
  }

  test('is handed out in batches and one by one, and counted', () => {
    const fake = openMembership(two())
    fake.membership.join(G)
    const heard = hearing(fake)
    fake.kernel.addon.socket.arrive(arriving('a') as never, arriving('b', G, 3) as never)
    fake.kernel.addon.socket.turn()
    expect(heard).toEqual({ batches: [['a', 'b']], single: ['a 2', 'b 3'] })
    expect(fake.membership.stats()).toMatchObject({ datagramsReceived: 2, datagramsDelivered: 2, bytesDelivered: 2 })
  })

  test('without a group of ours, or (IPv6) by an interface that we have not joined, is dropped and counted', () => {
    const fake = openMembership(two())
    const heard = hearing(fake)
    fake.membership.join(G)
    fake.kernel.addon.socket.arrive(arriving('unicast', '192.0.2.2') as never, arriving('ours') as never, arriving('theirs', '239.9.9.9') as never) // prettier-ignore
    fake.kernel.addon.socket.turn()
    fake.membership.join(G6, { interfaces: ['eth0'] })
    fake.kernel.addon.socket.arrive(arriving('by eth1', G6, 3) as never, arriving('by eth0', G6, 2) as never)
    fake.kernel.addon.socket.turn()
    fake.kernel.addon.socket.arrive(arriving('by eth1 alone', G6, 3) as never)
    fake.kernel.addon.socket.turn()
    expect(heard.batches).toEqual([['ours'], ['by eth0']])
    expect(fake.membership.stats()).toMatchObject({ datagramsReceived: 6, datagramsDelivered: 2, datagramsForeign: 4 })
  })

  test('twice by two interfaces is delivered once, within the window', () => {
    const fake = openMembership(two(), { copies: { windowMs: 100 } })
    fake.membership.join(G)
    const heard = hearing(fake)
    const take = (...messages: object[]): void => {
      fake.kernel.addon.socket.arrive(...(messages as never[]))
      fake.kernel.addon.socket.turn()
    }
    take(arriving('x', G, 2), arriving('x', G, 3), arriving('y', G, 3), arriving('x', G, 2))
    take(arriving('y', G, 2), arriving('x', G, 3))
    fake.clock.advance(100)
    take(arriving('y', G, 2))
    // What goes by loopback was sent there, and nowhere else.
    take(arriving('y', G, 1))
    expect(heard.single).toEqual(['x 2', 'y 3', 'x 2', 'y 2', 'y 1'])
    expect(fake.membership.stats()).toMatchObject({ datagramsReceived: 8, datagramsDelivered: 5, copiesSuppressed: 3 })
  })

  test("is delivered as often as it comes with copies: 'deliver', and where the group has one interface", () => {
    for (const [source, options] of [[two(), { copies: 'deliver' }], [undefined, {}]] as const) {
      const fake = openMembership(source, options)
      fake.membership.join(G)
      const heard = hearing(fake)
      fake.kernel.addon.socket.arrive(arriving('x', G, 2) as never, arriving('x', G, 3) as never)
      fake.kernel.addon.socket.turn()
      expect(heard.single).toEqual(['x 2', 'x 3'])
    }
  }) // prettier-ignore

  test('waits in the kernel until somebody listens, on every socket', () => {
    const fake = openMembership(two())
    fake.kernel.maxMemberships = 3
    fake.membership.join(G)
    fake.membership.join('239.1.1.2')
    const [first, second] = fake.kernel.addon.sockets
    expect([first!.isReading, second!.isReading]).toEqual([false, false])
    const listener = (): void => undefined
    fake.membership.on('batch', listener)
    expect([first!.isReading, second!.isReading]).toEqual([true, true])
    fake.membership.join('239.1.1.3')
    expect(fake.kernel.addon.socket.isReading).toBe(true)
    fake.membership.off('batch', listener)
    expect(fake.kernel.addon.sockets.some((socket) => socket.isReading)).toBe(false)
  })

  test('can be iterated, retained and sifted at once', async () => {
    const fake = openMembership(two())
    fake.membership.join(G)
    const steps = fake.membership[Symbol.asyncIterator]()
    const next = steps.next()
    fake.kernel.addon.socket.arrive(arriving('unicast', '192.0.2.2') as never, arriving('a') as never, arriving('b') as never)
    fake.kernel.addon.socket.turn()
    const { value: batch } = (await next) as { value: GroupBatch }
    expect([batch.count, batch.bytes, batch.payload(0).toString(), batch.copy(1).toString()]).toEqual([2, 2, 'a', 'b'])
    expect([batch.destination(0), batch.interfaceIndex(1), batch.endpoint(0).address, batch.truncated(0), batch.ttl(0), batch.wireLength(0)]).toEqual([G, 2, PEER.address, false, -1, 1]) // prettier-ignore
    failure(() => batch.payload(2), 'ERR_OUT_OF_RANGE')
    const after = steps.next()
    expect(batch.count).toBe(0)
    fake.membership.close()
    expect((await after).done).toBe(true)
  })

  test('a sifted batch can be kept beyond its handler, and only then', () => {
    const fake = openMembership(two())
    fake.membership.join(G)
    const kept: GroupBatch[] = []
    fake.membership.on('batch', (batch) => void kept.push(kept.length === 0 ? batch.retain() : batch))
    for (const text of ['a', 'b']) {
      fake.kernel.addon.socket.arrive(arriving('unicast', '192.0.2.2') as never, arriving(text) as never)
      fake.kernel.addon.socket.turn()
    }
    expect(kept.map(({ count }) => count)).toEqual([1, 0])
    expect(kept[0]!.payload(0).toString()).toBe('a')
    kept[0]!.release()
    expect(kept[0]!.count).toBe(0)
  })

  test('what a listener throws costs nobody else the datagrams; closing counts what is not delivered', async () => {
    const fake = openMembership(two())
    fake.membership.join(G)
    const heard: string[] = []
    fake.membership.on('datagram', (payload) => {
      heard.push(payload.toString())
      if (heard.length === 2) fake.membership.close()
      throw new Error('mine')
    })
    const { socket } = fake.kernel.addon
    socket.arrive(arriving('a') as never, arriving('b') as never, arriving('c') as never)
    expect(await uncaughtDuring(() => void socket.turn())).toHaveLength(2)
    expect(heard).toEqual(['a', 'b'])
    const counted = { datagramsReceived: 3, datagramsDelivered: 2, bytesDelivered: 2, datagramsUndelivered: 1 }
    expect(fake.membership.stats()).toMatchObject(counted)
  })
})

describe('the sockets', () => {
  test('share the port, with IP_MULTICAST_ALL off before they are bound', () => {
    const fake = openMembership()
    fake.kernel.maxMemberships = 1
    fake.membership.join(G)
    fake.membership.join(G6)
    expect(fake.membership.port).toBe(40_000)
    for (const socket of fake.kernel.addon.sockets.filter(({ isOpen }) => isOpen)) {
      expect(socket.optionInt(k.SOL_SOCKET, k.SO_REUSEADDR)).toBe(1)
      const [level, all] = socket.domain === 2 ? [k.IPPROTO_IP, k.IP_MULTICAST_ALL] : [k.IPPROTO_IPV6, k.IPV6_MULTICAST_ALL]
      expect(socket.optionInt(level, all)).toBe(0)
    }
  })

  test('are bound to their group with bindTo', () => {
    const fake = openMembership(undefined, { bindTo: 'group', port: 5000 })
    fake.membership.join(G)
    fake.membership.join('239.1.1.2')
    const out = Buffer.alloc(28)
    const names = fake.kernel.addon.sockets.map((socket) => {
      socket.getName(false, out)
      return out.readUInt32BE(4)
    })
    expect(names).toEqual([0xef010101, 0xef010102])
    failure(() => fake.membership.join('ff02::1'), 'ERR_INVALID_ARG_VALUE', /link-local/)
  })

  test('follow ref and unref', () => {
    const fake = openMembership()
    fake.membership.join(G)
    fake.membership.unref()
    fake.membership.join(G6)
    expect(fake.kernel.addon.sockets.map(({ isRef }) => isRef)).toEqual([false, false])
    fake.membership.ref()
    expect(fake.kernel.addon.sockets.map(({ isRef }) => isRef)).toEqual([true, true])
  })

  test('unref lets go of the next attempt, too', () => {
    const fake = openMembership()
    fake.kernel.denied.set(2, ERRNO.EPERM)
    fake.membership.join(G)
    expect(fake.clock.held).toEqual([1000])
    fake.membership.unref()
    expect(fake.clock.held).toEqual([])
    fake.clock.advance(1000)
    expect([fake.clock.timers, fake.clock.held]).toEqual([[2000], []])
  })

  test('are closed with it, once; a signal closes it', async () => {
    const controller = new AbortController()
    const fake = openMembership(undefined, { signal: controller.signal })
    fake.kernel.denied.set(2, ERRNO.EPERM)
    fake.membership.join(G)
    controller.abort()
    fake.membership.close()
    await fake.membership[Symbol.asyncDispose]()
    expect([fake.kernel.addon.open, fake.clock.timers, fake.source.listenerCount('change')]).toEqual([0, [], 0])
    expect(fake.membership.closed).toBe(true)
    expect(fake.membership.stats()).toMatchObject({ sockets: 0, groups: 0 })
    for (const call of [
      () => fake.membership.join(G),
      () => fake.membership.leave(G),
      () => fake.membership.current(),
      () => fake.membership[Symbol.asyncIterator](),
    ]) {
      // prettier-ignore
      failure(call, 'ERR_CLOSED')
    }
  })
})

describe('misuse is refused', () => {
  test.each<[object, string, RegExp]>([
    [{}, 'ERR_INVALID_ARG_TYPE', /options\.monitor/],
    [{ monitor: {} }, 'ERR_INVALID_ARG_TYPE', /options\.monitor/],
    [{ port: 65_536 }, 'ERR_OUT_OF_RANGE', /options\.port/],
    [{ bindTo: 'all' }, 'ERR_INVALID_ARG_VALUE', /options\.bindTo/],
    [{ signal: { aborted: false } }, 'ERR_INVALID_ARG_TYPE', /options\.signal/],
    [{ copies: 'keep' }, 'ERR_INVALID_ARG_VALUE', /options\.copies/],
    [{ copies: { windowMs: 0 } }, 'ERR_OUT_OF_RANGE', /windowMs/],
    [{ copies: { window: 1 } }, 'ERR_INVALID_ARG_VALUE', /window/],
    [{ socket: { multicastAll: true } }, 'ERR_INVALID_ARG_VALUE', /options\.socket\.multicastAll.*decided by the rules/],
    [{ socket: 5 }, 'ERR_INVALID_ARG_TYPE', /options\.socket/],
    [{ groups: [] }, 'ERR_INVALID_ARG_VALUE', /options\.groups/],
  ])('by the constructor: %j', (options, code, message) => {
    const monitor = 'monitor' in options || Object.keys(options).length === 0 ? {} : { monitor: new FakeInterfaces() }
    const call = (): unknown => openMembership(undefined, { monitor: undefined as never, ...monitor, ...options })
    failure(call, code, message)
  })

  test.each<[unknown, unknown, string, RegExp]>([
    ['192.0.2.1', {}, 'ERR_INVALID_ARG_VALUE', /'group' must be a multicast address/],
    ['::ffff:239.1.1.1', {}, 'ERR_INVALID_ARG_VALUE', /'group'/],
    ['group', {}, 'ERR_INVALID_ARG_VALUE', /literal/],
    [7, {}, 'ERR_INVALID_ARG_TYPE', /"group"/],
    [G, { interfaces: 'eth0' }, 'ERR_INVALID_ARG_TYPE', /options\.interfaces/],
    [G, { interfaces: [0] }, 'ERR_OUT_OF_RANGE', /options\.interfaces\[0\]/],
    [G, { interfaces: [{}] }, 'ERR_INVALID_ARG_TYPE', /options\.interfaces\[0\]/],
    [G, { except: 'eth0' }, 'ERR_INVALID_ARG_TYPE', /options\.except/],
    [G, { loopback: 1 }, 'ERR_INVALID_ARG_TYPE', /options\.loopback/],
    [G, { sources: ['2001:db8::1'] }, 'ERR_INVALID_ARG_VALUE', /options\.sources\[0\].*family/],
    [G, { sources: ['239.1.1.1'] }, 'ERR_INVALID_ARG_VALUE', /options\.sources\[0\]/],
    [G, { sources: '192.0.2.1' }, 'ERR_INVALID_ARG_TYPE', /options\.sources/],
    [G, { source: '192.0.2.1' }, 'ERR_INVALID_ARG_VALUE', /options\.source/],
    ['ff02::1%2', { interfaces: ['eth0'] }, 'ERR_INVALID_ARG_VALUE', /zone/],
  ])('by join: %j %j', (group, options, code, message) => {
    const { membership, kernel } = openMembership()
    failure(() => membership.join(group as string, options as JoinOptions), code, message)
    expect(kernel.addon.sockets).toEqual([])
  })

  test('joining twice, and leaving what is not joined', () => {
    const { membership } = openMembership()
    membership.join('ff15:0::1')
    failure(() => membership.join(G6), 'ERR_INVALID_STATE', /joined already/)
    failure(() => membership.leave(G), 'ERR_INVALID_STATE', /not joined/)
    membership.leave(G6)
    failure(() => membership.leave(G6), 'ERR_INVALID_STATE')
  })
})
