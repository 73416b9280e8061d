import { expect, test } from 'vitest'
import { Endpoint, SocketError, UdpSocket, endpoint } from '../../src/index.js'
import { received } from '../support/received.mjs'
import { bound, next, open, thrownBy } from '../support/sockets.js'

test('an IPv4 datagram arrives with its payload and its sender', async () => {
  const [a, b] = [await bound(), await bound()]
  expect(a.send('hello', b.address())).toBe(true)
  const [datagram, ...others] = await received(b)
  expect(others).toEqual([])
  expect(datagram).toMatchObject({ text: 'hello', from: a.address().toString(), truncated: false, wireLength: 5 })
  expect(datagram!.endpoint).toMatchObject({ family: 'IPv4', address: '127.0.0.1', port: a.address().port })
})

test('an IPv6 datagram arrives with its payload and its sender', async () => {
  const [a, b] = [await bound({ type: 'udp6' }), await bound({ type: 'udp6' })]
  a.send('hello', b.address())
  const [datagram] = await received(b)
  expect(datagram).toMatchObject({ text: 'hello', from: `[::1]:${a.address().port}` })
  expect(datagram!.endpoint).toMatchObject({ family: 'IPv6', scopeId: 0, isIpv4: false })
})

test('a dual-stack socket talks to IPv4 and IPv6 peers', async () => {
  const dual = await bound({ type: 'udp6' }, { address: '::' })
  const { port } = dual.address()
  const [ipv4, ipv6] = [await bound(), await bound({ type: 'udp6' })]

  ipv4.send('from four', endpoint('127.0.0.1', port))
  const [fromIpv4] = await received(dual)
  expect(fromIpv4).toMatchObject({ text: 'from four', from: `[::ffff:127.0.0.1]:${ipv4.address().port}` })
  expect(fromIpv4!.endpoint.isIpv4).toBe(true)
  ipv6.send('from six', endpoint('::1', port))
  const [fromIpv6] = await received(dual)
  expect(fromIpv6).toMatchObject({ text: 'from six', from: `[::1]:${ipv6.address().port}` })

  // Back to where it came from, as received, and to an IPv4 endpoint as a caller would write it.
  dual.send('mapped', fromIpv4!.endpoint)
  dual.send('plain', ipv4.address())
  dual.send('six', fromIpv6!.endpoint)
  expect((await received(ipv4, 2)).map(({ text, from }) => [text, from])).toEqual([
    ['mapped', `127.0.0.1:${port}`],
    ['plain', `127.0.0.1:${port}`],
  ])
  expect(await received(ipv6)).toMatchObject([{ text: 'six', from: `[::1]:${port}` }])
})

test('an ipv6Only socket leaves the IPv4 port to others and takes no IPv4 peer', async () => {
  const six = await bound({ type: 'udp6', ipv6Only: true }, { address: '::' })
  const { port } = six.address()
  const four = await bound({}, { address: '0.0.0.0', port })
  expect(thrownBy(() => six.send('x', four.address().withPort(port)))).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
  expect(thrownBy(() => six.send('x', endpoint('::ffff:127.0.0.1', port)))).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
  expect(thrownBy(() => six.connect({ address: '127.0.0.1', port }))).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' })
})

test('a dual-stack socket has the IPv4 port too', async () => {
  const dual = await bound({ type: 'udp6' }, { address: '::' })
  const taken = open().bind({ address: '0.0.0.0', port: dual.address().port })
  await expect(taken).rejects.toMatchObject({ code: 'EADDRINUSE' })
})

test('an IPv4 socket takes no IPv6 peer', async () => {
  const four = await bound()
  const error = thrownBy(() => four.send('x', endpoint('::1', 9)))
  expect(error).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE', message: expect.stringContaining("'endpoint'") as string })
  expect(four.stats().datagramsQueued).toBe(0)
})

test('an IPv4 socket reaches an IPv4-mapped peer', async () => {
  const [a, b] = [await bound(), await bound()]
  a.send('mapped', endpoint('::ffff:127.0.0.1', b.address().port))
  expect(await received(b)).toMatchObject([{ text: 'mapped' }])
})

test('the same peer is the same object in every batch', async () => {
  const [a, b] = [await bound(), await bound()]
  a.send('1', b.address())
  const [first] = await received(b)
  a.send('2', b.address())
  const [second] = await received(b)
  expect(second!.endpoint).toBe(first!.endpoint)
})

test('an endpoint may be written as an object each time', async () => {
  const [a, b] = [await bound(), await bound()]
  const { port } = b.address()
  for (let i = 0; i < 3; i++) a.send(`${i}`, { address: '127.0.0.1', port })
  expect((await received(b, 3)).map((datagram) => datagram.text)).toEqual(['0', '1', '2'])
  if (a.offload.send) expect(a.stats().coalescedSends).toBe(1)
})

test('bind answers with the port that the kernel chose, and listening follows', async () => {
  const socket = open()
  expect(socket.address()).toMatchObject({ address: '0.0.0.0', port: 0 })
  const listening = next(socket, 'listening')
  const local = await socket.bind({ address: '127.0.0.1' })
  expect(local).toBeInstanceOf(Endpoint)
  expect(local.port).toBeGreaterThan(0)
  expect(socket.address().equals(local)).toBe(true)
  await listening
})

test('the first send gives an unbound socket a port', async () => {
  const [a, b] = [open(), await bound()]
  a.send('x', b.address())
  const [datagram] = await received(b)
  expect(datagram!.endpoint.port).toBe(a.address().port)
})

test('a port in use is refused with its address, and the socket can be bound elsewhere', async () => {
  const taken = await bound()
  const socket = open()
  const { port } = taken.address()
  const error: unknown = await socket.bind({ address: '127.0.0.1', port }).catch((e: unknown) => e)
  expect(error).toBeInstanceOf(SocketError)
  expect(error).toMatchObject({
    code: 'EADDRINUSE',
    syscall: 'bind',
    errno: -98,
    address: '127.0.0.1',
    port,
    message: `bind EADDRINUSE 127.0.0.1:${port}`,
  })
  expect((await socket.bind({ address: '127.0.0.1' })).port).not.toBe(port)
})

test('an address of somebody else is refused, unless freeBind is set', async () => {
  await expect(open().bind({ address: '192.0.2.77' })).rejects.toMatchObject({ code: 'EADDRNOTAVAIL', syscall: 'bind' })
  const socket = open({ freeBind: true })
  expect(await socket.bind({ address: '192.0.2.77' })).toMatchObject({ address: '192.0.2.77' })
})

test('a socket is bound once', async () => {
  const socket = await bound()
  await expect(socket.bind()).rejects.toMatchObject({ code: 'EINVAL', syscall: 'bind' })
})

test('sockets share a port when all of them say so', async () => {
  const first = await bound({ reusePort: true })
  const second = await bound({ reusePort: true }, { port: first.address().port })
  expect(second.address().port).toBe(first.address().port)
})

test('a broadcast needs the option broadcast', async () => {
  const receiver = await bound({}, { address: '0.0.0.0' })
  const everybody = endpoint('127.255.255.255', receiver.address().port)
  const socket = await bound()
  const failed = next<SocketError>(socket, 'sendError')
  socket.send('refused', everybody)
  expect(await failed).toMatchObject({ code: 'EACCES', address: '127.255.255.255', syscall: 'sendmmsg' })
  expect(socket.stats()).toMatchObject({ datagramsFailed: 1, datagramsSent: 0, sendErrors: { EACCES: 1 } })

  socket.setOption('broadcast', true)
  socket.send('allowed', everybody)
  expect(await received(receiver)).toMatchObject([{ text: 'allowed' }])
})

test('connecting to a broadcast address needs it as well', async () => {
  const socket = open()
  await expect(socket.connect({ address: '127.255.255.255', port: 9 })).rejects.toMatchObject({
    code: 'EACCES',
    syscall: 'connect',
  })
  expect(thrownBy(() => socket.remoteAddress())).toMatchObject({ code: 'ERR_SOCKET_DGRAM_NOT_CONNECTED' })
})

test('what the package exports as UdpSocket can be extended', async () => {
  class Named extends UdpSocket {
    name = 'named'
  }
  const socket = new Named()
  expect(socket.name).toBe('named')
  await socket[Symbol.asyncDispose]()
})
