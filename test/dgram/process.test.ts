import { spawn } from 'node:child_process'
import * as nodeDgram from 'node:dgram'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { processCases } from './programs/process-cases.js'
import { bounded } from './turns.js'

/** Programs that need a process of their own, compared from outside: what they print, what they warn of, how they end. */

const RUN = fileURLToPath(new URL('programs/run.ts', import.meta.url))
const LIMIT_MS = 15_000

interface Outcome {
  code: number | null
  signal: NodeJS.Signals | null
  seen: string[]
  /** First lines of errors and warnings; stacks name files. */
  complaints: string[]
  peerHeard: string[]
}

/** What docs/dgram.md lists as differences that remain; a test that fails here is one that was closed. */
const DIFFERENCES = new Set(['what tools see of a socket', 'which async resources there are'])
const [different, same] = [true, false].map((isKnown) =>
  Object.keys(processCases).filter((name) => DIFFERENCES.has(name) === isKnown),
)

test.fails.each(different!)('%s', { timeout: 3 * LIMIT_MS }, (name) => comparesEqual(name))
test.each(same!)('%s', { timeout: 3 * LIMIT_MS }, (name) => comparesEqual(name))

async function comparesEqual(name: string): Promise<void> {
  const [node, dropIn] = [await outcome('node', name), await outcome('drop-in', name)]
  expect(node.seen.length, 'the case sees something').toBeGreaterThan(0)
  expect(dropIn).toEqual(node)
}
async function outcome(implementation: 'node' | 'drop-in', name: string): Promise<Outcome> {
  const peerHeard: string[] = []
  const peer = nodeDgram.createSocket('udp4', (message, from) => {
    peerHeard.push(message.toString())
    // What the process that has the given descriptor hears.
    if (message.toString() === 'hello') peer.send('question', given.address().port, from.address)
  })
  const given = nodeDgram.createSocket('udp4')
  try {
    for (const socket of [peer, given]) {
      socket.bind(0, '127.0.0.1')
      await once(socket, 'listening')
    }
    const child = spawn(process.execPath, ['--import', 'tsx', RUN, implementation, name], {
      stdio: ['ignore', 'pipe', 'pipe', descriptorOf(given)],
      env: {
        ...process.env,
        PEER_PORT: String(peer.address().port),
        GIVEN_PORT: String(given.address().port),
        NODE_OPTIONS: '',
      },
    })
    // The child has it now, and alone.
    given.on('error', () => {})
    stopReading(given)
    const output = { stdout: '', stderr: '' }
    child.stdout!.setEncoding('utf8').on('data', (text: string) => (output.stdout += text))
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (output.stderr += text))
    const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
    const [code, signal] = await bounded(LIMIT_MS, closed, () => {
      child.kill('SIGKILL')
      return `"${name}" hangs with ${implementation}; it saw:\n${output.stdout}${output.stderr}`
    })
    // What was sent last is in our queue already; one turn of the loop reads it.
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
    return {
      code,
      signal,
      seen: output.stdout.trimEnd().split('\n'),
      complaints: complaintsIn(output.stderr, peer.address().port),
      peerHeard,
    }
  } finally {
    peer.close()
    given.close()
  }
}

function complaintsIn(stderr: string, peerPort: number): string[] {
  return stderr
    .replaceAll(/\(node:\d+\)/g, '(node)')
    .replaceAll(String(peerPort), '<peer port>')
    .split('\n')
    .filter((line) => /^\w*Error\b|^\(node\)|^Emitted|^\s+(errno|code|syscall|address|port): /.test(line))
}

interface Handle {
  fd: number
  recvStop(): number
}

function handleOf(socket: nodeDgram.Socket): Handle {
  const state = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'state symbol')!
  return (socket as unknown as Record<symbol, { handle: Handle }>)[state]!.handle
}

const descriptorOf = (socket: nodeDgram.Socket): number => handleOf(socket).fd
const stopReading = (socket: nodeDgram.Socket): void => void handleOf(socket).recvStop()
