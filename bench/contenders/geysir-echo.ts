/** Answers every datagram with itself, with geysir, until SIGTERM. */
import { UdpSocket } from 'geysir'
import { printLine, readOptions } from './contender.js'

const options = readOptions()
const socket = new UdpSocket({ type: 'udp4', receiveBufferBytes: options.receiveBufferBytes })
socket.on('batch', (batch) => {
  for (let i = 0; i < batch.count; i++) socket.send(batch.payload(i), batch.endpoint(i))
})
const { port } = await socket.bind({ port: options.port, address: options.host })
printLine({ port, receiveBufferBytes: socket.getOption('receiveBufferBytes') })
