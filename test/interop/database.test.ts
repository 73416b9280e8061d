import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect as connectHere } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream'
import { AbstractConnector, Redis, type RedisOptions } from 'ioredis'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { connect, createServer, type Server, type Socket } from '../../src/net-stream/index.js'
import { Program } from '../cli/command.js'
import { runExample } from '../examples/run.js'
import { lacking, toolProblem } from '../support/capabilities.js'

const directory = mkdtempSync(join(tmpdir(), 'geysir-database-'))
const path = join(directory, 'redis.sock')
afterAll(() => rmSync(directory, { recursive: true }))

/** Redis, reached by a socket of the file system; nothing of it outlives the test. */
async function startRedis(): Promise<Program> {
  const options = ['--port', '0', '--unixsocket', path, '--save', '', '--appendonly', 'no', '--dir', directory]
  // Not even if the test is killed.
  const redis = new Program('setpriv', ['--pdeathsig', 'KILL', 'redis-server', ...options])
  await redis.waitFor('stdout', /ready to accept connections/i)
  return redis
}

/** Passes each connection on to Redis. */
async function startBridge(port = 0): Promise<{ server: Server; port: number; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>()
  const server = createServer({ nodeOptions: { secret: SECRET } }, (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    const upstream = connectHere(path)
    pipeline(socket, upstream, () => undefined)
    pipeline(upstream, socket, () => undefined)
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void stopBridge({ server, sockets }))
  return { server, port: server.address()!.port, sockets }
}

async function stopBridge({ server, sockets }: { server: Server; sockets: Set<Socket> }): Promise<void> {
  for (const socket of sockets) socket.resetAndDestroy()
  await new Promise((resolve) => server.close(resolve))
}

function connectClient(port: number, options: RedisOptions = {}): Redis {
  class Connector extends AbstractConnector {
    constructor() {
      super(1000)
    }

    override connect(): Promise<never> {
      this.connecting = true
      const socket = connect({ host: '127.0.0.1', port, nodeOptions: { secret: SECRET, keepAliveMs: 200, peerTimeoutMs: 1000 } })
      this.stream = socket as never
      return Promise.resolve(socket as never)
    }
  }
  const client = new Redis({ ...options, Connector, retryStrategy: () => 50 })
  client.on('error', () => undefined)
  onTestFinished(() => client.disconnect())
  return client
}

/** One that has ended has no command line, whether its parent has asked or not. */
function isRunning(pid: number): boolean {
  const path = `/proc/${pid}/cmdline`
  return existsSync(path) && readFileSync(path, 'utf8') !== ''
}

const SECRET = 'a secret of sixteen bytes or more'

const problem = toolProblem('redis-server', '--version') ?? toolProblem('setpriv', '--pdeathsig', 'KILL', 'true')

describe.skipIf(lacking('redis-server', problem))('ioredis over geysir/net', () => {
  test('commands one by one, in pipelines, and in transactions', async () => {
    await startRedis()
    const client = connectClient((await startBridge()).port)
    expect(await client.set('key', 'value')).toBe('OK')
    expect(await client.get('key')).toBe('value')
    const answers = await client.pipeline(Array.from({ length: 20_000 }, () => ['incr', 'count'])).exec()
    expect(answers!.map(([, count]) => count)).toEqual(Array.from({ length: 20_000 }, (_, i) => i + 1))
    const many = await Promise.all(Array.from({ length: 5000 }, (_, i) => client.hset('hash', `field ${i}`, i)))
    expect(many.every((added) => added === 1)).toBe(true)
    expect(Object.keys(await client.hgetall('hash')).length).toBe(5000)
    expect(await client.multi().set('a', '1').incr('a').exec()).toEqual([
      [null, 'OK'],
      [null, 2],
    ])
    await expect(client.lpush('key', 'x')).rejects.toThrow(/WRONGTYPE/)
    await client.quit()
  })

  test('values of megabytes come back unchanged, while others go their way', async () => {
    await startRedis()
    const { port } = await startBridge()
    const [client, other] = [connectClient(port), connectClient(port)]
    const values = [1 << 20, 5_000_001, 16 << 20].map((bytes) => randomBytes(bytes))
    await Promise.all([
      ...values.map(async (value, i) => {
        await client.set(`large ${i}`, value)
        expect((await client.getBuffer(`large ${i}`))!.equals(value)).toBe(true)
      }),
      (async () => {
        for (let i = 1; i <= 300; i++) expect(await other.incr('small')).toBe(i)
      })(),
    ])
  })

  test('what is published arrives in order, and a list can be waited for', async () => {
    await startRedis()
    const { port } = await startBridge()
    const [publisher, subscriber, waiter] = [connectClient(port), connectClient(port), connectClient(port)]
    const heard: string[] = []
    await subscriber.subscribe('news')
    const all = new Promise<void>((resolve) => {
      subscriber.on('message', (_, message) => {
        if (heard.push(message) === 3000) resolve()
      })
    })
    const waiting = waiter.blpop('jobs', 0)
    for (let i = 0; i < 3000; i++) void publisher.publish('news', `${i} ${'x'.repeat(i)}`)
    await all
    expect(heard.map((message) => parseInt(message))).toEqual(Array.from({ length: 3000 }, (_, i) => i))
    await publisher.rpush('jobs', 'work')
    expect(await waiting).toEqual(['jobs', 'work'])
  })

  test('when the server dies its clients notice, connect again, and go on', async () => {
    const redis = await startRedis()
    const client = connectClient((await startBridge()).port)
    await client.set('before', '1')
    const closed = new Promise((resolve) => client.once('close', resolve))
    redis.kill('SIGKILL')
    await closed
    await redis.ended
    const asked = client.set('after', '2')
    await startRedis()
    expect(await asked).toBe('OK')
    expect(await client.get('before')).toBe(null)
  })

  test('when the bridge restarts, clients connect again and find their data', async () => {
    await startRedis()
    const first = await startBridge()
    const client = connectClient(first.port, { maxRetriesPerRequest: null })
    await client.set('kept', 'yes')
    const closed = new Promise((resolve) => client.once('close', resolve))
    await stopBridge(first)
    await closed
    const asked = client.get('kept')
    await startBridge(first.port)
    expect(await asked).toBe('yes')
  })

  test('the example takes its server with it when it is ended', async () => {
    const example = runExample('redis')
    const children = (): string => readFileSync(`/proc/${example.pid}/task/${example.pid}/children`, 'utf8').trim()
    await expect.poll(children, { interval: 1 }).not.toBe('')
    const server = Number(children())
    example.kill('SIGTERM')
    await expect(example.end()).rejects.toThrow('ended with 1')
    await expect.poll(() => isRunning(server), { interval: 10, timeout: 10_000 }).toBe(false)
  })

  test('the example', async () => {
    expect(await runExample('redis').end()).toEqual([
      'geysir: up to 60 metres',
      'counted to 1000 with commands that did not wait for each other',
    ])
  })
})
