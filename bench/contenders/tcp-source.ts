/** Writes to a TCP connection of node:net as fast as it goes. */
import { connect } from 'node:net'
import { cpuSeconds, printLine, readOptions, untilStopped } from './contender.js'

const options = readOptions()
const socket = connect({ host: options.host, port: options.port, noDelay: true })
const message = Buffer.alloc(options.bytes)
let value = 0
let written = 0

const startMs = performance.now()
const cpuAtStart = cpuSeconds()
const stopped = untilStopped(options.amount, finish)
// The sink goes first; who is to be told to stop is there to be told.
const alive = setInterval(stopped, 50)
socket.on('connect', turn)
socket.on('drain', turn)
socket.on('error', () => undefined)

function turn(): void {
  // As much as Node wants at once: up to its mark.
  for (let goesOn = true; goesOn;) {
    if (stopped()) return
    value = (value + 1) & 0xff
    message[0] = message[message.length - 1] = value
    written++
    goesOn = socket.write(message)
  }
}

function finish(): void {
  clearInterval(alive)
  const seconds = (performance.now() - startMs) / 1000
  printLine({ datagrams: written, bytes: socket.bytesWritten, seconds, cpuSeconds: cpuSeconds() - cpuAtStart, offload: true })
  socket.destroy()
}
