/** Measures round trips with node:dgram or the drop-in, one datagram in flight. */
import { RoundTrips, readOptions } from './contender.js'
import { createSocket } from './dgram-module.js'

const options = readOptions()
const socket = createSocket({ type: 'udp4', recvBufferSize: options.receiveBufferBytes })
const payload = Buffer.alloc(options.bytes)

socket.connect(options.port, options.host, () => {
  const roundTrips = new RoundTrips(options)
  socket.on('message', () => {
    if (!roundTrips.finish()) {
      socket.send(payload)
      return
    }
    roundTrips.print()
    socket.close()
  })
  socket.send(payload)
})
