import { expect, test } from 'vitest'
import type { Stream } from '../../src/stream/index.js'
import { SimulatedNetwork } from '../../src/testing/index.js'
import { nodeOn } from './support/stream-nodes.js'

test('a thousand streams that are reset at once are gone at the other side as well, whatever is lost', async () => {
  const network = new SimulatedNetwork(1, { path: { latencyMs: 5, lossProbability: 0.1 } })
  const [client, server] = [nodeOn(network.addHost()), nodeOn(network.addHost())]
  const accepted: Stream[] = []
  server.node.on('stream', (stream) => accepted.push(stream))
  const joining = client.node.connect(server.endpoint)
  await network.clock.advanceAsync(2000)
  const peer = await joining
  const opened = Array.from({ length: 1000 }, () => peer.openStream())
  await network.clock.advanceAsync(5000)
  expect(accepted).toHaveLength(1000)
  for (const stream of opened) stream.reset()
  await network.clock.advanceAsync(10_000)
  expect(accepted.filter((stream) => !stream.closed)).toEqual([])
  expect(server.node.stats().dropped).not.toHaveProperty('unknownStream')
})

test('an open that was lost is taken, however many streams were opened with others meanwhile', async () => {
  const network = new SimulatedNetwork(1, { path: { latencyMs: 5 } })
  const hosts = [network.addHost(), network.addHost(), network.addHost()] as const
  const [client, one, other] = [nodeOn(hosts[0]), nodeOn(hosts[1]), nodeOn(hosts[2])]
  const labels: string[] = []
  for (const { node } of [one, other]) node.on('stream', (stream) => stream.label !== '' && labels.push(stream.label))
  const joining = Promise.all([client.node.connect(one.endpoint), client.node.connect(other.endpoint)])
  await network.clock.advanceAsync(100)
  const [toOne, toOther] = await joining
  toOne.openStream({ label: 'first' })
  await network.clock.advanceAsync(100)
  const parted = network.partition([hosts[0]], [hosts[1]])
  const lost = toOne.openStream({ label: 'lost' })
  await network.clock.advanceAsync(5)
  parted.heal()
  for (let i = 0; i < 300; i++) toOther.openStream()
  toOne.openStream({ label: 'later' })
  await network.clock.advanceAsync(2000)
  expect(labels).toEqual(['first', 'later', 'lost'])
  expect(lost.closed).toBe(false)
})
