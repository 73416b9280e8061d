import { Writable, type Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Clock, Timer } from '../../src/core/index.js'
import { fixedRate, type NodeOptions, type Peer, type Stream, type StreamError } from '../../src/stream/index.js'
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

describe('an iteration', () => {
  test('that is given up while it waits stops reading: what comes waits for the next reader', async () => {
    const { accepted, peer, advance } = await join()
    const stream = peer.openStream()
    await advance(50)
    const iterator = accepted[0]![Symbol.asyncIterator]()
    const waiting = iterator.next()
    void iterator.return!()
    expect(await waiting).toEqual({ done: true, value: undefined })
    for (let i = 0; i < 8; i++) stream.send(`${i}`)
    await advance(50)
    expect(accepted[0]!.stats().messagesReceived).toBe(0)
    const seen: string[] = []
    accepted[0]!.on('message', (message) => seen.push(message.toString()))
    await advance(50)
    expect(seen).toEqual(['0', '1', '2', '3', '4', '5', '6', '7'])
  })

  /** Reads slowly until its end, or error. */
  async function readOf({ network }: Pair, stream: Stream, seen: string[]): Promise<string> {
    try {
      for await (const message of stream) {
        seen.push(message.toString())
        await new Promise<void>((resolve) => void network.clock.setTimer(resolve, 5))
      }
      return 'done'
    } catch (error) {
      return (error as StreamError).code
    }
  }

  test.each<[string, (pair: Pair) => Promise<unknown>]>([
    ['its stream', ({ accepted }) => accepted[0]!.close()],
    ['its peer', ({ accepted }) => accepted[0]!.peer.close()],
    ['its node', ({ server }) => server.node.close()],
  ])('that a close of %s cuts off throws ERR_CLOSED, after messages without a hole', async (_, close) => {
    const pair = await join()
    const { accepted, peer, advance } = pair
    const stream = peer.openStream()
    for (let i = 0; i < 50; i++) stream.send(`${i}`)
    stream.end()
    await advance(10)
    const events: string[] = []
    accepted[0]!.on('end', () => events.push('end')).on('close', (error) => events.push(`close ${error?.code}`))
    const seen: string[] = []
    const end = watch(readOf(pair, accepted[0]!, seen))
    await advance(30)
    const closed = watch(close(pair))
    await advance(1000)
    expect(seen.length).toBeGreaterThan(3)
    expect(seen.length).toBeLessThan(50)
    expect(seen).toEqual(Array.from(seen, (_, i) => `${i}`))
    expect(end.value).toBe('ERR_CLOSED')
    // All that this side sent, nothing, has arrived.
    expect(events).toEqual(['close undefined'])
    expect(closed.value).not.toBe('pending')
  })

  test('that had read everything ends in order, although its stream is closed', async () => {
    const pair = await join()
    const { accepted, peer, advance } = pair
    const stream = peer.openStream({ allowHalfOpen: true })
    for (let i = 0; i < 3; i++) stream.send(`${i}`)
    await advance(10)
    const seen: string[] = []
    const end = watch(readOf(pair, accepted[0]!, seen))
    await advance(100)
    const closed = watch(accepted[0]!.close())
    stream.end()
    await advance(100)
    expect([seen, end.value, closed.value]).toEqual([['0', '1', '2'], 'done', true])
  })

  test('that leaves a group before its end throws ERR_CLOSED', async () => {
    const pair = await join()
    const { accepted, client, peer, advance } = pair
    const publication = client.node.openGroup({ congestionControl: fixedRate(1e6) })
    publication.add(peer)
    publication.send('0')
    await advance(50)
    const seen: string[] = []
    const end = watch(readOf(pair, accepted[0]!, seen))
    await advance(50)
    await accepted[0]!.close()
    await advance(1)
    expect([seen, end.value]).toEqual([['0'], 'ERR_CLOSED'])
  })

  test('that is begun after a close has thrown messages away is told so as well', async () => {
    const pair = await join()
    const { accepted, peer, advance } = pair
    peer.openStream().send('nobody reads this')
    await advance(10)
    void accepted[0]!.close()
    await advance(10)
    expect(await readOf(pair, accepted[0]!, [])).toBe('ERR_CLOSED')
  })
})

describe('a duplex', () => {
  const CLOSES: [string, (pair: Pair, stream: Stream) => Promise<unknown>][] = [
    ['its stream', (_, stream) => stream.close()],
    ['its peer', ({ peer }) => peer.close()],
    ['its node', ({ client }) => client.node.close()],
  ]

  /** What is told of writes, and of the duplex. */
  function follow(duplex: Duplex): string[] {
    const events: string[] = []
    for (const event of ['finish', 'end', 'close'] as const) duplex.on(event, () => events.push(event))
    duplex.on('error', (error: NodeJS.ErrnoException) => events.push(`error ${error.code}`))
    return events
  }

  /** Reads all that comes, and then ends. */
  function readAll(stream: Stream): { bytes: number; events: string[] } {
    const seen = { bytes: 0, events: [] as string[] }
    stream.on('message', (message) => (seen.bytes += message.length))
    stream.on('end', () => seen.events.push('end'))
    stream.on('close', (error) => seen.events.push(`close ${error?.code}`))
    return seen
  }

  test.each(CLOSES)('sends everything that was written to it before a close of %s ends the stream', async (_, close) => {
    const pair = await join()
    const stream = pair.peer.openStream({ windowBytes: 100_000 })
    const duplex = stream.duplex()
    const events = follow(duplex)
    const told: unknown[] = []
    for (let i = 0; i < 10; i++) duplex.write(Buffer.alloc(200_000), (error) => told.push(error ?? 'sent'))
    await pair.advance(10)
    const seen = readAll(pair.accepted[0]!)
    const closed = watch(close(pair, stream))
    expect(() => stream.send('too late')).toThrow('closed')
    await pair.advance(9000)
    expect(seen).toEqual({ bytes: 2_000_000, events: ['end', 'close undefined'] })
    expect(told).toEqual(Array.from({ length: 10 }, () => 'sent'))
    expect([closed.value === 'pending', stream.closed, stream.error]).toEqual([false, true, undefined])
    expect(events).toEqual(['finish', 'end', 'close'])
  })

  test('whose writes do not get out in time tells them so, and the other side is reset', async () => {
    const { accepted, peer, advance } = await join()
    const stream = peer.openStream({ windowBytes: 100_000 })
    const duplex = stream.duplex()
    const events = follow(duplex)
    const told: unknown[] = []
    for (let i = 0; i < 3; i++) {
      duplex.write(Buffer.alloc(200_000), (error) => told.push((error as NodeJS.ErrnoException | undefined)?.code))
    }
    await advance(10)
    const seen: unknown[] = []
    accepted[0]!.on('end', () => seen.push('end')).on('close', (error) => seen.push(error?.reason))
    const closed = watch(stream.close({ deadlineMs: 500 }))
    await advance(600)
    expect([closed.value, seen]).toEqual([false, ['cancelled']])
    expect(told).toEqual(['ERR_STREAM_RESET', 'ERR_STREAM_RESET', 'ERR_STREAM_RESET'])
    expect(events).toEqual(['error ERR_STREAM_RESET', 'close'])
  })

  test.each(CLOSES)(
    'whose reading is cut off by a close of %s is destroyed with ERR_CLOSED, and gets no end',
    async (_, close) => {
      const pair = await join()
      const stream = pair.peer.openStream()
      const duplex = stream.duplex()
      const events = follow(duplex)
      let bytes = 0
      const sink = new Writable({
        write(chunk: Buffer, _encoding, done) {
          bytes += chunk.length
          pair.network.clock.setTimer(done, 1)
        },
      })
      const piped = watch(
        pipeline(duplex, sink).then(
          () => 'whole',
          (error: NodeJS.ErrnoException) => error.code,
        ),
      )
      duplex.write('begin')
      await pair.advance(10)
      const other = pair.accepted[0]!.duplex()
      other.end(Buffer.alloc(3_000_000))
      await pair.advance(20)
      let isSent: unknown
      duplex.write(Buffer.alloc(100_000), (error) => (isSent = error ?? true))
      const closed = watch(close(pair, stream))
      let received = 0
      other.on('data', (chunk: Buffer) => (received += chunk.length))
      await pair.advance(9000)
      expect(bytes).toBeLessThan(3_000_000)
      expect([piped.value, isSent, received]).toEqual(['ERR_CLOSED', true, 100_005])
      expect(events).toEqual(['finish', 'error ERR_CLOSED', 'close'])
      expect([closed.value === 'pending', stream.closed, stream.error]).toEqual([false, true, undefined])
    },
  )

  test('is ended by the end of its stream: what was written goes first', async () => {
    const { accepted, peer, advance } = await join()
    const stream = peer.openStream({ windowBytes: 100_000 })
    const duplex = stream.duplex().resume()
    const events = follow(duplex)
    duplex.write(Buffer.alloc(1_000_000))
    stream.end()
    stream.end()
    expect(() => stream.send('too late')).toThrow('closed')
    await advance(10)
    const seen = readAll(accepted[0]!)
    await advance(5000)
    expect(seen).toEqual({ bytes: 1_000_000, events: ['end', 'close undefined'] })
    expect(events).toEqual(['finish', 'end', 'close'])
  })

  test('and an iteration of a stream whose other side had ended before end as well', async () => {
    const { accepted, peer, advance } = await join()
    const streams = [peer.openStream(), peer.openStream()]
    await advance(10)
    for (const stream of accepted) stream.allowHalfOpen = true
    for (const stream of streams) stream.end()
    await advance(10)
    const duplex = accepted[0]!.duplex().resume()
    const events = follow(duplex)
    const step = watch(accepted[1]![Symbol.asyncIterator]().next())
    await advance(10)
    expect([events, step.value]).toEqual([['end'], { done: true, value: undefined }])
  })
})
