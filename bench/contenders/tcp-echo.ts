/** Sends back what comes by TCP, with node:net, until SIGTERM. */
import { createServer, type AddressInfo } from 'node:net'
import { printLine, readOptions } from './contender.js'

const options = readOptions()
const server = createServer({ noDelay: true }, (socket) => {
  socket.on('data', (chunk) => socket.write(chunk))
  socket.on('error', () => undefined)
})
server.listen(options.port, options.host, () => printLine({ port: (server.address() as AddressInfo).port }))
