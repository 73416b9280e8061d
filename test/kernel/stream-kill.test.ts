import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { UdpSocket } from '../../src/socket/index.js'
import { createNode, type Peer, type StreamError, type StreamNode } from '../../src/stream/index.js'
import { random } from '../support/random.js'

const PROGRAM = fileURLToPath(new URL('../lifecycle/programs/stream-echo.mjs', import.meta.url))
/** `GEYSIR_RUNS=20` for a hundred. */
const KILLS = Math.ceil(5 * Number(process.env['GEYSIR_RUNS'] ?? 1))

test('a server that is killed under load is noticed by its client, which frees everything and goes on with the next', async () => {
  const below = random()
  const descriptors = (): number => readdirSync('/proc/self/fd').length
  const before = { descriptors: descriptors(), resources: process.getActiveResourcesInfo().length }
  const port = await freePort()
  const socket = new UdpSocket({ receiveBufferBytes: 4 << 20 })
  await socket.bind({ address: '127.0.0.1' })
  const node = createNode({ link: socket, keepAliveMs: 300, peerTimeoutMs: 2000 })
  let child: ChildProcess | undefined
  try {
    for (let life = 0; life < KILLS; life++) {
      child = fork(PROGRAM, [String(port)])
      await once(child, 'message')
      const { echoed, ended } = pour(await node.connect({ address: '127.0.0.1', port }, { timeoutMs: 20_000 }))
      await until(() => echoed() > 1 + below(500))
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
      // One that comes at once is a stranger; one that does not is silent.
      if (below(2) === 0) {
        child = fork(PROGRAM, [String(port)])
        await once(child, 'message')
        expect((await ended)?.code).toMatch(/ERR_PEER_(RESTARTED|SILENT)/)
        child.kill('SIGKILL')
        await once(child, 'exit')
      } else {
        expect((await ended)?.code).toBe('ERR_PEER_SILENT')
      }
      expectNothingHeld(node)
    }
  } finally {
    child?.kill('SIGKILL')
    node.destroy()
    socket.close()
  }
  await once(socket, 'close')
  await until(() => descriptors() <= before.descriptors && process.getActiveResourcesInfo().length <= before.resources)
}, 3_600_000)

/** Sends and counts what comes back, which is what was sent. */
function pour(peer: Peer): { echoed: () => number; ended: Promise<StreamError | undefined> } {
  const stream = peer.openStream({ windowBytes: 1 << 20 })
  let echoed = 0
  let sent = 0
  const more = (): void => {
    while (!stream.closed && sent - echoed < 100 && stream.send(messageOf(sent))) sent++
  }
  stream.on('drain', more)
  stream.on('message', (message) => {
    expect(message.equals(messageOf(echoed))).toBe(true)
    echoed++
    more()
  })
  more()
  const ended = once(stream, 'close').then(([error]) => error as StreamError | undefined)
  return { echoed: () => echoed, ended }
}

function messageOf(number: number): Buffer {
  const message = Buffer.alloc(4 + ((number * 997) % 5000), number)
  message.writeUInt32LE(number)
  return message
}

function expectNothingHeld(node: StreamNode): void {
  expect(node.stats()).toMatchObject({ peers: 0, frameMemoryBytes: 0, assemblyBytes: 0 })
}

async function freePort(): Promise<number> {
  const socket = new UdpSocket()
  const { port } = await socket.bind({ address: '127.0.0.1' })
  socket.close()
  await once(socket, 'close')
  return port
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}
