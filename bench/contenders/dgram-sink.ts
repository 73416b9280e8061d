/** Counts what arrives with node:dgram or the drop-in. */
import { ReceiveWindow, printLine, readOptions } from './contender.js'
import { createSocket } from './dgram-module.js'

const options = readOptions()
const socket = createSocket({ type: 'udp4', recvBufferSize: options.receiveBufferBytes })
// node:dgram cannot read the kernel's drop counter.
const window = new ReceiveWindow(
  options,
  () => 0,
  () => process.exit(0),
)

socket.on('message', (payload) => {
  window.touched = (window.touched + payload[0]! + payload[payload.length - 1]!) | 0
  window.datagrams++
  window.bytes += payload.length
  window.checkSometimes()
})
socket.bind(options.port, options.host, () => {
  printLine({ port: socket.address().port, receiveBufferBytes: socket.getRecvBufferSize() })
})
