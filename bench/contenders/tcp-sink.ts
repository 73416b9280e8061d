/** Counts what comes by a TCP connection of node:net, in messages of a given size. */
import { createServer, type AddressInfo } from 'node:net'
import { ReceiveWindow, printLine, readOptions } from './contender.js'

const options = readOptions()
const server = createServer((socket) => {
  const window = new ReceiveWindow(
    options,
    () => 0,
    () => {
      socket.destroy()
      server.close()
    },
  )
  socket.on('data', (chunk) => {
    window.touched = (window.touched + chunk[0]! + chunk[chunk.length - 1]!) | 0
    window.bytes += chunk.length
    window.datagrams = window.bytes / options.bytes
    window.checkSometimes()
  })
  socket.on('error', () => undefined)
})
server.listen(options.port, options.host, () => {
  // TCP sizes its buffers by itself.
  printLine({ port: (server.address() as AddressInfo).port, receiveBufferBytes: null })
})
