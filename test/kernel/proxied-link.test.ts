import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { onTestFinished, expect, test } from 'vitest'
import { openLink, type ProxiedLink, type ProxiedOptions } from '../../src/link/index.js'
import { rejection } from '../unit/support/errors.js'

async function open(options: Omit<ProxiedOptions, 'kind' | 'role'> & { role?: 'client' | 'server' }): Promise<ProxiedLink> {
  const link = await openLink({ kind: 'proxied', role: 'client', reconnectMinMs: 1, reconnectMaxMs: 5, ...options })
  onTestFinished(() => link.close())
  return link
}

async function texts(link: ProxiedLink, count: number): Promise<string[]> {
  const heard: string[] = []
  for await (const batch of link) {
    for (let i = 0; i < batch.count; i++) heard.push(batch.payload(i).toString())
    if (heard.length >= count) break
  }
  return heard
}

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'geysir-link-'))
  onTestFinished(() => rmSync(path, { recursive: true }))
  return path
}

async function listening(): Promise<{ server: Server; port: number }> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return { server, port: (server.address() as AddressInfo).port }
}

test('over a Unix socket', async () => {
  const path = join(directory(), 'socket')
  const server = await open({ role: 'server', transport: 'unix', path })
  const client = await open({ transport: 'unix', path })
  client.send('hello')
  expect(await texts(server, 1)).toEqual(['hello'])
  server.send('back')
  expect(await texts(client, 1)).toEqual(['back'])
  await rejection(openLink({ kind: 'proxied', role: 'server', transport: 'unix', path }), 'EADDRINUSE')
})

test('over the standard input and output of a child', async () => {
  const link = await open({ transport: 'command', command: ['cat'] })
  link.send('there')
  link.send('and back')
  expect(await texts(link, 2)).toEqual(['there', 'and back'])
})

test('a child that ends is started again', async () => {
  const link = await open({ transport: 'command', command: ['head', '-c', '7'] })
  link.send('12345')
  expect(await texts(link, 1)).toEqual(['12345'])
  // Sending shows that it has ended.
  await once(link, 'peer')
  const answer = texts(link, 1)
  link.send('again')
  expect(await answer).toEqual(['again'])
  expect(link.stats().streams).toBe(2)
})

test('over named pipes, which outlive whoever is at their other end', async () => {
  const [there, back] = ['there', 'back'].map((name) => join(directory(), name)) as [string, string]
  execFileSync('mkfifo', [there, back])
  const one = await open({ transport: 'pipe', readPath: back, writePath: there })
  let other = await open({ transport: 'pipe', readPath: there, writePath: back })
  one.send('first')
  expect(await texts(other, 1)).toEqual(['first'])
  await other[Symbol.asyncDispose]()
  one.send('meanwhile')
  other = await open({ transport: 'pipe', readPath: there, writePath: back })
  expect(await texts(other, 1)).toEqual(['meanwhile'])
  other.send('answer')
  expect(await texts(one, 1)).toEqual(['answer'])
})

test('what is sent before there is a server waits for it, and a lost connection is made again', async () => {
  const { server, port } = await listening()
  await new Promise((resolve) => server.close(resolve))
  const client = await open({ host: '127.0.0.1', port })
  const failure = once(client, 'peerError')
  client.send('early')
  expect(((await failure) as [{ code: string }])[0].code).toBe('ECONNREFUSED')
  const first = await open({ role: 'server', host: '127.0.0.1', port })
  expect(await texts(first, 1)).toEqual(['early'])
  const lost = once(client, 'peerlost')
  client.on('batch', () => undefined)
  await first[Symbol.asyncDispose]()
  expect((await lost)[1]).toBe('disconnected')
  client.send('late')
  const second = await open({ role: 'server', host: '127.0.0.1', port })
  expect(await texts(second, 1)).toEqual(['late'])
  expect(client.stats()).toMatchObject({ datagramsQueued: 2, datagramsSent: 2, streams: 2 })
})

test('a server takes the newest of its clients', async () => {
  const server = await open({ role: 'server', host: '127.0.0.1', port: 0 })
  const { port } = server.address()!
  const first = connect(port, '127.0.0.1')
  onTestFinished(() => void first.destroy())
  await once(server, 'peer')
  const closed = once(first, 'close')
  const second = await open({ host: '127.0.0.1', port })
  second.send('from the second')
  first.resume()
  await closed
  expect(await texts(server, 1)).toEqual(['from the second'])
})

test('a length that lies ends the connection, which is made again; a dribble of bytes is no trouble', async () => {
  const { server, port } = await listening()
  const client = await open({ host: '127.0.0.1', port, maxDatagramBytes: 100 })
  const heard = texts(client, 1)
  const [first] = (await once(server, 'connection')) as [Socket]
  const closed = once(first, 'close')
  first.write(Buffer.from([0xff, 0xff, 1, 2, 3]))
  const [second] = (await once(server, 'connection')) as [Socket]
  await closed
  for (const byte of Buffer.from([0, 2, 0x68, 0x69])) {
    second.write(Buffer.of(byte))
    await new Promise(setImmediate)
  }
  expect(await heard).toEqual(['hi'])
  second.end(Buffer.from([0, 9, 1]))
  client.on('batch', () => undefined)
  await once(client, 'peerlost')
  expect(client.stats()).toMatchObject({ oversized: 1, incomplete: 1, streamsRefused: 1, datagramsReceived: 1 })
})

test('a reader who does not read fills the queue, not the memory, and gets everything in the end', async () => {
  const server = await open({ role: 'server', host: '127.0.0.1', port: 0, framing: 'separator' })
  const client = await open({
    host: '127.0.0.1',
    port: server.address()!.port,
    framing: 'separator',
    sendQueueBytes: 200_000,
  })
  const payload = Buffer.alloc(50_000, 0xf5)
  let sent = 0
  // As much as the socket's buffers take, and then the queue.
  for (let turns = 0; turns < 2000 && client.stats().datagramsRefused === 0; turns++) {
    while (client.send(payload)) sent++
    await new Promise(setImmediate)
  }
  expect(client.stats().datagramsRefused).toBeGreaterThan(0)
  expect(client.stats().queuedBytes).toBeLessThanOrEqual(200_000)
  const drained = once(client, 'drain')
  expect((await texts(server, sent)).length).toBe(sent)
  await drained
})

test('requests wait for a connection', async () => {
  const { server, port } = await listening()
  await new Promise((resolve) => server.close(resolve))
  const client = await open({ host: '127.0.0.1', port, header: true })
  const answer = client.request('?')
  const link = await open({ role: 'server', host: '127.0.0.1', port, header: true })
  link.on('request', (request) => request.respond('!'))
  expect(String(await answer)).toBe('!')
})

test('addresses: one stream carries many peers', async () => {
  const server = await open({ role: 'server', host: '127.0.0.1', port: 0, framing: 'addressed' })
  const client = await open({ host: '127.0.0.1', port: server.address()!.port, framing: 'addressed' })
  const peers = ['192.0.2.1', '2001:db8::1', '192.0.2.2'].map((address, i) => ({ address, port: i + 1 }))
  for (const peer of peers) client.send(`to ${peer.address}`, peer)
  expect(() => client.send('to nobody')).toThrow(/carries many peers/)
  const heard: string[] = []
  for await (const batch of server) {
    for (let i = 0; i < batch.count; i++) heard.push(`${batch.payload(i).toString()} = ${batch.endpoint(i).toString()}`)
    if (heard.length === 3) break
  }
  expect(heard).toEqual(['to 192.0.2.1 = 192.0.2.1:1', 'to 2001:db8::1 = [2001:db8::1]:2', 'to 192.0.2.2 = 192.0.2.2:3'])
})

test('a Duplex that ends closes its link, without an error', async () => {
  const stream = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done: () => void) => done() })
  const link = await open({ stream })
  link.on('batch', () => undefined)
  const closed = once(link, 'close')
  stream.push(Buffer.from([0, 5, 1]))
  stream.push(null)
  await closed
  expect(link.stats().incomplete).toBe(1)
})

test('a place that is taken rejects, and nothing stays open', async () => {
  const { port } = await listening()
  await rejection(openLink({ kind: 'proxied', role: 'server', host: '127.0.0.1', port }), 'EADDRINUSE')
})
