/** A node and a {@link DocumentPeer} that talk over sockets of this host. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { expect, onTestFinished } from 'vitest'
import {
  createNode,
  fixedRate,
  type NodeOptions,
  type Peer,
  type Stream,
  type StreamNode,
  type UdpSocket,
} from '../../src/index.js'
import { CONTROL, PONG } from './document-frames.js'
import { DocumentPeer, type DocumentPeerOptions } from './document-peer.js'
import type { DocumentStream } from './document-stream.js'
import { ROOMY, bound } from './sockets.js'

export const SECRET = 'sixteen bytes of secret'

export interface Pair {
  readonly node: StreamNode
  readonly link: UdpSocket
  readonly document: DocumentPeer
  readonly documentPort: number
  /** The document's peer, as the node sees it. */
  readonly peer: Peer
}

export type Ends = Omit<Pair, 'peer'>

/** Neither has heard of the other. */
export async function ends(options: Partial<NodeOptions> = {}, documentOptions: DocumentPeerOptions = {}): Promise<Ends> {
  const link = await bound(ROOMY)
  const node = createNode({ link, name: 'node', frameBytes: 1400, congestionControl: fixedRate(100_000_000), ...options })
  const document = new DocumentPeer(documentOptions)
  const documentPort = await document.bind()
  onTestFinished(() => {
    node.destroy()
    document.close()
  })
  return { node, link, document, documentPort }
}

export async function pair(
  by: 'node' | 'document' = 'node',
  options: Partial<NodeOptions> = {},
  documentOptions: DocumentPeerOptions = {},
): Promise<Pair> {
  const both = await ends(options, documentOptions)
  const { node, link, document, documentPort } = both
  if (by === 'node') return { ...both, peer: await node.connect({ address: '127.0.0.1', port: documentPort }) }
  const joined = once(node, 'peer') as Promise<[Peer]>
  await document.join(link.address().port)
  return { ...both, peer: (await joined)[0] }
}

export async function openedByNode(
  peer: Peer,
  document: DocumentPeer,
  options: Parameters<Peer['openStream']>[0] = {},
): Promise<[Stream, DocumentStream]> {
  const taken = new Promise<DocumentStream>((resolve) => (document.accept = resolve))
  const stream = peer.openStream({ initialPacket: 0xffff_ffd0, ...options })
  return [stream, await taken]
}

export async function openedByDocument(
  node: StreamNode,
  document: DocumentPeer,
  terms: Parameters<DocumentPeer['open']>[0] = {},
): Promise<[Stream, DocumentStream]> {
  const taken = once(node, 'stream') as Promise<[Stream]>
  const stream = document.open({ first: 0xffff_ffe0, ...terms })
  return [(await taken)[0], stream]
}

export function collect(stream: Stream): { messages: Buffer[]; handlers: number[]; closed: Promise<unknown> } {
  const [received, handlers]: [Buffer[], number[]] = [[], []]
  stream.on('message', (message, handler) => {
    received.push(Buffer.from(message))
    handlers.push(handler)
  })
  return { messages: received, handlers, closed: stream.closed ? Promise.resolve() : once(stream, 'close') }
}

/** Sends all of them and ends. */
export async function pour(stream: Stream, messages: readonly Buffer[]): Promise<void> {
  for (const message of messages) while (!stream.send(message)) await once(stream, 'drain')
  stream.end()
}

/** The node still answers. It has looked at all that was sent before, and what it says at the end of a batch has come as well. */
export async function expectAlive(document: DocumentPeer): Promise<void> {
  for (let round = 0; round < 2; round++) {
    const time = document.now()
    document.ping(time)
    await document.take(PONG, (frame) => frame.readUInt32LE(20) === time)
  }
}

/** Of data frames, sent and received each. */
export function every7th(): DocumentPeer['lose'] {
  const frames = { sent: 0, received: 0 }
  return (frame, isSent) => (frame[0]! & CONTROL) === 0 && ++frames[isSent ? 'sent' : 'received'] % 7 === 0
}

/** Names the first that differs, not all of them. */
export function expectSame(received: readonly Buffer[], sent: readonly Buffer[]): void {
  expect(received.length).toBe(sent.length)
  const digests = (all: readonly Buffer[]): string[] =>
    all.map((one) => `${one.length} ${createHash('sha256').update(one).digest('hex')}`)
  expect(digests(received)).toEqual(digests(sent))
}
