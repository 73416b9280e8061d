import { once } from 'node:events'
import type { RemoteInfo } from 'node:dgram'
import { describe, expect, onTestFinished, test } from 'vitest'
import { loadDropIn, type Socket } from './differential.js'
import { bounded, immediately } from './turns.js'

/** What batches may not change: whose callback is whose, what arrives, and whose memory it is. */

const dropIn = await loadDropIn()
const HOST = '127.0.0.1'
const TOO_LARGE = 65_508
const LIMIT_MS = 10_000

type Kind = 'unconnected' | 'connected'

interface Sent {
  index: number
  code: string | undefined
  bytes: number | undefined
}

async function bound(listener?: (message: Buffer, from: RemoteInfo) => void): Promise<Socket> {
  const socket = dropIn.createSocket({ type: 'udp4', recvBufferSize: 4_000_000 }, listener) as Socket
  onTestFinished(() => void socket.close())
  socket.bind(0, HOST)
  await once(socket, 'listening')
  return socket
}

/** A receiver that keeps what it hears, and a sender that speaks to it. */
async function pair(kind: Kind) {
  const heard: Buffer[] = []
  let wake = () => {}
  const receiver = await bound((message) => {
    heard.push(message)
    wake()
  })
  const sender = await bound()
  const { port } = receiver.address()
  if (kind === 'connected') {
    sender.connect(port, HOST)
    await once(sender, 'connect')
  }
  const send = (message: Uint8Array, callback?: (error: Error | null, bytes: number) => void) =>
    kind === 'connected' ? sender.send(message, callback) : sender.send(message, port, HOST, callback)
  const hears = (count: number) =>
    bounded(
      LIMIT_MS,
      (async () => {
        while (heard.length < count) await new Promise<void>((resolve) => (wake = resolve))
      })(),
      () => `heard ${heard.length} of ${count}`,
    )
  return { heard, hears, receiver, sender, send }
}

/** Sends all in one tick; the outcome of each, in the order of the callbacks. */
function sendAll(send: Awaited<ReturnType<typeof pair>>['send'], messages: Uint8Array[]): Promise<Sent[]> {
  const outcomes: Sent[] = []
  const all = new Promise<Sent[]>((resolve) => {
    messages.forEach((message, index) =>
      send(message, (error: NodeJS.ErrnoException | null, bytes) => {
        outcomes.push({ index, code: error?.code, bytes })
        if (outcomes.length === messages.length) resolve(outcomes)
      }),
    )
  })
  return bounded(LIMIT_MS, all, () => `${outcomes.length} of ${messages.length} callbacks came`)
}

/** Recognisable bytes. */
function numbered(index: number, length: number): Buffer {
  const message = Buffer.alloc(length, index & 0xff)
  if (length >= 4) message.writeUInt32BE(index)
  return message
}

/** Sizes as they come in practice: runs of one size, single ones between, empty ones. */
function sizeOf(index: number): number {
  const run = index >> 4
  return run % 3 === 0 ? 1200 : run % 3 === 1 ? (index * 131) % 1400 : index % 5 === 0 ? 0 : 64
}

describe.each(['unconnected', 'connected'] as const)('%s', (kind) => {
  test('the callbacks of one tick come in the order of the sends, each with its own byte count', async () => {
    const { send, hears, heard } = await pair(kind)
    const messages = Array.from({ length: 300 }, (_, index) => numbered(index, sizeOf(index)))
    const outcomes = await sendAll(send, messages)
    expect(outcomes).toEqual(messages.map((message, index) => ({ index, code: undefined, bytes: message.length })))
    await hears(messages.length)
    expect(heard.map((message) => message.toString('hex'))).toEqual(messages.map((message) => message.toString('hex')))
  })

  test('every datagram that fails fails its own callback, and the others arrive', async () => {
    const { send, hears, heard } = await pair(kind)
    const fails = (index: number) => index % 7 === 3 || index === 40 || index === 41
    const messages = Array.from({ length: 120 }, (_, index) => numbered(index, fails(index) ? TOO_LARGE : 1200))
    const outcomes = await sendAll(send, messages)
    expect(outcomes).toEqual(
      messages.map((message, index) =>
        fails(index) ? { index, code: 'EMSGSIZE', bytes: undefined } : { index, code: undefined, bytes: message.length },
      ),
    )
    const good = messages.filter((_, index) => !fails(index))
    await hears(good.length)
    expect(heard.map((message) => message.readUInt32BE())).toEqual(good.map((message) => message.readUInt32BE()))
  })

  test('datagrams that are sent without callback arrive in order with the others', async () => {
    const { send, hears, heard } = await pair(kind)
    const called: number[] = []
    for (let index = 0; index < 100; index++) {
      if (index % 3 === 0) send(numbered(index, 100), () => void called.push(index))
      else send(numbered(index, 100))
    }
    await hears(100)
    expect(heard.map((message) => message.readUInt32BE())).toEqual(Array.from({ length: 100 }, (_, index) => index))
    expect(called).toEqual(Array.from({ length: 34 }, (_, index) => 3 * index))
  })

  test('one send leaves in its tick: it is heard before the immediate of that tick', async () => {
    const { send, heard } = await pair(kind)
    await immediately()
    send(numbered(1, 100))
    await immediately()
    expect(heard).toHaveLength(1)
  })

  test('a send in the callback of a send, a hundred times', async () => {
    const { send, hears, heard } = await pair(kind)
    let left = 100
    const next = (error: Error | null): void => {
      if (error === null && left-- > 0) send(numbered(left, 30), next)
    }
    next(null)
    await hears(100)
    expect(heard.map((message) => message.readUInt32BE())).toEqual(Array.from({ length: 100 }, (_, index) => 99 - index))
  })

  test('the bytes that leave are those of the time at which Node would send them', async () => {
    const { send, hears, heard } = await pair(kind)
    const message = Buffer.from('before')
    for (let i = 0; i < 3; i++) send(message)
    message.write('after!')
    await hears(3)
    // Connected, Node has sent when send returns; otherwise it sends in the next tick, and programs may rely on neither but on the first.
    const expected = kind === 'connected' ? 'before' : 'after!'
    expect(heard.map(String)).toEqual([expected, expected, expected])
  })

  test('a buffer may be used again when its callback came', async () => {
    const { send, hears, heard } = await pair(kind)
    const message = Buffer.alloc(4)
    for (let index = 0; index < 50; index++) {
      message.writeUInt32BE(index)
      await new Promise<void>((resolve, reject) => send(message, (error) => (error === null ? resolve() : reject(error))))
    }
    await hears(50)
    expect(heard.map((text) => text.readUInt32BE())).toEqual(Array.from({ length: 50 }, (_, index) => index))
  })

  test('messages are the program\u2019s own: kept, they stay unchanged, whatever comes after', async () => {
    const { send, hears, heard } = await pair(kind)
    const sizes = [0, 1, 20, 64, 65, 100, 500, 1200, 1472, 4096, 4097, 9000]
    let sent = 0
    for (let round = 0; round < 20; round++) {
      for (const size of sizes) send(numbered(sent++, size))
      await hears(sent)
    }
    heard.forEach((message, index) => expect(message.equals(numbered(index, sizes[index % sizes.length]!))).toBe(true))
  })

  test('messages do not overlap: one that is overwritten leaves the others alone', async () => {
    const { send, hears, heard } = await pair(kind)
    const sizes = [20, 64, 65, 100, 500, 1200, 4096, 5000]
    const count = 10 * sizes.length
    for (let index = 0; index < count; index++) send(numbered(index, sizes[index % sizes.length]!))
    await hears(count)
    heard.forEach((message, index) => index % 2 === 0 && message.fill(0xff))
    heard.forEach((message, index) => {
      if (index % 2 === 1) expect(message.equals(numbered(index, sizes[index % sizes.length]!))).toBe(true)
    })
  })

  test('a kept message does not keep a large slab alive', async () => {
    const { send, hears, heard } = await pair(kind)
    for (const size of [0, 1, 20, 64, 65, 200, 1200, 4096, 9000]) {
      heard.length = 0
      for (let index = 0; index < 40; index++) send(numbered(index, size))
      await hears(40)
      for (const message of heard) expect(message.buffer.byteLength).toBeLessThanOrEqual(mostKeptBy(size))
    }
  })

  test('a few kept small messages of many retain little', async () => {
    const { send, hears, heard } = await pair(kind)
    const kept: Buffer[] = []
    for (let round = 0; round < 50; round++) {
      heard.length = 0
      for (let index = 0; index < 64; index++) send(numbered(index, 20))
      await hears(64)
      kept.push(heard[17]!)
    }
    const memory = new Set(kept.map((message) => message.buffer))
    const retained = [...memory].reduce((sum, buffer) => sum + buffer.byteLength, 0)
    expect(retained).toBeLessThanOrEqual(kept.length * mostKeptBy(20))
  })
})

test('messages of many senders come with their own addresses', async () => {
  const heard: string[] = []
  const receiver = await bound(
    (message, from) => void heard.push(`${message.toString()} ${from.address}:${from.port} ${from.size}`),
  )
  const { port } = receiver.address()
  const senders = await Promise.all(Array.from({ length: 10 }, () => bound()))
  const expected: string[] = []
  for (let round = 0; round < 5; round++) {
    for (const sender of senders) {
      const text = `round ${round} of ${sender.address().port}`
      sender.send(text, port, HOST)
      expected.push(`${text} 127.0.0.1:${sender.address().port} ${text.length}`)
    }
  }
  for (let turn = 0; turn < 50 && heard.length < expected.length; turn++) await immediately()
  expect(heard.sort()).toEqual(expected.sort())
})

test('rinfo is an object of its own for each message', async () => {
  const infos: RemoteInfo[] = []
  const receiver = await bound((_message, from) => {
    infos.push(from)
    from.port = -1
    from.address = 'changed'
  })
  const sender = await bound()
  for (let i = 0; i < 20; i++) sender.send('x', receiver.address().port, HOST)
  for (let turn = 0; turn < 50 && infos.length < 20; turn++) await immediately()
  expect(new Set(infos).size).toBe(20)
  const seen: RemoteInfo[] = []
  receiver.on('message', (_message, from) => void seen.push({ ...from }))
  receiver.removeAllListeners('message')
  receiver.on('message', (_message, from) => void seen.push({ ...from }))
  sender.send('x', receiver.address().port, HOST)
  for (let turn = 0; turn < 50 && seen.length < 1; turn++) await immediately()
  expect(seen).toEqual([{ address: HOST, family: 'IPv4', port: sender.address().port, size: 1 }])
})

test('more datagrams in one tick than any batch holds all arrive', { timeout: 30_000 }, async () => {
  const { send, hears, heard } = await pair('unconnected')
  const messages = Array.from({ length: 3000 }, (_, index) => numbered(index, 60))
  const outcomes = await sendAll(send, messages)
  expect(outcomes.map(({ index }) => index)).toEqual(messages.map((_, index) => index))
  await hears(messages.length)
  expect(heard.map((message) => message.readUInt32BE())).toEqual(messages.map((_, index) => index))
})

test('a flood of one socket leaves time for others', { timeout: 30_000 }, async () => {
  const flooded = await bound(() => {})
  const flooding = await bound()
  let immediates = 0
  for (let round = 0; round < 50; round++) {
    for (let i = 0; i < 100; i++) flooding.send(Buffer.alloc(100), flooded.address().port, HOST)
    await immediately()
    immediates++
  }
  expect(immediates).toBe(50)
})

/** What one message may keep alive, at most: it may share memory with a few of its size. */
function mostKeptBy(size: number): number {
  return size > 4096 ? size : Math.max(256, Math.min(32 * size, 65_536))
}
