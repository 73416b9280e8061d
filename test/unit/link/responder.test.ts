import { describe, expect, test } from 'vitest'
import { openLink, type ResponderServerOptions } from '../../../src/link/index.js'
import { SimulatedNetwork } from '../../../src/testing/index.js'
import { simulatedPlatform } from '../../support/simulated-platform.js'
import { failure } from '../support/errors.js'

async function setUp(more: Partial<ResponderServerOptions> = {}) {
  const network = new SimulatedNetwork(1)
  // A slow device, so that a send queue can be full.
  const host = network.addHost({ bytesPerSecond: 1_000_000 })
  const server = await openLink(
    { kind: 'responder', role: 'server', localPort: 5000, ...more },
    { platform: simulatedPlatform(host) },
  )
  const events: string[] = []
  server.on('peer', (peer) => events.push(`+${peer.address}`))
  server.on('peerlost', (peer, reason) => events.push(`-${peer.address} ${reason}`))
  const addClient = async () => {
    const client = await openLink(`responder://client@${host.addressOf()}:5000?header=${server.header}`, {
      platform: simulatedPlatform(network.addHost()),
    })
    const heard: string[] = []
    client.on('announce', (payload) => heard.push(payload.toString()))
    return { client, heard }
  }
  return { network, host, server: server, events, addClient }
}

describe.each([false, true])('a responding server, header %s', (header) => {
  test('announces to every client that it has heard of', async () => {
    const { network, server, events, addClient } = await setUp({ header })
    expect(server.announce('nobody hears this')).toBe(true)
    const clients = [await addClient(), await addClient(), await addClient()]
    for (const { client } of clients) client.send('hello')
    network.clock.advance(10)
    expect(events).toEqual(['+10.0.0.2', '+10.0.0.3', '+10.0.0.4'])
    server.announce('to all')
    network.clock.advance(10)
    expect(clients.map(({ heard }) => heard)).toEqual([['to all'], ['to all'], ['to all']])
    expect(server.stats()).toMatchObject({ clients: 3, datagramsSent: 3 })
  })

  test('forgets clients that are silent, and remembers those that are not', async () => {
    const { network, server, events, addClient } = await setUp({ header, activeMs: 1000 })
    const [a, b] = [await addClient(), await addClient()]
    a.client.send('hello')
    b.client.send('hello')
    network.clock.advance(600)
    b.client.send('still here')
    network.clock.advance(600)
    expect(events).toEqual(['+10.0.0.2', '+10.0.0.3', '-10.0.0.2 silent'])
    expect(server.clients().map(({ address }) => address)).toEqual(['10.0.0.3'])
    server.announce('news')
    network.clock.advance(1000)
    expect([a.heard, b.heard]).toEqual([[], ['news']])
    expect(events.at(-1)).toBe('-10.0.0.3 silent')
    expect(server.stats().clients).toBe(0)
  })

  test('announces to the last client where that is asked for', async () => {
    const { network, server, addClient } = await setUp({ header, announceTo: 'last' })
    const [a, b] = [await addClient(), await addClient()]
    b.client.send('hello')
    network.clock.advance(5)
    a.client.send('hello')
    network.clock.advance(5)
    server.announce('news')
    server.send('too')
    network.clock.advance(5)
    expect([a.heard.sort(), b.heard]).toEqual([['news', 'too'], []])
  })

  test('remembers no more than it may, the silent one goes', async () => {
    const { network, events, addClient } = await setUp({ header, maxClients: 2 })
    for (let i = 0; i < 3; i++) {
      ;(await addClient()).client.send('hello')
      network.clock.advance(5)
    }
    expect(events).toEqual(['+10.0.0.2', '+10.0.0.3', '-10.0.0.2 displaced', '+10.0.0.4'])
  })

  test('answers requests, also of several clients at a time', async () => {
    const { network, server, addClient } = await setUp({ header })
    server.on('request', (request) => request.respond(`${request.payload.toString()} for ${request.endpoint.address}`))
    const clients = [await addClient(), await addClient()]
    if (!header) {
      clients.forEach(({ client }) => client.send('answer'))
      network.clock.advance(10)
      expect(clients.map(({ heard }) => heard)).toEqual([['answer for 10.0.0.2'], ['answer for 10.0.0.3']])
      return
    }
    const answers = Promise.all(clients.map(({ client }) => client.request('answer')))
    network.clock.advance(10)
    expect((await answers).map(String)).toEqual(['answer for 10.0.0.2', 'answer for 10.0.0.3'])
  })
})

test('before there is a client, send without endpoint is refused, and drain follows the first one', async () => {
  const { network, server, addClient } = await setUp()
  let drains = 0
  server.on('drain', () => drains++)
  expect(server.send('to whom?')).toBe(false)
  expect(server.reserve(5)).toBeUndefined()
  expect(server.stats().datagramsRefused).toBe(2)
  const { client, heard } = await addClient()
  client.send('me')
  network.clock.advance(5)
  expect(drains).toBe(1)
  expect(server.send('to you')).toBe(true)
  network.clock.advance(5)
  expect(heard).toEqual(['to you'])
})

test('an announcement longer than the queue goes on by itself, and what does not go is counted', async () => {
  const { network, server, addClient } = await setUp({ sendQueueDatagrams: 3, activeMs: 3_600_000 })
  const clients = []
  for (let i = 0; i < 20; i++) {
    const added = await addClient()
    added.client.send('hello')
    clients.push(added)
  }
  network.clock.advance(10)
  const payload = Buffer.alloc(60_000, 'k')
  expect(server.announce(payload)).toBe(true)
  payload.fill(0)
  let accepted = 1
  while (accepted < 100 && server.announce(Buffer.alloc(60_000))) accepted++
  expect(accepted).toBeLessThan(20)
  network.clock.advance(60_000)
  for (const { heard } of clients) {
    expect(heard.length).toBe(accepted)
    expect(heard[0]).toBe('k'.repeat(60_000))
  }
  for (let i = 0; i < 10; i++) server.announce(Buffer.alloc(60_000))
  server.close()
  expect(server.stats().announcementsDiscarded).toBeGreaterThan(10)
  failure(() => server.announce('x'), 'ERR_CLOSED')
})

test('a server that nobody listens to still learns; once somebody did, it receives only for listeners', async () => {
  const { network, server, addClient } = await setUp()
  const { client } = await addClient()
  client.send('one')
  network.clock.advance(5)
  expect(server.stats()).toMatchObject({ clients: 1, datagramsUnheard: 1 })
  const heard: string[] = []
  const listener = (batch: { payload(i: number): Buffer }) => void heard.push(batch.payload(0).toString())
  server.on('batch', listener)
  client.send('two')
  network.clock.advance(5)
  server.off('batch', listener)
  client.send('three')
  network.clock.advance(5)
  expect(heard).toEqual(['two'])
  server.on('batch', listener)
  network.clock.advance(5)
  expect(heard).toEqual(['two', 'three'])
  expect(server.stats().datagramsUnheard).toBe(1)
})
