/** Answers every datagram with itself, with node:dgram or the drop-in, until SIGTERM. */
import { printLine, readOptions } from './contender.js'
import { createSocket } from './dgram-module.js'

const options = readOptions()
const socket = createSocket({
  type: 'udp4',
  recvBufferSize: options.receiveBufferBytes,
  // Addresses are literals: dgram's own lookup would only cost time.
  lookup: (address, _options, callback) => callback(null, address, 4),
})
socket.on('message', (payload, peer) => socket.send(payload, peer.port, peer.address))
socket.bind(options.port, options.host, () => {
  printLine({ port: socket.address().port, receiveBufferBytes: socket.getRecvBufferSize() })
})
