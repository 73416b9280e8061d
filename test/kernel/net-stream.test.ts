import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once, type EventEmitter } from 'node:events'
import { createServer as createHttpServer, request, type IncomingMessage } from 'node:http'
import * as nodeNet from 'node:net'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { SocketError, UdpSocket } from '../../src/index.js'
import * as entry from '../../src/net-stream/index.js'
import { connect, createServer, type Server, type ServerOptions, type Socket } from '../../src/net-stream/index.js'

/** A server on the loopback address, and a way to connect to it. */
async function serve(
  listener: (socket: Socket) => void,
  options: ServerOptions = {},
): Promise<{ port: number; open: () => Socket }> {
  const server = createServer(options, listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()!
  const sockets: Socket[] = []
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    const closed = once(server, 'close')
    server.close()
    await closed
  })
  const open = (): Socket => {
    const socket = connect({ port, host: '127.0.0.1', ...(options.nodeOptions && { nodeOptions: options.nodeOptions }) })
    sockets.push(socket)
    return socket
  }
  return { port, open }
}

/** By events: an iteration destroys what it has read to its end. */
async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(stream, 'end')
  return Buffer.concat(chunks).toString()
}

test('the default export has what there is, as that of node:net has', () => {
  const { default: all, ...named } = entry
  expect({ ...all }).toEqual(named)
  expect(Object.keys(nodeNet)).toEqual(expect.arrayContaining(Object.keys(all)))
})

describe('sockets over streams', () => {
  test('have what net.Socket tells about itself', async () => {
    const { port, open } = await serve((socket) => void socket.pipe(socket))
    const socket = open()
    expect([socket.connecting, socket.pending, socket.readyState]).toEqual([true, true, 'opening'])
    const events: string[] = []
    for (const event of ['connect', 'ready', 'end', 'close']) socket.on(event, () => events.push(event))
    // Written before there is a connection.
    socket.write('hel')
    socket.end('lo')
    expect(await textOf(socket)).toBe('hello')
    expect(socket).toMatchObject({
      remoteAddress: '127.0.0.1',
      remotePort: port,
      remoteFamily: 'IPv4',
      bytesRead: 5,
      bytesWritten: 5,
    })
    expect(socket.address()).toMatchObject({ family: 'IPv4' })
    if (!events.includes('close')) await once(socket, 'close')
    expect(events).toEqual(['connect', 'ready', 'end', 'close'])
  })

  test('a half that has ended leaves the other open', async () => {
    const { open } = await serve((socket) => void textOf(socket).then((text) => socket.end(`you said ${text}`)), {
      allowHalfOpen: true,
    })
    const socket = open()
    socket.end('something')
    expect(await textOf(socket)).toBe('you said something')
  })

  test('20 MB go there and back unchanged, with back pressure', async () => {
    const { open } = await serve((socket) => void socket.pipe(socket), { nodeOptions: { integrity: 'crc32c' } })
    const socket = open()
    const [sent, received] = [createHash('sha256'), createHash('sha256')]
    const reading = (async () => {
      for await (const chunk of socket) received.update(chunk as Buffer)
    })()
    await pipeline(
      (function* () {
        for (let i = 0; i < 160; i++) {
          const chunk = randomBytes(131_072)
          sent.update(chunk)
          yield chunk
        }
      })(),
      socket,
    )
    await reading
    expect(received.digest('hex')).toBe(sent.digest('hex'))
  }, 60_000)

  test('destroy with an error in the middle of a write resets the other side, which is told ECONNRESET', async () => {
    const errors: string[] = []
    let onClose: (hadError: boolean) => void
    const closed = new Promise<boolean>((resolve) => (onClose = resolve))
    const { open } = await serve((socket) => {
      socket.on('error', (error: NodeJS.ErrnoException) => errors.push(error.code!))
      socket.on('close', onClose)
      socket.write('here')
    })
    const socket = open()
    socket.on('error', () => undefined)
    await once(socket, 'data')
    // More than fits the window of a server that does not read.
    socket.write(Buffer.alloc(20 << 20))
    socket.destroy(new Error('enough'))
    expect(await closed).toBe(true)
    expect(errors).toEqual(['ECONNRESET'])
  })

  test('what was written arrives, although the socket is destroyed at once', async () => {
    let onText: (text: string) => void
    const text = new Promise<string>((resolve) => (onText = resolve))
    const { open } = await serve((socket) => void textOf(socket).then(onText))
    const socket = open()
    await once(socket, 'connect')
    socket.end('the last words')
    socket.destroySoon()
    expect(await text).toBe('the last words')
  })

  test('silence is told of', async () => {
    const { open } = await serve((socket) => void socket.resume())
    const socket = open()
    socket.setTimeout(30)
    await once(socket, 'timeout')
    expect(socket.destroyed).toBe(false)
  })

  test('what is unreferenced lets the process end', async () => {
    const program = `
      import { connect, createServer } from 'geysir/net'
      const server = createServer((socket) => socket.unref().write('hello')).unref()
      server.listen(0, '127.0.0.1', () => {
        const socket = connect({ port: server.address().port, host: '127.0.0.1' })
        socket.on('data', (data) => console.log(String(data)) ?? socket.unref())
      })`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    const [text, [code]] = await Promise.all([textOf(child.stdout), once(child, 'exit')])
    expect([text, code]).toEqual(['hello\n', 0])
  })

  test.each<[object, RegExp]>([
    [{}, /"options.port" property must be of type number/],
    [{ port: 0 }, /"options.port" is out of range/],
    [{ port: 9, host: 9 }, /"options.host"/],
    [{ port: 9, family: 5 }, /'options.family' must be 0, 4 or 6/],
    [{ port: 9, timeout: -1 }, /"options.timeout"/],
    [{ port: 9, allowHalfOpen: 'yes' }, /"options.allowHalfOpen"/],
    [{ port: 9, signal: {} }, /"options.signal"/],
    [{ port: 9, node: {} }, /"options.node"/],
    [{ port: 9, nodeOptions: { secret: 'short' } }, /secret/],
    [{ port: 9, lookup: 'dns' }, /"options.lookup"/],
    [{ port: 9, localAddress: 9 }, /"options.localAddress"/],
    [{ port: 9, localPort: -1 }, /"options.localPort"/],
    [{ port: 9, path: '/run/a.sock' }, /'options.path' is for sockets of node:net alone/],
    [{ port: 9, blockList: {} }, /'options.blockList' is for sockets of node:net alone/],
  ])('%j cannot be connected to', (options, message) => {
    expect(() => connect(options as { port: number })).toThrow(message)
  })

  test('what else node:net takes, and what others add, is ignored', async () => {
    const { port } = await serve((socket) => socket.end('hello'))
    const more = { agent: undefined, path: null, fd: undefined, noDelay: true, keepAlive: true, hints: 0, autoSelectFamily: true }
    expect(await textOf(connect({ port, host: '127.0.0.1', ...more }))).toBe('hello')
    expect(await textOf(new entry.Socket(more as object).connect({ port, host: '127.0.0.1', ...more }))).toBe('hello')
  })

  test('a socket is bound to the address and port that it is given, and resolves by the lookup that it is given', async () => {
    const { port } = await serve((socket) => socket.end(`${socket.remoteAddress} ${socket.remotePort}`))
    const other = new UdpSocket()
    const free = await other.bind({ address: '127.0.0.2' })
    other.close()
    const socket = connect({
      port,
      host: 'server.example',
      localAddress: '127.0.0.2',
      localPort: free.port,
      lookup: (_host, _options, callback) => callback(null, '127.0.0.1', 4),
    })
    expect(await textOf(socket)).toBe(`127.0.0.2 ${free.port}`)
  })

  test('a name that is none is an error', async () => {
    const socket = connect({ port: 9, host: 'nothing.invalid' })
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toMatch(/ENOTFOUND|EAI_AGAIN/)
  })
})

describe('a UDP socket that fails', () => {
  /** The UDP sockets that are bound while `open` runs. */
  async function boundBy(open: () => Promise<unknown>): Promise<UdpSocket[]> {
    const bind = vi.spyOn(UdpSocket.prototype, 'bind')
    await open()
    const sockets = bind.mock.contexts as UdpSocket[]
    bind.mockRestore()
    return sockets
  }

  /** What a socket does whose descriptor has an error of its own. */
  function fail(udp: UdpSocket): void {
    udp.close()
    udp.emit('error', new SocketError('recvmmsg', -5))
  }

  /** `once` of node:events rejects when 'error' comes first. */
  const closeOf = (emitter: Server | Socket): Promise<unknown> =>
    new Promise((resolve) => (emitter as EventEmitter).once('close', (...words: unknown[]) => resolve(words)))

  async function open(): Promise<{
    server: Server
    accepted: Socket
    client: Socket
    udp: { server: UdpSocket; client: UdpSocket }
  }> {
    const server = createServer()
    let client!: Socket
    let accepted!: Socket
    const [forServer, forClient] = await boundBy(async () => {
      await once(server.listen(0, '127.0.0.1'), 'listening')
      client = connect({ port: server.address()!.port, host: '127.0.0.1' })
      ;[accepted] = (await once(server, 'connection')) as [Socket]
      if (client.connecting) await once(client, 'connect')
    })
    onTestFinished(() => {
      client.resetAndDestroy()
      accepted.resetAndDestroy()
      server.close()
    })
    return { server, accepted, client, udp: { server: forServer!, client: forClient! } }
  }

  test('of a server is its error and that of its sockets, and closes them', async () => {
    const { server, accepted, udp } = await open()
    const told: string[] = []
    server.on('error', (error) => told.push(`server ${(error as NodeJS.ErrnoException).code} ${server.listening}`))
    accepted.on('error', (error) => told.push(`socket ${(error as NodeJS.ErrnoException).code}`))
    const ends = Promise.all([closeOf(server), closeOf(accepted)])
    fail(udp.server)
    expect(await ends).toEqual([[], [true]])
    expect(told.sort()).toEqual(['server EIO false', 'socket EIO'])
    // It can be used again.
    await once(server.listen(0, '127.0.0.1'), 'listening')
    expect(server.listening).toBe(true)
  })

  test('of a connection is its error, and closes it', async () => {
    const { client, udp } = await open()
    const end = closeOf(client)
    const error = once(client, 'error')
    fail(udp.client)
    expect(await error).toMatchObject([{ code: 'EIO' }])
    expect(await end).toEqual([true])
  })

  test('while it connects is its error as well', async () => {
    const nobody = new UdpSocket()
    onTestFinished(() => nobody.close())
    const { port } = await nobody.bind({ address: '127.0.0.1' })
    let client!: Socket
    const [udp] = await boundBy(async () => {
      client = connect({ port, host: '127.0.0.1' })
      // Its first hello has come.
      await once(nobody, 'batch')
    })
    const end = closeOf(client)
    client.on('error', () => undefined)
    const error = once(client, 'error')
    fail(udp!)
    expect(await error).toMatchObject([{ code: 'EIO' }])
    expect(await end).toEqual([true])
  })

  test('a server whose node ends by itself closes', async () => {
    const groupLink = new UdpSocket()
    await groupLink.bind({ address: '127.0.0.1' })
    const server = createServer({ nodeOptions: { groupLink } }, (socket) => socket.on('error', () => undefined))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const client = connect({ port: server.address()!.port, host: '127.0.0.1' })
    onTestFinished(() => void client.resetAndDestroy())
    const [accepted] = (await once(server, 'connection')) as [Socket]
    const ends = Promise.all([closeOf(server), closeOf(accepted)])
    groupLink.close()
    await ends
    expect(server.listening).toBe(false)
  })
})

describe('programs for TCP', () => {
  test("Node's http client and server", async () => {
    const http = createHttpServer((incoming, response) => {
      void textOf(incoming).then((body) => {
        response.setHeader('x-method', incoming.method!)
        response.end(`${incoming.url} ${body.length} ${'y'.repeat(100_000)}`)
      })
    })
    const { open } = await serve((socket) => void http.emit('connection', socket))
    for (const body of ['', 'x'.repeat(300_000)]) {
      const outgoing = request({ method: 'POST', path: '/a/path', createConnection: open })
      outgoing.end(body)
      const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
      expect(response.headers['x-method']).toBe('POST')
      expect(await textOf(response)).toBe(`/a/path ${body.length} ${'y'.repeat(100_000)}`)
    }
  })
})
