/** Sends messages on a reliable stream as fast as it goes. */
import { UdpSocket, createNode, fixedRate } from 'geysir'
import { cpuSeconds, printLine, readOptions, untilStopped } from './contender.js'

/** Messages between two looks at the event loop. */
const TURN_BYTES = 4 << 20

const options = readOptions()
const socket = new UdpSocket({ type: 'udp4', receiveBufferBytes: options.receiveBufferBytes })
await socket.bind({ address: options.host })
const node = createNode({
  link: socket,
  ...(options.frameBytes && { frameBytes: options.frameBytes }),
  ...(options.rate && { congestionControl: fixedRate(options.rate) }),
})
const peer = await node.connect({ address: options.host, port: options.port })
const stream = peer.openStream()
const message = Buffer.alloc(options.bytes)
const turnMessages = Math.max(1, Math.floor(TURN_BYTES / options.bytes))
let value = 0
let isScheduled = false

const startMs = performance.now()
const cpuAtStart = cpuSeconds()
const stopped = untilStopped(options.amount, finish)
stream.on('drain', turn)
turn()

function turn(): void {
  if (stopped()) return
  for (let i = 0; i < turnMessages; i++) {
    value = (value + 1) & 0xff
    message[0] = message[message.length - 1] = value
    if (!stream.send(message)) return
  }
  if (isScheduled) return
  isScheduled = true
  setImmediate(() => {
    isScheduled = false
    turn()
  })
}

function finish(): void {
  const seconds = (performance.now() - startMs) / 1000
  const { messagesSent, bytesSent, packetsRetransmitted } = stream.stats()
  printLine({
    datagrams: messagesSent,
    bytes: bytesSent,
    seconds,
    cpuSeconds: cpuSeconds() - cpuAtStart,
    packetsRetransmitted,
    offload: true,
  })
  node.destroy()
  socket.close()
}
