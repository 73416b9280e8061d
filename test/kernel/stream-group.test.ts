import { once } from 'node:events'
import { expect, test } from 'vitest'
import { capabilities, createNode, fixedRate, type Peer, type PublicationOptions, type StreamNode } from '../../src/index.js'
import { bound } from '../support/sockets.js'

const GROUP_ADDRESS = '239.77.3.1'
const RECEIVERS = 3
const MESSAGES = 3000

interface Receiver {
  readonly node: StreamNode
  readonly endpoint: { address: string; port: number }
  readonly received: number[]
  readonly ended: Promise<unknown>
}

/** A node with a socket of its own, and one that has joined the group: several of a host share its port. */
async function receiver(groupPort: number): Promise<Receiver> {
  const link = await bound({ receiveBufferBytes: 1 << 20 }, { address: '127.0.0.1' })
  const options = { reuseAddress: true, receiveBufferBytes: 1 << 20 }
  const groupLink = await bound({ ...options, ...(capabilities().multicastAll ? { multicastAll: false } : {}) }, groupAt(groupPort))
  groupLink.joinGroup(GROUP_ADDRESS, { interface: 'lo' })
  const node = createNode({ link, groupLink })
  const received: number[] = []
  const ended = new Promise((resolve) => {
    node.on('stream', (stream) => {
      stream.on('message', (message) => received.push(message.readUInt32LE(0)))
      stream.on('end', () => resolve(undefined))
    })
  })
  return { node, endpoint: { address: '127.0.0.1', port: link.address().port }, received, ended }
}

function groupAt(port: number): { address: string; port: number } {
  return { address: '0.0.0.0', port }
}

/** A port that nobody has. */
async function freePort(): Promise<number> {
  const socket = await bound({}, groupAt(0))
  const { port } = socket.address()
  socket.close()
  await once(socket, 'close')
  return port
}

test.each<[string, (port: number) => PublicationOptions]>([
  ['a multicast group', (port) => ({ group: { address: GROUP_ADDRESS, port } })],
  ['a list', () => ({})],
])('several nodes of this host get all messages that are sent to %s', async (_name, where) => {
  const port = await freePort()
  const receivers = await Promise.all(Array.from({ length: RECEIVERS }, () => receiver(port)))
  const link = await bound({ multicastInterface: 'lo', receiveBufferBytes: 1 << 20 }, groupAt(0))
  const sender = createNode({ link })
  const peers: Peer[] = await Promise.all(receivers.map(({ endpoint }) => sender.connect(endpoint)))
  const publication = sender.openGroup({ ...where(port), congestionControl: fixedRate(20e6), windowBytes: 1 << 20 })
  for (const peer of peers) publication.add(peer)
  let next = 0
  const more = (): void => {
    for (; next < MESSAGES; next++) {
      const message = Buffer.alloc(1000)
      message.writeUInt32LE(next)
      if (!publication.send(message)) return
    }
    publication.end()
  }
  publication.on('drain', more)
  more()
  const [error] = (await once(publication, 'close')) as [unknown]
  expect(error).toBe(undefined)
  await Promise.all(receivers.map(({ ended }) => ended))
  const expected = Array.from({ length: MESSAGES }, (_, i) => i)
  for (const { received } of receivers) expect(received).toEqual(expected)
  const { packetsSent } = publication.stats()
  expect(packetsSent).toBeGreaterThan(0)
  // Once for all, not once for each.
  if (publication.group !== undefined) expect(sender.stats().framesSent).toBeLessThan(2 * packetsSent + 200)
  else expect(sender.stats().framesSent).toBeGreaterThanOrEqual(RECEIVERS * packetsSent)
  sender.destroy()
  for (const { node } of receivers) node.destroy()
})
