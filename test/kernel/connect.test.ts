import { expect, test } from 'vitest'
import { fallbackProblem, lacking } from '../support/capabilities.js'
import { received, texts } from '../support/received.mjs'
import { bound, deadEndpoint, next, open, thrownBy } from '../support/sockets.js'

const NOT_CONNECTED = { code: 'ERR_SOCKET_DGRAM_NOT_CONNECTED' }

test('a connected socket sends to its peer and hears nobody else', async () => {
  const [a, peer, stranger] = [await bound(), await bound(), await bound()]
  const connected = next(a, 'connect')
  expect((await a.connect(peer.address())).equals(peer.address())).toBe(true)
  await connected
  expect(a.remoteAddress().equals(peer.address())).toBe(true)

  a.send('by default')
  a.send('and named', peer.address())
  expect(texts(await received(peer, 2))).toEqual(['by default', 'and named'])
  stranger.send('not for you', a.address())
  stranger.flush()
  peer.send('for you', a.address())
  expect(texts(await received(a))).toEqual(['for you'])
})

test('a connected socket can still send elsewhere', async () => {
  const [a, peer, other] = [await bound(), await bound(), await bound()]
  await a.connect(peer.address())
  a.send('elsewhere', other.address())
  expect(texts(await received(other))).toEqual(['elsewhere'])
})

test('connecting gives a local address and a port', async () => {
  const [a, peer] = [open(), await bound()]
  await a.connect(peer.address())
  expect(a.address()).toMatchObject({ address: '127.0.0.1' })
  expect(a.address().port).toBeGreaterThan(0)
})

test('an IPv6 and a dual-stack socket connect too', async () => {
  const six = await bound({ type: 'udp6' })
  const four = await bound()
  const [a, dual] = [open({ type: 'udp6' }), open({ type: 'udp6' })]
  await a.connect(six.address())
  a.send('six')
  expect(texts(await received(six))).toEqual(['six'])
  expect(await dual.connect(four.address())).toMatchObject({ address: '::ffff:127.0.0.1', port: four.address().port })
  dual.send('four')
  expect(texts(await received(four))).toEqual(['four'])
})

test('disconnect hears everybody again and needs a destination', async () => {
  // A port that was named: see the next test.
  const [a, peer, stranger] = [await bound({}, { port: (await deadEndpoint()).port }), await bound(), await bound()]
  await a.connect(peer.address())
  a.disconnect()
  expect(thrownBy(() => a.remoteAddress())).toMatchObject(NOT_CONNECTED)
  expect(thrownBy(() => a.send('x'))).toMatchObject(NOT_CONNECTED)
  expect(thrownBy(() => a.disconnect())).toMatchObject(NOT_CONNECTED)
  stranger.send('hello', a.address())
  expect(texts(await received(a))).toEqual(['hello'])
  a.send('named', peer.address())
  expect(texts(await received(peer))).toEqual(['named'])
})

test('a bound socket keeps the port that the kernel chose when it disconnects', async () => {
  const [a, peer] = [await bound(), await bound()]
  const local = a.address()
  await a.connect(peer.address())
  a.disconnect()
  // The kernel lets go of a port that bind(2) did not name (net/ipv4/udp.c, __udp_disconnect).
  expect(a.address().toString()).toBe(local.toString())
  peer.send('hello', local)
  expect(texts(await received(a))).toEqual(['hello'])
})

test('an unconnected socket needs a destination', () => {
  const socket = open()
  expect(thrownBy(() => socket.send('x'))).toMatchObject(NOT_CONNECTED)
  expect(thrownBy(() => socket.reserve(4))).toMatchObject(NOT_CONNECTED)
  expect(thrownBy(() => socket.remoteAddress())).toMatchObject(NOT_CONNECTED)
})

test('what was sent before disconnect goes to the peer of then', async () => {
  const [a, peer] = [await bound(), await bound()]
  await a.connect(peer.address())
  a.send('in time')
  a.disconnect()
  expect(texts(await received(peer))).toEqual(['in time'])
})

test('what was sent before connecting elsewhere goes to the peer of then', async () => {
  const [a, first, second] = [await bound(), await bound(), await bound()]
  await a.connect(first.address())
  a.send('for the first')
  await a.connect(second.address())
  a.send('for the second')
  expect(texts(await received(second))).toEqual(['for the second'])
  expect(texts(await received(first))).toEqual(['for the first'])
})

test.skipIf(lacking('the addon', fallbackProblem()))(
  'a datagram that was reserved before connecting elsewhere goes to the peer of then',
  async () => {
    const [a, first, second] = [await bound(), await bound(), await bound()]
    await a.connect(first.address())
    a.reserve(4, undefined)!.write('then')
    await a.connect(second.address())
    a.commit()
    a.send('now')
    expect(texts(await received(second))).toEqual(['now'])
    expect(texts(await received(first))).toEqual(['then'])
  },
)

test('a peer that the kernel refuses leaves the connection as it was', async () => {
  const [a, peer] = [await bound(), await bound()]
  await a.connect(peer.address())
  await expect(a.connect({ address: '127.255.255.255', port: 9 })).rejects.toMatchObject({ code: 'EACCES' })
  expect(a.remoteAddress().equals(peer.address())).toBe(true)
  a.send('still here')
  expect(texts(await received(peer))).toEqual(['still here'])
})
