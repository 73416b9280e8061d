import { expect, test } from 'vitest'
import {
  openLink,
  type MulticastClientOptions,
  type MulticastLink,
  type MulticastServerOptions,
} from '../../../src/link/index.js'
import { SimulatedNetwork } from '../../../src/testing/index.js'
import { simulatedPlatform } from '../../support/simulated-platform.js'
import { failure } from '../support/errors.js'

type Common = Partial<Omit<MulticastClientOptions, 'role'> & Omit<MulticastServerOptions, 'role'>>

async function setUp(common: Common, hosts = [0, 1, 2], serverOnly: Common = {}) {
  const network = new SimulatedNetwork(1)
  const all = [network.addHost(), network.addHost(), network.addHost()]
  const shared = { kind: 'multicast', serverMulticastAddress: '239.1.1.1', serverMulticastPort: 7000, ...common } as const
  const server = await openLink({ ...shared, ...serverOnly, role: 'server' }, { platform: simulatedPlatform(all[hosts[0]!]!) })
  const clients: MulticastLink[] = []
  for (const host of hosts.slice(1)) {
    clients.push(await openLink({ ...shared, role: 'client' }, { platform: simulatedPlatform(all[host]!) }))
  }
  const heard: string[] = []
  for (const [i, link] of [server, ...clients].entries()) {
    link.on('batch', (batch) => {
      for (let j = 0; j < batch.count; j++) heard.push(`${i}: ${batch.payload(j).toString()}`)
    })
  }
  return { network, server, clients, heard }
}

test.each([
  ['derived', {}, '239.1.1.2:7001'],
  ['given', { clientMulticastAddress: '239.9.9.9', clientMulticastPort: 9 }, '239.9.9.9:9'],
] as const)('with a client group that is %s, each side hears the other', async (_name, common, group) => {
  const { network, server, clients, heard } = await setUp(common)
  expect(server.listeningGroup.toString()).toBe(group)
  expect(clients[0]!.sendingGroup?.toString()).toBe(group)
  server.send('news')
  clients[0]!.send('question', clients[0]!.sendingGroup)
  network.clock.runUntilIdle()
  expect(heard.sort()).toEqual(['0: question', '1: news', '2: news'])
  failure(() => clients[0]!.send('x', { address: '239.3.3.3', port: 3 }), 'ERR_INVALID_ARG_VALUE')
})

test('requests and responses are matched, and others do not see them', async () => {
  const { network, server, clients, heard } = await setUp({ header: true })
  server.on('request', (request) => request.respond(`re: ${request.payload.toString()}`))
  const answers = Promise.all(clients.map((client, i) => client.request(`${i}`)))
  await network.clock.advanceAsync(100)
  expect((await answers).map(String)).toEqual(['re: 0', 're: 1'])
  expect(heard).toEqual([])
  expect(clients[0]!.stats()).toMatchObject({ datagramsForeign: 1, requestsAnswered: 1 })
})

test('a client learns its group from the server, and sends then what it was asked to before', async () => {
  const { network, server, clients } = await setUp({ header: true, clientGroup: 'announced' }, [0, 1], {
    clientMulticastAddress: '239.5.5.5',
    clientMulticastPort: 5,
  })
  const [client] = clients as [MulticastLink]
  const events: string[] = []
  client.on('peer', (peer) => events.push(`+${peer.address}`))
  client.on('peerlost', (peer, reason) => events.push(`-${peer.address} ${reason}`))
  server.on('request', (request) => request.respond('!'))
  expect(client.sendingGroup).toBeUndefined()
  expect(client.send('too early')).toBe(false)
  const answer = client.request('?')
  await network.clock.advanceAsync(1200)
  expect(String(await answer)).toBe('!')
  expect(client.sendingGroup?.toString()).toBe('239.5.5.5:5')
  server.close()
  await network.clock.advanceAsync(100)
  expect(events).toEqual(['+10.0.0.1', '-10.0.0.1 gone'])
})

test('on a shared group everybody hears everybody, and with the header nobody hears itself', async () => {
  const { network, server, clients, heard } = await setUp({ header: true, clientGroup: 'shared' }, [0, 0, 1])
  server.send('s')
  clients[0]!.send('c')
  network.clock.runUntilIdle()
  expect(heard.sort()).toEqual(['0: c', '1: s', '2: c', '2: s'])
  expect(server.stats().datagramsOwn).toBe(1)
  expect(server.recognisesOwnCopies).toBe(true)
  expect(server.address().port).toBe(7000)
})

test('a raw link on a shared group says that it cannot tell its own copies', async () => {
  const { network, server, heard } = await setUp({ clientGroup: 'shared' }, [0, 1])
  server.send('s')
  network.clock.runUntilIdle()
  expect(heard.sort()).toEqual(['0: s', '1: s'])
  expect(server.recognisesOwnCopies).toBe(false)
})
