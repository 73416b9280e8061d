import { expect, test } from 'vitest'
import type { Peer } from '../../src/stream/index.js'
import { SimulatedNetwork } from '../../src/testing/index.js'
import { nodeOn } from './support/stream-nodes.js'

const PORT = 4000

test('sessions of the same two lives, one after the other: what comes late of one does not end the next', async () => {
  const network = new SimulatedNetwork(1, {
    path: { latencyMs: 5, reorderProbability: 0.2, reorderMs: 60, duplicateProbability: 0.1 },
  })
  const [a, b] = [network.addHost(), network.addHost()]
  const client = nodeOn(a, { secret: 'sixteen bytes at least' }, { port: PORT })
  const server = nodeOn(b, { secret: 'sixteen bytes at least' }, { port: PORT })
  server.node.on('stream', (stream) => stream.on('message', (message) => stream.send(message)))
  const ends = new Map<string | undefined, number>()
  const heard: number[] = []
  let isDone = false
  const talk = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i++) {
      const peer = await client.node.connect(server.endpoint)
      await Promise.all([talkOn(peer, i * 2), talkOn(peer, i * 2 + 1)])
      await peer.close()
    }
    isDone = true
  }
  const talkOn = (peer: Peer, number: number): Promise<void> =>
    new Promise((resolve) => {
      const stream = peer.openStream()
      stream.send(`${number}`)
      stream.on('message', (message) => {
        heard.push(Number(message.toString()))
        stream.end()
      })
      stream.on('close', (error) => {
        ends.set(error?.code, (ends.get(error?.code) ?? 0) + 1)
        resolve()
      })
    })
  void talk(500)
  await network.clock.runUntilTrueAsync(() => isDone, 600_000)
  expect([...ends]).toEqual([[undefined, 1000]])
  expect(new Set(heard).size).toBe(1000)
  expect(heard.length).toBe(1000)
  expect(server.node.stats().dropped.otherSession).toBeGreaterThan(10)
  client.node.destroy()
  server.node.destroy()
}, 60_000)

test('a session that follows another whose farewell was lost: what the other side still had of the first one ends', async () => {
  const network = new SimulatedNetwork(2, { path: { latencyMs: 5 } })
  const [a, b] = [network.addHost(), network.addHost()]
  const [client, server] = [nodeOn(a, {}, { port: PORT }), nodeOn(b, {}, { port: PORT })]
  const ends: (string | undefined)[] = []
  server.node.on('stream', (stream) => stream.on('close', (error) => ends.push(error?.code)))
  const first = client.node.connect(server.endpoint)
  await network.clock.advanceAsync(50)
  // It waits for more, and would never learn otherwise.
  ;(await first).openStream().send('the beginning')
  await network.clock.advanceAsync(50)
  const parted = network.partition([a], [b])
  ;(await first).leave()
  await network.clock.advanceAsync(10)
  parted.heal()
  const second = client.node.connect(server.endpoint)
  await network.clock.advanceAsync(200)
  expect(ends).toEqual(['ERR_PEER_LEFT'])
  const peer = await second
  const stream = peer.openStream()
  let answer = ''
  server.node.on('stream', (accepted) => accepted.on('message', (message) => accepted.send(message)))
  stream.on('message', (message) => (answer = message.toString()))
  stream.send('more')
  await network.clock.advanceAsync(5000)
  expect([answer, peer.closed, client.node.peers(), server.node.peers().length]).toEqual(['more', false, [peer], 1])
  client.node.destroy()
  server.node.destroy()
})

test('a restart is noticed two round trips after something was sent', async () => {
  const network = new SimulatedNetwork(3, { path: { latencyMs: 50 } })
  const [a, b] = [network.addHost(), network.addHost()]
  const client = nodeOn(a, {}, { port: PORT })
  const server = nodeOn(b, {}, { port: PORT })
  server.node.on('stream', () => undefined)
  const joining = client.node.connect(server.endpoint)
  await network.clock.advanceAsync(500)
  const stream = (await joining).openStream()
  stream.send('before')
  await network.clock.advanceAsync(500)
  b.stop()
  b.restart()
  const again = nodeOn(b, {}, { port: PORT })
  const ends: (string | undefined)[] = []
  stream.on('close', (error) => ends.push(error?.code))
  stream.send('after')
  await network.clock.advanceAsync(205)
  expect(ends).toEqual(['ERR_PEER_RESTARTED'])
  client.node.destroy()
  again.node.destroy()
})
