import { describe, expect, test } from 'vitest'
import { SeededRandom, randomBelow, randomFraction } from '../../src/core/index.js'
import { createNode, type Peer, type Stream, type StreamError } from '../../src/stream/index.js'
import { SimulatedNetwork, forSeeds } from '../../src/testing/index.js'
import { badPath, nodeOn, repeat, seedsOf } from './support/stream-nodes.js'

const PORT = 4000

describe('joining', () => {
  test('both sides have one peer, with its name, when both ask at once', async () => {
    const network = new SimulatedNetwork(1, { path: { latencyMs: 5 } })
    const [a, b] = [network.addHost({ name: 'a' }), network.addHost({ name: 'b' })]
    const [one, two] = [nodeOn(a, {}, { port: PORT }), nodeOn(b, {}, { port: PORT })]
    const joined = Promise.all([one.node.connect(two.endpoint), two.node.connect(one.endpoint)])
    await network.clock.advanceAsync(100)
    const [toB, toA] = await joined
    expect([toB.name, toA.name]).toEqual(['b', 'a'])
    expect([one.node.peers(), two.node.peers()]).toEqual([[toB], [toA]])
    one.node.destroy()
    two.node.destroy()
  })

  test('nodes reach each other by either family', async () => {
    const network = new SimulatedNetwork(1)
    const [a, b] = [network.addHost(), network.addHost()]
    const one = nodeOn(a, {}, { family: 'IPv6' })
    const two = nodeOn(b, {}, { family: 'IPv6', port: PORT })
    const joined = one.node.connect({ address: b.addressOf('IPv6'), port: PORT })
    await network.clock.advanceAsync(100)
    expect((await joined).endpoint.family).toBe('IPv6')
    one.node.destroy()
    two.node.destroy()
  })

  test('nobody there is an error in time, and so is an abort at once', async () => {
    const network = new SimulatedNetwork(1)
    const [a, b] = [network.addHost(), network.addHost()]
    const { node } = nodeOn(a)
    const nowhere = { address: b.addressOf(), port: 9 }
    const failed = node.connect(nowhere, { timeoutMs: 700 }).catch((error: StreamError) => `${error.code} ${a.clock.nowMs()}`)
    const controller = new AbortController()
    const aborted = node
      .connect({ ...nowhere, port: 10 }, { signal: controller.signal })
      .catch((error: StreamError) => error.code)
    controller.abort()
    expect(await aborted).toBe('ABORT_ERR')
    await network.clock.advanceAsync(2000)
    expect(await failed).toBe('ERR_CONNECT_TIMEOUT 700')
    node.destroy()
  })

  test('each who waits for the same node has a time of its own', async () => {
    const network = new SimulatedNetwork(1)
    const [a, b] = [network.addHost(), network.addHost()]
    const { node } = nodeOn(a)
    const nowhere = { address: b.addressOf(), port: PORT }
    const ends: string[] = []
    const controller = new AbortController()
    const wait = (timeoutMs: number, signal?: AbortSignal): Promise<unknown> =>
      node.connect(nowhere, { timeoutMs, ...(signal === undefined ? {} : { signal }) }).then(
        ({ name }) => ends.push(`${name} ${timeoutMs}`),
        (error: StreamError) => ends.push(`${error.code} ${a.clock.nowMs()}`),
      )
    const waits = [wait(5000), wait(100), wait(8000), wait(9000, controller.signal)]
    await network.clock.advanceAsync(300)
    controller.abort()
    await network.clock.advanceAsync(5700)
    expect(ends).toEqual(['ERR_CONNECT_TIMEOUT 100', 'ABORT_ERR 300', 'ERR_CONNECT_TIMEOUT 5000'])
    // Who waits longest is still waited for.
    const server = nodeOn(b, { name: 'late' }, { port: PORT })
    await network.clock.advanceAsync(1500)
    await Promise.all(waits)
    expect(ends[3]).toBe('late 8000')
    node.destroy()
    server.node.destroy()
  })

  test('a node that is full refuses, another secret is not heard', async () => {
    const network = new SimulatedNetwork(1)
    const [a, b, c] = [network.addHost(), network.addHost(), network.addHost()]
    const secret = 'sixteen bytes at least'
    const server = nodeOn(b, { maxPeers: 1, secret }, { port: PORT })
    const nodes = [nodeOn(a, { secret }), nodeOn(c, { secret }), nodeOn(c, { secret: 'another sixteen bytes' })]
    const codes: string[] = []
    for (const { node } of nodes) {
      const joined = node.connect(server.endpoint).then(
        () => codes.push('joined'),
        (error: StreamError) => codes.push(error.code),
      )
      await network.clock.advanceAsync(10_000)
      await joined
    }
    expect(codes).toEqual(['joined', 'ERR_CONNECT_REFUSED', 'ERR_CONNECT_TIMEOUT'])
    expect(server.node.stats().dropped.integrity).toBeGreaterThan(0)
    for (const { node } of [server, ...nodes]) node.destroy()
  })

  test('hellos without a cookie leave nothing behind, and are answered with less than they bring', () => {
    const network = new SimulatedNetwork(1)
    const [a, b] = [network.addHost(), network.addHost()]
    const server = nodeOn(b, {}, { port: PORT })
    const flood = a.openLink()
    const hello = Buffer.alloc(52)
    hello.set([0x41, 1, 0, 1])
    hello.set([1, 1, 0, 0], 20)
    hello[48] = 1
    let answers = 0
    flood.on('batch', (batch) => {
      answers += batch.count
      for (let i = 0; i < batch.count; i++) expect(batch.payload(i).length).toBeLessThanOrEqual(hello.length)
    })
    for (let i = 0; i < 20_000; i++) {
      hello.writeUInt32LE(i + 1, 8)
      flood.send(hello, server.endpoint)
      if (i % 100 === 99) network.clock.advance(1)
    }
    network.clock.advance(100)
    expect(answers).toBeGreaterThan(1000)
    expect(answers).toBeLessThanOrEqual(5000 * 1.3)
    expect(server.node.stats()).toMatchObject({ peers: 0, dropped: { tooManyHellos: 20_000 - answers } })
    server.node.destroy()
  })
})

describe('restarts', () => {
  /** Traffic both ways; at a time of the seed's one side dies and comes again at the same address. */
  async function restartAt(seed: number): Promise<void> {
    const random = new SeededRandom(seed)
    const network = new SimulatedNetwork(seed, { path: randomFraction(random) < 0.5 ? { latencyMs: 5 } : badPath(random) })
    const [a, b] = [network.addHost(), network.addHost()]
    const options = { integrity: 'crc32c', peerTimeoutMs: 20_000 } as const
    let client = nodeOn(a, options, { port: PORT })
    let server = nodeOn(b, options, { port: PORT })
    const ended: (string | undefined)[] = []
    const serve = (): void => {
      server.node.on('stream', (stream) => {
        stream.on('message', (message) => {
          expect(message.toString()).toMatch(/^life \d+ \d+$/)
          stream.send(message)
        })
        stream.on('close', (error) => ended.push(error?.code))
      })
    }
    serve()
    let life = 0
    let isRestarted = false
    const answers: number[] = []
    const call = async (): Promise<Peer> => {
      const mine = ++life
      const peer = await client.node.connect(server.endpoint, { timeoutMs: 60_000 })
      const stream: Stream = peer.openStream()
      let next = 0
      stream.on('message', (message) => {
        // What an earlier life sent is never seen.
        expect(message.toString()).toBe(`life ${mine} ${next++}`)
        answers[mine] = next
      })
      for (let i = 0; i < 300; i++) stream.send(`life ${mine} ${i}`)
      stream.on('close', (error) => {
        ended.push(error?.code)
        // A late welcome of the life that is gone: whoever joined that one does it again.
        if (isRestarted) void call().catch(() => undefined)
      })
      return peer
    }
    void call().catch(() => undefined)
    await network.clock.advanceAsync(randomBelow(random, 200))
    const isServer = randomFraction(random) < 0.5
    const host = isServer ? b : a
    // As kill -9: nothing is said, and what the program knew is gone.
    host.stop()
    await network.clock.advanceAsync(randomBelow(random, 300))
    host.restart()
    if (isServer) {
      server = nodeOn(b, options, { port: PORT })
      serve()
    } else {
      client = nodeOn(a, options, { port: PORT })
    }
    // Whoever still has the old peer learns that it is gone; then all is as new.
    await network.clock.runUntilTrueAsync(() => !isServer || client.node.peers().length === 0, 30_000)
    await network.clock.advanceAsync(1)
    expect(isServer ? client.node.peers() : []).toEqual([])
    isRestarted = true
    void call().catch(() => undefined)
    const isDone = await network.clock.runUntilTrueAsync(() => answers[life] === 300, 120_000)
    expect(answers[life], `answers at ${network.clock.nowMs()}, ends ${ended.join()}`).toBe(300)
    expect(isDone).toBe(true)
    expect(server.node.peers().length).toBe(1)
    client.node.destroy()
    server.node.destroy()
  }

  test('of either side at any moment end its streams, and new ones are clean', async () => {
    await forSeeds(seedsOf(100), restartAt, repeat)
  }, 60_000)
})

test('who comes again is taken at once; an old hello that comes late does not drive out who is there', async () => {
  const network = new SimulatedNetwork(4, { path: { latencyMs: 2 } })
  const [a, b] = [network.addHost(), network.addHost()]
  const server = nodeOn(b, {}, { port: PORT })
  const old: Buffer[] = []
  const tap = new Proxy(a.openLink({ port: PORT }), {
    get(link, name) {
      if (name === 'send') {
        return (frame: Buffer, endpoint: { address: string; port: number }) => {
          // The hello with the cookie.
          if (frame[1] === 1 && frame[22] === 16) old.push(Buffer.from(frame))
          return link.send(frame, endpoint)
        }
      }
      const value = Reflect.get(link, name) as unknown
      return typeof value === 'function' ? (value.bind(link) as unknown) : value
    },
  })
  const first = createNode({ link: tap, clock: a.clock, random: a.random })
  void first.connect(server.endpoint)
  await network.clock.advanceAsync(100)
  const [before] = server.node.peers()
  a.stop()
  a.restart()
  const second = nodeOn(a, {}, { port: PORT })
  const joined = second.node.connect(server.endpoint)
  await network.clock.advanceAsync(300)
  const peer = await joined
  expect(server.node.peers().length).toBe(1)
  const [now] = server.node.peers()
  expect(now).not.toBe(before)
  expect([before!.closed, now!.closed]).toEqual([true, false])
  // As if the network had kept it: its cookie is still good.
  expect(old.length).toBe(1)
  const link = second.link
  link.send(old[0]!, server.endpoint)
  await network.clock.advanceAsync(300)
  expect(server.node.peers()).toEqual([now])
  expect([now!.closed, peer.closed]).toEqual([false, false])
  second.node.destroy()
  server.node.destroy()
})

test('a peer whose farewell is lost is found to have left', async () => {
  const network = new SimulatedNetwork(5, { path: { latencyMs: 2 } })
  const [a, b] = [network.addHost(), network.addHost()]
  const [client, server] = [nodeOn(a), nodeOn(b, {}, { port: PORT })]
  const joined = client.node.connect(server.endpoint)
  await network.clock.advanceAsync(100)
  const stream = (await joined).openStream()
  const ends: (string | undefined)[] = []
  stream.on('close', (error) => ends.push(error?.code))
  server.node.on('stream', () => undefined)
  await network.clock.advanceAsync(100)
  const parted = network.partition([a], [b])
  for (const peer of server.node.peers()) peer.leave()
  await network.clock.advanceAsync(10)
  parted.heal()
  // Asked whether it is there after a second or two of silence.
  await network.clock.advanceAsync(2500)
  expect(ends).toEqual(['ERR_PEER_LEFT'])
  client.node.destroy()
  server.node.destroy()
})

test('a partition that is longer than the timeout ends both sides; a shorter one costs nothing', async () => {
  const network = new SimulatedNetwork(3, { path: { latencyMs: 2 } })
  const [a, b] = [network.addHost(), network.addHost()]
  const [client, server] = [nodeOn(a), nodeOn(b, {}, { port: PORT })]
  const ends: (string | undefined)[] = []
  let received = 0
  server.node.on('stream', (stream) => {
    stream.on('message', () => received++)
    stream.on('close', (error) => ends.push(error?.code))
  })
  const joined = client.node.connect(server.endpoint)
  await network.clock.advanceAsync(100)
  const stream = (await joined).openStream()
  stream.on('close', (error) => ends.push(error?.code))
  stream.send('before')
  await network.clock.advanceAsync(100)
  const short = network.partition([a], [b])
  stream.send('during')
  await network.clock.advanceAsync(3000)
  expect(received).toBe(1)
  short.heal()
  await network.clock.advanceAsync(1000)
  expect([received, ends.length]).toEqual([2, 0])
  network.partition([a], [b])
  stream.send('lost')
  await network.clock.advanceAsync(6500)
  expect(ends).toEqual(['ERR_PEER_SILENT', 'ERR_PEER_SILENT'])
  expect([client.node.stats().frameMemoryBytes, server.node.stats().frameMemoryBytes]).toEqual([0, 0])
  client.node.destroy()
  server.node.destroy()
})
