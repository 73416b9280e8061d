/** Sends messages as fast as the other side takes them: so many bytes are on their way, and no more. */
import { randomBytes } from 'node:crypto'
import { Messenger, UdpSocket } from 'geysir'
import { cpuSeconds, printLine, readOptions, untilStopped } from './contender.js'

const options = readOptions()
const socket = new UdpSocket({ type: 'udp4', sendOffload: true })
await socket.connect({ address: options.host, port: options.port })
const messenger = new Messenger(socket, { hash: options.hash, paceBytesPerSecond: Infinity, redundancy: 0 })
const message = randomBytes(options.bytes)
// Of long messages two: one is hashed here while the other one is received. Of short ones as many as the receive buffer bears.
const most = Math.max(2, Math.floor((1 << 20) / options.bytes))
const startMs = performance.now()
const stopped = untilStopped(options.amount, finish)
let sent = 0
let received = 0
let heardMs = startMs

socket.on('batch', (batch) => {
  received = batch.payload(batch.count - 1).readUInt32LE()
  heardMs = performance.now()
  turn()
})
// What got lost is not waited for.
const patience = setInterval(() => {
  if (performance.now() - heardMs < 200) return
  received = sent
  turn()
}, 100)
turn()

function turn(): void {
  if (stopped()) return
  for (; sent - received < most; sent++) messenger.send(message).catch(() => undefined)
}

function finish(): void {
  clearInterval(patience)
  const seconds = (performance.now() - startMs) / 1000
  const { datagramsSent: datagrams, bytesSent: bytes, coalescedSends } = socket.stats()
  printLine({ datagrams, bytes, seconds, cpuSeconds: cpuSeconds(), offload: coalescedSends > 0 })
  socket.close()
}
