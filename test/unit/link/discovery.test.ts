import { describe, expect, test } from 'vitest'
import {
  openLink,
  srvResolver,
  staticResolver,
  type DiscoveryClientLink,
  type DiscoveryClientOptions,
  type DiscoveryServerOptions,
} from '../../../src/link/index.js'
import { SimulatedNetwork, type SimulatedHost } from '../../../src/testing/index.js'
import { simulatedPlatform } from '../../support/simulated-platform.js'
import { failure, rejection } from '../support/errors.js'

const GROUP = { multicastAddress: '239.1.2.3', multicastPort: 7000 } as const

function setUp(seed = 1) {
  const network = new SimulatedNetwork(seed)
  const startServer = async (host: SimulatedHost, more: Partial<DiscoveryServerOptions> = {}) => {
    const server = await openLink(
      { kind: 'discovery', role: 'server', ...GROUP, header: true, ...more },
      { platform: simulatedPlatform(host) },
    )
    server.on('request', (request) => request.respond(`${request.payload.toString()} by ${host.name}`))
    return server
  }
  const startClient = async (host: SimulatedHost, more: Partial<DiscoveryClientOptions> = {}, names = {}) => {
    const client = await openLink(
      {
        kind: 'discovery',
        role: 'client',
        ...('servers' in more || 'srv' in more || 'resolver' in more ? {} : GROUP),
        header: true,
        ...more,
      },
      { platform: simulatedPlatform(host, names) },
    )
    const events: string[] = []
    client.on('peer', (peer) => events.push(`+${peer.address}`))
    client.on('peerlost', (peer, reason) => events.push(`-${peer.address} ${reason}`))
    client.on('server', (server) => events.push(`=${server?.endpoint.address ?? 'none'}`))
    return { client, events }
  }
  return { network, startServer, startClient }
}

async function asked(network: SimulatedNetwork, client: DiscoveryClientLink, timeoutMs = 5000): Promise<string> {
  const answer = client.request('?', { timeoutMs }).then(String, (error: Error & { code: string }) => error.code)
  await network.clock.advanceAsync(timeoutMs + 1000)
  return answer
}

test('a client finds the server, whichever of them comes first, and asks it', async () => {
  const { network, startServer, startClient } = setUp()
  const [a, b] = [network.addHost(), network.addHost()]
  const { client, events } = await startClient(b)
  const waiting = client.request('early').then(String)
  expect(client.send('refused')).toBe(false)
  let drains = 0
  client.on('drain', () => drains++)
  await network.clock.advanceAsync(500)
  await startServer(a)
  await network.clock.advanceAsync(500)
  expect(events).toEqual(['+10.0.0.1', '=10.0.0.1'])
  expect(drains).toBe(1)
  expect(await waiting).toBe('early by host1')
  const late = await startClient(network.addHost())
  await network.clock.advanceAsync(1200)
  expect(await asked(network, late.client)).toBe('? by host1')
  expect(client.servers()).toMatchObject([{ name: '', priority: 0 }])
  expect(client.stats()).toMatchObject({ servers: 1, statusStale: 0 })
})

test('a server that dies is missed, and another one of its name takes its place, also for requests under way', async () => {
  const { network, startServer, startClient } = setUp()
  const [a, b, c] = [network.addHost(), network.addHost(), network.addHost()]
  await startServer(a, { name: 'same' })
  await network.clock.advanceAsync(100)
  const { client, events } = await startClient(c, { serverName: 'same' })
  await network.clock.advanceAsync(1500)
  await startServer(b, { name: 'same' })
  await network.clock.advanceAsync(2000)
  expect(events).toEqual(['+10.0.0.1', '=10.0.0.1', '+10.0.0.2'])
  a.stop()
  const answer = client.request('still there?', { timeoutMs: 20_000 })
  await network.clock.advanceAsync(20_000)
  expect(String(await answer)).toBe('still there? by host2')
  expect(events.slice(3)).toEqual(['-10.0.0.1 silent', '=10.0.0.2'])
})

test('a server that ends says so', async () => {
  const { network, startServer, startClient } = setUp()
  const [a, b] = [network.addHost(), network.addHost()]
  const server = await startServer(a)
  const { events } = await startClient(b)
  await network.clock.advanceAsync(1500)
  server.close()
  await network.clock.advanceAsync(10)
  expect(events).toEqual(['+10.0.0.1', '=10.0.0.1', '-10.0.0.1 gone', '=none'])
})

test.each([1, 2, 3])('with half of the announcements lost, servers are found and not lost again (seed %i)', async (seed) => {
  const { network, startServer, startClient } = setUp(seed)
  network.setDefaultPath({ lossProbability: 0.5, latencyMs: 5, jitterMs: 20 })
  const [a, b] = [network.addHost(), network.addHost()]
  await startServer(a)
  const { client, events } = await startClient(b, { silentPeriods: 20 })
  await network.clock.advanceAsync(10_000)
  expect(client.server).toBeDefined()
  await network.clock.advanceAsync(600_000)
  expect(events).toEqual(['+10.0.0.1', '=10.0.0.1'])
  expect(await asked(network, client, 60_000)).toBe('? by host1')
})

test('a server that starts again on the same port is another one; at another address it is found there', async () => {
  const { network, startServer, startClient } = setUp()
  const [a, b, c] = [network.addHost(), network.addHost(), network.addHost()]
  await startServer(a, { localPort: 5000 })
  const { client, events } = await startClient(c)
  await network.clock.advanceAsync(1500)
  a.restart()
  await startServer(a, { localPort: 5000 })
  await network.clock.advanceAsync(100)
  expect(events).toEqual(['+10.0.0.1', '=10.0.0.1', '-10.0.0.1 restarted', '+10.0.0.1'])
  expect(await asked(network, client)).toBe('? by host1')
  a.stop()
  await startServer(b)
  await network.clock.advanceAsync(10_000)
  expect(events.slice(4)).toEqual(['+10.0.0.2', '-10.0.0.1 silent', '=10.0.0.2'])
  expect(await asked(network, client)).toBe('? by host2')
})

test('after a partition the server is found again', async () => {
  const { network, startServer, startClient } = setUp()
  const [a, b] = [network.addHost(), network.addHost()]
  await startServer(a)
  const { client, events } = await startClient(b)
  await network.clock.advanceAsync(1500)
  const partition = network.partition([a], [b])
  await network.clock.advanceAsync(10_000)
  expect(client.server).toBeUndefined()
  partition.heal()
  await network.clock.advanceAsync(1500)
  expect(events.filter((event) => event.startsWith('='))).toEqual(['=10.0.0.1', '=none', '=10.0.0.1'])
})

test('names and a choice function choose among servers', async () => {
  const { network, startServer, startClient } = setUp()
  const hosts = [network.addHost(), network.addHost(), network.addHost()]
  for (const [i, host] of hosts.entries()) await startServer(host, { name: i === 0 ? 'other' : 'wanted' })
  const byName = await startClient(network.addHost(), { serverName: 'wanted' })
  const byChoice = await startClient(network.addHost(), {
    choose: (servers) => servers.find(({ endpoint }) => endpoint.address === '10.0.0.3'),
  })
  await network.clock.advanceAsync(2000)
  expect(byName.client.servers().length).toBe(2)
  expect(byName.client.stats().statusOtherNames).toBeGreaterThan(0)
  expect(byChoice.client.servers().length).toBe(3)
  expect(byChoice.client.server?.endpoint.address).toBe('10.0.0.3')
})

test('servers beyond the limit are refused and counted', async () => {
  const { network, startServer, startClient } = setUp()
  for (let i = 0; i < 5; i++) await startServer(network.addHost())
  const { client } = await startClient(network.addHost(), { maxServers: 2 })
  await network.clock.advanceAsync(2000)
  expect(client.stats().servers).toBe(2)
  expect(client.stats().statusRefused).toBeGreaterThan(0)
})

test('announcements of the server reach every client, strangers do not', async () => {
  const { network, startServer, startClient } = setUp()
  const a = network.addHost()
  const server = await startServer(a)
  const clients = [await startClient(network.addHost()), await startClient(network.addHost())]
  const heard: string[] = []
  for (const { client } of clients) client.on('announce', (payload) => heard.push(payload.toString()))
  await network.clock.advanceAsync(1500)
  server.announce('news')
  const stranger = network.addHost().openLink()
  stranger.send('spam', clients[0]!.client.address())
  await network.clock.advanceAsync(10)
  expect(heard).toEqual(['news', 'news'])
  expect(clients[0]!.client.stats().datagramsForeign).toBe(1)
})

test('ten clients on one host share the group, each with a socket of its own', async () => {
  const { network, startServer, startClient } = setUp()
  const [a, b] = [network.addHost(), network.addHost()]
  await startServer(a)
  const clients = []
  for (let i = 0; i < 10; i++) clients.push((await startClient(b)).client)
  const answers = Promise.all(clients.map((client, i) => client.request(`${i}`)))
  await network.clock.advanceAsync(3000)
  expect((await answers).map(String)).toEqual(clients.map((_, i) => `${i} by host1`))
})

describe('raw', () => {
  test('a program that knows nothing but the table is a server', async () => {
    const { network, startClient } = setUp()
    const [a, b] = [network.addHost(), network.addHost()]
    const { client, events } = await startClient(b, { header: false, silentAfterMs: 3000 })
    const plain = a.openLink({ port: 5000 })
    plain.on('batch', (batch) => {
      for (let i = 0; i < batch.count; i++) plain.send(`re: ${batch.payload(i).toString()}`, batch.endpoint(i))
    })
    const heard: string[] = []
    client.on('announce', (payload) => heard.push(payload.toString()))
    plain.send('here I am', { address: GROUP.multicastAddress, port: GROUP.multicastPort })
    await network.clock.advanceAsync(100)
    client.send('hello')
    await network.clock.advanceAsync(100)
    expect(heard).toEqual(['here I am', 're: hello'])
    await network.clock.advanceAsync(3000)
    expect(events).toEqual(['+10.0.0.1', '=10.0.0.1', '-10.0.0.1 silent', '=none'])
  })

  test('a program that knows nothing but the table is a client', async () => {
    const { network, startServer } = setUp()
    const [a, b] = [network.addHost(), network.addHost()]
    await startServer(a, { header: false })
    const listener = b.openLink({ port: GROUP.multicastPort })
    listener.joinGroup(GROUP.multicastAddress)
    const own = b.openLink()
    const heard: string[] = []
    listener.once('batch', (batch) => own.send('plain question', batch.endpoint(0)))
    own.on('batch', (batch) => heard.push(batch.payload(0).toString()))
    await network.clock.advanceAsync(3000)
    expect(heard).toEqual(['plain question by host1'])
  })
})

describe('without multicast', () => {
  test('a fixed list: the first one is asked, and the next one when it does not answer', async () => {
    const { network, startServer, startClient } = setUp()
    const [a, b, c] = [network.addHost(), network.addHost(), network.addHost()]
    await startServer(a, { localPort: 5000 })
    await startServer(b, { localPort: 5000 })
    const { client, events } = await startClient(c, { servers: ['first:5000', '10.0.0.2:5000'] }, { first: '10.0.0.1' })
    expect(await asked(network, client)).toBe('? by host1')
    a.stop()
    expect(await asked(network, client)).toBe('ETIMEDOUT')
    expect(await asked(network, client)).toBe('? by host2')
    expect(events).toEqual(['+10.0.0.1', '+10.0.0.2', '=10.0.0.1', '=10.0.0.2'])
  })

  test('SRV records: by priority, then by weight; an answer that is gone takes its server along', async () => {
    const { network, startServer, startClient } = setUp()
    const hosts = [network.addHost(), network.addHost()]
    for (const host of hosts) await startServer(host, { localPort: 5000 })
    const records = [
      { name: 'b.example', port: 5000, priority: 20, weight: 1 },
      { name: 'a.example', port: 5000, priority: 10, weight: 1 },
      { name: '.', port: 0, priority: 0, weight: 0 },
    ]
    const names = { 'a.example': '10.0.0.1', 'b.example': '10.0.0.2' }
    const resolver = srvResolver('_x._udp.example', (name) =>
      name === '_x._udp.example' ? Promise.resolve(records) : Promise.reject(new Error('no such name')),
    )
    const { client, events } = await startClient(network.addHost(), { resolver, resolveEveryMs: 1000 }, names)
    await network.clock.advanceAsync(10)
    expect(client.server?.endpoint.address).toBe('10.0.0.1')
    records.splice(1, 1)
    await network.clock.advanceAsync(1000)
    expect(events).toEqual(['+10.0.0.2', '+10.0.0.1', '=10.0.0.1', '-10.0.0.1 gone', '=10.0.0.2'])
    expect(await asked(network, client)).toBe('? by host2')
  })

  test('a resolver that fails is asked again, and what it said stays', async () => {
    const { network, startClient } = setUp()
    let isBroken = true
    let asks = 0
    const resolver = {
      resolve: () => {
        asks++
        if (isBroken) return Promise.reject(new Error('broken'))
        return Promise.resolve([{ host: '10.0.0.1', port: 1 }])
      },
    }
    const { client } = await startClient(network.addHost(), { resolver, resolveEveryMs: 5000 })
    const errors: string[] = []
    client.on('peerError', ({ message }) => errors.push(message))
    await network.clock.advanceAsync(4000)
    expect(asks).toBeGreaterThan(1)
    expect(new Set(errors)).toEqual(new Set(['broken']))
    isBroken = false
    await network.clock.advanceAsync(10_000)
    expect(client.server?.endpoint.port).toBe(1)
    isBroken = true
    await network.clock.advanceAsync(20_000)
    expect(client.server?.endpoint.port).toBe(1)
    const before = asks
    client.close()
    await network.clock.advanceAsync(60_000)
    expect(asks).toBe(before)
  })

  test('SRV weights are heeded', async () => {
    const { network, startClient } = setUp()
    const records = [
      { name: '10.0.0.201', port: 1, priority: 1, weight: 9 },
      { name: '10.0.0.202', port: 1, priority: 1, weight: 1 },
    ]
    const resolver = srvResolver('x', () => Promise.resolve(records))
    let heavy = 0
    for (let i = 0; i < 100; i++) {
      const { client } = await startClient(network.addHost(), { resolver })
      await network.clock.advanceAsync(1)
      if (client.server?.endpoint.address === '10.0.0.201') heavy++
    }
    expect(heavy).toBeGreaterThan(75)
    expect(heavy).toBeLessThan(99)
  })

  test('a list is checked when the link is opened', async () => {
    for (const wrong of ['host', 'host:0', 'host:70000', ':1', '[::1]', 'a:b:1']) {
      failure(() => staticResolver([wrong]), 'ERR_INVALID_ARG_VALUE', /host:port/)
    }
    const { network, startClient } = setUp()
    await rejection(startClient(network.addHost(), { servers: ['nonsense'] }), 'ERR_INVALID_ARG_VALUE')
    expect(await staticResolver(['[::1]:5', 'a:6']).resolve(new AbortController().signal)).toEqual([
      { host: '::1', port: 5, priority: 0 },
      { host: 'a', port: 6, priority: 1 },
    ])
  })
})
