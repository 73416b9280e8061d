import { describe, expect, test } from 'vitest'
import { SimulatedNetwork, type HostOptions, type SimulatedHost, type SimulatedNetworkOptions } from '../../src/testing/index.js'
import { arrivals, textsOf, twoHosts } from '../support/simulation.js'
import { failure } from '../unit/support/errors.js'
import { settled, uncaughtDuring } from '../unit/support/turns.js'

describe('addresses', () => {
  test('are given out one by one, of both families', () => {
    const network = new SimulatedNetwork(1)
    for (let i = 0; i < 256; i++) network.addHost()
    const [first, last] = [network.hosts[0]!, network.hosts[255]!]
    expect(first.addresses).toEqual(['10.0.0.1', 'fd00::1'])
    expect(last.addresses).toEqual(['10.0.1.0', 'fd00::100'])
    expect([network.host('host1'), `${last}`]).toEqual([first, 'host256'])
  })

  test('may be several; a link is reached at all of its family, or at the one that it is bound to', () => {
    const network = new SimulatedNetwork(1)
    const addresses = ['192.0.2.1', '2001:db8::1', '192.0.2.2', '2001:db8::2']
    const host = network.addHost({ addresses })
    const [all, one, six] = [
      host.openLink({ port: 1 }),
      host.openLink({ port: 2, address: '192.0.2.2' }),
      host.openLink({ port: 1, family: 'IPv6' }),
    ]
    const seen = [all, one, six].map((link) => arrivals(network, link))
    const [client, client6] = [network.addHost().openLink(), network.hosts[1]!.openLink({ family: 'IPv6' })]
    for (const port of [1, 2])
      for (const address of addresses) (address.includes(':') ? client6 : client).send(`${address} ${port}`, { address, port })
    network.clock.runUntilIdle()
    expect(seen.map(textsOf)).toEqual([['192.0.2.1 1', '192.0.2.2 1'], ['192.0.2.2 2'], ['2001:db8::1 1', '2001:db8::2 1']])
    expect(network.stats().dropped.noLink).toBe(3)
    expect([all, one, six].map((link) => `${link.address()}`)).toEqual(['192.0.2.1:1', '192.0.2.2:2', '[2001:db8::1]:1'])
    expect([all, six].map((link) => [link.unfragmentedBytes(), link.maxPayloadBytes])).toEqual([[1472, 65_507], [1452, 65_527]]) // prettier-ignore
  })

  test('of loopback mean the host itself, at once', () => {
    const { network, a } = twoHosts({ lossProbability: 1, latencyMs: 100 })
    const own = network.host('a').openLink({ port: 9 })
    const seen = arrivals(network, own)
    a.send('v4', { address: '127.0.0.1', port: 9 })
    network.host('a').openLink({ family: 'IPv6' }).send('v6', { address: '::1', port: 9 })
    network.clock.runUntilIdle()
    expect([textsOf(seen), network.clock.nowMs()]).toEqual([['v4'], 0])
  })

  test('that nobody has, and ports that nobody has, are counted', () => {
    const { network, a } = twoHosts()
    a.send('x', { address: '192.0.2.99', port: 7 })
    a.send('x', { address: '10.0.0.2', port: 8 })
    network.clock.runUntilIdle()
    expect(network.stats()).toMatchObject({ sent: 2, delivered: 0, inFlight: 0, dropped: { noHost: 1, noLink: 1 } })
  })

  test('are checked', () => {
    const network = new SimulatedNetwork(1)
    const host = network.addHost()
    for (const addresses of [
      ['10.0.0.1'],
      ['192.0.2.1', '192.0.2.1'],
      ['239.1.1.1'],
      ['0.0.0.0'],
      ['127.0.0.1'],
      ['::1'],
      ['name'],
    ]) {
      failure(() => network.addHost({ addresses }), 'ERR_INVALID_ARG_VALUE')
    }
    failure(() => network.addHost({ addresses: '192.0.2.1' as never }), 'ERR_INVALID_ARG_TYPE')
    failure(() => network.addHost({ name: 'host1' }), 'ERR_INVALID_ARG_VALUE')
    failure(() => network.host('nobody'), 'ERR_INVALID_ARG_VALUE')
    failure(() => host.openLink({ address: '10.0.0.9' }), 'ERR_INVALID_ARG_VALUE')
    failure(() => host.openLink({ address: '10.0.0.1', family: 'IPv6' }), 'ERR_INVALID_ARG_VALUE')
    failure(() => network.addHost({ addresses: ['192.0.2.1'] }).openLink({ family: 'IPv6' }), 'ERR_INVALID_ARG_VALUE')
    expect(network.hosts.length).toBe(2)
  })
})

describe('ports', () => {
  test('are chosen by the host, each once, and free again after close', () => {
    const { network, hostA, hostB } = twoHosts()
    const links = Array.from({ length: 100 }, () => hostA.openLink())
    expect(new Set(links.map((link) => link.address().port)).size).toBe(100)
    failure(() => hostA.openLink({ port: 7 }), 'EADDRINUSE')
    hostA.openLink({ port: 7, family: 'IPv6' })
    hostB.openLink({ port: 8 }).close()
    hostB.openLink({ port: 8 })
    expect(network.stats().sent).toBe(0)
  })

  test('may run out', () => {
    const { hostA } = twoHosts()
    for (let i = 49_152; i <= 65_535; i++) hostA.openLink()
    failure(() => hostA.openLink(), 'EADDRINUSE')
  })

  test('may be shared by links that all say so: unicast goes to the last one', () => {
    const { network, hostB, a } = twoHosts()
    const [first, second] = [hostB.openLink({ port: 9, reusePort: true }), hostB.openLink({ port: 9, reusePort: true })]
    const seen = [arrivals(network, first), arrivals(network, second)]
    failure(() => hostB.openLink({ port: 9 }), 'EADDRINUSE')
    const to = first.address()
    a.send('one', to)
    network.clock.runUntilIdle()
    second.close()
    a.send('two', to)
    network.clock.runUntilIdle()
    expect(seen.map(textsOf)).toEqual([['two'], ['one']])
  })
})

describe('a link with a peer', () => {
  test('hears nobody else', () => {
    const { network, a, b, hostB } = twoHosts()
    const seen = arrivals(network, a)
    const stranger = hostB.openLink()
    stranger.send('stranger', a.address())
    b.send('peer', a.address())
    network.clock.runUntilIdle()
    expect(textsOf(seen)).toEqual(['peer'])
    expect(network.stats().dropped.notFromPeer).toBe(1)
  })

  test('comes before one without, for what its peer sends', () => {
    const network = new SimulatedNetwork(1)
    const [server, client] = [network.addHost(), network.addHost()]
    const [one, other] = [client.openLink(), client.openLink()]
    const connected = server.openLink({ port: 7, reusePort: true, peer: one.address() })
    const open = server.openLink({ port: 7, reusePort: true })
    const seen = [arrivals(network, connected), arrivals(network, open)]
    for (const [i, link] of [one, other].entries()) link.send(`from ${i}`, connected.address())
    network.clock.runUntilIdle()
    expect(seen.map(textsOf)).toEqual([['from 0'], ['from 1']])
  })
})

describe('multicast', () => {
  const GROUP = { address: '239.1.2.3', port: 9 }

  function members(count: number): { network: SimulatedNetwork; hosts: SimulatedHost[] } {
    const network = new SimulatedNetwork(1)
    return { network, hosts: Array.from({ length: count }, () => network.addHost()) }
  }

  test('reaches every link of the group and the port, each with its own copy', () => {
    const { network, hosts } = members(4)
    const links = hosts.flatMap((host) => [
      host.openLink({ port: 9, reusePort: true }),
      host.openLink({ port: 9, reusePort: true }),
    ])
    for (const link of links.slice(2)) link.joinGroup(GROUP.address)
    links[4]!.joinGroup('239.9.9.9')
    const otherPort = hosts[1]!.openLink({ port: 10 })
    otherPort.joinGroup(GROUP.address)
    const seen = links.map((link) => arrivals(network, link))
    links[5]!.on('batch', (batch) => batch.payload(0).fill(0))
    links[0]!.send('news', GROUP)
    network.clock.runUntilIdle()
    expect(seen.map((arrived) => arrived.length)).toEqual([0, 0, 1, 1, 1, 1, 1, 1])
    expect(new Set(seen.slice(2).flatMap(textsOf))).toEqual(new Set(['news']))
    expect(network.stats()).toMatchObject({ sent: 1, copied: 5, delivered: 6, inFlight: 0 })
  })

  test('comes back to a sender that has joined, unless it says no', () => {
    const { network, hosts } = members(1)
    const hears = hosts[0]!.openLink({ port: 9, reusePort: true })
    const deaf = hosts[0]!.openLink({ port: 9, reusePort: true, multicastLoopback: false })
    for (const link of [hears, deaf]) link.joinGroup(GROUP.address)
    const seen = arrivals(network, hears)
    hears.send('heard', GROUP)
    deaf.send('unheard', GROUP)
    network.clock.runUntilIdle()
    expect(textsOf(seen)).toEqual(['heard'])
    expect(network.stats().dropped.noMember).toBe(1)
  })

  test('stops when the group is left, or the link is closed', () => {
    const { network, hosts } = members(3)
    const [sender, leaving, closing] = hosts.map((host) => host.openLink({ port: 9 }))
    for (const link of [leaving!, closing!]) link.joinGroup(GROUP.address)
    const seen = [arrivals(network, leaving!), arrivals(network, closing!)]
    sender!.send('one', GROUP)
    network.clock.runUntilIdle()
    leaving!.leaveGroup(GROUP.address)
    closing!.close()
    sender!.send('two', GROUP)
    network.clock.runUntilIdle()
    expect(seen.map(textsOf)).toEqual([['one'], ['one']])
    expect(network.stats()).toMatchObject({ sent: 2, copied: 1, delivered: 2, dropped: { noMember: 1 } })
  })

  test('takes each way by itself, with its own loss', () => {
    const { network, hosts } = members(3)
    const [sender, ...receivers] = hosts.map((host) => host.openLink({ port: 9 }))
    for (const link of receivers) link.joinGroup(GROUP.address)
    network.setPath(hosts[0]!, hosts[1]!, { lossProbability: 1 })
    const seen = receivers.map((link) => arrivals(network, link))
    sender!.send('x', GROUP)
    network.clock.runUntilIdle()
    expect(seen.map((arrived) => arrived.length)).toEqual([0, 1])
  })

  test('has groups of both families', () => {
    const { network, hosts } = members(2)
    const [sender, receiver] = hosts.map((host) => host.openLink({ port: 9, family: 'IPv6' }))
    receiver!.joinGroup('ff02::1234')
    const seen = arrivals(network, receiver!)
    sender!.send('six', { address: 'ff02:0::1234', port: 9 })
    network.clock.runUntilIdle()
    expect(textsOf(seen)).toEqual(['six'])
  })

  test('refuses groups that are none', () => {
    const { hosts } = members(1)
    const link = hosts[0]!.openLink()
    for (const group of ['10.0.0.1', 'ff02::1', 'name']) failure(() => link.joinGroup(group), 'ERR_INVALID_ARG_VALUE')
    failure(() => link.leaveGroup(GROUP.address), 'ERR_INVALID_ARG_VALUE')
    link.joinGroup(GROUP.address)
    failure(() => link.joinGroup(GROUP.address), 'ERR_INVALID_ARG_VALUE')
    link.close()
    failure(() => link.joinGroup(GROUP.address), 'ERR_CLOSED')
    failure(() => link.leaveGroup(GROUP.address), 'ERR_CLOSED')
    failure(() => link.address(), 'ERR_CLOSED')
  })
})

describe('receiving', () => {
  test('datagrams of one moment come in one batch, as long as a batch may be', () => {
    const { network, hostA, b } = twoHosts()
    const receiver = hostA.openLink({ maxBatchDatagrams: 10 })
    const counts: number[] = []
    receiver.on('batch', (batch) => counts.push(batch.count))
    for (let i = 0; i < 25; i++) b.send('x', receiver.address())
    network.clock.runUntilIdle()
    expect(counts).toEqual([10, 10, 5])
  })

  test('gives the receive buffer back: any number of datagrams goes through a small one', () => {
    const { network, hostA, b } = twoHosts()
    const receiver = hostA.openLink({ receiveBufferBytes: 3000 })
    const seen = arrivals(network, receiver)
    for (let i = 0; i < 100; i++) {
      b.send(Buffer.alloc(500), receiver.address())
      network.clock.advance(1)
    }
    network.clock.runUntilIdle()
    expect(seen.length).toBe(100)
  })

  test('waits for a listener, and for a step of an iteration', async () => {
    const { network, a, b } = twoHosts()
    for (const text of ['one', 'two']) a.send(text)
    network.clock.runUntilIdle()
    expect(network.stats().inFlight).toBe(2)
    const step = b[Symbol.asyncIterator]().next()
    await network.clock.runUntilIdleAsync()
    expect((await step).value!.count).toBe(2)
    a.send('three')
    network.clock.runUntilIdle()
    const seen = arrivals(network, b)
    expect(seen).toEqual([])
    network.clock.runUntilIdle()
    expect(textsOf(seen)).toEqual(['three'])
    expect(network.stats().inFlight).toBe(0)
  })

  test('a view that outlives its batch is seen', () => {
    const { network, a, b } = twoHosts()
    const views: Buffer[] = []
    b.on('batch', (batch) => views.push(batch.payload(0)))
    a.send('gone')
    network.clock.runUntilIdle()
    expect([...views[0]!]).toEqual([0xdb, 0xdb, 0xdb, 0xdb])
  })

  test('what a listener of another event throws is uncaught as well', async () => {
    const { a } = twoHosts()
    a.on('close', () => {
      throw new Error('of close')
    })
    const uncaught = await uncaughtDuring(() => a.close())
    expect(uncaught).toEqual([new Error('of close')])
  })
})

describe('options', () => {
  test.each<[SimulatedNetworkOptions, string]>([
    [{ pth: {} } as object, 'ERR_INVALID_ARG_VALUE'],
    [{ path: { loss: 1 } as object }, 'ERR_INVALID_ARG_VALUE'],
    [{ path: { lossProbability: 1.1 } }, 'ERR_OUT_OF_RANGE'],
    [{ path: { lossProbability: Number.NaN } }, 'ERR_OUT_OF_RANGE'],
    [{ path: { latencyMs: -1 } }, 'ERR_OUT_OF_RANGE'],
    [{ path: { latencyMs: '1' as never } }, 'ERR_INVALID_ARG_TYPE'],
    [{ path: { mtuBytes: 575 } }, 'ERR_OUT_OF_RANGE'],
    [{ path: { tooBig: 'bounce' as never } }, 'ERR_INVALID_ARG_VALUE'],
    [{ path: { burstLoss: { enterProbability: 2, leaveProbability: 1 } } }, 'ERR_OUT_OF_RANGE'],
    [{ path: { burstLoss: { enterProbability: 1 } as never } }, 'ERR_INVALID_ARG_TYPE'],
    [{ trace: 1 as never }, 'ERR_INVALID_ARG_TYPE'],
    [{ startMs: Infinity }, 'ERR_OUT_OF_RANGE'],
  ])('of a network are checked: %j', (options, code) => {
    failure(() => new SimulatedNetwork(1, options), code)
  })

  test.each<[HostOptions, string]>([
    [{ names: 'x' } as object, 'ERR_INVALID_ARG_VALUE'],
    [{ name: 7 as never }, 'ERR_INVALID_ARG_TYPE'],
    [{ mtuBytes: 1 }, 'ERR_OUT_OF_RANGE'],
    [{ bytesPerSecond: 0 }, 'ERR_OUT_OF_RANGE'],
    [{ clock: { drift: 1 } as object }, 'ERR_INVALID_ARG_VALUE'],
    [{ clock: { driftPpm: 1e9 } }, 'ERR_OUT_OF_RANGE'],
    [{ start: 'x' as never }, 'ERR_INVALID_ARG_TYPE'],
  ])('of a host are checked: %j', (options, code) => {
    const network = new SimulatedNetwork(1)
    failure(() => network.addHost(options), code)
    expect(network.hosts).toEqual([])
  })

  test('of a link, and a seed, and hosts are checked', () => {
    const { network, hostA, a } = twoHosts()
    failure(() => new SimulatedNetwork(-1), 'ERR_OUT_OF_RANGE')
    failure(() => new SimulatedNetwork('1' as never), 'ERR_INVALID_ARG_TYPE')
    failure(() => hostA.openLink({ ports: 1 } as object), 'ERR_INVALID_ARG_VALUE')
    failure(() => hostA.openLink({ port: 65_536 }), 'ERR_OUT_OF_RANGE')
    failure(() => hostA.openLink({ sendQueueBytes: 0 }), 'ERR_OUT_OF_RANGE')
    failure(() => hostA.openLink({ peer: { address: '10.0.0.2', port: 0 } }), 'ERR_OUT_OF_RANGE')
    failure(() => hostA.openLink({ family: 'IPv4', peer: { address: 'fd00::2', port: 1 } }), 'ERR_INVALID_ARG_VALUE')
    failure(() => a.send('x', { address: 'fd00::2', port: 1 }), 'ERR_INVALID_ARG_VALUE')
    failure(() => network.partition([{} as never]), 'ERR_INVALID_ARG_TYPE')
    failure(() => network.partition({} as never), 'ERR_INVALID_ARG_TYPE')
    failure(() => network.setPath(hostA, new SimulatedNetwork(1).addHost(), {}), 'ERR_INVALID_ARG_TYPE')
  })

  test('of paths: what is not named stays as it is by default, also when that changes later', () => {
    const { network, hostA, hostB, a, b } = twoHosts({ latencyMs: 5 })
    const [atA, atB] = [arrivals(network, a), arrivals(network, b)]
    network.setPath(hostA, hostB, { duplicateProbability: 1 })
    a.send('x')
    network.clock.runUntilIdle()
    network.setDefaultPath({ latencyMs: 20 })
    a.send('y')
    b.send('z', a.address())
    network.clock.runUntilIdle()
    expect(atB.map(({ timeMs, payload }) => `${payload}@${timeMs}`)).toEqual(['x@5', 'x@5', 'y@25', 'y@25'])
    expect(atA.map(({ timeMs }) => timeMs)).toEqual([25])
    network.setPaths(hostA, hostB, { latencyMs: 1 })
    a.send('w')
    network.clock.runUntilIdle()
    expect(atB.slice(4).map(({ timeMs }) => timeMs)).toEqual([26])
  })
})

test('what is sent outside of a run leaves when the running code has returned', async () => {
  const { network, a, b } = twoHosts()
  arrivals(network, b)
  a.send('x')
  expect(a.stats().datagramsSent).toBe(0)
  await settled()
  expect(a.stats().datagramsSent).toBe(1)
  expect(network.stats()).toMatchObject({ sent: 1, inFlight: 1, delivered: 0 })
})
