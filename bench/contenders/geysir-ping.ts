/** Measures round trips with geysir, one datagram in flight. */
import { UdpSocket } from 'geysir'
import { RoundTrips, readOptions } from './contender.js'

const options = readOptions()
const socket = new UdpSocket({ type: 'udp4', receiveBufferBytes: options.receiveBufferBytes })
const payload = Buffer.alloc(options.bytes)

await socket.connect({ address: options.host, port: options.port })
const roundTrips = new RoundTrips(options)
socket.on('batch', () => {
  if (!roundTrips.finish()) {
    socket.send(payload)
    return
  }
  roundTrips.print()
  socket.close()
})
socket.send(payload)
