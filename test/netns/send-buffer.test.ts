import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { lacking, namespaceProblem, slowLinkProblem } from '../support/capabilities.js'
import type { Host } from '../support/host.js'
import { twoHosts, type TestNetwork } from '../support/network.js'
import { runProgram } from '../support/program.js'

// A neighbour that does not answer keeps datagrams in the kernel, charged to the socket's send buffer, until the test says who it is.
describe.skipIf(lacking('network namespaces', namespaceProblem()))('a full send buffer', () => {
  let network: TestNetwork
  let a: Host
  let b: Host
  let macOfB: string

  beforeAll(() => {
    network = twoHosts()
    // Longer than any test: the kernel gives a silent neighbour up after this many seconds, and drops what waits for it.
    network.sysctl('a', 'net.ipv4.neigh.va.mcast_solicit', 1000)
    network.ip('b', 'link set vb arp off')
    macOfB = /link\/ether (\S+)/.exec(network.exec('b', 'ip', 'link', 'show', 'vb'))![1]!
    a = network.host('a')
    b = network.host('b')
  })
  afterAll(() => network.remove())

  beforeEach(async () => {
    network.ip('a', 'neigh flush dev va')
    await a.run(
      ({ geysir, keep }, port) => {
        keep.socket = new geysir.UdpSocket({
          sendBufferBytes: 16_384,
          sendOffload: false,
          sendQueueDatagrams: 500,
          sendQueueBytes: 100_000,
        })
        keep.peer = geysir.endpoint('10.77.0.2', port)
      },
      await b.run(async ({ geysir, keep }) => {
        keep.socket = new geysir.UdpSocket({ receiveBufferBytes: 1 << 20 })
        return (await keep.socket.bind()).port
      }),
    )
    return async () => {
      network.ip('a', 'neigh del 10.77.0.2 dev va')
      for (const host of [a, b]) await host.run(({ keep }) => keep.socket.close())
    }
  })

  test('flush says that some has to wait, drain follows, and everything arrives', async () => {
    const blocked = await a.run(({ keep }) => {
      const { socket, peer } = keep
      keep.drains = 0
      socket.on('drain', () => keep.drains++)
      for (let i = 0; i < 100; i++) if (!socket.send(`${i}`.padEnd(500), peer)) throw new Error('refused')
      return { flushed: socket.flush(), stats: socket.stats() }
    })
    expect(blocked.flushed).toBe(false)
    const { datagramsSent, queuedDatagrams, queuedBytes } = blocked.stats
    expect(blocked.stats).toMatchObject({ wouldBlock: 1, datagramsQueued: 100, datagramsFailed: 0 })
    expect(datagramsSent).toBeGreaterThan(0)
    expect(datagramsSent + queuedDatagrams).toBe(100)
    expect(queuedBytes).toBe(queuedDatagrams * 500)

    network.ip('a', `neigh replace 10.77.0.2 lladdr ${macOfB} dev va nud permanent`)
    const texts = await b.run(async ({ keep, received, texts }) => texts(await received(keep.socket, 100)))
    expect(inOrder(texts)).toEqual(Array.from({ length: 100 }, (_, i) => i))
    const drained = await a.run(async ({ keep, events }) => {
      if (keep.drains === 0) await events.once(keep.socket, 'drain')
      return { count: keep.drains, stats: keep.socket.stats() }
    })
    expect(drained).toMatchObject({
      count: 1,
      stats: { datagramsSent: 100, queuedDatagrams: 0, queuedBytes: 0, datagramsFailed: 0 },
    })
  })

  test('send and reserve refuse beyond the bound of the queue, and refuse nothing after drain', async () => {
    const full = await a.run(({ keep }) => {
      const { socket, peer } = keep
      let accepted = 0
      while (socket.send(`${accepted}`, peer)) accepted++
      return { accepted, reserved: socket.reserve(10, peer), run: socket.reserveRun(10, 4, peer), stats: socket.stats() }
    })
    expect(full.reserved).toBeUndefined()
    expect(full.run).toBeUndefined()
    expect(full.stats).toMatchObject({ queuedDatagrams: 500, datagramsRefused: 3, datagramsQueued: full.accepted })
    expect(full.accepted).toBe(full.stats.datagramsSent + 500)

    network.ip('a', `neigh replace 10.77.0.2 lladdr ${macOfB} dev va nud permanent`)
    const after = await a.run(async ({ keep, events }, last) => {
      const { socket, peer } = keep
      if (socket.stats().queuedDatagrams > 0) await events.once(socket, 'drain')
      return { accepted: socket.send(`${last}`, peer), flushed: socket.flush(), stats: socket.stats() }
    }, full.accepted)
    expect(after).toMatchObject({ accepted: true, flushed: true, stats: { datagramsRefused: 3, queuedDatagrams: 0 } })
    const heard = await b.run(
      async ({ keep, received, texts }, count) => texts(await received(keep.socket, count)),
      full.accepted + 1,
    )
    expect(inOrder(heard)).toEqual(Array.from({ length: full.accepted + 1 }, (_, i) => i))
  })

  test('the queue is bounded in bytes as well', async () => {
    const full = await a.run(({ keep }) => {
      const { socket, peer } = keep
      const payload = Buffer.alloc(1000)
      while (socket.send(payload, peer));
      return { stats: socket.stats(), small: socket.send('', peer) }
    })
    expect(full.stats).toMatchObject({ queuedBytes: 100_000, queuedDatagrams: 100 })
    expect(full.small).toBe(true)
  })

  test('close counts what the kernel did not take', async () => {
    const result = await a.run(async ({ keep, events }) => {
      const { socket, peer } = keep
      for (let i = 0; i < 100; i++) socket.send(Buffer.alloc(500), peer)
      const closed = events.once(socket, 'close')
      socket.close()
      await closed
      return socket.stats()
    })
    expect(result.datagramsDiscarded).toBeGreaterThan(0)
    expect(result.datagramsSent).toBeGreaterThan(0)
    expect(result.datagramsSent + result.datagramsDiscarded).toBe(100)
    expect(result).toMatchObject({ queuedDatagrams: 0, queuedBytes: 0, datagramsQueued: 100 })
  })

  test('what waits for one peer goes to it, although the socket was connected to another since', async () => {
    const blocked = await a.run(async ({ keep, geysir, received }) => {
      const { socket, peer } = keep
      await socket.connect(peer)
      for (let i = 0; i < 100; i++) socket.send(`${i}`.padEnd(500))
      const other = new geysir.UdpSocket()
      const { port } = await other.bind()
      await socket.connect({ address: '10.77.0.1', port })
      // It waits for its turn behind the others; a datagram that does not shows whom the other socket hears.
      socket.send('for the other')
      const stranger = new geysir.UdpSocket()
      stranger.send('marker', geysir.endpoint('10.77.0.1', port))
      const [first] = await received(other)
      for (const each of [stranger, other]) each.close()
      return { flushed: socket.flush(), first: first!.text }
    })
    expect(blocked).toMatchObject({ flushed: false, first: 'marker' })
    network.ip('a', `neigh replace 10.77.0.2 lladdr ${macOfB} dev va nud permanent`)
    const texts = await b.run(async ({ keep, received, texts }) => texts(await received(keep.socket, 100)))
    expect(inOrder(texts)).toEqual(Array.from({ length: 100 }, (_, i) => i))
  })

  test('a blocked socket still receives', async () => {
    const port = await a.run(({ keep }) => {
      const { socket, peer } = keep
      for (let i = 0; i < 100; i++) socket.send(Buffer.alloc(500), peer)
      if (socket.flush()) throw new Error('not blocked')
      return socket.address().port
    })
    const heard = await a.run(async ({ geysir, keep, received, texts }, to) => {
      const neighbour = new geysir.UdpSocket()
      neighbour.send('hello', geysir.endpoint('127.0.0.1', to))
      const datagrams = await received(keep.socket)
      neighbour.close()
      return { texts: texts(datagrams), queued: keep.socket.stats().queuedDatagrams }
    }, port)
    expect(heard.texts).toEqual(['hello'])
    expect(heard.queued).toBeGreaterThan(0)
  })

  test('a process lives until the kernel has taken all, or its socket is unref', async () => {
    const program = (kind: string, onOutput?: (stdout: string) => void): ReturnType<typeof runProgram> =>
      runProgram('blocked', ['10.77.0.2', '9', kind], { namespace: network.fullName('a'), ...(onOutput && { onOutput }) })
    expect(await program('unref')).toMatchObject({ code: 0, stdout: 'blocked\nsome left\n' })
    network.ip('a', 'neigh flush dev va')
    const answered = await program('ref', (stdout) => {
      if (stdout === 'blocked\n') network.ip('a', `neigh replace 10.77.0.2 lladdr ${macOfB} dev va nud permanent`)
    })
    expect(answered).toMatchObject({ code: 0, stdout: 'blocked\nall sent\n' })
  })
})

describe.skipIf(lacking('a token bucket', slowLinkProblem()))('a link slower than the sender', () => {
  let network: TestNetwork

  beforeAll(() => {
    network = twoHosts()
    network.exec('a', 'tc', ...'qdisc add dev va root tbf rate 200mbit burst 20kb limit 1mb'.split(' '))
  })
  afterAll(() => network.remove())

  test.each([true, false])('whoever waits for drain loses nothing (send offload %s)', async (sendOffload) => {
    const [a, b] = [network.host('a'), network.host('b')]
    const total = 3000
    const port = await b.run(async ({ geysir, keep }) => {
      keep.socket = new geysir.UdpSocket({ receiveBufferBytes: 8 << 20 })
      return (await keep.socket.bind()).port
    })
    const sent = await a.run(
      async ({ geysir, events }, to) => {
        const socket = new geysir.UdpSocket({ sendBufferBytes: 30_000, sendQueueDatagrams: 200, sendOffload: to.sendOffload })
        const peer = geysir.endpoint('10.77.0.2', to.port)
        for (let i = 0; i < to.total; i++) {
          while (!socket.send(`${i}`.padEnd(1000), peer)) await events.once(socket, 'drain')
        }
        if (!socket.flush()) await events.once(socket, 'drain')
        const stats = socket.stats()
        socket.close()
        return stats
      },
      { port, total, sendOffload },
    )
    expect(sent).toMatchObject({ datagramsSent: total, datagramsFailed: 0, queuedDatagrams: 0 })
    expect(sent.wouldBlock).toBeGreaterThan(0)
    const numbers = await b.run(async ({ keep, received, texts }, count) => texts(await received(keep.socket, count)), total)
    expect(inOrder(numbers)).toEqual(Array.from({ length: total }, (_, i) => i))
  })
})

/** The numbers of datagrams: two processors may hand the wire's datagrams over in another order. */
function inOrder(texts: string[]): number[] {
  return texts.map((text) => Number(text)).sort((x, y) => x - y)
}
