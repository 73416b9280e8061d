import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  Agent,
  createServer as createHttpServer,
  request,
  type ClientRequest,
  type IncomingMessage,
  type Server as HttpServer,
} from 'node:http'
import * as nodeNet from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import * as geysirNet from '../../src/net-stream/index.js'
import { connect, createServer, type Socket } from '../../src/net-stream/index.js'

/** An http server that is reached over streams, and how often it was connected to. */
async function serve(http: HttpServer): Promise<{ open: () => Socket; connections: () => number }> {
  let connections = 0
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    connections++
    sockets.add(socket)
    socket.on('error', () => undefined)
    http.emit('connection', socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()!
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    await server[Symbol.asyncDispose]()
  })
  const open = (): Socket => {
    const socket = connect({ port, host: '127.0.0.1' })
    sockets.add(socket)
    return socket
  }
  return { open, connections: () => connections }
}

/** An agent whose sockets are streams. */
class StreamAgent extends Agent {
  readonly #open: () => Socket

  constructor(open: () => Socket, options: object) {
    super(options)
    this.#open = open
    onTestFinished(() => this.destroy())
  }

  override createConnection(): Socket {
    return this.#open()
  }
}

async function answerTo(outgoing: ClientRequest): Promise<IncomingMessage> {
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  return response
}

async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

describe("Node's http over streams", () => {
  test('an agent that keeps connections alive uses one for a hundred requests, and as many as it may at a time', async () => {
    const http = createHttpServer((incoming, response) => response.end(incoming.url))
    const { open, connections } = await serve(http)
    const one = new StreamAgent(open, { keepAlive: true, maxSockets: 1 })
    const get = async (agent: Agent, path: string): Promise<string> => {
      const outgoing = request({ agent, path })
      outgoing.end()
      return textOf(await answerTo(outgoing))
    }
    for (let i = 0; i < 50; i++) expect(await get(one, `/${i}`)).toBe(`/${i}`)
    const paths = Array.from({ length: 50 }, (_, i) => `/at-once-${i}`)
    expect(await Promise.all(paths.map((path) => get(one, path)))).toEqual(paths)
    expect(connections()).toBe(1)
    const four = new StreamAgent(open, { keepAlive: true, maxSockets: 4 })
    expect(await Promise.all(paths.map((path) => get(four, path)))).toEqual(paths)
    expect(connections()).toBe(5)
  })

  test('50 MB up and 50 MB down are what was sent', async () => {
    const http = createHttpServer((incoming, response) => {
      const hash = createHash('sha256')
      incoming.on('data', (chunk: Buffer) => hash.update(chunk))
      incoming.on('end', () => {
        response.setHeader('x-sha256', hash.digest('hex'))
        const sent = createHash('sha256')
        response.setHeader('trailer', 'x-sent')
        const body = Readable.from(randomMegabytes(50, sent))
        body.on('end', () => response.addTrailers({ 'x-sent': sent.digest('hex') }))
        body.pipe(response)
      })
    })
    const { open } = await serve(http)
    const outgoing = request({ method: 'PUT', createConnection: open })
    const sent = createHash('sha256')
    const answer = answerTo(outgoing)
    await pipeline(Readable.from(randomMegabytes(50, sent)), outgoing)
    const response = await answer
    expect(response.headers['x-sha256']).toBe(sent.digest('hex'))
    const received = createHash('sha256')
    let bytes = 0
    for await (const chunk of response) {
      received.update(chunk as Buffer)
      bytes += (chunk as Buffer).length
    }
    expect(bytes).toBe(50_000_000)
    expect(response.trailers['x-sent']).toBe(received.digest('hex'))
  }, 60_000)

  test('a request that is aborted in the middle ends there as well, and the server goes on', async () => {
    let onAborted: (error: Error) => void
    const aborted = new Promise<Error>((resolve) => (onAborted = resolve))
    const http = createHttpServer((incoming, response) => {
      incoming.on('error', (error) => onAborted(error)).resume()
      if (incoming.method === 'GET') response.end('fine')
    })
    const { open } = await serve(http)
    const outgoing = request({ method: 'POST', createConnection: open })
    outgoing.on('error', () => undefined)
    outgoing.write('the beginning')
    await once(outgoing, 'socket')
    await once(http, 'request')
    outgoing.destroy()
    expect(await aborted).toMatchObject({ code: 'ECONNRESET' })
    const next = request({ createConnection: open })
    next.end()
    expect(await textOf(await answerTo(next))).toBe('fine')
  })

  test('a server that destroys the connection in mid-answer is an error for the client', async () => {
    const http = createHttpServer((_, response) => {
      response.writeHead(200, { 'content-length': 1000 })
      response.write('a part', () => response.destroy())
    })
    const { open } = await serve(http)
    const outgoing = request({ createConnection: open })
    outgoing.end()
    await expect(textOf(await answerTo(outgoing))).rejects.toMatchObject({ code: 'ECONNRESET' })
  })

  test('an answer that does not come is a time-out, and nonsense is 400', async () => {
    const http = createHttpServer(() => undefined)
    const { open } = await serve(http)
    const outgoing = request({ createConnection: open }).setTimeout(50)
    outgoing.on('error', () => undefined)
    outgoing.end()
    await once(outgoing, 'timeout')
    outgoing.destroy()
    const socket = open()
    socket.end('this is no http\r\n\r\n')
    expect(await textOf(socket)).toMatch(/^HTTP\/1\.1 400 /)
  })

  test('the body of 100-continue, and an upgrade', async () => {
    const http = createHttpServer((incoming, response) => void incoming.pipe(response))
    http.on('upgrade', (_, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n')
      socket.pipe(socket)
    })
    const { open } = await serve(http)
    const waiting = request({ method: 'POST', createConnection: open, headers: { expect: '100-continue' } })
    waiting.flushHeaders()
    await once(waiting, 'continue')
    waiting.end('the body')
    expect(await textOf(await answerTo(waiting))).toBe('the body')
    const upgrading = request({ createConnection: open, headers: { connection: 'upgrade', upgrade: 'echo' } })
    upgrading.end()
    const [, socket] = (await once(upgrading, 'upgrade')) as [IncomingMessage, Socket]
    socket.end('something else')
    expect(await textOf(socket)).toBe('something else')
  })
})

describe.each([
  ['node:net', nodeNet as unknown as Pick<typeof geysirNet, 'connect' | 'createServer'>],
  ['geysir/net', geysirNet],
])("`connect` of %s as Node's http takes it", (_, net) => {
  async function serve(): Promise<{ port: number; connections: () => number }> {
    let connections = 0
    const http = createHttpServer((incoming, response) => response.end(incoming.url))
    const server = net.createServer((socket) => {
      connections++
      http.emit('connection', socket)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => server[Symbol.asyncDispose]())
    return { port: server.address()!.port, connections: () => connections }
  }

  async function get(outgoing: ClientRequest): Promise<string> {
    outgoing.end()
    return textOf(await answerTo(outgoing))
  }

  test('as `createConnection` of a request, with whatever else is said of the request', async () => {
    const { port } = await serve()
    const createConnection = net.connect
    const place = { host: '127.0.0.1', port, createConnection }
    expect(await get(request({ ...place, path: '/options' }))).toBe('/options')
    expect(await get(request(`http://127.0.0.1:${port}/url?a=b`, { createConnection }))).toBe('/url?a=b')
    const more = { method: 'PUT', headers: { x: 'y' }, timeout: 5000, family: 4, localAddress: '127.0.0.1' }
    expect(await get(request({ ...place, path: '/more', ...more }))).toBe('/more')
    expect(await get(request({ ...place, path: '', signal: new AbortController().signal }))).toBe('/')
  })

  test('as `createConnection` of an agent, which keeps it', async () => {
    const { port, connections } = await serve()
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    onTestFinished(() => agent.destroy())
    agent.createConnection = net.connect
    for (const path of ['/one', '/two']) {
      expect(await get(request({ agent, host: '127.0.0.1', port, path }))).toBe(path)
    }
    expect(connections()).toBe(1)
  })
})

describe('ws over streams', () => {
  test('messages of all sizes in both directions, pings, and an orderly end', async () => {
    const http = createHttpServer()
    const server = new WebSocketServer({ server: http, maxPayload: 32 << 20 })
    server.on('connection', (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })))
    const { open } = await serve(http)
    const client = new WebSocket('ws://nowhere/', { createConnection: open as never })
    await once(client, 'open')
    const sizes = [0, 1, 125, 126, 65_535, 65_536, 1_000_000, 16 << 20]
    const messages = sizes.map((bytes) => randomBytes(bytes))
    const answers: Buffer[] = []
    const all = new Promise<void>((resolve) => {
      client.on('message', (data) => {
        if (answers.push(data as Buffer) === messages.length) resolve()
      })
    })
    for (const message of messages) client.send(message)
    await all
    for (const [i, message] of messages.entries()) expect(answers[i]!.equals(message)).toBe(true)
    client.ping()
    await once(client, 'pong')
    client.close(1000, 'done')
    const [code, reason] = (await once(client, 'close')) as [number, Buffer]
    expect([code, reason.toString()]).toEqual([1000, 'done'])
    server.close()
  })

  test('a connection that breaks is 1006', async () => {
    const http = createHttpServer()
    const server = new WebSocketServer({ server: http })
    const { open } = await serve(http)
    const client = new WebSocket('ws://nowhere/', { createConnection: open as never })
    client.on('error', () => undefined)
    await once(client, 'open')
    for (const socket of server.clients) socket.terminate()
    const [code] = (await once(client, 'close')) as [number]
    expect(code).toBe(1006)
    server.close()
  })
})

function* randomMegabytes(count: number, hash: ReturnType<typeof createHash>): Generator<Buffer> {
  for (let i = 0; i < count * 10; i++) {
    const chunk = randomBytes(100_000)
    hash.update(chunk)
    yield chunk
  }
}
