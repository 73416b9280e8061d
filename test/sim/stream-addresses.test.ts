import { expect, test } from 'vitest'
import { encodeControl, type ControlFrame } from '../../src/stream/control-frame.js'
import { readReceiver, writeHeader } from '../../src/stream/header.js'
import { NOBODY, type NodeId } from '../../src/stream/node-id.js'
import { FLAG, TYPE, VERSION } from '../../src/stream/wire.js'
import { SimulatedNetwork, type SimulatedLink } from '../../src/testing/index.js'
import { nodeOn } from './support/stream-nodes.js'

const PORT = 4000

/** Says hello from its own address as `id`, and proves the address. */
function impersonate(link: SimulatedLink, id: NodeId, server: { address: string; port: number }): { welcomes: number } {
  const seen = { welcomes: 0 }
  const hello = (cookie: Uint8Array): void => {
    const frame = Buffer.alloc(400)
    const fields = { minVersion: VERSION, maxVersion: VERSION, frameBytes: 1472, timestamp: 1, session: 1, name: 'honest' }
    writeHeader(frame, FLAG.control, TYPE.hello, 0, id, NOBODY)
    const body: ControlFrame = { type: TYPE.hello, cookie, ...fields }
    link.send(frame.subarray(0, encodeControl(frame, body)), server)
  }
  link.on('batch', (batch) => {
    for (let i = 0; i < batch.count; i++) {
      const frame = batch.payload(i)
      if (frame[1] === TYPE.challenge) hello(Buffer.from(frame.subarray(24, 40)))
      if (frame[1] === TYPE.welcome) seen.welcomes++
    }
  })
  hello(new Uint8Array(0))
  return seen
}

test('who says hello with the id of a peer, from an address of his own, does not disturb it', async () => {
  const network = new SimulatedNetwork(1, { path: { latencyMs: 5 } })
  const [a, b, c] = [network.addHost(), network.addHost(), network.addHost()]
  const [client, server] = [nodeOn(a), nodeOn(b, {}, { port: PORT })]
  let id = NOBODY
  client.link.on('batch', (batch) => (id = readReceiver(batch.payload(0))))
  server.node.on('stream', (stream) => stream.on('message', (message) => stream.send(message)))
  const joining = client.node.connect(server.endpoint)
  await network.clock.advanceAsync(100)
  const peer = await joining
  const stream = peer.openStream()
  const answers: string[] = []
  const ends: (string | undefined)[] = []
  stream.on('message', (message) => answers.push(message.toString()))
  for (const which of [stream, ...server.node.peers()]) which.on('close', (error) => ends.push(error?.code))
  stream.send('before')
  await network.clock.advanceAsync(100)
  expect(id.life).not.toBe(0)
  const links = [c.openLink(), c.openLink()]
  const seen = links.map((link) => impersonate(link, id, server.endpoint))
  for (let i = 0; i < 20; i++) {
    stream.send(`${i}`)
    await network.clock.advanceAsync(500)
  }
  expect(answers.length).toBe(21)
  expect(ends).toEqual([])
  expect(seen).toEqual([{ welcomes: 0 }, { welcomes: 0 }])
  expect(server.node.peers().map(({ endpoint }) => endpoint.address)).toEqual([a.addressOf()])
  expect(server.node.stats().dropped.wrongEndpoint).toBe(undefined)
  client.node.destroy()
  server.node.destroy()
})
