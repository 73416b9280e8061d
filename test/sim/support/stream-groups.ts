import { expect } from 'vitest'
import type { NodeOptions, Peer, Publication, PublicationOptions, Stream, StreamNode } from '../../../src/stream/index.js'
import type { SimulatedHost, SimulatedLink, SimulatedNetwork } from '../../../src/testing/index.js'
import { nodeOn } from './stream-nodes.js'

export const GROUP = { address: '239.1.2.3', port: 5000 }

/** A receiver of a group, and what it got. */
export interface Receiver {
  readonly host: SimulatedHost
  node: StreamNode
  link: SimulatedLink
  peer: Peer
  stream: Stream | undefined
  /** Of each message its number. */
  readonly received: number[]
  gaps: number
  isEnded: boolean
  error: Error | undefined
}

export interface Group {
  readonly network: SimulatedNetwork
  readonly sender: StreamNode
  readonly senderHost: SimulatedHost
  readonly receivers: Receiver[]
  close(): void
}

/** What a message with this number is: so many bytes, each of which can be told. */
export function messageOf(number: number, bytes: number): Buffer {
  const message = Buffer.alloc(Math.max(4, bytes), number & 0xff)
  message.writeUInt32LE(number)
  return message
}

/** A sender and receivers that have joined it. All links have one port, and are members of {@link GROUP}. */
export async function makeGroup(
  network: SimulatedNetwork,
  count: number,
  options: Partial<NodeOptions> = {},
  onStream: (receiver: Receiver, stream: Stream) => void = readAll,
): Promise<Group> {
  const senderHost = network.addHost({ name: 'sender' })
  const sender = nodeOn(senderHost, options, { port: GROUP.port })
  const receivers: Receiver[] = []
  for (let i = 0; i < count; i++) receivers.push(openReceiver(network.addHost(), options, onStream))
  const group = { network, sender: sender.node, senderHost, receivers, close: () => closeAll(group) }
  await joinAll(group, receivers)
  return group
}

/** Starts a receiver's node, on a host that may have had one before. */
export function openReceiver(
  host: SimulatedHost,
  options: Partial<NodeOptions>,
  onStream: (receiver: Receiver, stream: Stream) => void = readAll,
): Receiver {
  const { node, link } = nodeOn(host, options, { port: GROUP.port })
  link.joinGroup(GROUP.address)
  const receiver: Receiver = {
    host,
    node,
    link,
    peer: undefined as unknown as Peer,
    stream: undefined,
    received: [],
    gaps: 0,
    isEnded: false,
    error: undefined,
  }
  node.on('stream', (stream) => {
    receiver.stream = stream
    stream.on('gap', (packets) => (receiver.gaps += packets))
    stream.on('end', () => (receiver.isEnded = true))
    stream.on('close', (error) => (receiver.error = error))
    onStream(receiver, stream)
  })
  return receiver
}

/** Makes the receivers peers of the sender. */
export async function joinAll({ network, sender }: Group, receivers: readonly Receiver[]): Promise<void> {
  let joined = 0
  for (const receiver of receivers) {
    void sender.connect({ address: receiver.host.addressOf(), port: GROUP.port }, { timeoutMs: 60_000 }).then((peer) => {
      receiver.peer = peer
      joined++
    })
  }
  await network.clock.runUntilTrueAsync(() => joined === receivers.length, 120_000)
  expect(joined).toBe(receivers.length)
}

/** Reads every message, and sees that it is the next, and whole. */
export function readAll(receiver: Receiver, stream: Stream): void {
  expect(stream.isGroup).toBe(true)
  stream.on('message', (message) => {
    const number = message.readUInt32LE(0)
    const last = receiver.received.at(-1) ?? -1
    expect(number).toBeGreaterThan(last)
    expect(message.equals(messageOf(number, message.length))).toBe(true)
    receiver.received.push(number)
  })
}

/** Opens a publication with all receivers. */
export function publish(group: Group, options: PublicationOptions): Publication {
  const publication = group.sender.openGroup(options)
  for (const { peer } of group.receivers) publication.add(peer)
  return publication
}

/** Sends `count` messages of up to `bytes` bytes, and ends. */
export function pourAll(publication: Publication, count: number, bytesOf: (number: number) => number, end = true): void {
  let next = 0
  const more = (): void => {
    for (; next < count; next++) if (!publication.send(messageOf(next, bytesOf(next)))) return
    if (end) publication.end()
  }
  publication.on('drain', more)
  more()
}

/** Everything is given back: of those nodes that still run. */
export function expectBalanced(group: Group): void {
  for (const { node } of group.receivers) {
    if (!node.closed) expect([node.stats().frameMemoryBytes, node.stats().assemblyBytes]).toEqual([0, 0])
  }
  expect([group.sender.stats().frameMemoryBytes, group.sender.stats().assemblyBytes]).toEqual([0, 0])
}

function closeAll(group: Group): void {
  group.sender.destroy()
  for (const { node } of group.receivers) node.destroy()
}
