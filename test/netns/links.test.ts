import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openLink } from '../../src/link/index.js'
import { firewallProblem, lacking } from '../support/capabilities.js'
import type { Host } from '../support/host.js'
import { TestNetwork } from '../support/network.js'

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const PORT = 7000

// A bridge with three hosts: two for servers, one for clients.
describe.skipIf(lacking('network namespaces and nftables', firewallProblem()))('links between hosts', () => {
  let network: TestNetwork
  let one: Host
  let two: Host
  let clients: Host

  beforeAll(() => {
    network = new TestNetwork()
    for (const name of ['one', 'two', 'clients', 'bridge']) network.addNamespace(name)
    network.addSwitch({ namespace: 'bridge', device: 'br0', addresses: [] })
    for (const [i, namespace] of ['one', 'two', 'clients'].entries()) {
      network.link(
        { namespace, device: 'eth0', addresses: [`10.78.0.${i + 1}/24`, `fd78::${i + 1}/64`] },
        { namespace: 'bridge', device: `port${i}`, addresses: [] },
      )
      network.ip('bridge', `link set port${i} master br0`)
      network.ip(namespace, 'route add default via 10.78.0.254')
    }
    one = network.host('one')
    two = network.host('two')
    clients = network.host('clients')
  })
  afterAll(() => network.remove())

  beforeEach(async () => {
    await Promise.all(
      [one, two, clients].map((host) =>
        host.run(async ({ keep }) => {
          for (const link of [keep.server, keep.client, keep.pointToPoint, ...(keep.clients ?? [])]) {
            if (link !== undefined) await link[Symbol.asyncDispose]()
          }
        }),
      ),
    )
  })

  const serve = (host: Host, options: object = {}): Promise<number> =>
    host.run(async ({ geysir, keep }, more) => {
      const server = await geysir.openLink({
        kind: 'discovery',
        role: 'server',
        multicastAddress: '239.78.1.1',
        multicastPort: 7000,
        localInterface: 'eth0',
        announcePeriodMs: 50,
        header: true,
        ...more,
      })
      keep.server = server
      const { port } = server.address()
      server.on('request', (request) => request.respond(`${request.payload.toString()} by ${port}`))
      return port
    }, options)

  const find = (options: object = {}): Promise<void> =>
    clients.run(async ({ geysir, keep }, more) => {
      const client = await geysir.openLink({
        kind: 'discovery',
        role: 'client',
        multicastAddress: '239.78.1.1',
        multicastPort: 7000,
        header: true,
        requestTimeoutMs: 10_000,
        requestRetryMs: 20,
        ...more,
      })
      keep.client = client
      keep.events = []
      client.on('peer', (peer) => keep.events.push(`+${peer.address}`))
      client.on('peerlost', (peer, reason) => keep.events.push(`-${peer.address} ${reason}`))
    }, options)

  /** Waits until the server of `host` has announced itself so many times more. */
  const announced = (host: Host, times: number): Promise<void> =>
    host.run(async ({ keep }, times) => {
      const sent = keep.server.stats().datagramsSent
      while (keep.server.stats().datagramsSent < sent + times) await new Promise((resolve) => setTimeout(resolve, 1))
    }, times)

  const ask = (): Promise<string> => clients.run(({ keep }) => keep.client.request('?').then(String))

  test.each([
    ['IPv4', '239.78.1.1'],
    ['IPv6', 'ff15::78'],
  ])('ten clients of one host find the server across the bridge, over %s', async (_family, multicastAddress) => {
    await serve(one, { multicastAddress, localInterface: 'eth0' })
    const answers = await clients.run(async ({ geysir, keep }, multicastAddress) => {
      keep.clients = []
      for (let i = 0; i < 10; i++) {
        keep.clients.push(
          await geysir.openLink({
            kind: 'discovery',
            role: 'client',
            multicastAddress,
            multicastPort: 7000,
            localInterface: 'eth0',
            header: true,
            requestTimeoutMs: 10_000,
          }),
        )
      }
      const all = await Promise.all(keep.clients.map((client, i) => client.request(`${i}`)))
      return all.map((answer) => answer.toString().split(' ')[0])
    }, multicastAddress)
    expect(answers).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
  })

  test('an interface that goes down and comes back in mid-request delays the answer, no more', async () => {
    await serve(one)
    await find({ silentPeriods: 1000 })
    expect(await ask()).toMatch(/^\? by/)
    network.ip('clients', 'link set eth0 down')
    await clients.run(({ keep }) => {
      keep.answer = keep.client.request('after the flap').then(String)
    })
    network.ip('clients', 'link set eth0 up')
    expect(await clients.run(({ keep }) => keep.answer)).toMatch(/^after the flap by/)
  })

  test('a server that dies is replaced by one of its name at another address', async () => {
    await serve(one, { name: 'same' })
    await find({ serverName: 'same' })
    expect(await ask()).toMatch(/^\? by/)
    network.ip('one', 'link set eth0 down')
    await serve(two, { name: 'same' })
    expect(await ask()).toMatch(/^\? by/)
    const { events, address } = await clients.run(({ keep }) => ({
      events: keep.events,
      address: keep.client.server?.endpoint.address,
    }))
    network.ip('one', 'link set eth0 up')
    expect(address).toBe('10.78.0.2')
    expect(events).toContain('-10.78.0.1 silent')
  })

  test('with half of the announcements lost the server is found, and not lost again', async () => {
    network.exec('clients', 'nft', 'add table inet loss')
    network.exec('clients', 'nft', 'add chain inet loss input { type filter hook input priority 0; }')
    network.exec('clients', 'nft', `add rule inet loss input udp dport ${PORT} numgen random mod 2 == 0 drop`)
    try {
      await serve(one, { announcePeriodMs: 20 })
      await find({ silentPeriods: 40 })
      expect(await ask()).toMatch(/^\? by/)
      await announced(one, 50)
      expect(await clients.run(({ keep }) => keep.events)).toEqual(['+10.78.0.1'])
    } finally {
      network.exec('clients', 'nft', 'delete table inet loss')
    }
  })

  test('TTL 1 reaches the other host, TTL 0 only this one', async () => {
    await serve(clients, { multicastTtl: 0 })
    await find()
    expect(await ask()).toMatch(/^\? by/)
    await one.run(async ({ geysir, keep }) => {
      const client = await geysir.openLink({
        kind: 'discovery',
        role: 'client',
        multicastAddress: '239.78.1.1',
        multicastPort: 7000,
      })
      keep.client = client
    })
    await announced(clients, 10)
    expect(await one.run(({ keep }) => keep.client.servers().length)).toBe(0)
    await serve(two, { multicastTtl: 1 })
    await one.run(({ keep, events }) => keep.client.server ?? events.once(keep.client, 'server').then(() => undefined))
  })

  test('a point-to-point link goes on from another address when its own is gone', async () => {
    await one.run(async ({ geysir, keep }) => {
      const server = await geysir.openLink({
        kind: 'responder',
        role: 'server',
        localPort: 6000,
        localAddress: '10.78.0.1',
        header: true,
      })
      server.on('request', (request) => request.respond(request.endpoint.address))
      keep.server = server
    })
    const askFrom = (): Promise<string> =>
      clients.run(async ({ geysir, keep }) => {
        keep.pointToPoint ??= await geysir.openLink({
          kind: 'responder',
          role: 'client',
          serverHost: '10.78.0.1',
          serverPort: 6000,
          header: true,
          requestTimeoutMs: 10_000,
        })
        return String(await keep.pointToPoint.request('who am I?'))
      }) // prettier-ignore
    expect(await askFrom()).toBe('10.78.0.3')
    network.ip('clients', 'addr del 10.78.0.3/24 dev eth0')
    network.ip('clients', 'addr add 10.78.0.33/24 dev eth0')
    try {
      expect(await askFrom()).toBe('10.78.0.33')
    } finally {
      network.ip('clients', 'addr del 10.78.0.33/24 dev eth0')
      network.ip('clients', 'addr add 10.78.0.3/24 dev eth0')
      network.ip('clients', 'route replace default via 10.78.0.254')
    }
  })

  test('a multicast link across the bridge', async () => {
    await one.run(async ({ geysir, keep }) => {
      const server = await geysir.openLink({
        kind: 'multicast',
        role: 'server',
        serverMulticastAddress: '239.78.2.1',
        serverMulticastPort: 7100,
        localInterface: 'eth0',
        header: true,
      })
      server.on('request', (request) => request.respond(`re: ${request.payload.toString()}`))
      keep.server = server
    })
    const answer = await clients.run(async ({ geysir }) => {
      const client = await geysir.openLink('multicast://client@239.78.2.1:7100?localInterface=eth0&header=true')
      const answer = await client.request('across', { timeoutMs: 10_000 })
      client.close()
      return answer.toString()
    })
    expect(answer).toBe('re: across')
  })

  test('a proxy reaches what only another namespace can', async () => {
    await one.run(async ({ geysir, keep }) => {
      const server = await geysir.openLink({ kind: 'responder', role: 'server', localPort: 6100, header: true })
      server.on('request', (request) =>
        request.respond(`${request.payload.toString()} from ${request.endpoint.address.replace('::ffff:', '')}`),
      )
      keep.server = server
    })
    const inside = ['ip', 'netns', 'exec', network.fullName('two'), process.execPath, MAIN]
    const link = await openLink({
      kind: 'proxied',
      role: 'client',
      transport: 'command',
      command: [...inside, 'proxy', 'stdio', 'udp:10.78.0.1:6100', '--quiet'],
      header: true,
      requestTimeoutMs: 10_000,
    })
    try {
      expect(String(await link.request('through'))).toBe('through from 10.78.0.2')
    } finally {
      link.close()
    }
  })
})
