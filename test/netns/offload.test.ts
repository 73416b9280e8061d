import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { lacking, namespaceProblem } from '../support/capabilities.js'
import type { Host } from '../support/host.js'
import { twoHosts, type TestNetwork } from '../support/network.js'

describe.skipIf(lacking('network namespaces', namespaceProblem()))('segmentation offload over an interface', () => {
  let network: TestNetwork
  let a: Host
  let b: Host

  beforeAll(() => {
    network = twoHosts()
    a = network.host('a')
    b = network.host('b')
  })
  afterAll(() => network.remove())

  test('datagrams that fit the MTU travel coalesced', async () => {
    const port = await listening(b)
    const stats = await a.run(sendMany, { address: '10.77.0.2', port, bytes: 1400, count: 100 })
    expect(stats).toMatchObject({ datagramsSent: 100, datagramsFailed: 0, offloadFallbacks: 0 })
    expect(stats.segmentsSent).toBe(100)
    const heard = await b.run(hearAll, 100)
    expect(heard.lengths).toEqual([1400])
    expect(heard.numbers).toEqual(Array.from({ length: 100 }, (_, i) => i))
    expect(heard.stats.segmentsReceived).toBeGreaterThan(0)
  })

  test.each([
    ['10.77.0.2', '0.0.0.0'],
    ['fd77::2', '::'],
  ])('datagrams longer than the MTU go to %s one by one, and it is remembered', async (address, any) => {
    const port = await listening(b, any)
    const stats = await a.run(sendMany, { address, port, bytes: 8192, count: 40 })
    expect(stats).toMatchObject({ datagramsSent: 40, datagramsFailed: 0, sendErrors: {}, queuedDatagrams: 0 })
    expect(stats.offloadFallbacks).toBeGreaterThan(0)
    const heard = await b.run(hearAll, 40)
    expect(heard.lengths).toEqual([8192])
    expect(heard.numbers).toEqual(Array.from({ length: 40 }, (_, i) => i))
    expect(await a.run(({ geysir }) => geysir.capabilities().sendOffloadRefused)).toContainEqual({
      address,
      maxSegmentBytes: 8191,
    })

    // Next time nothing is tried in vain, and shorter ones still coalesce.
    const again = await a.run(sendMany, { address, port, bytes: 8192, count: 10 })
    expect(again).toMatchObject({ datagramsSent: 10, offloadFallbacks: 0, coalescedSends: 0 })
    await b.run(hearAll, 10)
    const short = await a.run(sendMany, { address, port, bytes: 1000, count: 10 })
    expect(short).toMatchObject({ datagramsSent: 10, offloadFallbacks: 0, coalescedSends: 1 })
    await b.run(hearAll, 10)
  })

  test('a connected socket falls back as well', async () => {
    network.ip('b', 'addr add 10.77.0.3/24 dev vb')
    const port = await listening(b)
    const stats = await a.run(async ({ geysir }, to) => {
      const socket = new geysir.UdpSocket({ sendBufferBytes: 4 << 20 })
      await socket.connect({ address: '10.77.0.3', port: to })
      for (let i = 0; i < 10; i++) socket.send(Buffer.alloc(3000, i))
      socket.flush()
      const counted = socket.stats()
      socket.close()
      return counted
    }, port)
    expect(stats).toMatchObject({ datagramsSent: 10, datagramsFailed: 0, offloadFallbacks: 1 })
    expect((await b.run(hearAll, 10)).numbers).toEqual(Array.from({ length: 10 }, (_, i) => i))
  })

  test('with dontFragment the too long ones fail by themselves and the others arrive', async () => {
    network.ip('b', 'addr add 10.77.0.4/24 dev vb')
    const port = await listening(b)
    const stats = await a.run(({ geysir }, to) => {
      const socket = new geysir.UdpSocket({ dontFragment: true })
      const peer = geysir.endpoint('10.77.0.4', to)
      for (let i = 0; i < 5; i++) socket.send(Buffer.alloc(3000, i), peer)
      // A shorter one joins them, and would be lost with them.
      socket.send(Buffer.alloc(100, 5), peer)
      socket.send(Buffer.alloc(1400, 6), peer)
      socket.flush()
      const counted = socket.stats()
      socket.close()
      return counted
    }, port)
    expect(stats).toMatchObject({ datagramsSent: 2, datagramsFailed: 5, sendErrors: { EMSGSIZE: 5 } })
    expect((await b.run(hearAll, 2)).numbers).toEqual([5, 6])
  })
})

function listening(host: Host, address = '0.0.0.0'): Promise<number> {
  return host.run(async ({ geysir, keep }, where) => {
    keep.receiver?.close()
    keep.receiver = new geysir.UdpSocket({ type: where.includes(':') ? 'udp6' : 'udp4', receiveBufferBytes: 8 << 20 })
    return (await keep.receiver.bind({ address: where })).port
  }, address)
}

type Tools = Parameters<Parameters<Host['run']>[0]>[0]

/** Datagrams whose first byte numbers them. */
async function sendMany({ geysir, events }: Tools, to: { address: string; port: number; bytes: number; count: number }) {
  const socket = new geysir.UdpSocket({ type: to.address.includes(':') ? 'udp6' : 'udp4', sendBufferBytes: 4 << 20 })
  const peer = geysir.endpoint(to.address, to.port)
  for (let i = 0; i < to.count; i++) socket.send(Buffer.alloc(to.bytes, i), peer)
  if (!socket.flush()) await events.once(socket, 'drain')
  const stats = socket.stats()
  socket.close()
  return stats
}

async function hearAll({ keep, received }: Tools, count: number) {
  const datagrams = await received(keep.receiver, count)
  const whole = datagrams.every(({ payload }) => payload.every((byte) => byte === payload[0]))
  return {
    // Sorted: two processors may hand the wire's datagrams over in another order.
    numbers: whole ? datagrams.map(({ payload }) => payload[0]!).sort((x, y) => x - y) : 'damaged',
    lengths: [...new Set(datagrams.map(({ payload }) => payload.length))],
    stats: keep.receiver.stats(),
  }
}
