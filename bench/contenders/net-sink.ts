/** Counts the bytes that arrive over TCP with node:net, as so many datagrams of the given size. */
import { createServer, type AddressInfo } from 'node:net'
import { ReceiveWindow, printLine, readOptions } from './contender.js'

const options = readOptions()
let left = 0
const server = createServer((socket) => {
  socket.on('data', (chunk) => {
    window.touched = (window.touched + chunk[0]! + chunk[chunk.length - 1]!) | 0
    left += chunk.length
    window.datagrams += Math.floor(left / options.bytes)
    left %= options.bytes
    window.bytes += chunk.length
    window.checkSometimes()
  })
  socket.on('error', () => socket.destroy())
})
const window = new ReceiveWindow(
  options,
  () => 0,
  () => process.exit(),
)
server.listen(0, options.host, () => {
  printLine({ port: (server.address() as AddressInfo).port, receiveBufferBytes: 2 * options.receiveBufferBytes })
})
