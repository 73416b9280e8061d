import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { UdpSocket } from '../../src/socket/index.js'
import { createNode, type StreamError } from '../../src/stream/index.js'
import { random } from '../support/random.js'

const PROGRAM = fileURLToPath(new URL('programs/stream-pourer.mjs', import.meta.url))
/** `GEYSIR_KILLS=100` by hand. */
const KILLS = Number(process.env['GEYSIR_KILLS'] ?? 6)

test('a process that is killed under load and comes again at the same port is noticed, and all it cost is freed', async () => {
  const below = random()
  const socket = new UdpSocket({ receiveBufferBytes: 4 << 20 })
  const spare = new UdpSocket()
  const { port } = await socket.bind({ address: '127.0.0.1' })
  const { port: own } = await spare.bind({ address: '127.0.0.1' })
  spare.close()
  await once(spare, 'close')
  const node = createNode({ link: socket, keepAliveMs: 500, peerTimeoutMs: 2000 })
  const ends: (StreamError | undefined)[] = []
  let bytes = 0
  let child: ChildProcess | undefined
  node.on('stream', (stream) => {
    stream.on('message', (message) => {
      bytes += message.length
      stream.send(message)
    })
    stream.on('close', (error) => ends.push(error))
  })
  try {
    for (let life = 0; life < KILLS; life++) {
      child = spawn(process.execPath, [PROGRAM, String(port), String(own)], { stdio: 'inherit' })
      await until(() => bytes > (1 + below(20)) * 1_000_000)
      child.kill('SIGKILL')
      await once(child, 'exit')
      bytes = 0
    }
    await until(() => node.peers().length === 0)
    expect(ends.length).toBe(KILLS)
    for (const error of ends) expect(['ERR_PEER_RESTARTED', 'ERR_PEER_SILENT']).toContain(error?.code)
    expect(node.stats()).toMatchObject({ peers: 0, frameMemoryBytes: 0, assemblyBytes: 0 })
  } finally {
    child?.kill('SIGKILL')
    node.destroy()
    socket.close()
  }
}, 3_600_000)

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}
