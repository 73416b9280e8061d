// Receives what bulk-sender.mjs sends, as fast as it comes. An empty datagram asks how much that was, and ends it.
//   node examples/bulk-receiver.mjs
import { UdpSocket } from 'geysir'

const socket = new UdpSocket({ receiveBufferBytes: 4 << 20 })
socket.on('warning', (message) => console.error(message))
const here = await socket.bind({ address: '127.0.0.1' })
console.log(`port ${here.port}`)

let datagrams = 0
let bytes = 0
socket.on('batch', (batch) => {
  for (let i = 0; i < batch.count; i++) {
    if (batch.length(i) > 0) {
      datagrams++
      bytes += batch.length(i)
    } else if (!socket.closed) {
      socket.send(JSON.stringify({ datagrams, bytes }), batch.endpoint(i))
      socket.close()
    }
  }
})
socket.on('close', () => {
  // The kernel counts a coalesced message that it drops once, however many datagrams were in it.
  console.log(`${datagrams} datagrams, ${bytes} bytes; messages dropped by the kernel: ${socket.stats().kernelDrops}`)
})
