// A database over streams: ioredis, unchanged, reaches a Redis server through two programs' worth of `geysir/net`. The bridge runs
// beside the server, which knows nothing of it; the client anywhere. Needs `redis-server` (Debian: apt-get install redis-server).
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectHere } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream'
import { connect, createServer } from 'geysir/net'
import { AbstractConnector, Redis } from 'ioredis'

const secret = 'known to both ends'
const directory = mkdtempSync(join(tmpdir(), 'geysir-redis-'))
const path = join(directory, 'redis.sock')
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
const redis = spawn('redis-server', ['--port', '0', '--unixsocket', path, '--save', '', '--dir', directory])
redis.on('error', (/** @type {NodeJS.ErrnoException} */ error) => {
  console.log(`no redis-server: ${error.code}`)
  process.exit()
})
// Neither it nor its files outlive this program, however that ends.
process.on('exit', () => {
  redis.kill()
  rmSync(directory, { recursive: true })
})
await new Promise((resolve) => {
  redis.stdout.on('data', (text) => text.includes('ready to accept connections') && resolve(text))
})

// Beside the server: each connection is passed on to it.
const bridge = createServer({ nodeOptions: { secret } }, (socket) => {
  const upstream = connectHere(path)
  pipeline(socket, upstream, () => {})
  pipeline(upstream, socket, () => {})
})
bridge.listen(0, '127.0.0.1')
await once(bridge, 'listening')
const { port } = /** @type {import('geysir/net').SocketAddress} */ (bridge.address())

// Where the client is: a connector is all that ioredis needs. Its types ask for sockets of node:net.
const Connector = /** @type {any} */ (
  class extends AbstractConnector {
    /** @returns {Promise<any>} */
    async connect() {
      this.connecting = true
      return (this.stream = /** @type {any} */ (connect({ host: '127.0.0.1', port, nodeOptions: { secret } })))
    }
  }
)

const client = new Redis({ Connector })
await client.set('geysir', 'up to 60 metres')
console.log('geysir:', await client.get('geysir'))
const counts = await Promise.all(Array.from({ length: 1000 }, () => client.incr('count')))
console.log('counted to', counts.at(-1), 'with commands that did not wait for each other')

await client.quit()
bridge.close()
redis.kill()
