/** Sends raw datagrams at the rate of `--rate`, which a timer keeps. */
import { UdpSocket } from 'geysir'
import { cpuSeconds, printLine, readOptions, untilStopped } from './contender.js'

const options = readOptions()
const socket = new UdpSocket({ type: 'udp4' })
await socket.connect({ address: options.host, port: options.port })
const payload = Buffer.alloc(options.bytes)
const startMs = performance.now()
let datagrams = 0

const stopped = untilStopped(options.amount, () => {
  clearInterval(ticking)
  const seconds = (performance.now() - startMs) / 1000
  printLine({ datagrams, bytes: datagrams * options.bytes, seconds, cpuSeconds: cpuSeconds() })
  socket.close()
})
const ticking = setInterval(() => {
  if (stopped()) return
  const due = ((performance.now() - startMs) / 1000) * (options.rate! / options.bytes)
  for (; datagrams < due; datagrams++) if (!socket.send(payload)) return
}, 1)
