import { expect, test } from 'vitest'
import type { Peer, Stream, StreamError } from '../../src/stream/index.js'
import { SimulatedNetwork, type SimulatedHost } from '../../src/testing/index.js'
import { nodeOn, type SimulatedNode } from './support/stream-nodes.js'

const PORT = 4000

/** How a side goes away, and comes again. */
type Way =
  /** As kill -9, and started again at the same port. */
  | 'killed'
  /** It says goodbye, and starts again at the same port. */
  | 'left'
  /** As kill -9, and started again at another port. */
  | 'moved'

/** A client that goes through a whole conversation with a server, and a server that answers. */
class Conversation {
  readonly network = new SimulatedNetwork(1, { path: { latencyMs: 5 } })
  readonly clientHost: SimulatedHost
  readonly serverHost: SimulatedHost
  client: SimulatedNode
  server: SimulatedNode
  /** Of each life of the client, the answers it got. */
  readonly answers: string[][] = []
  /** Codes of how streams and peers ended on either side. */
  readonly clientEnds: (string | undefined)[] = []
  readonly serverEnds: (string | undefined)[] = []
  /** What each server's life heard, whole messages only. */
  readonly heard: string[][] = []
  readonly closes: boolean[] = []
  /** Conversations that went through to the end. */
  completed = 0

  constructor() {
    this.clientHost = this.network.addHost()
    this.serverHost = this.network.addHost()
    this.server = this.serve(PORT)
    this.client = nodeOn(this.clientHost, {}, { port: PORT })
  }

  get datagrams(): number {
    return this.network.stats().sent
  }

  serve(port: number): SimulatedNode {
    const heard: string[] = []
    this.heard.push(heard)
    const server = nodeOn(this.serverHost, {}, { port })
    server.node.on('stream', (stream) => {
      stream.on('message', (message) => {
        heard.push(message.toString('latin1', 0, 20))
        stream.send(message)
      })
      stream.on('close', (error) => this.serverEnds.push(error?.code))
    })
    return server
  }

  /** Joins, sends short and long messages on streams of two kinds, waits for the answers, ends. */
  async talk(timeoutMs = 5000): Promise<void> {
    const life = this.answers.length
    const answers: string[] = []
    this.answers.push(answers)
    let peer: Peer
    try {
      peer = await this.client.node.connect(this.server.endpoint, { timeoutMs })
    } catch (error) {
      this.clientEnds.push((error as StreamError).code)
      return
    }
    if (peer.closed) return
    const closed = await Promise.all(
      (['reliable', 'bestEffort'] as const).map(async (kind) => {
        const stream = peer.openStream({ kind })
        stream.on('close', (error) => this.clientEnds.push(error?.code))
        await this.#talkOn(stream, life, answers)
        const isComplete = !stream.closed && (await stream.close({ deadlineMs: 60_000 }))
        this.closes.push(isComplete)
        return isComplete
      }),
    )
    if (!closed.every(Boolean)) return
    this.completed++
    peer.leave()
  }

  async #talkOn(stream: Stream, life: number, answers: string[]): Promise<void> {
    const texts = MESSAGES.map((size, i) => `${life} ${stream.kind} ${i} `.padEnd(size, '.'))
    for (const text of texts) stream.send(text)
    await new Promise<void>((resolve) => {
      stream.on('close', () => resolve())
      stream.on('message', (message) => {
        answers.push(message.toString('latin1', 0, 20))
        // Whole, and of this life, in order.
        expect(message.toString()).toBe(texts.shift())
        if (texts.length === 0) resolve()
      })
    })
  }
}

async function datagramsOf(): Promise<number> {
  const conversation = new Conversation()
  void conversation.talk()
  await conversation.network.clock.advanceAsync(3000)
  expect(conversation.completed).toBe(1)
  expect(conversation.closes).toEqual([true, true])
  conversation.client.node.destroy()
  conversation.server.node.destroy()
  return conversation.datagrams
}

async function interruptedAt(step: number, side: 'client' | 'server', way: Way, goneMs: number): Promise<void> {
  const it = new Conversation()
  const { clock } = it.network
  void it.talk(60_000)
  await clock.runUntilTrueAsync(() => it.datagrams >= step, 10_000)
  const host = side === 'client' ? it.clientHost : it.serverHost
  const survivor = side === 'client' ? it.server : it.client
  if (way === 'left') it[side].node.destroy()
  else host.stop()
  await clock.advanceAsync(goneMs)
  host.restart()
  const port = way === 'moved' ? PORT + 1 : PORT
  if (side === 'server') it.server = it.serve(port)
  else it.client = nodeOn(it.clientHost, {}, { port })
  // A restart is noticed when something is said, at the latest when the peer is asked whether it lives; a move by silence.
  await clock.advanceAsync(way === 'moved' ? 8000 : 3000)
  const before = it.completed
  void it.talk()
  await clock.runUntilTrueAsync(() => it.completed > before, 20_000)
  expect(it.completed, 'a new conversation goes through').toBe(before + 1)
  await clock.advanceAsync(7000)
  const ends = side === 'client' ? it.serverEnds : it.clientEnds
  for (const code of ends) expect(EXPECTED[way]).toContain(code)
  for (const heard of it.heard) expect(new Set(heard).size, 'nothing is heard twice').toBe(heard.length)
  for (const { node } of [it.client, it.server]) {
    expect(node.stats()).toMatchObject({ frameMemoryBytes: 0, assemblyBytes: 0 })
    for (const peer of node.peers()) expect(peer.stats()).toMatchObject({ streams: 0, inFlightPackets: 0 })
  }
  expect(survivor.node.closed).toBe(false)
  it.client.node.destroy()
  it.server.node.destroy()
  it.client.link.close()
  it.server.link.close()
  await clock.runUntilIdleAsync(10_000)
}

const WAYS: readonly Way[] = ['killed', 'left', 'moved']

test.each(WAYS)(
  'either side can be gone (%s) behind every datagram of a conversation: its streams end, new ones are clean',
  async (way) => {
    const steps = await datagramsOf()
    expect(steps).toBeGreaterThan(30)
    for (const side of ['client', 'server'] as const) {
      for (let step = 1; step <= steps; step++) {
        for (const goneMs of GONE_MS) {
          try {
            await interruptedAt(step, side, way, goneMs)
          } catch (error) {
            throw new Error(`${side} ${way} for ${goneMs} ms after datagram ${step}: ${(error as Error).message}`, {
              cause: error,
            })
          }
        }
      }
    }
  },
  120_000,
)

/** One of several frames is among them. */
const MESSAGES = [20, 1000, 5000]
const GONE_MS = [0, 7, 40, 1500]
/** How streams of who is still there may end: as agreed, or with what happened to the other side. */
const EXPECTED: Record<Way, readonly (string | undefined)[]> = {
  killed: [undefined, 'ERR_PEER_RESTARTED'],
  left: [undefined, 'ERR_PEER_LEFT', 'ERR_PEER_RESTARTED'],
  moved: [undefined, 'ERR_PEER_SILENT', 'ERR_PEER_RESTARTED', 'ERR_CONNECT_TIMEOUT'],
}
