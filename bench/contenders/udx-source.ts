/** Writes to a stream of udx-native as fast as it goes. */
// @ts-expect-error -- it has no types
import UDX from 'udx-native'
import { cpuSeconds, printLine, readOptions, untilStopped } from './contender.js'

interface UdxStream {
  connect(socket: unknown, remoteId: number, port: number, host: string): void
  write(chunk: Buffer): boolean
  on(event: string, listener: () => void): void
  destroy(): void
}

const options = readOptions()
const udx = new (
  UDX as new () => {
    createSocket(): { bind(port: number, host: string): void; close(): unknown }
    createStream(id: number): UdxStream
  }
)()
const socket = udx.createSocket()
socket.bind(0, options.host)
const stream = udx.createStream(2)
stream.connect(socket, 1, options.port, options.host)
const message = Buffer.alloc(options.bytes)
let value = 0
let written = 0

const startMs = performance.now()
const cpuAtStart = cpuSeconds()
const stopped = untilStopped(options.amount, finish)
// The sink goes first; who is to be told to stop is there to be told.
const alive = setInterval(stopped, 50)
stream.on('drain', turn)
stream.on('error', () => undefined)
turn()

function turn(): void {
  for (let goesOn = true; goesOn;) {
    if (stopped()) return
    value = (value + 1) & 0xff
    message[0] = message[message.length - 1] = value
    written++
    // It keeps what it is given.
    goesOn = stream.write(Buffer.from(message))
  }
}

function finish(): void {
  clearInterval(alive)
  const seconds = (performance.now() - startMs) / 1000
  printLine({ datagrams: written, bytes: written * options.bytes, seconds, cpuSeconds: cpuSeconds() - cpuAtStart, offload: true })
  process.exit()
}
