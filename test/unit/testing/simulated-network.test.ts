import { expect, test } from 'vitest'
import { SimulatedNetwork } from '../../../src/testing/index.js'

test('a datagram arrives after the latency, and an answer comes back', async () => {
  const network = new SimulatedNetwork(1, { path: { latencyMs: 5 } })
  const [a, b] = [network.addHost(), network.addHost()]
  const server = b.openLink({ port: 7 })
  const client = a.openLink({ peer: server.address() })
  const seen: string[] = []
  server.on('batch', (batch) => {
    for (let i = 0; i < batch.count; i++) server.send(`re ${batch.payload(i)}`, batch.endpoint(i))
  })
  client.on('batch', (batch) => {
    for (let i = 0; i < batch.count; i++) seen.push(`${network.clock.nowMs()} ${batch.payload(i)}`)
  })
  client.send('one')
  client.send('two')
  network.clock.runUntilIdle()
  expect(seen).toEqual(['10 re one', '10 re two'])
  expect(network.stats()).toMatchObject({ sent: 4, delivered: 4, inFlight: 0 })
  const closed: string[] = []
  server.on('close', () => closed.push('server'))
  await server[Symbol.asyncDispose]()
  expect(closed).toEqual(['server'])
  const asked = (async () => {
    for await (const batch of client) return batch.copy(0).toString()
  })()
  b.openLink({ port: 7, peer: client.address() }).send('again')
  await network.clock.advanceAsync(10)
  expect(await asked).toBe('again')
})
