import { expect, test } from 'vitest'
import { endpoint, type ReceiveBatch, type SocketError, type UdpSocket, type UdpSocketOptions } from '../../src/index.js'
import { received, texts } from '../support/received.mjs'
import { bound, next, thrownBy } from '../support/sockets.js'

const EVERYTHING = { receivePacketInfo: true, receiveTtl: true, receiveTos: true, receiveTimestamp: true } as const
const LOOPBACK_INDEX = 1

test.each<[string, UdpSocketOptions, string]>([
  ['IPv4', {}, '127.0.0.1'],
  ['IPv6', { type: 'udp6' }, '::1'],
])('%s: what was not asked for is told as missing', async (_, options, address) => {
  const [a, b] = [await bound(options), await bound(options)]
  a.send('x', endpoint(address, b.address().port))
  expect(await received(b)).toMatchObject([
    { destination: undefined, interfaceIndex: 0, ttl: -1, tos: -1, ecn: -1, timeNs: undefined },
  ])
})

test.each<[string, UdpSocketOptions, string]>([
  ['IPv4', {}, '127.0.0.1'],
  ['IPv6', { type: 'udp6' }, '::1'],
  ['IPv4-mapped', { type: 'udp6' }, '127.0.0.1'],
])('%s: destination, interface, TTL, TOS, ECN and receive time arrive', async (_, options, address) => {
  const b = await bound({ ...options, ...EVERYTHING }, { address: options.type === 'udp6' ? '::' : '0.0.0.0' })
  const a = await bound({ ...options, ttl: 33, tos: 0xb9 }, { address: options.type === 'udp6' ? '::' : '0.0.0.0' })
  const before = BigInt(Date.now()) * 1_000_000n
  const to = endpoint(address, b.address().port)
  a.send('one', to)
  a.send('two', to)
  for (const datagram of await received(b, 2)) {
    expect(datagram).toMatchObject({
      destination: options.type === 'udp6' && address.includes('.') ? `::ffff:${address}` : address,
      interfaceIndex: LOOPBACK_INDEX,
      ttl: 33,
      tos: 0xb9,
      ecn: 1,
    })
    const after = BigInt(Date.now() + 1) * 1_000_000n
    expect(datagram.timeNs! >= before && datagram.timeNs! <= after).toBe(true)
  }
})

test('the receive time has whole seconds and nanoseconds apart', async () => {
  const [a, b] = [await bound(), await bound({ receiveTimestamp: true })]
  a.send('x', b.address())
  const [whole, seconds, nanoseconds] = await inBatch(b, (batch) => [
    batch.receiveTimeNs(0),
    batch.receiveSeconds(0),
    batch.receiveNanoseconds(0),
  ])
  expect(BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds)).toBe(whole)
  expect(nanoseconds).toBeLessThan(1e9)
})

test.each<[string, UdpSocketOptions, string]>([
  ['IPv4', {}, '127.0.0.1'],
  ['IPv6', { type: 'udp6' }, '::1'],
  ['IPv4-mapped', { type: 'udp6' }, '127.0.0.1'],
])('%s: a datagram can have a TTL and a TOS of its own', async (_, options, address) => {
  const any = { address: options.type === 'udp6' ? '::' : '0.0.0.0' }
  const [a, b] = [await bound(options, any), await bound({ ...options, ...EVERYTHING }, any)]
  const to = endpoint(address, b.address().port)
  a.send('own', to, { ttl: 7, tos: 0x2e })
  a.send('own', to, { ttl: 1 })
  a.send('own', to, { tos: 3 })
  a.send('own', to)
  a.reserve(3, to, { ttl: 255, tos: 255 })!.write('own')
  a.commit()
  expect((await received(b, 5)).map(({ ttl, tos, ecn }) => [ttl, tos, ecn])).toEqual([
    [7, 0x2e, 2],
    [1, 0, 0],
    [64, 3, 3],
    [64, 0, 0],
    [255, 255, 3],
  ])
})

test('a datagram can leave from another of our addresses, by interface name, index or address', async () => {
  const a = await bound({}, { address: '0.0.0.0' })
  const b = await bound({ receivePacketInfo: true })
  const to = b.address()
  a.send('1', to, { source: '127.0.0.2' })
  a.send('2', to, { source: endpoint('127.0.0.3', 0) })
  a.send('3', to, { source: '127.0.0.4', interface: 'lo' })
  a.send('4', to, { interface: LOOPBACK_INDEX })
  a.send('5', to, { interface: '127.0.0.1' })
  a.send('6', to, { source: '::ffff:127.0.0.5' })
  a.send('7', to)
  expect((await received(b, 7)).map((datagram) => [datagram.text, datagram.endpoint.address])).toEqual([
    ['1', '127.0.0.2'],
    ['2', '127.0.0.3'],
    ['3', '127.0.0.4'],
    ['4', '127.0.0.1'],
    ['5', '127.0.0.1'],
    ['6', '127.0.0.5'],
    ['7', '127.0.0.1'],
  ])
})

test('a dual-stack socket can choose the IPv4 address that a datagram leaves from', async () => {
  const a = await bound({ type: 'udp6' }, { address: '::' })
  const b = await bound()
  a.send('x', b.address(), { source: '127.0.0.9' })
  expect(await received(b)).toMatchObject([{ from: `127.0.0.9:${a.address().port}` }])
})

test('an address that is not ours cannot be the source; the others of the flush leave', async () => {
  const [a, b] = [await bound({}, { address: '0.0.0.0' }), await bound()]
  const failed = next<SocketError>(a, 'sendError')
  a.send('before', b.address())
  a.send('from elsewhere', b.address(), { source: '192.0.2.77' })
  a.send('after', b.address())
  expect(texts(await received(b, 2))).toEqual(['before', 'after'])
  // Without a route at all the kernel says so first.
  expect(['EINVAL', 'ENETUNREACH']).toContain((await failed).code)
  expect(a.stats()).toMatchObject({ datagramsSent: 2, datagramsFailed: 1 })
})

test('reply leaves from the address that the datagram came to', async () => {
  const server = await bound({ receivePacketInfo: true }, { address: '0.0.0.0' })
  answering(server)
  const { port } = server.address()
  for (const address of ['127.0.0.1', '127.0.0.7', '127.1.2.3']) {
    // A connected socket hears only the address that it wrote to.
    const client = await bound()
    await client.connect({ address, port })
    client.send('question')
    expect(await received(client)).toMatchObject([{ text: 'answer to question', from: `${address}:${port}` }])
  }
})

test('reply of a dual-stack socket leaves from the IPv4 address that the datagram came to', async () => {
  const server = await bound({ type: 'udp6', receivePacketInfo: true }, { address: '::' })
  answering(server)
  const { port } = server.address()
  for (const address of ['127.0.0.1', '127.0.0.8']) {
    const client = await bound()
    await client.connect({ address, port })
    client.send('question')
    expect(await received(client)).toMatchObject([{ text: 'answer to question', from: `${address}:${port}` }])
  }
  const client = await bound({ type: 'udp6' })
  await client.connect({ address: '::1', port })
  client.send('question')
  expect(await received(client)).toMatchObject([{ text: 'answer to question', from: `[::1]:${port}` }])
})

test('replies to many datagrams of a batch find their senders', async () => {
  const server = await bound({ receivePacketInfo: true }, { address: '0.0.0.0' })
  server.pause()
  answering(server)
  const { port } = server.address()
  const clients = [await bound(), await bound(), await bound()]
  for (const [i, client] of clients.entries()) {
    await client.connect({ address: `127.0.0.${i + 1}`, port })
    for (let n = 0; n < 3; n++) client.send(`${i}.${n}`)
    client.flush()
  }
  server.resume()
  for (const [i, client] of clients.entries()) {
    expect(texts(await received(client, 3))).toEqual([0, 1, 2].map((n) => `answer to ${i}.${n}`))
  }
})

test('reply needs the option receivePacketInfo and a batch at hand', async () => {
  const [a, b, c] = [await bound(), await bound(), await bound({ receivePacketInfo: true })]
  a.send('x', b.address())
  expect(await inBatch(b, (batch) => thrownBy(() => b.reply(batch, 0, 'answer')))).toMatchObject({ code: 'ERR_INVALID_STATE' })
  a.send('x', c.address())
  const stale = await inBatch(c, (batch) => {
    expect(thrownBy(() => c.reply(batch, 1, 'answer'))).toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
    return batch
  })
  expect(thrownBy(() => c.reply(stale, 0, 'answer'))).toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
})

function answering(server: UdpSocket): void {
  server.on('batch', (batch) => {
    for (let i = 0; i < batch.count; i++) server.reply(batch, i, `answer to ${batch.copy(i).toString()}`)
  })
}

/** What `look` finds in the next batch, before its handler returns. */
function inBatch<T>(socket: UdpSocket, look: (batch: ReceiveBatch) => T): Promise<T> {
  return new Promise((resolve) => socket.once('batch', (batch) => resolve(look(batch))))
}
