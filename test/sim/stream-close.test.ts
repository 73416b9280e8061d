import { describe, expect, onTestFinished, test } from 'vitest'
import type { Clock, Timer } from '../../src/core/index.js'
import { fixedRate, type NodeOptions, type Peer, type Stream } from '../../src/stream/index.js'
import { SimulatedNetwork, type PathOptions } from '../../src/testing/index.js'
import { nodeOn, type SimulatedNode } from './support/stream-nodes.js'

interface Pair {
  readonly network: SimulatedNetwork
  readonly client: SimulatedNode
  readonly server: SimulatedNode
  readonly peer: Peer
  /** What the server's side gets. */
  readonly accepted: Stream[]
  readonly advance: (ms: number) => Promise<void>
}

async function join(options: Partial<NodeOptions> = {}, path: PathOptions = { latencyMs: 2 }): Promise<Pair> {
  const network = new SimulatedNetwork(1, { path })
  const [a, b] = [network.addHost(), network.addHost()]
  const client = nodeOn(a, { clock: a.clock, ...options })
  const server = nodeOn(b)
  const accepted: Stream[] = []
  server.node.on('stream', (stream) => void accepted.push(stream))
  const joined = client.node.connect(server.endpoint)
  await network.clock.advanceAsync(100)
  onTestFinished(() => {
    client.node.destroy()
    server.node.destroy()
  })
  return { network, client, server, peer: await joined, accepted, advance: (ms) => network.clock.advanceAsync(ms) }
}

/** Whether it is settled yet, and with what. */
function watch<T>(promise: Promise<T>): { value: T | 'pending' } {
  const seen: { value: T | 'pending' } = { value: 'pending' }
  void promise.then((value) => (seen.value = value))
  return seen
}

describe('the deadline of a close', () => {
  test.each([
    ['a later one that is earlier', 10_000, 100, 100],
    ['a later one that is later', 100, 10_000, 100],
  ])('is the earliest of all: %s', async (_, first, second, dueMs) => {
    const { client, peer, advance } = await join()
    const stream = peer.openStream()
    stream.send('nobody reads this')
    const ends = [watch(stream.close({ deadlineMs: first })), watch(client.node.close({ deadlineMs: second }))]
    await advance(dueMs - 1)
    expect(ends.map(({ value }) => value)).toEqual(['pending', 'pending'])
    await advance(2)
    expect(ends.map(({ value }) => value)).toEqual([false, undefined])
  })

  test('of none at all lets what was sent leave first', async () => {
    const { accepted, peer, advance } = await join()
    const stream = peer.openStream()
    await advance(50)
    const seen: string[] = []
    accepted[0]!.on('message', (message) => seen.push(message.toString()))
    stream.send('the last words')
    const end = watch(stream.close({ deadlineMs: 0 }))
    await advance(50)
    expect([seen, end.value]).toEqual([['the last words'], false])
  })

  test.each([undefined, { address: '239.1.2.3', port: 5000 }])(
    'of a node is one for its streams and for its publications, to %j',
    async (group) => {
      const { client, peer, advance } = await join()
      const stream = peer.openStream()
      stream.send('nobody reads this')
      const publication = client.node.openGroup({ ...(group && { group }), congestionControl: fixedRate(1e6) })
      publication.add(peer)
      publication.send('nor this')
      await advance(100)
      const first = watch(publication.close())
      const end = watch(client.node.close({ deadlineMs: 1000 }))
      await advance(990)
      expect([end.value, stream.closed, publication.closed]).toEqual(['pending', false, false])
      await advance(20)
      expect([end.value, first.value, stream.closed, client.node.closed]).toEqual([undefined, false, true, true])
    },
  )

  test('does not keep a process alive whose node is unreferenced', async () => {
    const referenced = new Set<Timer>()
    const network = new SimulatedNetwork(1)
    const host = network.addHost()
    const inner = host.clock
    const clock: Clock = {
      nowMs: () => inner.nowMs(),
      wallMicroseconds: () => inner.wallMicroseconds(),
      setTimer(callback, delayMs) {
        const made = inner.setTimer(() => {
          referenced.delete(timer)
          callback()
        }, delayMs)
        const timer = {
          cancel: () => (referenced.delete(timer), made.cancel()),
          unref: () => (referenced.delete(timer), made.unref()),
        }
        referenced.add(timer)
        return timer
      },
    }
    const { node } = nodeOn(host, { clock })
    const other = nodeOn(network.addHost())
    other.node.on('stream', () => undefined)
    const joined = node.connect(other.endpoint)
    await network.clock.advanceAsync(100)
    const peer = await joined
    peer.openStream().send('nobody reads this')
    const publication = node.openGroup()
    publication.add(peer)
    publication.send('nor this')
    await network.clock.advanceAsync(100)
    expect(referenced.size).toBeGreaterThan(0)
    node.unref()
    void node.close()
    await network.clock.advanceAsync(10)
    expect([node.closed, referenced.size]).toEqual([false, 0])
    node.destroy()
    other.node.destroy()
  })

  test('that is none is refused, whatever there is to close', async () => {
    const { client, server, peer } = await join()
    const stream = peer.openStream()
    expect(() => stream.close({ deadlineMs: -1 })).toThrow('deadlineMs')
    await expect(peer.close({ deadlineMs: -1 })).rejects.toThrow('deadlineMs')
    for (const { node } of [client, server]) await expect(node.close({ deadlineMs: 0.5 })).rejects.toThrow('deadlineMs')
    expect([peer.closed, client.node.closed, server.node.closed]).toEqual([false, false, false])
  })
})
