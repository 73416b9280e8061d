import { expect, onTestFinished, test } from 'vitest'
import { UdpSocket, type EndpointLike } from '../../src/index.js'
import { createNode } from '../../src/stream/index.js'

const FAMILIES = {
  IPv4: [{ type: 'udp4' }, '127.0.0.1'],
  IPv6: [{ type: 'udp6', ipv6Only: true }, '::1'],
  'both families': [{ type: 'udp6', ipv6Only: false }, '::'],
} as const

async function open(family: keyof typeof FAMILIES, name: string) {
  const [options, address] = FAMILIES[family]
  const link = new UdpSocket(options)
  const { port } = await link.bind({ address })
  const node = createNode({ link, name })
  node.on('stream', (stream) => stream.on('message', (message) => stream.send(message)))
  onTestFinished(() => {
    node.destroy()
    link.close()
  })
  return { node, port }
}

test.each([
  ['IPv4', 'both families', '127.0.0.1', '127.0.0.1'],
  ['both families', 'IPv4', '127.0.0.1', '::ffff:127.0.0.1'],
  ['both families', 'IPv4', '::ffff:127.0.0.1', '::ffff:127.0.0.1'],
  ['both families', 'IPv6', '::1', '::1'],
  ['IPv6', 'both families', '::1', '::1'],
  ['both families', 'both families', '127.0.0.1', '::ffff:127.0.0.1'],
] as const)('a node on a socket of %s joins one on a socket of %s, by %s', async (from, to, address, known) => {
  const [client, server] = [await open(from, 'client'), await open(to, 'server')]
  const target: EndpointLike = { address, port: server.port }
  const peer = await client.node.connect(target)
  expect([peer.name, peer.endpoint.address]).toEqual(['server', known])
  expect(await client.node.connect(target)).toBe(peer)
  if (known.startsWith('::ffff:')) {
    for (const same of ['127.0.0.1', known]) expect(await client.node.connect({ ...target, address: same })).toBe(peer)
  }
  const stream = peer.openStream()
  stream.send('to and fro')
  for await (const message of stream) {
    expect(message.toString()).toBe('to and fro')
    break
  }
  expect(client.node.stats().dropped).toEqual({})
  // The other side finds it by its address as well.
  const [back] = server.node.peers()
  expect(await server.node.connect(back!.endpoint)).toBe(back)
})

test('another address of a node that is joined is that peer, also when both are asked at once', async () => {
  const [client, server] = [await open('both families', 'client'), await open('both families', 'server')]
  const [four, six] = ['127.0.0.1', '::1'].map((address) => ({ address, port: server.port }))
  const peer = await client.node.connect(four!)
  expect(await client.node.connect(six!)).toBe(peer)
  expect([client.node.peers(), server.node.peers().length]).toEqual([[peer], 1])

  const another = await open('both families', 'another')
  const [one, other] = await Promise.all([another.node.connect(four!), another.node.connect(six!)])
  expect(one).toBe(other)
  expect([another.node.peers(), server.node.peers().length]).toEqual([[one], 2])
  for (const each of [peer, one]) {
    const stream = each.openStream()
    stream.send('to and fro')
    for await (const message of stream) {
      expect(message.toString()).toBe('to and fro')
      break
    }
  }
})
