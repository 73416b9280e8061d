/** Sends bytes over TCP with node:net as fast as it goes, 64 KiB a write, each written by somebody before. */
import { connect } from 'node:net'
import { cpuSeconds, printLine, readOptions, untilStopped } from './contender.js'

const options = readOptions()
const chunk = Buffer.alloc(64 << 10)
let bytes = 0
let value = 0
const socket = connect({ host: options.host, port: options.port, noDelay: true })
const startMs = performance.now()
const stopped = untilStopped(options.amount, finish)
socket.on('connect', turn)
socket.on('drain', turn)
// The sink ends first; its end is not ours, which comes by a signal.
socket.on('error', () => socket.destroy())
setInterval(() => stopped(), 100)

function turn(): void {
  for (;;) {
    if (stopped()) return
    value = (value + 1) & 0xff
    chunk[0] = chunk[chunk.length - 1] = value
    bytes += chunk.length
    if (!socket.write(chunk)) return
  }
}

function finish(): void {
  const seconds = (performance.now() - startMs) / 1000
  printLine({ datagrams: Math.floor(bytes / options.bytes), bytes, seconds, cpuSeconds: cpuSeconds(), errors: 0 })
  process.exit()
}
