/** Publishes in ten channels of the implementation with node:dgram in turn, with 256 datagrams in flight. */
import { DgramChannel, openSocket } from './channel-dgram.js'
import { CHANNELS, channelName } from './channels.js'
import { cpuSeconds, printLine, readOptions, untilStopped } from './contender.js'

const IN_FLIGHT = 256

const options = readOptions()
const socket = openSocket()
const channels = Array.from({ length: CHANNELS }, (_, i) => new DgramChannel(socket, options.port, channelName(i)))
const payload = Buffer.alloc(options.bytes)
let datagrams = 0
let errors = 0
let next = 0
let value = 0

socket.bind(0, () => {
  socket.setMulticastInterface(options.host)
  const startMs = performance.now()
  const stopped = untilStopped(options.amount, () => {
    const seconds = (performance.now() - startMs) / 1000
    printLine({ datagrams, bytes: datagrams * options.bytes, seconds, cpuSeconds: cpuSeconds(), errors, offload: false })
    setImmediate(() => process.exit(0))
  })
  const turn = (): void => {
    if (stopped()) return
    let waiting = IN_FLIGHT
    for (let i = 0; i < IN_FLIGHT; i++) {
      value = (value + 1) & 0xff
      payload[0] = payload[payload.length - 1] = value
      channels[next++ % CHANNELS]!.publish(payload, (error) => {
        if (error === null) datagrams++
        else errors++
        if (--waiting === 0) setImmediate(turn)
      })
    }
  }
  turn()
})
