import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import * as nodeNet from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { capabilities } from '../../src/index.js'
import * as geysirNet from '../../src/net-stream/index.js'

const NOBODY_LISTENS = 'a port where nobody listens'

/** What both have, as far as these programs use it. */
interface Net {
  readonly createServer: (options: object, listener: (socket: nodeNet.Socket) => void) => nodeNet.Server
  readonly connect: (options: {
    port: number
    host: string
    allowHalfOpen?: boolean
    signal?: AbortSignal
    timeout?: number
  }) => nodeNet.Socket
  Socket: new (options?: object) => nodeNet.Socket
}

/** What a program sees: lines of both sides, apart from each other, since which comes first is nobody's promise. */
class Log {
  readonly client: string[] = []
  readonly server: string[] = []

  /** Writes down the events of a socket; its data as one text, when they have ended. */
  watch(side: 'client' | 'server', socket: nodeNet.Socket): nodeNet.Socket {
    const lines = this[side]
    const seen = new Set<string>()
    SEEN.set(socket, seen)
    for (const event of ['connect', 'ready', 'finish', 'timeout', 'data', 'end', 'close']) socket.on(event, () => seen.add(event))
    let text = ''
    for (const event of ['lookup', 'connect', 'ready', 'finish', 'timeout'] as const) socket.on(event, () => lines.push(event))
    socket.on('data', (data: Buffer | string) => (text += data.toString()))
    socket.on('end', () => lines.push(`end after '${text.length > 50 ? text.length : text}'`))
    socket.on('error', (error: NodeJS.ErrnoException) => lines.push(`error ${error.code}`))
    socket.on('close', (hadError) => lines.push(`close ${hadError}`))
    return socket
  }
}

interface Scene {
  readonly net: Net
  readonly log: Log
  readonly port: number
  readonly server: nodeNet.Server
  /** The server's next connection. */
  readonly accepted: () => Promise<nodeNet.Socket>
  readonly connect: (options?: object) => nodeNet.Socket
}

type Program = (scene: Scene) => Promise<unknown>

async function play(
  net: Net,
  program: Program,
  serverOptions: object,
  onConnection: (socket: nodeNet.Socket) => unknown,
): Promise<{ client: string[]; server: string[] }> {
  const log = new Log()
  const waiting: nodeNet.Socket[] = []
  const sockets: nodeNet.Socket[] = []
  let wake = (): void => undefined
  const server = net.createServer(serverOptions, (socket) => {
    sockets.push(socket)
    waiting.push(log.watch('server', socket))
    onConnection(socket)
    wake()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as nodeNet.AddressInfo
  const accepted = async (): Promise<nodeNet.Socket> => {
    while (waiting.length === 0) await new Promise<void>((resolve) => (wake = resolve))
    return waiting.shift()!
  }
  const connect = (options: object = {}): nodeNet.Socket => {
    const socket = net.connect({ port, host: '127.0.0.1', ...options })
    sockets.push(socket)
    return log.watch('client', socket)
  }
  try {
    await program({ net, log, port, server, accepted, connect })
    return { client: [...log.client], server: [...log.server] }
  } finally {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
}

/** Which events a socket has had. */
const SEEN = new WeakMap<nodeNet.Socket, Set<string>>()

/** Waits for an event, unless it has been already. */
async function after(socket: nodeNet.Socket, event: string): Promise<void> {
  if (!SEEN.get(socket)?.has(event)) await new Promise((resolve) => socket.once(event, resolve))
}

const closed = (...sockets: nodeNet.Socket[]): Promise<unknown> =>
  Promise.all(sockets.map(async (socket) => after(socket, 'close')))

/** Three writes and what each is told. */
function writeThrice(client: nodeNet.Socket, log: Log, first: Buffer): void {
  const tell = (what: string) => (error?: Error | null) =>
    log.client.push(`${what}: ${error ? (error as NodeJS.ErrnoException).code : 'fine'}`)
  client.write(first, tell('first'))
  client.write('second', tell('second'))
  client.end('third', tell('third'))
}

function destroyWhileWriting(error: Error | undefined): Program {
  return async ({ connect, accepted, log }) => {
    const client = connect()
    await after(client, 'ready')
    const server = await accepted()
    server.pause()
    // More than fits all that is between here and there.
    writeThrice(client, log, Buffer.alloc(64 << 20))
    await turn()
    client.destroy(error)
    server.destroy()
    await closed(client, server)
    log.client.push(`${client.bytesWritten}`)
    // Node calls what was cut off fine; here it is told what those behind it are told.
    const [first, second] = ['first', 'second'].map((what) => log.client.findIndex((line) => line.startsWith(what)))
    if (log.client[first!] === 'first: fine') log.client[first!] = log.client[second!]!.replace('second', 'first')
  }
}

function destroyBeforeWriting(error: Error | undefined): Program {
  return async ({ connect, log }) => {
    const client = connect()
    writeThrice(client, log, Buffer.from('first'))
    client.destroy(error)
    await closed(client)
    // What is told behind 'close'.
    while (!log.client.some((line) => line.startsWith('third'))) await turn()
  }
}

const PROGRAMS: Record<string, [program: Program, serverOptions?: object, onConnection?: (socket: nodeNet.Socket) => unknown]> = {
  'an echo': [
    async ({ connect, accepted }) => {
      const client = connect()
      client.write('before the connection, ')
      client.end('and the end')
      await closed(client, await accepted())
    },
    {},
    (socket) => socket.pipe(socket),
  ],
  'a server that ends at once ends its client as well': [
    async ({ connect, accepted }) => {
      const client = connect()
      const server = await accepted()
      server.end('bye')
      await closed(client, server)
    },
  ],
  'a server that reads nothing is told of the end all the same, when there was nothing to read': [
    async ({ net, log }) => {
      const server = net.createServer({}, (socket) => {
        socket.on('end', () => log.server.push('end'))
        socket.end('hello')
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as nodeNet.AddressInfo
      const client = log.watch('client', net.connect({ port, host: '127.0.0.1' }))
      await closed(client)
      server.close()
      await once(server, 'close')
    },
  ],
  'half-close': [
    async ({ connect, accepted, log }) => {
      const client = connect({ allowHalfOpen: true })
      const server = await accepted()
      client.end('question')
      await after(server, 'end')
      log.server.push(`${server.readyState} ${server.writable} ${server.readable}`)
      await new Promise((resolve) => setImmediate(resolve))
      log.client.push(`${client.readyState} ${client.writable} ${client.readable}`)
      server.write('answer')
      server.end(' and more')
      await closed(client, server)
    },
    { allowHalfOpen: true },
  ],
  'a client that stays half open when the server has ended': [
    async ({ connect, accepted, log }) => {
      const client = connect({ allowHalfOpen: true })
      const server = await accepted()
      server.end('first')
      await after(client, 'end')
      log.client.push(client.readyState)
      client.end('later')
      await closed(client, server)
    },
  ],
  'what a socket says about itself': [
    async ({ connect, accepted, port, log, net }) => {
      const fresh = new net.Socket()
      log.client.push(
        `${fresh.readyState} ${fresh.pending} ${fresh.connecting} ${JSON.stringify(fresh.address())} ${fresh.remoteAddress}`,
      )
      const client = connect()
      const state = (): string =>
        `${client.readyState} ${client.pending} ${client.connecting} ${client.destroyed} ${client.bytesWritten} ${client.timeout}`
      log.client.push(state())
      client.write('four')
      log.client.push(state())
      await after(client, 'connect')
      log.client.push(state())
      log.client.push(`${client.remoteAddress} ${client.remoteFamily} ${client.remotePort === port} ${typeof client.localPort}`)
      const server = await accepted()
      log.server.push(
        `${server.localPort === port} ${server.remotePort === client.localPort} ${server.remoteFamily} ${server.readyState}`,
      )
      await after(server, 'data')
      log.server.push(`${server.bytesRead} ${server.bytesWritten}`)
      client.setTimeout(5000)
      log.client.push(state())
      client.setTimeout(0)
      client.end('and more')
      log.client.push(state())
      await closed(client, server)
      log.server.push(`${server.bytesRead}`)
      log.client.push(state())
    },
  ],
  'destroy without an error': [
    async ({ connect, accepted }) => {
      const client = connect()
      await after(client, 'ready')
      const server = await accepted()
      client.destroy()
      await closed(client, server)
    },
  ],
  'destroy with an error is told here, and there it is an end': [
    async ({ connect, accepted }) => {
      const client = connect()
      await after(client, 'ready')
      const server = await accepted()
      client.destroy(Object.assign(new Error('enough'), { code: 'ENOUGH' }))
      await closed(client)
      await closed(server)
    },
  ],
  'a reset': [
    async ({ connect, accepted }) => {
      const client = connect()
      const server = await accepted()
      await after(client, 'connect')
      server.resetAndDestroy()
      await closed(client, server)
    },
  ],
  'destroySoon sends what was written': [
    async ({ connect, accepted }) => {
      const client = connect()
      await after(client, 'ready')
      const server = await accepted()
      client.write('x'.repeat(100_000))
      client.destroySoon()
      await closed(client, server)
    },
  ],
  'writing after the end of this side': [
    async ({ connect, accepted, log }) => {
      const client = connect()
      await after(client, 'ready')
      const server = await accepted()
      client.end()
      client.write('late', (error) => log.client.push(`callback ${(error as NodeJS.ErrnoException | null)?.code}`))
      await closed(client, server)
    },
  ],
  'writing after the other side has ended': [
    async ({ connect, accepted, log }) => {
      const client = connect()
      const server = await accepted()
      server.end()
      await after(client, 'end')
      await after(client, 'finish')
      log.client.push(
        `${client.write('late', (error) => log.client.push(`callback ${(error as NodeJS.ErrnoException | null)?.code}`))}`,
      )
      await closed(client, server)
    },
  ],
  'writing after destroy': [
    async ({ connect, accepted, log }) => {
      const client = connect()
      await after(client, 'ready')
      const server = await accepted()
      client.destroy()
      client.write('late', (error) => log.client.push(`callback ${(error as NodeJS.ErrnoException | null)?.code}`))
      await closed(client, server)
    },
  ],
  ...Object.fromEntries(
    [undefined, Object.assign(new Error('enough'), { code: 'ENOUGH' })].flatMap((error) => [
      [`destroy${error === undefined ? '' : ' with an error'} in the middle of a write`, [destroyWhileWriting(error)]],
      [
        `destroy${error === undefined ? '' : ' with an error'} before what was written could leave`,
        [destroyBeforeWriting(error)],
      ],
    ]),
  ),
  'callbacks of write and end': [
    async ({ connect, accepted, log }) => {
      const client = connect()
      await after(client, 'ready')
      const server = await accepted()
      client.write('one', () => log.client.push('written'))
      client.end('two', () => log.client.push('ended'))
      await closed(client, server)
    },
  ],
  'pause and resume, and an encoding': [
    async ({ connect, accepted, log }) => {
      const client = connect()
      client.setEncoding('hex')
      const server = await accepted()
      await after(client, 'ready')
      client.pause()
      server.write('ab')
      server.end()
      // It has come, and nobody was told.
      while (client.bytesRead < 2) await turn()
      log.client.push(`paused ${client.isPaused()} ${SEEN.get(client)!.has('data')}`)
      client.resume()
      await closed(client, server)
    },
  ],
  'reading by iteration': [
    async ({ net, port, accepted, log }) => {
      const client = net.connect({ port, host: '127.0.0.1' })
      const server = await accepted()
      server.end('some text')
      let text = ''
      for await (const chunk of client) text += (chunk as Buffer).toString()
      log.client.push(text)
      await closed(client, server)
      log.client.push(`${client.destroyed}`)
    },
  ],
  'back pressure': [
    async ({ connect, accepted, log }) => {
      const client = connect()
      const server = await accepted()
      server.pause()
      await after(client, 'connect')
      let writes = 0
      while (client.write(Buffer.alloc(1 << 20)) && writes < 100) writes++
      log.client.push(`refused ${writes < 100} ${client.writableNeedDrain}`)
      for (let i = 0; i < 20; i++) client.write(Buffer.alloc(1 << 20))
      server.resume()
      await once(client, 'drain')
      log.client.push(`drained ${client.writableNeedDrain}`)
      client.end()
      await closed(client, server)
      // How much there was depends on the buffers.
      log.server[log.server.findIndex((line) => line.startsWith('end'))] = `end after ${server.bytesRead === client.bytesWritten}`
    },
  ],
  'a time-out, and one that is taken back': [
    async ({ connect, accepted, log }) => {
      const client = connect()
      const server = await accepted()
      const never = (): unknown => log.server.push('never')
      server.setTimeout(10, never)
      server.setTimeout(0, never)
      client.setTimeout(30, () => log.client.push(`timeout listener, destroyed ${client.destroyed}`))
      await after(client, 'timeout')
      client.end()
      await closed(client, server)
    },
  ],
  'a time-out that comes again after more data': [
    async ({ connect, accepted }) => {
      const client = connect({ timeout: 30 })
      const server = await accepted()
      await after(client, 'timeout')
      server.write('something')
      await once(client, 'timeout')
      client.destroy()
      await closed(client, server)
    },
  ],
  'wrong arguments': [
    async ({ connect, accepted, log, net, server }) => {
      const client = connect()
      await after(client, 'ready')
      const attempt = (what: () => unknown): void => {
        try {
          what()
          log.client.push('fine')
        } catch (error) {
          log.client.push((error as NodeJS.ErrnoException).code!)
        }
      }
      attempt(() => client.setTimeout(-1))
      attempt(() => client.setTimeout('1' as never))
      attempt(() => client.setTimeout(1.5))
      attempt(() => client.setTimeout(1, 1 as never))
      attempt(() => client.write(1 as never))
      attempt(() => net.connect({ port: 70_000, host: 'x' }) && 'not')
      attempt(() => server.listen(0))
      const other = await accepted()
      client.destroy()
      await closed(client, other)
      // Only what is thrown is compared: the codes of wrong ports are this project's own.
      log.client.splice(
        0,
        log.client.length,
        ...log.client
          .filter((line) => /^(fine|ERR_)/.test(line))
          .map((line) => (line === 'ERR_SOCKET_BAD_PORT' ? 'ERR_OUT_OF_RANGE' : line)),
      )
    },
  ],
  'an abort': [
    async ({ connect, accepted }) => {
      const controller = new AbortController()
      const client = connect({ signal: controller.signal })
      await after(client, 'ready')
      const server = await accepted()
      await after(client, 'connect')
      controller.abort()
      await closed(client, server)
    },
  ],
  'destroy while connecting': [
    async ({ connect }) => {
      const client = connect()
      client.destroy()
      await closed(client)
    },
  ],
  [NOBODY_LISTENS]: [
    async ({ net, log, server, port }) => {
      server.close()
      await once(server, 'close')
      const client = log.watch('client', net.connect({ port, host: '127.0.0.1' }))
      client.on('error', ({ message }) => log.client.push(message.replace(String(port), 'port')))
      await closed(client)
    },
  ],
  'a name that is none': [
    async ({ net, log }) => {
      const client = log.watch('client', net.connect({ port: 9, host: 'nothing.invalid' }))
      await closed(client)
      log.client.splice(
        0,
        log.client.length,
        ...log.client.map((line) => line.replace('EAI_AGAIN', 'ENOTFOUND')).filter((line) => line !== 'lookup'),
      )
    },
  ],
  'a name': [
    async ({ net, log, port, accepted }) => {
      const client = net.connect({ port, host: 'localhost', family: 4 } as never)
      client.on('lookup', (error, address, family, host) => log.client.push(`${error} ${address} ${family} ${host}`))
      await after(client, 'connect')
      const server = await accepted()
      client.destroy()
      await closed(client, server)
    },
  ],
  'a socket that is connected later': [
    async ({ net, log, port, accepted }) => {
      const client = log.watch('client', new net.Socket())
      client.connect(port, '127.0.0.1', () => log.client.push('connect listener'))
      const server = await accepted()
      await after(client, 'ready')
      client.end('here')
      await closed(client, server)
    },
  ],
  'a server that closes waits for its connections': [
    async ({ connect, accepted, server, log }) => {
      const client = connect()
      const socket = await accepted()
      const lines = log.server
      const serverClosed = once(server, 'close')
      server.on('close', () => lines.push('server close'))
      server.close((error) => lines.push(`callback ${error?.message}`))
      server.close((error) => lines.push(`second callback ${(error as NodeJS.ErrnoException).code}`))
      lines.push(`${server.listening} ${JSON.stringify(server.address())}`)
      lines.push(`connections ${await connectionsOf(server)}`)
      client.end()
      await closed(client, socket)
      await serverClosed
      lines.push(`connections ${await connectionsOf(server)}`)
      server.close((error) => lines.push(`third callback ${(error as NodeJS.ErrnoException).code}`))
      await once(server, 'close')
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      lines.push(`again ${server.listening}`)
    },
  ],
  'too many connections': [
    async ({ connect, accepted, server, log, net, port }) => {
      server.maxConnections = 1
      const first = connect()
      const accepting = await accepted()
      server.on('drop', (about) =>
        log.server.push(`drop ${about?.remoteFamily} ${about?.localPort === port} ${typeof about?.remotePort}`),
      )
      const second = net.connect({ port, host: '127.0.0.1' })
      // A clean end, or a reset, as it happens.
      second.on('error', () => undefined).resume()
      await closed(second)
      log.server.push(`connections ${await connectionsOf(server)}`)
      first.destroy()
      await closed(first, accepting)
    },
  ],
  'sockets that begin paused': [
    async ({ connect, accepted, log }) => {
      const client = connect()
      const server = await accepted()
      client.end('text')
      await after(client, 'finish')
      // What was sent later by another one has come and gone.
      const other = connect()
      const resumed = (await accepted()).resume()
      other.end('later')
      await closed(other, resumed)
      log.server.push(`paused ${server.isPaused()} ${SEEN.get(server)!.has('data')}`)
      server.resume()
      await closed(client, server)
    },
    { pauseOnConnect: true },
  ],
}

async function connectionsOf(server: nodeNet.Server): Promise<number> {
  return new Promise((resolve, reject) => server.getConnections((error, count) => (error ? reject(error) : resolve(count))))
}

describe('geysir/net does what node:net does', () => {
  // Sockets on node:dgram are not told what the network answers.
  const programs = Object.entries(PROGRAMS).filter(([name]) => capabilities().receiveErrors || name !== NOBODY_LISTENS)
  test.each(programs)('%s', async (_, [program, serverOptions = {}, onConnection = () => undefined]) => {
    const problems: unknown[] = []
    const note = (error: unknown): unknown => problems.push(error)
    process.on('unhandledRejection', note)
    onTestFinished(() => void process.off('unhandledRejection', note))
    const expected = await play(nodeNet, program, serverOptions, onConnection)
    const actual = await play(geysirNet as never, program, serverOptions, onConnection)
    expect(actual).toEqual(expected)
    expect(problems).toEqual([])
  })
})

describe.each([
  ['node:net', nodeNet as unknown as Net],
  ['geysir/net', geysirNet as unknown as Net],
])('what keeps a process with a server of %s alive', (name, net) => {
  /** A program that says its port, and a connection to it. */
  async function run(
    onConnection: string,
  ): Promise<{ child: ChildProcess; said: (what: string) => Promise<void>; client: nodeNet.Socket }> {
    const program = `
      import net from '${name}'
      const say = (what) => process.stdout.write(what + '\\n')
      const server = net.createServer((socket) => { ${onConnection} })
      server.listen(0, '127.0.0.1', () => say('port ' + server.address().port))`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    let text = ''
    child.stdout.on('data', (data: Buffer) => (text += data.toString()))
    const said = async (what: string): Promise<void> => {
      while (!text.includes(what)) {
        // If it ends instead, what it said is told.
        if (child.stdout.readableEnded) throw new Error(`it ended after: ${text}`)
        await Promise.race([once(child.stdout, 'data'), once(child.stdout, 'end')])
      }
    }
    await said('port')
    const client = net.connect({ port: Number(/port (\d+)/.exec(text)![1]), host: '127.0.0.1' })
    client.on('error', () => undefined)
    onTestFinished(() => void client.resetAndDestroy())
    return { child, said, client }
  }

  test('a connection does, although the server does not', async () => {
    // Its timer does not keep it alive.
    const { child, said, client } = await run(`
      server.unref()
      socket.on('data', (data) => socket.end('you said ' + data))
      setTimeout(() => say('still here'), 100).unref()`)
    await said('still here')
    client.end('something')
    let text = ''
    client.on('data', (data: Buffer) => (text += data.toString()))
    await Promise.all([once(child, 'exit'), once(client, 'close')])
    expect([text, child.exitCode]).toEqual(['you said something', 0])
  })

  test('a connection that does not is no reason for a server that closes', async () => {
    const { child } = await run('socket.unref(); server.close()')
    expect(await once(child, 'exit')).toEqual([0, null])
  })

  test('a server does, although its connection does not', async () => {
    const { child, said, client } = await run(`
      socket.unref()
      socket.on('data', () => server.unref())
      setTimeout(() => say('still here'), 100).unref()`)
    await said('still here')
    client.write('something')
    expect(await once(child, 'exit')).toEqual([0, null])
  })

  test('a connection does again, until it is gone', async () => {
    const { child, said, client } = await run(`
      server.unref()
      socket.unref().ref().resume()
      socket.on('close', () => say('closed ' + socket.ref().destroyed))
      setTimeout(() => say('still here'), 100).unref()`)
    await said('still here')
    client.end()
    await said('closed true')
    expect(child.exitCode ?? (await once(child, 'exit'))[0]).toBe(0)
  })
})
