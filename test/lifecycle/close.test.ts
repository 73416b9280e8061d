import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { endpoint, type ReceiveBatch, type UdpSocket } from '../../src/index.js'
import { fallbackProblem, lacking } from '../support/capabilities.js'
import { received, texts } from '../support/received.mjs'
import { ROOMY, accountedFor, bound, deadEndpoint, open, thrownBy } from '../support/sockets.js'

const CLOSED = { code: 'ERR_CLOSED' }

test('a handler may close its socket, and still read its batch', async () => {
  const [a, b] = [await bound(), await bound()]
  const to = b.address()
  for (const text of ['1', '2', '3']) a.send(text, to)
  const seen: string[] = []
  b.on('batch', (batch) => {
    b.close()
    expect(b.closed).toBe(true)
    for (let i = 0; i < batch.count; i++) seen.push(batch.copy(i).toString())
  })
  await once(b, 'close')
  expect(seen).toEqual(['1', '2', '3'])
})

test('datagrams that a closing handler left are counted, and told to nobody', async () => {
  const [a, b] = [await bound(), await bound()]
  const to = b.address()
  for (const text of ['1', '2', '3', '4', '5']) a.send(text, to)
  a.flush()
  const seen: string[] = []
  b.on('datagram', (payload) => {
    seen.push(payload.toString())
    if (seen.length === 2) b.close()
  })
  await once(b, 'close')
  expect(seen).toEqual(['1', '2'])
  expect(b.stats()).toMatchObject({ datagramsReceived: 5, datagramsAfterClose: 3 })
})

test('a batch handler that closes leaves nothing to the datagram handler', async () => {
  const [a, b] = [await bound(), await bound()]
  b.on('batch', () => b.close())
  b.on('datagram', () => expect.unreachable())
  a.send('x', b.address())
  await once(b, 'close')
  expect(b.stats()).toMatchObject({ datagramsReceived: 1, datagramsAfterClose: 1 })
})

test('a handler may send and close: what it sent leaves', async () => {
  const [a, b] = [await bound(), await bound()]
  b.on('batch', (batch) => {
    b.send('goodbye', batch.endpoint(0))
    b.close()
  })
  a.send('x', b.address())
  expect(texts(await received(a))).toEqual(['goodbye'])
})

test('the handlers of other events may close as well', async () => {
  const dead = await deadEndpoint()
  const closing: [string, (socket: UdpSocket) => void | Promise<unknown>][] = [
    ['listening', (socket) => socket.bind()],
    ['connect', (socket) => socket.connect(dead)],
    ['sendError', (socket) => void socket.send('x', endpoint('127.255.255.255', 9))],
    ['peerError', async (socket) => {
      await socket.connect(dead)
      socket.send('x')
    }],
    ['warning', (socket) => void socket.emit('warning', 'a warning')],
  ] // prettier-ignore
  for (const [event, provoke] of closing) {
    const socket = open()
    socket.on(event as 'listening', () => socket.close())
    const closed = once(socket, 'close')
    await provoke(socket)
    await closed
    expect(socket.closed, event).toBe(true)
  }
})

test.skipIf(lacking('the addon', fallbackProblem()))(
  'a handler may close another socket that has datagrams waiting, and open one in its place',
  async () => {
    for (let round = 0; round < 20; round++) {
      const [a, first, second] = [await bound(), await bound(), await bound()]
      a.send('x', first.address())
      a.send('x', second.address())
      a.flush()
      // Both are readable in the same turn of the loop, and whichever is first closes the other.
      let turns = 0
      const replacements: UdpSocket[] = []
      const closeOther = (other: UdpSocket) => () => {
        turns++
        other.close()
        const replacement = open()
        replacement.on('batch', () => expect.unreachable('a new socket got what was for an old one'))
        replacements.push(replacement)
      }
      first.on('batch', closeOther(second))
      second.on('batch', closeOther(first))
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
      expect(turns).toBe(1)
      for (const socket of [a, first, second, ...replacements]) socket.close()
    }
  },
)

test.each([0, 50, 1000])(
  'a flood leaves turns of the loop to timers and to other floods (spinning for %i µs)',
  async (spinMicroseconds) => {
    const batches = [0, 0]
    for (const i of [0, 1] as const) {
      const socket = await bound({ spinMicroseconds })
      const own = socket.address()
      socket.on('batch', (batch) => {
        batches[i]!++
        for (let n = 0; n < batch.count; n++) socket.send('again', own)
      })
      for (let n = 0; n < 100; n++) socket.send('again', own)
    }
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    await new Promise((resolve) => setTimeout(resolve, 1))
    expect(Math.min(...batches)).toBeGreaterThan(5)
  },
)

test('close is harmless to repeat, and told once', async () => {
  const socket = await bound()
  let closes = 0
  socket.on('close', () => closes++)
  socket.close()
  socket.close()
  await new Promise((resolve) => setImmediate(resolve))
  socket.close()
  await new Promise((resolve) => setImmediate(resolve))
  expect(closes).toBe(1)
})

test('after close every method throws ERR_CLOSED', async () => {
  const [socket, other] = [await bound({ receivePacketInfo: true }), await bound()]
  const batch = await new Promise<ReceiveBatch>((resolve) => {
    socket.on('batch', (arrived) => resolve(arrived.retain()))
    other.send('x', socket.address())
  })
  const iterator = socket[Symbol.asyncIterator]()
  socket.reserve(4, other.address())
  socket.close()
  const peer = { address: '127.0.0.1', port: 9 }
  const calls: Record<string, () => unknown> = {
    bind: () => socket.bind(),
    connect: () => socket.connect(peer),
    disconnect: () => socket.disconnect(),
    address: () => socket.address(),
    remoteAddress: () => socket.remoteAddress(),
    resolve: () => socket.resolve('127.0.0.1', 9),
    send: () => socket.send('x', peer),
    reserve: () => socket.reserve(1, peer),
    commit: () => socket.commit(),
    reserveRun: () => socket.reserveRun(1, 1, peer),
    commitRun: () => socket.commitRun(),
    reply: () => socket.reply(batch, 0, 'x'),
    flush: () => socket.flush(),
    joinGroup: () => socket.joinGroup('239.1.1.1'),
    leaveGroup: () => socket.leaveGroup('239.1.1.1'),
    setOption: () => socket.setOption('ttl', 1),
    getOption: () => socket.getOption('ttl'),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    iterate: () => socket[Symbol.asyncIterator](),
  }
  for (const [name, call] of Object.entries(calls)) expect(thrownBy(call), name).toMatchObject(CLOSED)
  // Misuse of a closed socket is answered with that it is closed, too.
  expect(thrownBy(() => socket.send(undefined as never))).toMatchObject(CLOSED)

  expect(socket.closed).toBe(true)
  expect(socket.stats()).toMatchObject({ datagramsReceived: 1 })
  expect(socket.ref()).toBe(socket)
  expect(socket.unref()).toBe(socket)
  expect(await iterator.next()).toEqual({ done: true, value: undefined })
  // A listener is nothing of the socket's.
  socket.on('batch', () => undefined).removeAllListeners()
  expect(batch.payload(0).toString()).toBe('x')
  await socket[Symbol.asyncDispose]()
})

test('close sends what is queued', async () => {
  const [a, b] = [await bound(), await bound(ROOMY)]
  const to = b.address()
  for (let i = 0; i < 300; i++) a.send(`${i}`, to)
  a.close()
  expect(texts(await received(b, 300))).toEqual(Array.from({ length: 300 }, (_, i) => `${i}`))
  expect(a.stats()).toMatchObject({ datagramsSent: 300, datagramsDiscarded: 0, queuedDatagrams: 0 })
  expect(accountedFor(a)).toBe(300)
})

test('what close could not send is told before it', async () => {
  const socket = await bound()
  const told: string[] = []
  socket.on('sendError', (error) => told.push(error.code))
  socket.on('close', () => told.push('close'))
  socket.send('x', endpoint('127.255.255.255', 9))
  socket.close()
  await new Promise((resolve) => setImmediate(resolve))
  expect(told).toEqual(['EACCES', 'close'])
})

test('closing forgets what was reserved and not committed', async () => {
  const socket = await bound()
  socket.reserve(4, socket.address())
  socket.close()
  expect(socket.stats()).toMatchObject({ datagramsQueued: 0, datagramsDiscarded: 0 })
})

test('a thousand sockets opened and closed leave no descriptor', async () => {
  const before = openDescriptors()
  for (let i = 0; i < 1000; i++) {
    const socket = open(i % 2 === 0 ? {} : { type: 'udp6' })
    if (i % 3 > 0) await socket.bind()
    if (i % 5 > 0) socket.on('batch', () => undefined)
    if (i % 7 === 0) socket.unref()
    if (i % 11 === 0) {
      await socket.connect({ address: i % 2 === 0 ? '127.0.0.1' : '::1', port: 9 })
      socket.send('x')
    }
    socket.close()
  }
  expect(openDescriptors()).toBe(before)
})

test('a hundred sockets of one process receive side by side', async () => {
  const sender = await bound()
  const receivers = await Promise.all(Array.from({ length: 100 }, () => bound()))
  const heard = receivers.map((receiver) => received(receiver, 3))
  for (let round = 0; round < 3; round++) {
    for (const [i, receiver] of receivers.entries()) sender.send(`${i}`, receiver.address())
  }
  for (const [i, datagrams] of (await Promise.all(heard)).entries()) expect(texts(datagrams)).toEqual(Array(3).fill(`${i}`))
})

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length
}
