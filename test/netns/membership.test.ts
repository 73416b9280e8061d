import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { JoinOptions, MembershipAudit, MembershipOptions, MembershipStatistics } from '../../src/index.js'
import { bridgeProblem, lacking, namespaceProblem } from '../support/capabilities.js'
import type { Host } from '../support/host.js'
import { TestNetwork } from '../support/network.js'

const GROUP = '239.77.4.1'
const GROUP6 = 'ff15::7704'

// A switch in `a`, which sends, and two ports of it in `b`, which receives. Wires come and go; the switch stays.
describe.skipIf(lacking('network namespaces with bridges', bridgeProblem()))('a membership', () => {
  let network: TestNetwork
  let a: Host
  let b: Host
  let port = 0

  beforeAll(() => {
    network = new TestNetwork()
    network.addNamespace('a')
    network.addNamespace('b')
    network.addSwitch({ namespace: 'a', device: 'br0', addresses: ['10.78.0.1/24', 'fd78::1/64'] })
    addWire(1)
    a = network.host('a')
    b = network.host('b')
  })
  afterEach(() => b.run(({ keep }) => {
    keep.membership?.close()
    keep.monitor?.close()
  })) // prettier-ignore
  afterAll(() => network.remove())

  /** `vb1` in b, with 10.78.0.11 and fd78::11, plugged into the switch. */
  function addWire(i: number, ...more: string[]): void {
    const end = { namespace: 'b', device: `vb${i}`, addresses: [`10.78.0.1${i}/24`, `fd78::1${i}/64`, ...more] }
    network.plug(end, { namespace: 'a', device: 'br0', port: `pa${i}` })
  }

  async function join(
    groups: string[],
    options: Omit<JoinOptions, 'interfaces'> & { interfaces?: string[] | 'all' | 'kernel' } = {},
    membership: Omit<MembershipOptions, 'monitor'> = {},
    host = b,
  ): Promise<void> {
    port = await host.run(open, { groups, options, membership })
  }

  /** Sends from `a` and waits until `b` has heard the last of it. */
  async function heardBy(host: Host, texts: string[], to: { group?: string } = {}): Promise<string[]> {
    const sending = { texts: [...texts, 'last'], group: to.group ?? GROUP, port }
    await a.run(send, { ...sending, interface: 'br0' })
    return (await host.run(heard)).filter((text) => text !== 'last')
  }

  const audits = (host = b): Promise<Pick<MembershipAudit, 'action' | 'reason' | 'group' | 'interface'>[]> =>
    host.run(({ keep }) => keep.audits.splice(0).map(({ action, reason, group, interface: where }) => ({ action, reason, group, interface: where }))) // prettier-ignore
  const stats = (host = b): Promise<MembershipStatistics> => host.run(({ keep }) => keep.membership.stats())
  /** Waits until the group is joined on just these. */
  const joinedOn = (names: string[], group = GROUP, host = b): Promise<void> =>
    host.run(
      ({ keep }, { names, group }) =>
        keep.until(
          () =>
            JSON.stringify((keep.membership.current().get(group) ?? []).map(({ name }) => name).sort()) ===
            JSON.stringify(names.sort()),
        ),
      { names, group },
    )

  test.each([GROUP, GROUP6])('hears again what is sent to %s when its interface was deleted and made again under traffic', async (group) => {
    await join([group])
    await joinedOn(group === GROUP ? ['lo', 'vb1'] : ['vb1'], group)
    const timer = { group, port, interface: 'br0' }
    await a.run(({ geysir, keep }, to) => {
      const socket = geysir.openMulticastSender({ group: { address: to.group, port: to.port }, interface: to.interface })
      let i = 0
      keep.socket = socket
      keep.timer = setInterval(() => socket.send(String(i++)), 1)
    }, timer) // prettier-ignore
    const before = await b.run(async ({ keep }) => {
      await keep.until(() => keep.heard.length >= 20)
      return keep.heard.at(-1)!
    })
    network.ip('b', 'link del vb1')
    addWire(1)
    const after = await b.run(
      async ({ keep }, index) => {
        await keep.until(() => keep.heard.some((datagram) => datagram.index !== index))
        return { first: keep.heard.find((datagram) => datagram.index !== index)!, last: keep.heard.filter((datagram) => datagram.index === index).at(-1)! } // prettier-ignore
      },
      before.index,
    )
    await a.run(({ keep }) => {
      clearInterval(keep.timer)
      keep.socket.close()
    })
    console.warn(`${group}: deaf for ${(after.first.atMs - after.last.atMs).toFixed(1)} ms, the making of the interface included`)
    const told = (await audits()).filter((audit) => audit.interface?.name === 'vb1')
    expect(told.map(({ action }) => action)).toEqual(['joined', 'left', 'renewed'])
    expect((await stats()).sockets).toBe(1)
  }) // prettier-ignore

  test('follows a rename, by name', async () => {
    await join([GROUP], { interfaces: ['vb1'], loopback: false })
    network.ip('b', 'link set vb1 down')
    network.ip('b', 'link set vb1 name other')
    await joinedOn([])
    network.ip('b', 'link set other name vb1')
    network.ip('b', 'link set vb1 up')
    network.ip('b', 'link set dev vb1 state up')
    await joinedOn(['vb1'])
    expect(await heardBy(b, ['after the rename'])).toEqual(['after the rename'])
    expect((await audits()).map(({ action, reason }) => `${action}: ${reason}`)).toEqual([
      'joined: asked for',
      expect.stringMatching(/^left: interface/),
      expect.stringMatching(/^renewed: interface/),
    ])
    await b.run(({ keep }) => keep.until(() => keep.monitor.interface('vb1')!.running))
    network.ip('b', 'addr add fd78::11/64 dev vb1 nodad')
  })

  test('an unnamed interface stays joined through a rename', async () => {
    await join([GROUP], { loopback: false })
    network.ip('b', 'link set vb1 down')
    network.ip('b', 'link set vb1 name other')
    await joinedOn(['other'])
    network.ip('b', 'link set other name vb1')
    network.ip('b', 'link set vb1 up')
    network.ip('b', 'link set dev vb1 state up')
    await joinedOn(['vb1'])
    expect(await heardBy(b, ['x'])).toEqual(['x'])
    expect((await audits()).map(({ action }) => action)).toEqual(['joined'])
  })

  test('follows an address to another interface', async () => {
    addWire(2)
    await join([GROUP], { interfaces: ['10.78.0.99'], loopback: false })
    await joinedOn([])
    network.ip('b', 'addr add 10.78.0.99/24 dev vb1')
    await joinedOn(['vb1'])
    network.ip('b', 'addr del 10.78.0.99/24 dev vb1')
    network.ip('b', 'addr add 10.78.0.99/24 dev vb2')
    await joinedOn(['vb2'])
    expect(await heardBy(b, ['x'])).toEqual(['x'])
    const index = await b.run(({ keep }) => [keep.heard[0]!.index, keep.monitor.interface('vb2')!.index])
    expect(index[0]).toBe(index[1])
    network.ip('b', 'link del vb2')
  })

  test('hears every datagram once after its interface flapped 100 times', async () => {
    await join([GROUP], { loopback: false })
    const commands = Array.from({ length: 100 }, () => 'link set vb1 down\\nlink set vb1 up').join('\\n')
    network.exec('b', 'sh', '-c', `printf '${commands}\\n' | ip -batch -`)
    network.ip('b', 'link set dev vb1 state up')
    await b.run(({ keep }) => keep.until(() => keep.monitor.interface('vb1')!.running))
    await joinedOn(['vb1'])
    expect(await heardBy(b, ['one', 'two'])).toEqual(['one', 'two'])
    expect(await stats()).toMatchObject({ sockets: 1, memberships: 1, datagramsForeign: 0 })
    network.ip('b', 'addr add fd78::11/64 dev vb1 nodad')
  })

  test('joins an interface that has ten addresses once', async () => {
    for (let i = 0; i < 9; i++) network.ip('b', `addr add 10.78.0.${100 + i}/24 dev vb1`)
    await join([GROUP], { interfaces: ['10.78.0.100', '10.78.0.108', 'vb1'], loopback: false })
    await joinedOn(['vb1'])
    expect(await heardBy(b, ['x'])).toEqual(['x'])
    expect((await stats()).memberships).toBe(1)
    for (let i = 0; i < 9; i++) network.ip('b', `addr del 10.78.0.${100 + i}/24 dev vb1`)
    await joinedOn(['vb1'])
  })

  test('joins both interfaces that have one address, and hears a datagram once', async () => {
    addWire(2, '10.78.0.11/24')
    await join([GROUP], { interfaces: ['10.78.0.11'], loopback: false })
    await joinedOn(['vb1', 'vb2'])
    expect(await heardBy(b, ['same', 'same', 'other'])).toEqual(['same', 'same', 'other'])
    await b.run(({ keep }) => keep.until(() => keep.membership.stats().copiesSuppressed >= 4))
    expect(await stats()).toMatchObject({ copiesSuppressed: 4, datagramsDelivered: 4 })
    await b.run(({ keep }) => keep.membership.close())
    await join([GROUP], { interfaces: ['10.78.0.11'], loopback: false }, { copies: 'deliver' })
    await a.run(send, { texts: ['x'], group: GROUP, port, interface: 'br0' })
    await b.run(({ keep }) => keep.until(() => keep.heard.length === 2))
    network.ip('b', 'link del vb2')
  })

  test('IPv6 only: joins and hears, on the interfaces that were joined alone', async () => {
    addWire(2)
    network.ip('b', 'addr flush dev vb2 scope global')
    network.ip('b', 'addr add fd78::12/64 dev vb2 nodad')
    const other = network.host('b')
    await join([GROUP6], { interfaces: ['vb2'] }, {}, other)
    await join([GROUP6], { interfaces: ['vb1'] }, { port })
    await joinedOn(['vb1'], GROUP6)
    expect(await heardBy(b, ['x'], { group: GROUP6 })).toEqual(['x'])
    expect(await other.run(heard)).toEqual(['x', 'last'])
    // The kernel handed over what came by vb2 as well.
    await b.run(({ keep }) => keep.until(() => keep.membership.stats().datagramsForeign === 2))
    const [vb1, vb2] = await b.run(({ keep }) => ['vb1', 'vb2'].map((name) => keep.monitor.interface(name)!.index))
    expect(await b.run(({ keep }) => [...new Set(keep.heard.map(({ index }) => index))])).toEqual([vb1])
    expect(await other.run(({ keep }) => [...new Set(keep.heard.map(({ index }) => index))])).toEqual([vb2])
    await other.stop()
    network.ip('b', 'link del vb2')
  })

  test('the kernel chooses, and is followed when the route changes', async () => {
    addWire(2)
    network.ip('b', 'route add default dev vb1')
    await join([GROUP], { interfaces: 'kernel' })
    await joinedOn(['lo', 'vb1'])
    network.ip('b', 'route replace default dev vb2')
    await joinedOn(['lo', 'vb2'])
    network.ip('b', 'link del vb2')
    await joinedOn(['lo'])
    network.ip('b', 'route add default dev vb1')
    await joinedOn(['lo', 'vb1'])
    expect(await heardBy(b, ['x'])).toEqual(['x'])
    network.ip('b', 'route del default')
  })

  describe('beyond the limits of one socket', () => {
    const groups = Array.from({ length: 50 }, (_, i) => `239.77.5.${i}`)

    test.each([20, 5])('hears 50 groups with %i a socket, also on an interface made again', async (limit) => {
      const usual = network.exec('b', 'cat', '/proc/sys/net/ipv4/igmp_max_memberships').trim()
      network.sysctl('b', 'net.ipv4.igmp_max_memberships', limit)
      await join(groups, { loopback: false })
      expect((await stats()).sockets).toBe(Math.ceil(50 / limit))
      expect((await audits()).filter(({ action }) => action === 'sharded')).toHaveLength(Math.ceil(50 / limit) - 1)
      const hear = async (): Promise<void> => {
        await a.run(sendToEach, { groups, port, interface: 'br0' })
        const all = await b.run(async ({ keep }, count) => {
          await keep.until(() => keep.heard.length >= count)
          return keep.heard.splice(0).map(({ text, group }) => [text, group!])
        }, groups.length) // prettier-ignore
        expect(all.sort()).toEqual(groups.map((group) => [`to ${group}`, group]).sort())
      }
      await hear()
      network.ip('b', 'link del vb1')
      addWire(1)
      for (const group of groups) await joinedOn(['vb1'], group)
      await hear()
      expect(await stats()).toMatchObject({ sockets: Math.ceil(50 / limit), memberships: 50, membershipsFailing: 0 })
      network.sysctl('b', 'net.ipv4.igmp_max_memberships', usual)
    })

    test.each([
      { group: GROUP, prefix: '10.78.0.', bits: 24, count: 25, sockets: 3 },
      { group: GROUP6, prefix: 'fd78::', bits: 64, count: 70, sockets: 2 },
    ])('hears $count sources of $group, more than a socket may name', async ({ group, prefix, bits, count, sockets }) => {
      const sources = Array.from({ length: count }, (_, i) => `${prefix}${150 + i}`)
      await join([group], { sources, loopback: false })
      expect(await stats()).toMatchObject({ sockets, memberships: 1 })
      const spoken = [sources[0]!, sources[12]!, sources[count - 1]!]
      const unheard = `${prefix}149`
      const flags = group === GROUP6 ? ' nodad' : ''
      for (const source of [...spoken, unheard]) network.ip('a', `addr add ${source}/${bits} dev br0${flags}`)
      for (const source of [unheard, ...spoken]) await a.run(send, { texts: [source], group, port, interface: 'br0', source })
      await b.run(({ keep }) => keep.until(() => keep.heard.length >= 3))
      expect(await b.run(({ keep }) => keep.heard.map(({ text }) => text).sort())).toEqual(spoken.sort())
      for (const source of [...spoken, unheard]) network.ip('a', `addr del ${source}/${bits} dev br0`)
    })

    test('an IPv6 group with sources is heard by each interface that it is joined on', async () => {
      addWire(2)
      await join([GROUP6], { sources: ['fd78::1'] }, { copies: 'deliver' })
      await joinedOn(['vb1', 'vb2'], GROUP6)
      await a.run(send, { texts: ['x'], group: GROUP6, port, interface: 'br0', source: 'fd78::1' })
      await b.run(({ keep }) => keep.until(() => keep.heard.length >= 2))
      const by = await b.run(({ keep }) => keep.heard.map(({ index }) => index).sort())
      expect(by).toEqual(await b.run(({ keep }) => ['vb1', 'vb2'].map((name) => keep.monitor.interface(name)!.index).sort()))
      network.ip('b', 'link del vb2')
    })

    test('a membership that is denied names the sysctl, and is tried again', async () => {
      const usual = network.exec('b', 'cat', '/proc/sys/net/ipv4/igmp_max_memberships').trim()
      network.sysctl('b', 'net.ipv4.igmp_max_memberships', 0)
      await join([GROUP], { loopback: false })
      const failed = await b.run(async ({ keep }) => {
        await keep.until(() => keep.audits.length > 0)
        const { action, error, retryInMs } = keep.audits[0]!
        return { action, message: error!.message, retryInMs }
      })
      expect(failed).toMatchObject({ action: 'failed', retryInMs: 1000 })
      expect(failed.message).toMatch(/ENOBUFS.*net\.ipv4\.igmp_max_memberships/)
      expect(await stats()).toMatchObject({ membershipsFailing: 1, memberships: 0 })
      network.sysctl('b', 'net.ipv4.igmp_max_memberships', usual)
      // Not by waiting for the second to pass: any change of the interface is reason to try again.
      network.ip('b', 'link set vb1 mtu 1400')
      await joinedOn(['vb1'])
      expect(await heardBy(b, ['x'])).toEqual(['x'])
      network.ip('b', 'link set vb1 mtu 1500')
    })
  })

  test('two processes of one host hear every datagram once, and nothing of a group that only the other joined', async () => {
    const other = network.host('b')
    await join([GROUP, '239.77.4.2'])
    await join([GROUP, '239.77.4.3'], {}, { port }, other)
    await a.run(send, { texts: ['to one'], group: '239.77.4.2', port, interface: 'br0' })
    await a.run(send, { texts: ['to the other'], group: '239.77.4.3', port, interface: 'br0' })
    await a.run(send, { texts: ['to both', 'again', 'last'], group: GROUP, port, interface: 'br0' })
    expect(await b.run(heard)).toEqual(['to one', 'to both', 'again', 'last'])
    expect(await other.run(heard)).toEqual(['to the other', 'to both', 'again', 'last'])
    await other.stop()
  })

  // The twin of the test before: with IP_MULTICAST_ALL as the kernel has it, the other's group is heard.
  test('a plain socket with multicastAll hears a group that only another joined', async () => {
    await join(['239.77.4.2'])
    const plain = await b.run(async ({ geysir, keep }, port) => {
      keep.socket = new geysir.UdpSocket({ reuseAddress: true, multicastAll: true })
      return (await keep.socket.bind({ port })).port
    }, port) // prettier-ignore
    expect(plain).toBe(port)
    await a.run(send, { texts: ['to one'], group: '239.77.4.2', port, interface: 'br0' })
    expect(await b.run(async ({ keep, received, texts }) => texts(await received(keep.socket)))).toEqual(['to one'])
    await b.run(({ keep }) => keep.socket.close())
  })

  test.each(['any', 'group'] as const)('bound to %s, unicast to the port is not delivered', async (bindTo) => {
    await join([GROUP, '239.77.4.2'], {}, { bindTo })
    await a.run(send, { texts: ['unicast'], group: '10.78.0.11', port, interface: 'br0' })
    expect(await heardBy(b, ['x'])).toEqual(['x'])
    expect(await stats()).toMatchObject(
      bindTo === 'any' ? { datagramsForeign: 1, sockets: 1 } : { datagramsForeign: 0, sockets: 2 },
    )
  })
})

describe.skipIf(lacking('network namespaces', namespaceProblem()))('a namespace with loopback alone', () => {
  let network: TestNetwork
  let lonely: Host

  beforeAll(() => {
    network = new TestNetwork()
    network.addNamespace('lonely')
    lonely = network.host('lonely')
  })
  afterAll(() => network.remove())

  test('hears what is sent with TTL 0, or by loopback', async () => {
    const port = await lonely.run(open, { groups: [GROUP], options: {}, membership: {} })
    await lonely.run(send, { texts: ['ttl 0'], group: GROUP, port, ttl: 0 })
    await lonely.run(send, { texts: ['by lo', 'last'], group: GROUP, port, interface: 'lo' })
    expect(await lonely.run(heard)).toEqual(['ttl 0', 'by lo', 'last'])
    await lonely.run(({ keep }) => {
      keep.membership.close()
      keep.monitor.close()
    })
  })

  test('TTL 0 over IPv6 says what it lacks', async () => {
    await expect(lonely.run(send, { texts: ['x'], group: GROUP6, port: 9, ttl: 0 })).rejects.toThrow(/ENODEV.*TTL 0 over IPv6/)
  })
})

// --- What runs on a host ---

interface Opening {
  groups: string[]
  options: Omit<JoinOptions, 'interfaces'> & { interfaces?: string[] | 'all' | 'kernel' }
  membership: Omit<MembershipOptions, 'monitor'>
}

/** Opens a membership that notes what it hears. Returns its port. */
function open({ geysir, keep }: Parameters<Parameters<Host['run']>[0]>[0], { groups, options, membership }: Opening): number {
  const monitor = new geysir.InterfaceMonitor({ settleMs: 0 })
  const made = new geysir.Membership({ ...membership, monitor })
  keep.monitor = monitor
  keep.membership = made
  keep.heard = []
  keep.audits = []
  keep.until = async (condition) => {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  made.on('audit', (audit) => keep.audits.push(audit))
  made.on('batch', (batch) => {
    for (let i = 0; i < batch.count; i++) {
      const [text, group, index] = [batch.payload(i).toString(), batch.destination(i), batch.interfaceIndex(i)]
      keep.heard.push({ text, group, index, atMs: performance.now() })
    }
  })
  for (const group of groups) made.join(group, options)
  return made.port
}

/** What was heard up to and with the text 'last'. */
async function heard({ keep }: Parameters<Parameters<Host['run']>[0]>[0]): Promise<string[]> {
  await keep.until(() => keep.heard.some(({ text }) => text === 'last'))
  return keep.heard.map(({ text }) => text)
}

interface Sending {
  texts: string[]
  group: string
  port: number
  interface?: string
  source?: string
  ttl?: number
}

function send(
  { geysir }: Parameters<Parameters<Host['run']>[0]>[0],
  { texts, group, port, interface: by, source, ttl }: Sending,
): void {
  const isGroup = geysir.endpoint(group, port).isMulticast
  const options = { ...(by && { interface: by }), ...(source && { source }), ...(ttl !== undefined && { ttl }) }
  const socket = isGroup ? geysir.openMulticastSender({ group: { address: group, port }, ...options }) : new geysir.UdpSocket()
  for (const text of texts) socket.send(text, geysir.endpoint(group, port))
  socket.flush()
  const { datagramsSent } = socket.stats()
  socket.close()
  if (datagramsSent !== texts.length) throw new Error(`${datagramsSent} of ${texts.length} were sent`)
}

function sendToEach(
  { geysir }: Parameters<Parameters<Host['run']>[0]>[0],
  to: { groups: string[]; port: number; interface: string },
): void {
  const socket = new geysir.UdpSocket({ multicastInterface: to.interface })
  for (const group of to.groups) socket.send(`to ${group}`, geysir.endpoint(group, to.port))
  socket.close()
}
