import { describe, expect, test } from 'vitest'
import { openLink, type IncomingRequest, type PointToPointLink } from '../../../src/link/index.js'
import { SimulatedNetwork } from '../../../src/testing/index.js'
import { simulatedPlatform } from '../../support/simulated-platform.js'
import { failure, rejection } from '../support/errors.js'

async function pair(header: boolean, seed = 1) {
  const network = new SimulatedNetwork(seed)
  const [a, b] = [network.addHost(), network.addHost()]
  const names = { server: a.addressOf() }
  const server = await openLink(
    { kind: 'point-to-point', role: 'server', clientHost: b.addressOf(), clientPort: 6000, localPort: 5000, header },
    { platform: simulatedPlatform(a) },
  )
  const client = await openLink(`point-to-point://client@server:5000?localPort=6000&header=${header}`, {
    platform: simulatedPlatform(b, names),
  })
  return { network, server, client: client as PointToPointLink, a, b }
}

describe.each([false, true])('point-to-point, header %s', (header) => {
  test('both sides send, and hear each other', async () => {
    const { network, server, client } = await pair(header)
    const heard: string[] = []
    server.on('batch', (batch) => heard.push(`server ${batch.payload(0).toString()} of ${batch.bytes}`))
    client.on('batch', (batch) => heard.push(`client ${batch.payload(0).toString()} of ${batch.bytes}`))
    client.on('announce', (payload, endpoint) => heard.push(`announced ${payload.toString()} by ${endpoint.toString()}`))
    client.send('question')
    server.send('news', client.address())
    network.clock.runUntilIdle()
    expect(heard.sort()).toEqual([`announced news by ${client.peer.toString()}`, 'client news of 4', 'server question of 8'])
    expect(client.stats()).toMatchObject({ datagramsSent: 1, bytesSent: 8, datagramsReceived: 1, bytesReceived: 4 })
  })

  test('what is reserved is written in place, and may become shorter', async () => {
    const { network, server, client } = await pair(header)
    const heard: string[] = []
    server.on('batch', (batch) => heard.push(batch.copy(0).toString()))
    const room = client.reserve(20)!
    expect(room.length).toBe(20)
    room.write('written in place')
    client.commit(16)
    network.clock.runUntilIdle()
    expect(heard).toEqual(['written in place'])
    failure(() => client.reserve(client.maxPayloadBytes + 1), 'ERR_OUT_OF_RANGE')
    failure(() => client.commit(), 'ERR_INVALID_STATE')
  })

  test('the longest datagram has room for the header', async () => {
    const { network, server, client } = await pair(header)
    expect(client.maxPayloadBytes).toBe(header ? 65_491 : 65_507)
    expect(client.unfragmentedBytes()).toBe(header ? 1456 : 1472)
    const lengths: number[] = []
    server.on('batch', (batch) => {
      for (let i = 0; i < batch.count; i++) lengths.push(batch.payload(i).length)
    })
    client.send(Buffer.alloc(client.maxPayloadBytes))
    client.send('')
    network.clock.runUntilIdle()
    expect(lengths.sort((x, y) => x - y)).toEqual([0, client.maxPayloadBytes])
    failure(() => client.send(Buffer.alloc(client.maxPayloadBytes + 1)), 'ERR_OUT_OF_RANGE')
  })

  test('a request is answered', async () => {
    const { network, server, client } = await pair(header)
    server.on('request', (request) => request.respond(`re: ${request.payload.toString()}`))
    if (!header) {
      const heard: string[] = []
      client.on('batch', (batch) => heard.push(batch.payload(0).toString()))
      client.send('raw')
      network.clock.runUntilIdle()
      expect(heard).toEqual(['re: raw'])
      failure(() => client.request('x'), 'ERR_INVALID_STATE', /option header/)
      return
    }
    const answer = client.request('matched')
    network.clock.runUntilIdle()
    expect(String(await answer)).toBe('re: matched')
    expect(client.stats()).toMatchObject({ requestsSent: 1, requestsAnswered: 1, datagramsUnheard: 0 })
    expect(server.stats()).toMatchObject({ requestsReceived: 1 })
  })

  test('strangers are not heard, and cannot be named', async () => {
    const { network, client, server } = await pair(header)
    const stranger = network.addHost().openLink()
    let heard = 0
    server.on('batch', () => heard++)
    stranger.send('x'.repeat(40), server.address())
    network.clock.runUntilIdle()
    expect(heard).toBe(0)
    failure(() => client.send('x', stranger.address()), 'ERR_INVALID_ARG_VALUE', /the peer of this link/)
  })
})

test('requests survive loss, duplication and reordering, each answered by its own response', async () => {
  const { network, server, client } = await pair(true, 7)
  network.setDefaultPath({ latencyMs: 10, jitterMs: 30, lossProbability: 0.3, duplicateProbability: 0.2 })
  server.on('request', (request) => request.respond(request.payload))
  const answers = Array.from({ length: 100 }, (_, i) => client.request(`${i}`, { timeoutMs: 60_000, retryMs: 50 }))
  await network.clock.runUntilAsync(60_000)
  expect((await Promise.all(answers)).map(String)).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`))
  const { requestsAnswered, requestsRepeated, responsesUnexpected } = client.stats()
  expect(requestsAnswered).toBe(100)
  expect(requestsRepeated).toBeGreaterThan(10)
  expect(responsesUnexpected).toBeGreaterThan(0)
})

test('a response may be given long after the handler has returned', async () => {
  const { network, server, client } = await pair(true)
  let kept: IncomingRequest | undefined
  server.on('request', (request) => (kept = request))
  const answer = client.request('?', { retryMs: 0 })
  network.clock.advance(3000)
  kept!.respond('!')
  network.clock.advance(100)
  expect(String(await answer)).toBe('!')
})

test('a link that waits for a response counts what nobody listens for', async () => {
  const { network, server, client } = await pair(true)
  server.on('request', (request) => {
    server.send('by the way')
    request.respond('!')
  })
  const answer = client.request('?')
  network.clock.runUntilIdle()
  await answer
  expect(client.stats().datagramsUnheard).toBe(1)
})

test('malformed datagrams are counted and dropped', async () => {
  const { network, server, client, a } = await pair(true)
  const raw = network.hosts[1]!.openLink({ peer: server.address() })
  let heard = 0
  server.on('batch', () => heard++)
  server.on('request', () => heard++)
  // From the client's own port, as its peer would send it.
  client.close()
  const plain = network.hosts[1]!.openLink({ port: 6000, peer: server.address() })
  plain.send('no header')
  plain.send(Buffer.alloc(100, 0x47))
  network.clock.runUntilIdle()
  expect(heard).toBe(0)
  expect(server.stats().datagramsMalformed).toBe(2)
  raw.close()
  expect(a.isUp).toBe(true)
})

test('closing settles requests and iterations, and everything afterwards throws', async () => {
  const { client } = await pair(true)
  const answer = rejection(client.request('?'), 'ERR_CLOSED')
  const iteration = client[Symbol.asyncIterator]().next()
  let closes = 0
  client.on('close', () => closes++)
  await client[Symbol.asyncDispose]()
  client.close()
  await answer
  expect(await iteration).toEqual({ done: true, value: undefined })
  expect(closes).toBe(1)
  for (const call of [
    () => client.send('x'),
    () => client.reserve(1),
    () => client.commit(),
    () => client.flush(),
    () => client.request('x'),
    () => client.unfragmentedBytes(),
    () => client.address(),
    () => client[Symbol.asyncIterator](),
  ]) {
    failure(call, 'ERR_CLOSED')
  }
  expect(client.closed).toBe(true)
  expect(client.stats().requestsSent).toBe(1)
})

test('a signal closes the link', async () => {
  const network = new SimulatedNetwork(1)
  const platform = simulatedPlatform(network.addHost())
  const controller = new AbortController()
  const options = { platform, signal: controller.signal }
  const link = await openLink('point-to-point://client@10.0.0.9:5000', options)
  controller.abort()
  expect(link.closed).toBe(true)
  expect((await openLink('point-to-point://client@10.0.0.9:5000', options)).closed).toBe(true)
  failure(() => openLink('point-to-point://client@10.0.0.9:5000', { signal: 1 as never }), 'ERR_INVALID_ARG_TYPE')
  await rejection(openLink('point-to-point://client@nowhere:5000', { platform }), 'ENOTFOUND')
})

test('what a request asks for is checked', async () => {
  const { client } = await pair(true)
  failure(() => client.request(1 as never), 'ERR_INVALID_ARG_TYPE')
  failure(() => client.request('x', { timeoutMs: 0 }), 'ERR_OUT_OF_RANGE', /timeoutMs/)
  failure(() => client.request('x', { retryMs: -1 }), 'ERR_OUT_OF_RANGE', /retryMs/)
  failure(() => client.request('x', { signal: {} as never }), 'ERR_INVALID_ARG_TYPE', /signal/)
  failure(() => client.request('x', { patience: 1 } as never), 'ERR_INVALID_ARG_VALUE', /patience/)
  failure(() => client.request(Buffer.alloc(65_500)), 'ERR_OUT_OF_RANGE', /payload.length/)
})
