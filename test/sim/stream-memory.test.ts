import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { SeededRandom } from '../../src/core/index.js'
import { encodeControl } from '../../src/stream/control-frame.js'
import { readSender, writeHeader } from '../../src/stream/header.js'
import { NOBODY, drawNodeId } from '../../src/stream/node-id.js'
import { FLAG, INTEGRITY, TYPE, VERSION } from '../../src/stream/wire.js'
import { SimulatedNetwork, type SimulatedLink } from '../../src/testing/index.js'
import { nodeOn } from './support/stream-nodes.js'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function usedBytes(): number {
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** The rest of a node, as far as joining needs it: keeps nothing that would be counted. */
function joinRaw(link: SimulatedLink, random: SeededRandom, server: { address: string; port: number }): void {
  const id = drawNodeId('raw', random)
  const hello = (cookie: Uint8Array): void => {
    const frame = Buffer.alloc(400)
    writeHeader(frame, FLAG.control, TYPE.hello, INTEGRITY.none, id, NOBODY)
    const fields = { minVersion: VERSION, maxVersion: VERSION, frameBytes: 1472, timestamp: 1, session: 1, name: 'raw' }
    link.send(frame.subarray(0, encodeControl(frame, { type: TYPE.hello, cookie, ...fields })), server)
  }
  link.on('batch', (batch) => {
    for (let i = 0; i < batch.count; i++) {
      const frame = batch.payload(i)
      if (frame[1] === TYPE.challenge) hello(Buffer.from(frame.subarray(24, 40)))
      if (frame[1] !== TYPE.ping) continue
      writeHeader(frame, FLAG.control, TYPE.pong, INTEGRITY.none, id, readSender(frame))
      link.send(frame, server)
    }
  })
  hello(new Uint8Array(0))
}

test('an idle stream costs at most 1 KiB at each side, also after it was busy', async () => {
  const streams = 4000
  const network = new SimulatedNetwork(1)
  const [client, server] = [nodeOn(network.addHost()), nodeOn(network.addHost())]
  server.node.on('stream', (stream) => stream.on('message', (message) => stream.send(message)))
  const joined = client.node.connect(server.endpoint)
  await network.clock.advanceAsync(100)
  const peer = await joined
  const openAndUse = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const stream = peer.openStream()
      stream.on('message', () => undefined)
      for (let j = 0; j < 5; j++) stream.send(Buffer.alloc(3000))
      if (i % 50 === 49) await network.clock.advanceAsync(20)
    }
    await network.clock.advanceAsync(10_000)
  }
  // Both nodes keep the frames of a burst for the next one, however many streams there are.
  await openAndUse(100)
  const before = usedBytes()
  await openAndUse(streams)
  expect(client.node.stats().frameMemoryBytes).toBe(0)
  const bytes = (usedBytes() - before) / streams / 2
  console.log(`an idle stream: ${Math.round(bytes)} bytes at each side`)
  expect(bytes).toBeLessThanOrEqual(1024)
  client.node.destroy()
  server.node.destroy()
}, 60_000)

test('10 000 idle peers cost at most 4 KiB each, and are kept alive', async () => {
  const peers = 10_000
  const network = new SimulatedNetwork(1)
  const server = nodeOn(network.addHost(), {}, { port: 4000 })
  const clients = network.addHost()
  const links = Array.from({ length: peers }, () => clients.openLink())
  const random = new SeededRandom(1)
  const before = usedBytes()
  for (const [i, link] of links.entries()) {
    joinRaw(link, random, server.endpoint)
    if (i % 200 === 199) await network.clock.advanceAsync(100)
  }
  await network.clock.advanceAsync(15_000)
  expect(server.node.stats().peers).toBe(peers)
  const bytes = (usedBytes() - before) / peers
  console.log(`an idle peer: ${Math.round(bytes)} bytes, what the test needs for its other side included`)
  expect(bytes).toBeLessThan(4096)
  server.node.destroy()
}, 60_000)
