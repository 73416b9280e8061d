/** Measures round trips on a reliable stream, one message in flight. */
import { UdpSocket, createNode } from 'geysir'
import { RoundTrips, readOptions } from './contender.js'

const options = readOptions()
const socket = new UdpSocket({ type: 'udp4', receiveBufferBytes: options.receiveBufferBytes })
await socket.bind({ address: options.host })
const node = createNode({ link: socket })
const peer = await node.connect({ address: options.host, port: options.port })
const stream = peer.openStream()
const payload = Buffer.alloc(options.bytes)
const roundTrips = new RoundTrips(options)
stream.on('message', () => {
  if (!roundTrips.finish()) {
    stream.send(payload)
    return
  }
  roundTrips.print()
  node.destroy()
  socket.close()
})
stream.send(payload)
