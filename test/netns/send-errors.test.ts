import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { firewallProblem, lacking, namespaceProblem } from '../support/capabilities.js'
import type { Host } from '../support/host.js'
import { twoHosts, type TestNetwork } from '../support/network.js'

describe.skipIf(lacking('network namespaces', namespaceProblem()))('what the kernel refuses to send', () => {
  let network: TestNetwork
  let a: Host
  let b: Host

  beforeAll(() => {
    network = twoHosts()
    a = network.host('a')
    b = network.host('b')
  })
  afterAll(() => network.remove())

  test('without a route only the datagrams that need it fail', async () => {
    const port = await listening(b)
    const result = await a.run(async ({ geysir, keep }, to: number) => {
      const socket = (keep.socket = new geysir.UdpSocket())
      const errors: unknown[] = []
      socket.on('sendError', (error, endpoint) => errors.push([error.code, error.syscall, endpoint!.toString()]))
      const [good, bad] = [geysir.endpoint('10.77.0.2', to), geysir.endpoint('198.51.100.1', 9)]
      for (let i = 0; i < 10; i++) {
        socket.send(`good ${i}`, good)
        if (i % 4 === 0) socket.send('bad', bad)
      }
      const flushed = socket.flush()
      await new Promise((resolve) => setImmediate(resolve))
      return { flushed, errors, stats: socket.stats() }
    }, port)
    expect(result.flushed).toBe(true)
    expect(result.errors).toEqual(Array(3).fill(['ENETUNREACH', 'sendmmsg', '198.51.100.1:9']))
    expect(result.stats).toMatchObject({
      datagramsSent: 10,
      datagramsFailed: 3,
      sendErrors: { ENETUNREACH: 3 },
      queuedDatagrams: 0,
    })
    expect(await heard(b, 10)).toEqual(Array.from({ length: 10 }, (_, i) => `good ${i}`))
  })

  test.skipIf(lacking('nftables', firewallProblem()))('a firewall that drops one port costs only what goes there', async () => {
    const port = await listening(b)
    const dropped = port === 9999 ? 9998 : 9999
    network.exec('a', 'nft', 'add table inet test')
    network.exec('a', 'nft', 'add chain inet test out { type filter hook output priority 0; }')
    network.exec('a', 'nft', `add rule inet test out udp dport ${dropped} drop`)
    const result = await a.run(
      async ({ geysir }, ports) => {
        const socket = new geysir.UdpSocket()
        const errors: unknown[] = []
        socket.on('sendError', (error) => errors.push(error.code))
        const [good, bad] = [geysir.endpoint('10.77.0.2', ports.port), geysir.endpoint('10.77.0.2', ports.dropped)]
        for (let i = 0; i < 6; i++) {
          // Neighbours of one size: the refused ones would coalesce as well.
          for (let n = 0; n < 5; n++) socket.send(`${i}${n}`, good)
          for (let n = 0; n < 3; n++) socket.send(`${i}${n}`, bad)
        }
        socket.flush()
        await new Promise((resolve) => setImmediate(resolve))
        const stats = socket.stats()
        socket.close()
        return { errors, stats, refused: geysir.capabilities().sendOffloadRefused }
      },
      { port, dropped },
    )
    network.exec('a', 'nft', 'delete table inet test')
    expect(result.errors).toEqual(Array(18).fill('EPERM'))
    expect(result.stats).toMatchObject({ datagramsSent: 30, datagramsFailed: 18, sendErrors: { EPERM: 18 } })
    // A firewall says nothing about segmentation.
    expect(result.stats).toMatchObject({ offloadFallbacks: 0, coalescedSends: 6 })
    expect(result.refused).toEqual([])
    expect(await heard(b, 30)).toHaveLength(30)
  })

  test('at most 64 sendError events come of one tick, and all failures are counted', async () => {
    const result = await a.run(async ({ geysir }) => {
      const socket = new geysir.UdpSocket()
      let errors = 0
      socket.on('sendError', () => errors++)
      const bad = geysir.endpoint('198.51.100.1', 9)
      for (let i = 0; i < 1000; i++) socket.send(`${i}`, bad)
      socket.flush()
      await new Promise((resolve) => setImmediate(resolve))
      const stats = socket.stats()
      socket.close()
      return { errors, stats }
    })
    expect(result).toMatchObject({ errors: 64, stats: { datagramsFailed: 1000, sendErrors: { ENETUNREACH: 1000 } } })
  })

  test.each(['10.77.0.2', 'fd77::2'])(
    'to %s a datagram longer than the MTU is refused where fragments are not allowed',
    async (address) => {
      const overhead = address.includes(':') ? 48 : 28
      const port = await listening(b, address.includes(':') ? '::' : '0.0.0.0')
      const result = await a.run(
        async ({ geysir, events }, to) => {
          const socket = new geysir.UdpSocket({ type: to.address.includes(':') ? 'udp6' : 'udp4', dontFragment: true })
          const peer = geysir.endpoint(to.address, to.port)
          const failed = events.once(socket, 'sendError')
          socket.send('before'.padEnd(1500 - to.overhead, '.'), peer)
          socket.send('too long'.padEnd(1501 - to.overhead, '.'), peer)
          socket.send('after', peer)
          const [error, endpoint] = await failed
          const stats = socket.stats()
          await socket.connect({ address: to.address, port: to.port })
          const mtu = socket.getOption('pathMtuBytes')
          socket.setOption('dontFragment', false)
          socket.send('in fragments'.padEnd(4000, '.'))
          socket.flush()
          socket.close()
          return { code: error.code, endpoint: String(endpoint), stats, mtu }
        },
        { address, port, overhead },
      )
      expect(result).toMatchObject({
        code: 'EMSGSIZE',
        mtu: 1500,
        endpoint: overhead === 28 ? `${address}:${port}` : `[${address}]:${port}`,
      })
      expect(result.stats).toMatchObject({ datagramsSent: 2, datagramsFailed: 1, sendErrors: { EMSGSIZE: 1 } })
      const heardTexts = await heard(b, 3)
      expect(heardTexts.map((text) => [text.replaceAll('.', ''), text.length])).toEqual([
        ['after', 5],
        ['before', 1500 - overhead],
        ['in fragments', 4000],
      ])
    },
  )

  test('EMSGSIZE on a connected socket with receiveErrors is a send error, not the error of a peer', async () => {
    const result = await a.run(async ({ geysir, events }) => {
      const socket = new geysir.UdpSocket({ dontFragment: true, receiveErrors: true })
      await socket.connect({ address: '10.77.0.2', port: 9 })
      const peerErrors: unknown[] = []
      socket.on('peerError', (error) => peerErrors.push(error.code))
      const failed = events.once(socket, 'sendError')
      socket.send(Buffer.alloc(3000))
      const [error] = await failed
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
      const stats = socket.stats()
      socket.close()
      return { code: error.code, peerErrors, stats }
    })
    expect(result).toMatchObject({
      code: 'EMSGSIZE',
      peerErrors: [],
      stats: { datagramsFailed: 1, datagramsSent: 0, peerErrors: 0 },
    })
  })
})

/** A receiver on the host, for {@link heard}. Returns its port. */
function listening(host: Host, address = '0.0.0.0'): Promise<number> {
  return host.run(async ({ geysir, keep }, where) => {
    keep.receiver?.close()
    keep.receiver = new geysir.UdpSocket({ type: where.includes(':') ? 'udp6' : 'udp4', receiveBufferBytes: 1 << 20 })
    return (await keep.receiver.bind({ address: where })).port
  }, address)
}

/** Sorted: two processors may hand the wire's datagrams over in another order. */
function heard(host: Host, count: number): Promise<string[]> {
  return host.run(async ({ keep, received, texts }, wanted) => texts(await received(keep.receiver, wanted)).sort(), count)
}
