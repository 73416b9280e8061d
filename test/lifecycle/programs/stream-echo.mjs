// A node at 127.0.0.1:PORT that sends back what it gets, until it is killed. Says so when it is ready.
import { UdpSocket, createNode } from 'geysir'

const socket = new UdpSocket({ receiveBufferBytes: 4 << 20 })
await socket.bind({ address: '127.0.0.1', port: Number(process.argv[2]) })
const node = createNode({ link: socket, name: 'echo' })
node.on('stream', (stream) => {
  const echo = async () => {
    for await (const message of stream) if (!stream.send(message)) return stream.reset()
  }
  echo().catch(() => undefined)
})
process.send?.('ready')
