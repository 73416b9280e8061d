import { once } from 'node:events'
import { expect, test } from 'vitest'
import { PeerError, endpoint, type ReceiveBatch, type UdpSocketOptions } from '../../src/index.js'
import { received, texts } from '../support/received.mjs'
import { bound, deadEndpoint, next, open } from '../support/sockets.js'

const PORT_UNREACHABLE = { udp4: { icmpType: 3, icmpCode: 3 }, udp6: { icmpType: 1, icmpCode: 4 } }

test('a connected socket reports that its peer is not there', async () => {
  const dead = await deadEndpoint()
  const socket = await bound()
  await socket.connect(dead)
  const refused = next<PeerError>(socket, 'peerError')
  socket.send('anybody?')
  const error = await refused
  expect(error).toBeInstanceOf(PeerError)
  expect(error).toMatchObject({ code: 'ECONNREFUSED', address: '127.0.0.1', port: dead.port })
  expect(error.endpoint!.equals(dead)).toBe(true)
  expect(socket.stats()).toMatchObject({ peerErrors: 1, datagramsSent: 1, datagramsFailed: 0 })
})

test('a datagram after the error of an earlier one is not failed for it', async () => {
  const dead = await deadEndpoint()
  const socket = await bound()
  await socket.connect(dead)
  const errors: PeerError[] = []
  socket.on('sendError', (error) => expect.unreachable(error.message))

  socket.send('lost')
  expect(socket.flush()).toBe(true)
  // Nothing has looked at the error yet: the kernel would fail this send with it.
  const peer = await bound({}, { port: dead.port })
  socket.on('peerError', (error) => errors.push(error))
  socket.send('found')
  expect(socket.flush()).toBe(true)
  expect(texts(await received(peer))).toEqual(['found'])
  if (errors.length === 0) await once(socket, 'peerError')
  expect(errors).toMatchObject([{ code: 'ECONNREFUSED', port: dead.port }])
  expect(socket.stats()).toMatchObject({ peerErrors: 1, datagramsSent: 2, datagramsFailed: 0, sendErrors: {} })
})

test('datagrams of one flush to a peer that is not there are all taken by the kernel', async () => {
  const dead = await deadEndpoint()
  const socket = await bound({ sendOffload: false })
  await socket.connect(dead)
  for (let i = 0; i < 50; i++) socket.send(`${i}`)
  expect(socket.flush()).toBe(true)
  expect(socket.stats()).toMatchObject({ datagramsSent: 50, datagramsFailed: 0 })
})

test('a socket that listens for datagrams only survives the error of its peer', async () => {
  const dead = await deadEndpoint()
  const socket = await bound()
  await socket.connect(dead)
  const answer = received(socket)
  socket.send('lost')
  socket.flush()
  const peer = await bound({}, { port: dead.port })
  peer.send('hello', socket.address())
  expect(texts(await answer)).toEqual(['hello'])
  expect(socket.closed).toBe(false)
})

test('an error that is reported does not keep the loop busy', async () => {
  const dead = await deadEndpoint()
  const socket = await bound()
  await socket.connect(dead)
  const errors: PeerError[] = []
  socket.on('peerError', (error) => errors.push(error))
  socket.on('batch', () => undefined)
  for (let i = 1; i <= 3; i++) {
    socket.send('again')
    await once(socket, 'peerError')
  }
  // A turn of the loop for each, were the error still there.
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
  expect(errors).toHaveLength(3)
})

test.each(['udp4', 'udp6'] as const)(
  'an unconnected %s socket learns which peer is not there, and the others get everything',
  async (type) => {
    const dead = await deadEndpoint({ type })
    const healthy = await bound({ type })
    const socket = await bound({ type, receiveErrors: true, sendOffload: false })
    const errors: PeerError[] = []
    socket.on('peerError', (error) => errors.push(error))
    socket.on('sendError', (error) => expect.unreachable(error.message))
    const to = healthy.address()
    const expected: string[] = []
    for (let i = 0; i < 100; i++) {
      socket.send('lost', dead)
      socket.send(`${i}`, to)
      expected.push(`${i}`)
    }
    expect(texts(await received(healthy, 100))).toEqual(expected)
    if (errors.length === 0) await once(socket, 'peerError')
    for (const error of errors) {
      expect(error).toMatchObject({ code: 'ECONNREFUSED', address: dead.address, port: dead.port, ...PORT_UNREACHABLE[type] })
      expect(error.endpoint!.equals(dead)).toBe(true)
    }
    expect(socket.stats()).toMatchObject({ datagramsSent: 200, datagramsFailed: 0, peerErrors: errors.length })
  },
)

test('a dual-stack socket learns which IPv4 peer is not there', async () => {
  const dead = await deadEndpoint()
  const socket = await bound({ type: 'udp6', receiveErrors: true }, { address: '::' })
  const refused = next<PeerError>(socket, 'peerError')
  socket.send('lost', dead)
  const error = await refused
  expect(error).toMatchObject({ code: 'ECONNREFUSED', address: '::ffff:127.0.0.1', port: dead.port, icmpType: 3, icmpCode: 3 })
  expect(error.endpoint!.isIpv4).toBe(true)
})

test('coalesced datagrams to a peer that is not there harm nobody else', async () => {
  const dead = await deadEndpoint()
  const healthy = await bound()
  const socket = await bound({ receiveErrors: true })
  const refused = next<PeerError>(socket, 'peerError')
  const to = healthy.address()
  for (const target of [dead, to, dead, to]) {
    for (let i = 0; i < 10; i++) socket.send('same size', target)
  }
  expect(await received(healthy, 20)).toHaveLength(20)
  expect(await refused).toMatchObject({ code: 'ECONNREFUSED', port: dead.port })
  expect(socket.stats()).toMatchObject({ datagramsSent: 40, datagramsFailed: 0, offloadFallbacks: 0 })
})

test('an unconnected socket without receiveErrors is not told, and loses nothing', async () => {
  const dead = await deadEndpoint()
  const healthy = await bound()
  const socket = await bound()
  socket.on('peerError', (error) => expect.unreachable(error.message))
  socket.send('lost', dead)
  socket.flush()
  socket.send('found', healthy.address())
  expect(texts(await received(healthy))).toEqual(['found'])
  expect(socket.stats()).toMatchObject({ datagramsSent: 2, datagramsFailed: 0, peerErrors: 0 })
})

test('receiveErrors can be switched on and off', async () => {
  const dead = await deadEndpoint()
  const socket = await bound()
  const errors: PeerError[] = []
  socket.on('peerError', (error) => errors.push(error))
  socket.setOption('receiveErrors', true)
  socket.send('lost', dead)
  await once(socket, 'peerError')
  socket.setOption('receiveErrors', false)
  socket.send('lost too', dead)
  socket.flush()
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
  expect(errors).toHaveLength(1)
})

test.each<UdpSocketOptions>([{}, { receiveErrors: true }])('a socket with errors waiting can be closed: %o', async (options) => {
  const dead = await deadEndpoint()
  const socket = await bound(options)
  await socket.connect(dead)
  socket.on('peerError', () => undefined)
  socket.send('lost')
  socket.flush()
  socket.close()
  await once(socket, 'close')
})

test('a peer error does not close the socket of somebody who iterates', async () => {
  const dead = await deadEndpoint()
  const socket = open()
  await socket.connect(dead)
  socket.send('lost')
  const step = socket[Symbol.asyncIterator]().next()
  await new Promise((resolve) => setImmediate(resolve))
  const peer = await bound({}, { port: dead.port })
  peer.send('hello', endpoint('127.0.0.1', socket.address().port))
  const batch = (await step).value as ReceiveBatch
  expect(batch.copy(0).toString()).toBe('hello')
})
