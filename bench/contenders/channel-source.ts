/** Publishes in ten channels of a geysir node in turn, as fast as it goes; with --single it lets the event loop run after each round. */
import { once } from 'node:events'
import { createChannelNode } from 'geysir'
import { CHANNELS, channelName } from './channels.js'
import { cpuSeconds, printLine, readOptions, untilStopped } from './contender.js'

const ROUNDS_PER_TURN = 256

const options = readOptions()
const node = createChannelNode({ port: options.port, interfaces: [options.host] })
const channels = Array.from({ length: CHANNELS }, (_, i) => node.channel(channelName(i)))
const payload = Buffer.alloc(options.bytes)
const rounds = options.single ? 1 : ROUNDS_PER_TURN
let errors = 0
let value = 0

for (const channel of channels) channel.on('sendError', () => errors++)
const startMs = performance.now()
const stopped = untilStopped(options.amount, finish)
turn()

function turn(): void {
  if (stopped()) return
  for (let round = 0; round < rounds; round++) {
    value = (value + 1) & 0xff
    payload[0] = payload[payload.length - 1] = value
    for (const channel of channels) {
      if (channel.publish(payload)) continue
      void once(channel, 'drain').then(turn)
      return
    }
  }
  setImmediate(turn)
}

function finish(): void {
  const seconds = (performance.now() - startMs) / 1000
  const statistics = channels.map((channel) => channel.stats())
  const datagrams = statistics.reduce((sum, { datagramsSent }) => sum + datagramsSent, 0)
  printLine({ datagrams, bytes: datagrams * options.bytes, seconds, cpuSeconds: cpuSeconds(), errors, offload: true })
  node.close()
}
