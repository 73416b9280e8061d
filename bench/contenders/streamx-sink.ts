/** Counts the messages of a reliable stream. */
import { UdpSocket, createNode } from 'geysir'
import { ReceiveWindow, printLine, readOptions } from './contender.js'

const options = readOptions()
const socket = new UdpSocket({ type: 'udp4', receiveBufferBytes: options.receiveBufferBytes })
const { port } = await socket.bind({ port: options.port, address: options.host })
const node = createNode({ link: socket, ...(options.frameBytes && { frameBytes: options.frameBytes }) })
const window = new ReceiveWindow(
  options,
  () => socket.stats().kernelDrops,
  () => {
    node.destroy()
    socket.close()
  },
)
const messagesPerCheck = Math.max(1, Math.floor(65_536 / options.bytes))
let messages = 0
node.on('stream', (stream) => {
  stream.on('message', (message) => {
    window.touched = (window.touched + message[0]! + message[message.length - 1]!) | 0
    window.datagrams++
    window.bytes += message.length
    if (++messages % messagesPerCheck === 0) window.checkSometimes()
  })
})
printLine({ port, receiveBufferBytes: socket.getOption('receiveBufferBytes') })
