/** Counts what arrives in ten channels of a geysir node, in a handler a channel; with --ordered only what is ahead. */
import { createChannelNode } from 'geysir'
import { CHANNELS, channelName, portFor } from './channels.js'
import { ReceiveWindow, printLine, readOptions } from './contender.js'

const options = readOptions()
const port = await portFor(options.port)
const { receiveBufferBytes } = options
const node = createChannelNode({ port, interfaces: [options.host], receiveSocket: { receiveBufferBytes } })
const window = new ReceiveWindow(
  options,
  () => node.stats().membership.kernelDrops,
  () => node.close(),
)
for (let i = 0; i < CHANNELS; i++) {
  node.channel(channelName(i)).subscribe(({ payload, lead }) => {
    if (lead < 1) return
    window.touched = (window.touched + payload[0]! + payload[payload.length - 1]!) | 0
    window.datagrams++
    window.bytes += payload.length
    window.checkSometimes()
  })
}
printLine({ port, receiveBufferBytes: 0 })
