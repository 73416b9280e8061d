// Joins the node at 127.0.0.1:PORT from port OWN, and sends and reads as fast as it goes, until it is killed.
import { UdpSocket, createNode } from 'geysir'

const port = Number(process.argv[2])
const own = Number(process.argv[3])
const socket = new UdpSocket()
await socket.bind({ address: '127.0.0.1', port: own })
const node = createNode({ link: socket, name: 'pourer' })
for (;;) {
  const peer = await node.connect({ address: '127.0.0.1', port }, { timeoutMs: 20_000 })
  const stream = peer.openStream()
  const message = Buffer.alloc(20_000, process.pid & 255)
  const pour = () => {
    for (let i = 0; i < 200; i++) if (!stream.send(message)) return
    setImmediate(pour)
  }
  stream.on('drain', pour)
  stream.on('message', () => undefined)
  const closed = new Promise((resolve) => stream.once('close', resolve))
  pour()
  await closed
}
