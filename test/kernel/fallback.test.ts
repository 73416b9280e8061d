import { once } from 'node:events'
import { describe, expect, onTestFinished, test } from 'vitest'
import { UdpSocket, endpoint, type Endpoint, type SocketError, type UdpSocketOptions } from '../../src/index.js'
import { DgramAddon } from '../../src/socket/fallback/dgram-addon.js'
import { received, texts } from '../support/received.mjs'
import { accountedFor, deadEndpoint, next, thrownBy } from '../support/sockets.js'

// What is special about sockets on node:dgram; all that is not, the rest of the suite says (npm run test:dgram).
const addon = new DgramAddon()
const UNAVAILABLE = { code: 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM' }

test('a datagram arrives with its payload and its sender', async () => {
  const [a, b] = [await bound(), await bound()]
  a.send('one', b.address())
  a.send('two', b.address())
  expect((await received(b, 2)).map(({ text, from }) => [text, from])).toEqual([
    ['one', a.address().toString()],
    ['two', a.address().toString()],
  ])
})

test('datagrams of a turn of the event loop come as a batch', async () => {
  const [a, b] = [await bound(), await bound()]
  for (let i = 0; i < 20; i++) a.send(`${i}`, b.address())
  a.flush()
  const counts: number[] = []
  await new Promise<void>((resolve) => {
    b.on('batch', ({ count }) => {
      counts.push(count)
      if (counts.reduce((sum, each) => sum + each, 0) === 20) resolve()
    })
  })
  expect(counts.length).toBeLessThan(20)
})

test('options wait until the socket is bound, and read back before and after', async () => {
  const socket = open({ ttl: 7, broadcast: true, multicastTtl: 3, multicastLoopback: false, receiveBufferBytes: 20_000 })
  const values = (): unknown[] => [
    socket.getOption('ttl'),
    socket.getOption('broadcast'),
    socket.getOption('multicastTtl'),
    socket.getOption('multicastLoopback'),
    socket.getOption('receiveBufferBytes'),
  ]
  const expected = [7, true, 3, false, 40_000]
  expect(values()).toEqual(expected)
  await socket.bind({ address: '127.0.0.1' })
  expect(values()).toEqual(expected)
  expect(socket.send('x', { address: '127.255.255.255', port: 9 })).toBe(true)
  await new Promise((resolve) => setImmediate(resolve))
  expect(socket.stats()).toMatchObject({ datagramsSent: 1, datagramsFailed: 0 })
})

test('a port that is taken is told as such', async () => {
  const taken = (await bound()).address()
  await expect(open().bind({ address: taken.address, port: taken.port })).rejects.toMatchObject({
    code: 'EADDRINUSE',
    syscall: 'bind',
    port: taken.port,
  })
})

describe('a datagram that cannot be sent', () => {
  test('is taken back when that is known, and the counters add up', async () => {
    const socket = await bound()
    const failed = once(socket, 'sendError') as Promise<[SocketError, Endpoint]>
    socket.send('x', endpoint('127.255.255.255', 9))
    socket.send('y', socket.address())
    socket.flush()
    const [error, to] = await failed
    expect(error).toMatchObject({ code: 'EACCES', syscall: 'sendmmsg', address: '127.255.255.255', port: 9 })
    expect(to.toString()).toBe('127.255.255.255:9')
    expect(socket.stats()).toMatchObject({ datagramsQueued: 2, datagramsSent: 1, datagramsFailed: 1, sendErrors: { EACCES: 1 } })
    expect(accountedFor(socket)).toBe(2)
  })

  test('is told before close', async () => {
    const socket = await bound()
    const events: string[] = []
    socket.on('sendError', ({ code }) => events.push(code)).on('close', () => events.push('close'))
    socket.send('x', endpoint('127.255.255.255', 9))
    socket.close()
    await once(socket, 'close')
    expect(events).toEqual(['EACCES', 'close'])
    expect(socket.stats()).toMatchObject({ datagramsSent: 0, datagramsFailed: 1 })
  })
})

test('a connected socket learns that nobody is there, and the next datagram is not lost by it', async () => {
  const [socket, nobody] = [await bound(), await deadEndpoint()]
  await socket.connect(nobody)
  const told = next<Error>(socket, 'peerError')
  socket.send('x')
  await expect(told).resolves.toMatchObject({ code: 'ECONNREFUSED', port: nobody.port })
})

test('a connection that is refused leaves the one before', async () => {
  const [socket, peer] = [await bound(), await bound()]
  await socket.connect(peer.address())
  await expect(socket.connect({ address: '127.255.255.255', port: 9 })).rejects.toMatchObject({ code: 'EACCES' })
  expect(socket.remoteAddress().equals(peer.address())).toBe(true)
  socket.send('still here')
  expect(texts(await received(peer))).toEqual(['still here'])
})

test('a paused socket keeps what its receive buffer would hold, and counts what it drops', async () => {
  const [a, b] = [await bound(), await bound({ receiveBufferBytes: 20_000 })]
  b.pause()
  const payload = Buffer.alloc(1000)
  const sent = 200
  for (let i = 0; i < sent; i++) {
    a.send(payload, b.address())
    a.flush()
    // dgram takes them off the kernel's hands, which so does not drop them itself.
    await new Promise((resolve) => setImmediate(resolve))
  }
  let kept = 0
  await new Promise<void>((resolve) => {
    b.on('batch', ({ count }) => {
      kept += count
      if (kept + b.stats().kernelDrops === sent) resolve()
    })
    b.resume()
  })
  expect(kept).toBeGreaterThan(10)
  expect(b.stats().kernelDrops).toBeGreaterThan(100)
})

test('what node:dgram cannot do is refused by name, before anything is sent', async () => {
  const [socket, peer] = [await bound(), await bound()]
  expect(thrownBy(() => open({ receivePacketInfo: true }))).toMatchObject(UNAVAILABLE)
  expect(thrownBy(() => open({ sendOffload: true }))).toMatchObject(UNAVAILABLE)
  expect(thrownBy(() => socket.setOption('tos', 1))).toMatchObject(UNAVAILABLE)
  expect(thrownBy(() => socket.send('x', peer.address(), { ttl: 1 }))).toMatchObject(UNAVAILABLE)
  expect(thrownBy(() => socket.send('x', peer.address(), { ttl: 0 }))).toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
  await socket.connect(peer.address())
  expect(thrownBy(() => socket.send('x', endpoint('127.0.0.1', 9)))).toMatchObject(UNAVAILABLE)
  expect(socket.stats().datagramsQueued).toBe(0)
})

test('a group can be joined on an interface and left again', async () => {
  const receiver = await bound({}, '0.0.0.0')
  const sender = await bound({ multicastInterface: 'lo' }, '0.0.0.0')
  receiver.joinGroup('239.77.0.9', { interface: 'lo' })
  sender.send('to the group', endpoint('239.77.0.9', receiver.address().port))
  expect(texts(await received(receiver))).toEqual(['to the group'])
  receiver.leaveGroup('239.77.0.9', { interface: 'lo' })
  expect(thrownBy(() => receiver.leaveGroup('239.77.0.9', { interface: 'lo' }))).toMatchObject({ code: 'EADDRNOTAVAIL' })
})

function open(options: UdpSocketOptions = {}): UdpSocket {
  const socket = new UdpSocket(options, addon)
  onTestFinished(() => socket.close())
  return socket
}

async function bound(options: UdpSocketOptions = {}, address = '127.0.0.1'): Promise<UdpSocket> {
  const socket = open(options)
  await socket.bind({ address })
  return socket
}
