/** Counts messages that arrive, and tells their sender, a datagram a turn, how many there were: the sender's window. */
import { Messenger, UdpSocket, type Endpoint } from 'geysir'
import { ReceiveWindow, printLine, readOptions } from './contender.js'

const options = readOptions()
// Two messages may be on their way, and the kernel counts more than their bytes. One that is lost narrows the source's window for good.
const receiveBufferBytes = Math.max(options.receiveBufferBytes, 4 * options.bytes)
const socket = new UdpSocket({ type: 'udp4', receiveBufferBytes, receiveOffload: true })
const messenger = new Messenger(socket, { hash: options.hash })
const window = new ReceiveWindow(
  options,
  () => socket.stats().kernelDrops,
  () => socket.close(),
)
const count = Buffer.alloc(4)
let received = 0
let peer: Endpoint | undefined

messenger.on('message', (message) => {
  const { bytes, endpoint } = message
  received++
  window.datagrams++
  window.bytes += bytes.length
  window.touched = (window.touched + bytes[0]! + bytes[bytes.length - 1]!) | 0
  peer = endpoint
  message.release()
})
// After the messenger's own listener.
socket.on('batch', () => {
  if (peer === undefined) return
  count.writeUInt32LE(received)
  socket.send(count, peer)
  peer = undefined
  window.checkSometimes()
})
const { port } = await socket.bind({ port: options.port, address: options.host })
printLine({ port, receiveBufferBytes: socket.getOption('receiveBufferBytes') })
