/**
 * What floods cost a node that serves a stream at the same time: `npm run bench:overload`. Prints the CPU time of the server's process for a
 * million datagrams of a flood, its memory before and after, and what becomes of the stream, without a flood and with each.
 *
 * Three processes on loopback: this one floods, from many sockets; one serves; one sends the stream. A flood is as fast as this process
 * makes it; what the server's receive buffer does not take is lost to it, and to the stream as well.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { SeededRandom, randomBelow, randomFill } from '../src/core/index.js'
import { UdpSocket } from '../src/socket/index.js'
import { encodeControl } from '../src/stream/control-frame.js'
import { writeHeader } from '../src/stream/header.js'
import { createNode, fixedRate } from '../src/stream/index.js'
import { NOBODY } from '../src/stream/node-id.js'
import { FLAG, TYPE, VERSION } from '../src/stream/wire.js'

const SECONDS = 5
const SOCKETS = 64
/** What the stream is to carry: less than this machine can, so that there is something to spare. */
const STREAM_BYTES_PER_SECOND = 20e6
const MESSAGE_BYTES = 1300
const BUFFER_BYTES = 4 << 20

/** As a child tells it. */
interface Told {
  readonly cpuMicroseconds: number
  readonly residentBytes: number
  readonly datagrams: number
  readonly dropped: number
  readonly peers: number
  readonly nodeBytes: number
  readonly streamBytes: number
}

type Fill = (frame: Buffer, i: number) => number

/** A hello without a cookie, from another life each time. */
const hello: Fill = (frame, i) => {
  writeHeader(frame, FLAG.control | FLAG.opener, TYPE.hello, 0, { place: 7, life: i + 1 }, NOBODY)
  return encodeControl(frame, { ...HELLO, cookie: new Uint8Array(0) })
}

/** A hello with a cookie that is wrong: the server has to compute what it should be. */
const wrongCookie: Fill = (frame, i) => {
  writeHeader(frame, FLAG.control | FLAG.opener, TYPE.hello, 0, { place: 7, life: i + 1 }, NOBODY)
  return encodeControl(frame, { ...HELLO, cookie: Buffer.alloc(16, i) })
}

/** A ping to a life that is over: it is answered, now and then. */
const stranger: Fill = (frame, i) => {
  writeHeader(frame, FLAG.control | FLAG.opener, TYPE.ping, 0, { place: 7, life: i + 1 }, { place: 9, life: 9 })
  return encodeControl(frame, { type: TYPE.ping, timestamp: i, session: 1 })
}

const GARBAGE_BYTES = 200
const random = new SeededRandom(1)
const garbage: Fill = (frame) => {
  randomFill(random, frame.subarray(0, GARBAGE_BYTES))
  return randomBelow(random, GARBAGE_BYTES)
}

const HELLO = {
  type: TYPE.hello,
  minVersion: VERSION,
  maxVersion: VERSION,
  frameBytes: 1472,
  timestamp: 1,
  session: 1,
  name: '',
} as const
const FLOODS: readonly (readonly [string, Fill | undefined])[] = [
  ['no flood', undefined],
  ['hellos', hello],
  ['hellos with wrong cookies', wrongCookie],
  ['frames to an earlier life', stranger],
  ['garbage', garbage],
]

async function serve(): Promise<void> {
  const link = new UdpSocket({ receiveBufferBytes: BUFFER_BYTES })
  const { port } = await link.bind({ address: '127.0.0.1' })
  const node = createNode({ link, name: 'server' })
  let streamBytes = 0
  node.on('stream', (stream) => stream.on('message', (message) => (streamBytes += message.length)))
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    const stats = node.stats()
    const told: Told = {
      cpuMicroseconds: user + system,
      residentBytes: process.memoryUsage.rss(),
      datagrams: link.stats().datagramsReceived,
      dropped: Object.values(stats.dropped).reduce((sum, count) => sum + count, 0),
      peers: stats.peers,
      nodeBytes: stats.frameMemoryBytes + stats.assemblyBytes,
      streamBytes,
    }
    process.send!(told)
  })
  process.send!({ port })
}

async function pour(port: number): Promise<void> {
  const link = new UdpSocket({ receiveBufferBytes: BUFFER_BYTES })
  await link.bind({ address: '127.0.0.1' })
  const node = createNode({ link, name: 'client', congestionControl: fixedRate(STREAM_BYTES_PER_SECOND) })
  const stream = (await node.connect({ address: '127.0.0.1', port })).openStream({ windowBytes: 1 << 20 })
  const message = Buffer.alloc(MESSAGE_BYTES)
  const more = (): void => {
    while (!stream.closed && stream.send(message));
  }
  stream.on('drain', more)
  stream.on('close', (error) => console.log(`the stream ended: ${error?.message ?? 'by agreement'}`))
  more()
  process.send!({})
}

async function ask(server: ChildProcess): Promise<Told> {
  const answer = once(server, 'message')
  server.send({})
  return ((await answer) as [Told])[0]
}

/** Sends for so long from all sockets in turn; how many datagrams. */
async function flood(sockets: readonly UdpSocket[], port: number, fill: Fill | undefined): Promise<number> {
  const target = { address: '127.0.0.1', port }
  const frame = Buffer.alloc(1500)
  const endMs = performance.now() + SECONDS * 1000
  let sent = 0
  while (performance.now() < endMs) {
    if (fill !== undefined) {
      const socket = sockets[Math.floor(sent / BURST) % sockets.length]!
      for (let i = 0; i < BURST; i++) if (socket.send(frame.subarray(0, fill(frame, sent)), target)) sent++
      socket.flush()
    }
    await new Promise((resolve) => (fill === undefined ? setTimeout(resolve, 50) : setImmediate(resolve)))
  }
  return sent
}

async function measure(): Promise<void> {
  const [server, client] = [child('serve'), child('pour')]
  const [{ port }] = (await once(server, 'message')) as [{ port: number }]
  client.send({ port })
  await once(client, 'message')
  const sockets = await Promise.all(
    Array.from({ length: SOCKETS }, async () => {
      const socket = new UdpSocket()
      await socket.bind({ address: '127.0.0.1' })
      return socket
    }),
  )
  let perStreamByte = 0
  for (const [name, fill] of FLOODS) {
    const before = await ask(server)
    const sent = await flood(sockets, port, fill)
    const after = await ask(server)
    const difference = (key: keyof Told): number => after[key] - before[key]
    const seconds = difference('cpuMicroseconds') / 1e6
    const streamBytes = difference('streamBytes')
    const memory = `${mebibytes(before)} to ${mebibytes(after)} MiB resident, ${after.nodeBytes} bytes of frames, ${after.peers} peer(s)`
    console.log(`${name}: stream ${(streamBytes / SECONDS / 1e6).toFixed(1)} MB/s; server ${seconds.toFixed(2)} s CPU; ${memory}`)
    if (fill === undefined) {
      perStreamByte = seconds / streamBytes
      continue
    }
    // Each message of the stream is a frame.
    const taken = difference('datagrams') - streamBytes / MESSAGE_BYTES
    const millions = (count: number): string => (count / 1e6).toFixed(2)
    console.log(
      `  ${millions(sent)} million sent, ${millions(taken)} million taken in, ${millions(difference('dropped'))} million dropped for a reason; ` +
        `${(((seconds - perStreamByte * streamBytes) / taken) * 1e6).toFixed(2)} s CPU a million taken in, less the stream's`,
    )
  }
  for (const socket of sockets) socket.close()
  server.kill()
  client.kill()
}

/** This program again, as a process of its own. */
function child(role: string): ChildProcess {
  return fork(fileURLToPath(import.meta.url), [role], { execArgv: ['--import', 'tsx'] })
}

function mebibytes({ residentBytes }: Told): string {
  return (residentBytes / 2 ** 20).toFixed(0)
}

const BURST = 32
// Whoever measured is gone.
process.once('disconnect', () => process.exit())
const role = process.argv[2]
if (role === 'serve') await serve()
else if (role === 'pour') process.once('message', ({ port }: { port: number }) => void pour(port))
else await measure()
