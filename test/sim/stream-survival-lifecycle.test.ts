import { once, setMaxListeners } from 'node:events'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createNode, fixedRate, type NodeOptions, type Peer, type Stream, type StreamError } from '../../src/stream/index.js'
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

async function join(options: Partial<NodeOptions> = {}, path: PathOptions = {}): Promise<Pair> {
  const network = new SimulatedNetwork(1, { path })
  const [a, b] = [network.addHost(), network.addHost()]
  const [client, server] = [nodeOn(a, options), nodeOn(b, options)]
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

/** Both nodes hold nothing of the streams that were. */
function expectNothingHeld({ client, server }: Pair): void {
  for (const { node } of [client, server]) {
    expect(node.stats()).toMatchObject({ frameMemoryBytes: 0, assemblyBytes: 0 })
    for (const peer of node.peers()) expect(peer.stats()).toMatchObject({ streams: 0, inFlightPackets: 0 })
  }
}

/** What becomes of exceptions that nobody catches, while `run` runs. */
async function uncaughtDuring(run: () => Promise<void>): Promise<string[]> {
  const uncaught: string[] = []
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', (error) => uncaught.push(error.message))
  try {
    await run()
    await new Promise((resolve) => setImmediate(resolve))
  } finally {
    process.removeAllListeners('uncaughtException')
    for (const listener of listeners) process.on('uncaughtException', listener)
  }
  return uncaught
}

/** What a handler may do to everything it can reach. */
const DEEDS: Record<string, (stream: Stream, pair: Pair) => void> = {
  'closes the stream': (stream) => void stream.close(),
  'resets the stream': (stream) => stream.reset(),
  'ends the stream': (stream) => stream.end(),
  'pauses the stream': (stream) => void stream.pause().resume(),
  'closes the peer': (stream) => void stream.peer.close(),
  'opens another stream': (stream) => {
    if (!stream.peer.closed) stream.peer.openStream({ label: 'another' }).send('something')
  },
  'closes both nodes': (_, { client, server }) => {
    void client.node.close()
    void server.node.close()
  },
  'destroys the node': (_, { server }) => server.node.destroy(),
  'destroys the other node': (_, { client }) => client.node.destroy(),
  'closes the link': (_, { server }) => server.link.close(),
  'sends until there is no room': (stream) => {
    if (!stream.closed) while (sendIfOpen(stream, Buffer.alloc(1000)));
  },
  flushes: (_, { client, server }) => {
    for (const { node } of [client, server]) if (!node.closed) node.flush()
  },
}

function sendIfOpen(stream: Stream, message: Buffer): boolean {
  try {
    return stream.send(message)
  } catch (error) {
    expect((error as StreamError).code).toBe('ERR_CLOSED')
    return false
  }
}

const EVENTS = ['stream', 'message', 'drain', 'gap', 'end', 'close', 'peer', 'peerClose'] as const

describe('a handler may do anything', () => {
  for (const kind of ['reliable', 'bestEffort', 'fireAndForget'] as const) {
    for (const event of EVENTS) {
      test.each(Object.keys(DEEDS))(`at '${event}' of a ${kind} stream: it %s`, async (name) => {
        const pair = await join({ congestionControl: fixedRate(1e6), keepAliveMs: 100, peerTimeoutMs: 500 })
        const { client, server, peer, network } = pair
        let done = 0
        const uncaught = await uncaughtDuring(async () => {
          const act = (stream: Stream | undefined): void => {
            // Not for ever: some deeds bring about the event again.
            if (done++ < 20 && stream !== undefined) DEEDS[name]!(stream, pair)
          }
          const listen = (stream: Stream): void => {
            stream.on('message', () => undefined)
            if (event !== 'stream' && event !== 'peer' && event !== 'peerClose') stream.on(event, () => act(stream))
          }
          let first: Stream | undefined
          for (const { node } of [client, server]) {
            node.on('stream', (stream) => {
              listen(stream)
              if (event === 'stream') act(stream)
              if (!stream.closed) stream.end()
            })
            node.on('peerClose', () => event === 'peerClose' && act(first))
          }
          const stream = (first = peer.openStream({ kind, windowBytes: 20_000 }))
          listen(stream)
          for (let i = 0; i < 200 && sendIfOpen(stream, Buffer.alloc(400)); i++);
          if (event === 'end') stream.end()
          // So that a packet or two is missing for good.
          if (event === 'gap') network.setDefaultPath({ lossProbability: 0.3 })
          await pair.advance(300)
          network.setDefaultPath({ lossProbability: 0 })
          if (event === 'peerClose') peer.leave()
          else if (event === 'close') stream.reset()
          await pair.advance(2000)
          if (event === 'peer') act(stream)
          await pair.advance(2000)
          client.node.destroy()
          server.node.destroy()
          await pair.advance(10)
        })
        expect(uncaught).toEqual([])
        expectNothingHeld(pair)
        for (const { link } of [client, server]) link.close()
        await network.clock.runUntilIdleAsync(1000)
      })
    }
  }
})

describe('what a handler throws', () => {
  test.each(['stream', 'message', 'drain', 'end', 'close', 'peer', 'peerClose', 'gap'] as const)(
    "is the program's at '%s', once, and the node goes on",
    async (event) => {
      const pair = await join({ congestionControl: fixedRate(200_000) })
      const { client, server, peer, network } = pair
      let thrown = 0
      const throwOnce = (): void => {
        if (thrown++ === 0) throw new Error(`at ${event}`)
      }
      let echoed = 0
      const uncaught = await uncaughtDuring(async () => {
        server.node.on('stream', (stream) => {
          stream.on('message', (message) => {
            if (stream.label === 'echo') stream.send(message)
          })
          if (event === 'stream' || stream.label === 'echo') return
          if (event === 'message' || event === 'end' || event === 'close' || event === 'gap') stream.on(event, throwOnce)
        })
        if (event === 'stream') server.node.prependListener('stream', throwOnce)
        if (event === 'peer') server.node.on('peer', throwOnce)
        if (event === 'peerClose') client.node.on('peerClose', throwOnce)
        const stream = peer.openStream({ kind: event === 'gap' ? 'bestEffort' : 'reliable', windowBytes: 20_000 })
        if (event === 'drain') stream.on('drain', throwOnce)
        if (event === 'gap') network.setDefaultPath({ lossProbability: 0.5 })
        for (let i = 0; i < 200 && (stream.send(Buffer.alloc(400)) || event === 'gap'); i++) await pair.advance(1)
        network.setDefaultPath({ lossProbability: 0 })
        await pair.advance(100)
        stream.end()
        await pair.advance(3000)
        if (event === 'peer' || event === 'peerClose') {
          const third = nodeOn(network.addHost())
          const joined = third.node.connect(event === 'peer' ? server.endpoint : client.endpoint)
          await pair.advance(100)
          await joined
          third.node.destroy()
          await pair.advance(100)
        }
        const echo = peer.openStream({ label: 'echo' })
        echo.on('message', () => echoed++)
        echo.send('there and back')
        await pair.advance(1000)
      })
      expect(uncaught).toEqual([`at ${event}`])
      expect(echoed).toBe(1)
    },
  )
})

describe('messages', () => {
  test('none is handed over behind the reset of its stream, though it lies in the same frame', async () => {
    const pair = await join()
    const { peer, accepted } = pair
    const seen: string[] = []
    pair.server.node.on('stream', (stream) => {
      stream.on('message', (message) => {
        seen.push(message.toString())
        stream.reset()
      })
    })
    const stream = peer.openStream()
    for (const text of ['one', 'two', 'three']) stream.send(text)
    await pair.advance(500)
    expect(seen).toEqual(['one'])
    expect(accepted[0]!.closed).toBe(true)
    expectNothingHeld(pair)
  })

  test('a long one that begins behind the reset of its stream takes no memory', async () => {
    const pair = await join()
    pair.server.node.on('stream', (stream) => stream.on('message', () => stream.reset()))
    const stream = pair.peer.openStream()
    stream.send('short')
    stream.send(Buffer.alloc(100_000))
    await pair.advance(500)
    expectNothingHeld(pair)
  })

  test('wait while their listener is away: once takes one', async () => {
    const pair = await join()
    const stream = pair.peer.openStream()
    for (const text of ['one', 'two', 'three']) stream.send(text)
    await pair.advance(50)
    const seen: string[] = []
    for (let i = 0; i < 3; i++) {
      const next = once(pair.accepted[0]!, 'message')
      await pair.advance(50)
      seen.push(((await next) as [Buffer])[0].toString('latin1').slice(0, 0) + i)
    }
    expect(seen.length).toBe(3)
    expect(pair.accepted[0]!.stats().messagesReceived).toBe(3)
  })

  test('come to a listener that is put first as to one that is put last', async () => {
    const pair = await join()
    const stream = pair.peer.openStream()
    stream.send('one')
    await pair.advance(50)
    let seen = 0
    pair.accepted[0]!.prependListener('message', () => seen++)
    await pair.advance(50)
    expect(seen).toBe(1)
  })
})

describe('iteration', () => {
  test('one that is abandoned leaves the rest for the next', async () => {
    const pair = await join()
    const stream = pair.peer.openStream()
    for (let i = 0; i < 10; i++) stream.send(`${i}`)
    await pair.advance(50)
    const seen: string[] = []
    const take = async (count: number): Promise<void> => {
      for await (const message of pair.accepted[0]!) {
        seen.push(message.toString())
        if (seen.length === count) break
      }
    }
    const first = take(3)
    await pair.advance(50)
    await first
    const second = take(10)
    await pair.advance(50)
    await second
    expect(seen).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
  })

  test('a close reads to the end although an iteration was waiting', async () => {
    const pair = await join()
    const stream = pair.peer.openStream()
    await pair.advance(50)
    const waiting = pair.accepted[0]![Symbol.asyncIterator]().next()
    let isComplete: boolean | undefined
    void pair.accepted[0]!.close().then((complete) => (isComplete = complete))
    for (let i = 0; i < 10; i++) stream.send(Buffer.alloc(3000))
    stream.end()
    await pair.advance(1000)
    expect(isComplete).toBe(true)
    await waiting
    expectNothingHeld(pair)
  })

  test('ends with the error of its stream, once', async () => {
    const pair = await join()
    pair.peer.openStream().send('x')
    await pair.advance(50)
    const iterator = pair.accepted[0]![Symbol.asyncIterator]()
    await iterator.next()
    const next = iterator.next().catch((error: StreamError) => error.code)
    pair.accepted[0]!.reset()
    expect(await next).toBe('ERR_STREAM_RESET')
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
  })
})

describe('duplexes', () => {
  test('one that is destroyed in the middle of a write says so to who waits, and resets its stream', async () => {
    const pair = await join()
    const stream = pair.peer.openStream({ windowBytes: 20_000 })
    const duplex = stream.duplex()
    const written: (string | undefined)[] = []
    duplex.write(Buffer.alloc(1 << 20), (error) => written.push((error as NodeJS.ErrnoException | undefined)?.code))
    duplex.write('more', (error) => written.push((error as NodeJS.ErrnoException | undefined)?.code))
    await pair.advance(100)
    duplex.destroy()
    await pair.advance(100)
    expect(written).toEqual(['ERR_STREAM_DESTROYED', 'ERR_STREAM_DESTROYED'])
    expect(stream.error?.code).toBe('ERR_STREAM_RESET')
    expect(pair.accepted[0]!.closed).toBe(true)
    expectNothingHeld(pair)
  })

  test.each([false, true])(
    'what is being written when the other side ends still arrives; allowHalfOpen: %s',
    async (allowHalfOpen) => {
      const pair = await join({}, { latencyMs: 5 })
      const stream = pair.peer.openStream({ windowBytes: 20_000, allowHalfOpen })
      const duplex = stream.duplex()
      duplex.resume()
      const failures: unknown[] = []
      duplex.on('error', (error) => failures.push(error))
      let isWritten: unknown
      duplex.write(Buffer.alloc(1 << 20, 7), (error) => (isWritten = error ?? true))
      if (allowHalfOpen) duplex.end()
      await pair.advance(10)
      const accepted = pair.accepted[0]!
      accepted.allowHalfOpen = true
      accepted.end()
      let bytes = 0
      accepted.on('message', (message) => (bytes += message.length))
      await pair.advance(10_000)
      expect(failures).toEqual([])
      expect([bytes, isWritten]).toEqual([1 << 20, true])
      expect([duplex.destroyed, stream.closed]).toEqual([true, true])
    },
  )

  test('one of a stream that is over is destroyed', async () => {
    const pair = await join()
    const stream = pair.peer.openStream()
    stream.reset()
    await pair.advance(10)
    const duplex = stream.duplex()
    let isClosed = false
    duplex.on('error', () => undefined)
    duplex.on('close', () => (isClosed = true))
    await pair.advance(10)
    expect([duplex.destroyed, isClosed]).toEqual([true, true])
  })

  test('a reader that is destroyed early costs the other side its writes, not its life', async () => {
    const pair = await join()
    const stream = pair.peer.openStream()
    const [one, other] = [stream.duplex(), undefined as unknown]
    void other
    one.write(Buffer.alloc(200_000))
    await pair.advance(50)
    const reading = pair.accepted[0]!.duplex()
    for await (const chunk of reading) {
      expect((chunk as Buffer).length).toBeGreaterThan(0)
      break
    }
    let error: NodeJS.ErrnoException | undefined
    one.on('error', (reason: NodeJS.ErrnoException) => (error = reason))
    await pair.advance(100)
    expect(error?.code).toBe('ERR_STREAM_RESET')
    expectNothingHeld(pair)
  })
})

describe('abort signals', () => {
  /** Counts who listens. */
  function counted(): { controller: AbortController; listeners: () => number } {
    const controller = new AbortController()
    let count = 0
    const { signal } = controller
    setMaxListeners(0, signal)
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)]
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      count++
      add(...args)
    }
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      count--
      remove(...args)
    }
    return { controller, listeners: () => count }
  }

  test('one that lives long keeps no listener of 10 000 streams that are over, however they ended', async () => {
    const pair = await join()
    const { controller, listeners } = counted()
    pair.server.node.on('stream', (stream) => {
      stream.on('message', () => undefined)
    })
    for (let i = 0; i < 100; i++) {
      for (let j = 0; j < 100; j++) {
        const stream = pair.peer.openStream({ signal: controller.signal })
        stream.send('x')
        if (j % 2 === 0) stream.end()
        else stream.reset()
      }
      await pair.advance(20)
    }
    await pair.advance(2000)
    expect(pair.peer.stats().streams).toBe(0)
    expect(listeners()).toBe(0)
  }, 60_000)

  test('one that lives long keeps no listener of connects', async () => {
    const pair = await join()
    const { controller, listeners } = counted()
    const { signal } = controller
    const codes: string[] = []
    for (let i = 0; i < 20; i++) {
      const endpoint = { address: '10.9.9.9', port: 1 + i }
      void pair.client.node.connect(endpoint, { signal, timeoutMs: 100 }).catch((error: StreamError) => codes.push(error.code))
    }
    void pair.client.node.connect(pair.server.endpoint, { signal })
    await pair.advance(500)
    expect(codes).toEqual(new Array(20).fill('ERR_CONNECT_TIMEOUT'))
    expect(listeners()).toBe(0)
  })

  test('an abort at any moment ends the stream with its error, here, and as cancelled there', async () => {
    for (let atMs = 0; atMs < 40; atMs++) {
      const pair = await join({}, { latencyMs: 5 })
      const controller = new AbortController()
      if (atMs === 0) controller.abort()
      const stream = pair.peer.openStream({ signal: controller.signal, windowBytes: 20_000, allowHalfOpen: true })
      const ends: (string | undefined)[] = []
      stream.on('close', (error) => ends.push(error?.code))
      pair.server.node.on('stream', (accepted) => {
        accepted.on('message', () => undefined)
        accepted.on('close', (error) => ends.push(error?.reason))
        accepted.allowHalfOpen = true
      })
      if (!stream.closed) while (stream.send(Buffer.alloc(1000)));
      if (atMs % 3 === 2) stream.end()
      if (atMs % 4 === 3) void stream.close()
      await pair.advance(atMs)
      controller.abort()
      controller.abort()
      await pair.advance(1000)
      expect(ends[0], `aborted after ${atMs} ms`).toBe('ABORT_ERR')
      expect(ends.slice(1).every((reason) => reason === 'cancelled')).toBe(true)
      expectNothingHeld(pair)
    }
  })

  test('an abort of a connect at any moment settles it, and leaves nothing', async () => {
    for (let atMs = 0; atMs < 30; atMs++) {
      const network = new SimulatedNetwork(atMs, { path: { latencyMs: 5 } })
      const [a, b] = [network.addHost(), network.addHost()]
      const [client, server] = [nodeOn(a), nodeOn(b)]
      const controller = new AbortController()
      let outcome = ''
      void client.node.connect(server.endpoint, { signal: controller.signal }).then(
        () => (outcome = 'joined'),
        (error: StreamError) => (outcome = error.code),
      )
      await network.clock.advanceAsync(atMs)
      controller.abort()
      await network.clock.advanceAsync(1)
      expect(outcome).toBe(atMs < 20 ? 'ABORT_ERR' : 'joined')
      // Whom the answer reached too late is no peer for long.
      await network.clock.advanceAsync(8000)
      expect(server.node.peers().length).toBe(client.node.peers().length)
      client.node.destroy()
      server.node.destroy()
      client.link.close()
      server.link.close()
      await network.clock.runUntilIdleAsync(1000)
    }
  })
})

describe('ends', () => {
  test('`await using` closes in order', async () => {
    const pair = await join()
    let received = 0
    pair.server.node.on('stream', (stream) => stream.on('message', () => received++))
    const running = (async () => {
      await using node = pair.client.node
      await using peer = node.peers()[0]!
      await using stream = peer.openStream()
      for (let i = 0; i < 100; i++) stream.send(Buffer.alloc(500))
    })()
    let isDone = false
    void running.then(() => (isDone = true))
    await pair.network.clock.runUntilTrueAsync(() => isDone, 5000)
    expect([isDone, received, pair.client.node.closed]).toEqual([true, 100, true])
  })

  test('nothing is waited for after a close: no timer is left', async () => {
    const pair = await join()
    const stream = pair.peer.openStream()
    pair.peer.openStream({ kind: 'bestEffort' }).send('x')
    stream.send('x')
    void stream.close({ deadlineMs: 100_000 })
    void pair.client.node.connect({ address: '10.9.9.9', port: 5 }).catch(() => undefined)
    await pair.advance(5)
    pair.client.node.destroy()
    pair.server.node.destroy()
    pair.client.link.close()
    pair.server.link.close()
    await pair.advance(1)
    const before = pair.network.clock.nowMs()
    await pair.network.clock.runUntilIdleAsync(100)
    // A datagram on its way, at most.
    expect(pair.network.clock.nowMs() - before).toBeLessThan(5)
  })

  test('a peer that was left in the middle of sending is waited for by no timer', async () => {
    const pair = await join({ congestionControl: fixedRate(100_000) })
    pair.accepted.length = 0
    const stream = pair.peer.openStream({ kind: 'fireAndForget', windowBytes: 30_000 })
    stream.on('drain', () => pair.peer.leave())
    while (stream.send(Buffer.alloc(1000)));
    await pair.advance(100)
    expect(stream.closed).toBe(true)
    await pair.advance(10)
    const before = pair.network.clock.nowMs()
    await pair.network.clock.runUntilIdleAsync(100)
    // One that had been set before, at most.
    expect(pair.network.clock.nowMs() - before).toBeLessThanOrEqual(1000)
  })

  test('a connect that cannot be sent fails, and so does the next', async () => {
    const pair = await join()
    for (let i = 0; i < 2; i++) {
      let code: string | undefined
      const failed = (async () => pair.client.node.connect({ address: '::1', port: 5 }, { timeoutMs: 100 }))()
      void failed.catch((error: NodeJS.ErrnoException) => (code = error.code))
      await pair.advance(200)
      expect(code).toBe('ERR_INVALID_ARG_VALUE')
    }
  })

  test('a node that joins itself has itself as a peer', async () => {
    const pair = await join()
    const joined = pair.client.node.connect(pair.client.endpoint)
    await pair.advance(100)
    const self = await joined
    const seen: string[] = []
    pair.client.node.on('stream', (stream) => stream.on('message', (message) => stream.send(`${message.toString()} again`)))
    const stream = self.openStream()
    stream.on('message', (message) => seen.push(message.toString()))
    stream.send('hello')
    await pair.advance(100)
    expect(seen).toEqual(['hello again'])
    let isClosed = false
    void stream.close().then(() => (isClosed = true))
    await pair.advance(1000)
    expect(isClosed).toBe(true)
  })

  test('two nodes of one name are two', async () => {
    const network = new SimulatedNetwork(1)
    const server = nodeOn(network.addHost())
    const heard: string[] = []
    server.node.on('stream', (stream, peer) =>
      stream.on('message', (message) => heard.push(`${peer.name} ${message.toString()}`)),
    )
    const clients = [nodeOn(network.addHost(), { name: 'twin' }), nodeOn(network.addHost(), { name: 'twin' })]
    for (const [i, { node }] of clients.entries()) {
      void node.connect(server.endpoint).then((peer) => peer.openStream().send(`${i}`))
    }
    await network.clock.advanceAsync(200)
    expect(heard.sort()).toEqual(['twin 0', 'twin 1'])
    clients[0]!.node.destroy()
    await network.clock.advanceAsync(200)
    expect(server.node.peers().length).toBe(1)
    clients[1]!.node.peers()[0]!.openStream().send('still here')
    await network.clock.advanceAsync(200)
    expect(heard.length).toBe(3)
    for (const { node } of [server, clients[1]!]) node.destroy()
  })

  test('a node on a link that is closed already can be made, and closes', async () => {
    const network = new SimulatedNetwork(1)
    const host = network.addHost()
    const link = host.openLink()
    const node = createNode({ link, clock: host.clock, random: host.random })
    const joining = node.connect({ address: '10.9.9.9', port: 1 }).catch((error: StreamError) => error.code)
    link.close()
    await network.clock.advanceAsync(1)
    expect(await joining).toBe('ERR_CLOSED')
    expect(node.closed).toBe(true)
    await node.close()
  })
})
