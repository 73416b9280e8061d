/** Counts what arrives in ten channels of the implementation with node:dgram. */
import { DgramReceiver, openSocket } from './channel-dgram.js'
import { CHANNELS, channelName, portFor } from './channels.js'
import { ReceiveWindow, printLine, readOptions } from './contender.js'

const options = readOptions()
const port = await portFor(options.port)
const socket = openSocket(options.receiveBufferBytes)
// node:dgram cannot read the kernel's drop counter.
const window = new ReceiveWindow(
  options,
  () => 0,
  () => process.exit(0),
)
const receiver = new DgramReceiver(socket)
socket.bind(port, () => {
  for (let i = 0; i < CHANNELS; i++) {
    receiver.subscribe(channelName(i), options.host, (payload, _source, lead) => {
      if (lead < 1) return
      window.touched = (window.touched + payload[0]! + payload[payload.length - 1]!) | 0
      window.datagrams++
      window.bytes += payload.length
      window.checkSometimes()
    })
  }
  printLine({ port, receiveBufferBytes: 0 })
})
