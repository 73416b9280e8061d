import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { onTestFinished, expect, test } from 'vitest'
import { openLink, type AnyLink, type LinkOptions } from '../../src/link/index.js'
import { freePort } from '../support/link-ports.js'

/** Programs on `node:dgram` that know nothing but the table of docs/links.md: each talks to the raw link of its kind, on either side. */

async function plain(port = 0, address?: string): Promise<Socket> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  onTestFinished(() => void socket.close())
  socket.bind(port, address)
  await once(socket, 'listening')
  return socket
}

async function member(group: string, port: number): Promise<Socket> {
  const socket = await plain(port)
  socket.addMembership(group, '127.0.0.1')
  socket.setMulticastInterface('127.0.0.1')
  return socket
}

async function nextDatagram(socket: Socket): Promise<{ text: string; from: RemoteInfo }> {
  const [payload, from] = (await once(socket, 'message')) as [Buffer, RemoteInfo]
  return { text: payload.toString(), from }
}

async function open(options: LinkOptions): Promise<AnyLink> {
  const link = await openLink(options)
  onTestFinished(() => link.close())
  return link
}

async function nextText(link: AnyLink): Promise<string> {
  for await (const batch of link) return batch.payload(0).toString()
  throw new Error('the link is closed')
}

const echo = (link: AnyLink): unknown => link.on('request', (request) => request.respond(`re: ${request.payload.toString()}`))

test('point-to-point: a plain client, a plain server', async () => {
  const localPort = await freePort('127.0.0.1')
  const client = await plain(0, '127.0.0.1')
  echo(
    await open({ kind: 'point-to-point', role: 'server', clientHost: '127.0.0.1', clientPort: client.address().port, localPort }),
  )
  client.send('question', localPort, '127.0.0.1')
  expect((await nextDatagram(client)).text).toBe('re: question')

  const server = await plain(0, '127.0.0.1')
  const link = await open({ kind: 'point-to-point', role: 'client', serverHost: '127.0.0.1', serverPort: server.address().port })
  link.send('question')
  const { text, from } = await nextDatagram(server)
  expect(text).toBe('question')
  const answer = nextText(link)
  server.send('answer', from.port, from.address)
  expect(await answer).toBe('answer')
})

test('responding server: a plain client, a plain server', async () => {
  const server = await openLink({ kind: 'responder', role: 'server', localPort: 0 })
  onTestFinished(() => server.close())
  echo(server)
  const client = await plain()
  client.send('question', server.address().port, '127.0.0.1')
  const { text, from } = await nextDatagram(client)
  expect([text, from.port]).toEqual(['re: question', server.address().port])
  const announced = nextDatagram(client)
  server.announce('news')
  expect((await announced).text).toBe('news')

  const plainServer = await plain(0, '127.0.0.1')
  const link = await open({ kind: 'responder', role: 'client', serverHost: '127.0.0.1', serverPort: plainServer.address().port })
  link.send('question')
  const question = await nextDatagram(plainServer)
  const answer = nextText(link)
  plainServer.send('answer', question.from.port, question.from.address)
  expect(await answer).toBe('answer')
})

test.each([false, true])(
  'a responding server answers and announces from the address that was asked (header %s)',
  async (header) => {
    const server = await openLink({ kind: 'responder', role: 'server', localPort: 0, header })
    onTestFinished(() => server.close())
    server.on('request', (request) => request.respond('answer'))
    server.on('batch', () => undefined)
    const client = await plain()
    const asked = header ? Buffer.from('47590101010203040000000000000001', 'hex') : Buffer.from('question')
    for (const address of ['127.0.0.5', '127.0.0.6']) {
      client.send(asked, server.address().port, address)
      expect((await nextDatagram(client)).from.address).toBe(address)
      const announced = nextDatagram(client)
      server.announce('news')
      expect((await announced).from.address).toBe(address)
    }
  },
)

test('discovery: a plain client, a plain server', async () => {
  const port = await freePort('127.0.0.1')
  const group = '239.77.2.1'
  const place = { multicastAddress: group, multicastPort: port, localInterface: 'lo' }
  const listener = await member(group, port)
  const server = await openLink({ kind: 'discovery', role: 'server', ...place, announcePeriodMs: 50 })
  echo(server)
  const client = await plain()
  client.send('question', (await nextDatagram(listener)).from.port, '127.0.0.1')
  expect((await nextDatagram(client)).text).toBe('re: question')
  await server[Symbol.asyncDispose]()

  const plainServer = await plain()
  plainServer.setMulticastInterface('127.0.0.1')
  const link = await openLink({ kind: 'discovery', role: 'client', ...place })
  onTestFinished(() => link.close())
  const found = once(link, 'server')
  plainServer.send('I am here', port, group)
  await found
  link.send('question')
  const question = await nextDatagram(plainServer)
  expect(question.text).toBe('question')
  const answer = nextText(link)
  plainServer.send('answer', question.from.port, question.from.address)
  expect(await answer).toBe('answer')
})

test('multicast only: a plain client, a plain server', async () => {
  const port = await freePort('127.0.0.1')
  const [serverGroup, clientGroup] = ['239.77.3.1', '239.77.3.2']
  const place = {
    kind: 'multicast',
    serverMulticastAddress: serverGroup,
    serverMulticastPort: port,
    localInterface: 'lo',
  } as const
  const client = await member(serverGroup, port)
  const server = await open({ ...place, role: 'server' })
  echo(server)
  client.send('question', port + 1, clientGroup)
  expect((await nextDatagram(client)).text).toBe('re: question')
  await server[Symbol.asyncDispose]()

  const plainServer = await member(clientGroup, port + 1)
  const link = await open({ ...place, role: 'client' })
  link.send('question')
  expect((await nextDatagram(plainServer)).text).toBe('question')
  const answer = nextText(link)
  plainServer.send('answer', port, serverGroup)
  expect(await answer).toBe('answer')
})
