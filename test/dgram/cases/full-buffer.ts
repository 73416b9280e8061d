import { execFileSync } from 'node:child_process'
import type { Bench, Case, Socket } from '../differential.js'

/** Host b of test/support/network.ts, which does not answer: what is sent to it stays in the kernel, charged to the send buffer. */
const SILENT = '10.77.0.2'
const PORT = 4000
const COUNT = 100
const BYTES = 500

async function fullSocket(b: Bench, connected: boolean): Promise<Socket> {
  execFileSync('ip', ['neigh', 'flush', 'dev', 'va', 'nud', 'all'])
  const socket = b.own(b.dgram.createSocket({ type: 'udp4', sendBufferSize: 16_384 }))
  const listening = b.event(socket, 'listening')
  socket.bind(0, '10.77.0.1')
  await listening
  b.port(socket)
  if (connected) {
    const connect = b.event(socket, 'connect')
    socket.connect(PORT, SILENT)
    await connect
  }
  for (const event of ['close', 'error']) socket.on(event, (...values: unknown[]) => b.log(event, ...values))
  await b.turn()
  return socket
}

interface Outcome {
  index: number
  error: Error | null
  bytes: unknown
}

/** Sends more than there is room for. How many go at once depends on the size of the kernel's own structures. */
function sendAll(socket: Socket, connected: boolean): Outcome[] {
  const outcomes: Outcome[] = []
  for (let index = 0; index < COUNT; index++) {
    const done = (error: Error | null, bytes: number) => void outcomes.push({ index, error, bytes })
    if (connected) socket.send(Buffer.alloc(BYTES), done)
    else socket.send(Buffer.alloc(BYTES), PORT, SILENT, done)
  }
  return outcomes
}

function logOutcomes(b: Bench, outcomes: Outcome[]): void {
  b.log(
    'in order',
    outcomes.every(({ index }, i) => index === i),
  )
  const kinds = new Set(outcomes.map(({ error, bytes }) => error?.message ?? `${String(bytes)} bytes`))
  b.log('kinds', [...kinds])
  b.log('an error', outcomes.find(({ error }) => error !== null)?.error)
}

function hostAnswers(): void {
  execFileSync('ip', ['neigh', 'replace', SILENT, 'lladdr', process.env['MAC_OF_B']!, 'dev', 'va', 'nud', 'permanent'])
}

export const fullBufferCases: Case[] = [false, true].flatMap((connected): Case[] => {
  const kind = connected ? 'connected' : 'unconnected'
  return [
    {
      name: `sends that wait for room are counted, and their callbacks come when there is some: ${kind}`,
      program: async (b) => {
        const socket = await fullSocket(b, connected)
        const outcomes = sendAll(socket, connected)
        await b.settle()
        const waiting = socket.getSendQueueCount()
        b.log(waiting > 0 && waiting < COUNT ? 'some wait' : 'none waits')
        b.log('sizes', socket.getSendQueueSize() === waiting * BYTES, outcomes.length === COUNT - waiting)
        logOutcomes(b, outcomes)
        hostAnswers()
        while (outcomes.length < COUNT) await b.turn()
        b.log('over', socket.getSendQueueCount(), socket.getSendQueueSize())
        logOutcomes(b, outcomes)
      },
    },
    {
      name: `sends that wait for room when the socket is closed are cancelled: ${kind}`,
      program: async (b) => {
        const socket = await fullSocket(b, connected)
        const outcomes = sendAll(socket, connected)
        await b.settle()
        b.log(outcomes.length < COUNT ? 'some wait' : 'none waits')
        socket.on('close', () =>
          b.log(
            'in close',
            outcomes.some(({ error }) => error !== null),
          ),
        )
        socket.once('close', () =>
          setImmediate(() =>
            b.log(
              'immediate after close',
              outcomes.some(({ error }) => error !== null),
            ),
          ),
        )
        b.call('close', () => socket.close() === socket)
        b.marks()
        await b.settle()
        b.log('callbacks', outcomes.length)
        logOutcomes(b, outcomes)
        hostAnswers()
      },
    },
    {
      name: `a send that waits for room without a callback does not keep the socket from closing: ${kind}`,
      program: async (b) => {
        const socket = await fullSocket(b, connected)
        for (let i = 0; i < COUNT; i++) {
          if (connected) socket.send(Buffer.alloc(BYTES))
          else socket.send(Buffer.alloc(BYTES), PORT, SILENT)
        }
        await b.settle()
        b.log(socket.getSendQueueCount() > 0 ? 'some wait' : 'none waits')
        socket.close()
        await b.settle()
        hostAnswers()
      },
    },
    {
      name: `a send after those that wait waits, too: ${kind}`,
      program: async (b) => {
        const socket = await fullSocket(b, connected)
        const outcomes = sendAll(socket, connected)
        await b.settle()
        const before = socket.getSendQueueCount()
        b.log(before > 0 ? 'some wait' : 'none waits')
        let late = false
        const done = () => {
          b.log('the late one, after', outcomes.length)
          late = true
        }
        if (connected) socket.send('late', done)
        else socket.send('late', PORT, SILENT, done)
        await b.turn()
        b.log('one more', socket.getSendQueueCount() - before)
        hostAnswers()
        while (!late) await b.turn()
      },
    },
  ]
})
