/** Sends with node:dgram as fast as it goes: 256 datagrams in flight, each sent again from its callback. */
import { createSocket } from 'node:dgram'
import { cpuSeconds, datagramsPerTurn, printLine, readOptions, untilStopped } from './contender.js'

const IN_FLIGHT = 256
const DATAGRAMS_PER_TURN = datagramsPerTurn(1)

const options = readOptions()
const socket = createSocket('udp4')
let datagrams = 0
let errors = 0
let sentInTurn = 0
let waiting: Buffer[] = []

socket.on('error', () => errors++)
socket.connect(options.port, options.host, () => {
  const startMs = performance.now()
  const stopped = untilStopped(options.amount, () => {
    const seconds = (performance.now() - startMs) / 1000
    printLine({ datagrams, bytes: datagrams * options.bytes, seconds, cpuSeconds: cpuSeconds(), errors, offload: false })
    setImmediate(() => process.exit(0))
  })

  // node:dgram calls back before the event loop turns when the kernel took a datagram at once, so a source that always sent from
  // the callback would never come to see a signal.
  const sendAgain = (payload: Buffer): void => {
    if (++sentInTurn > DATAGRAMS_PER_TURN) {
      waiting.push(payload)
      if (waiting.length === 1) setImmediate(nextTurn)
      return
    }
    payload[0] = payload[options.bytes - 1] = datagrams & 0xff
    socket.send(payload, (error) => {
      if (error === null) datagrams++
      else errors++
      sendAgain(payload)
    })
  }
  const nextTurn = (): void => {
    if (stopped()) return
    const payloads = waiting
    waiting = []
    sentInTurn = 0
    for (const payload of payloads) sendAgain(payload)
  }
  waiting = Array.from({ length: IN_FLIGHT }, () => Buffer.alloc(options.bytes))
  nextTurn()
})
