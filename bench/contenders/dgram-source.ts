/**
 * Sends with node:dgram or the drop-in as fast as it goes: 256 datagrams in flight, each sent again from its callback. With
 * `--turn 256` all of them wait for the next turn of the event loop, as in a program that pumps with setImmediate.
 */
import { cpuSeconds, datagramsPerTurn, printLine, readOptions, untilStopped } from './contender.js'
import { createSocket } from './dgram-module.js'

const IN_FLIGHT = 256

const options = readOptions()
const perTurn = options.turn ?? datagramsPerTurn(1)
const peers = Array.from({ length: options.peers }, (_, i) => `127.0.0.${i + 1}`)
const socket = createSocket('udp4')
let datagrams = 0
let errors = 0
let sentInTurn = 0
let peer = 0
let waiting: Buffer[] = []

socket.on('error', () => errors++)
if (peers.length > 0) socket.bind(0, start)
else socket.connect(options.port, options.host, start)

function start(): void {
  const startMs = performance.now()
  const stopped = untilStopped(options.amount, () => {
    const seconds = (performance.now() - startMs) / 1000
    printLine({ datagrams, bytes: datagrams * options.bytes, seconds, cpuSeconds: cpuSeconds(), errors, offload: false })
    setImmediate(() => process.exit(0))
  })

  // node:dgram calls back before the event loop turns when the kernel took a datagram at once, so a source that always sent from
  // the callback would never come to see a signal.
  const sendAgain = (payload: Buffer): void => {
    if (++sentInTurn > perTurn) {
      waiting.push(payload)
      if (waiting.length === 1) setImmediate(nextTurn)
      return
    }
    payload[0] = payload[options.bytes - 1] = datagrams & 0xff
    const onSent = (error: Error | null): void => {
      if (error === null) datagrams++
      else errors++
      sendAgain(payload)
    }
    if (peers.length === 0) socket.send(payload, onSent)
    else socket.send(payload, options.port, peers[peer++ % peers.length], onSent)
  }
  const nextTurn = (): void => {
    if (stopped()) return
    const payloads = waiting
    waiting = []
    sentInTurn = 0
    for (const payload of payloads) sendAgain(payload)
  }
  waiting = Array.from({ length: Math.min(IN_FLIGHT, perTurn) }, () => Buffer.alloc(options.bytes))
  nextTurn()
}
