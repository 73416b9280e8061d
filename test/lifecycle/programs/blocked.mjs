// Sends more than the kernel takes, to a neighbour that does not answer, and has nothing else to do.
//   blocked.mjs ADDRESS PORT ref|unref
import { UdpSocket, endpoint } from 'geysir'

const [address = '', port, kind] = process.argv.slice(2)
const socket = new UdpSocket({ sendBufferBytes: 16_384, sendOffload: false })
const peer = endpoint(address, Number(port))
for (let i = 0; i < 100; i++) socket.send(Buffer.alloc(500), peer)
console.log(socket.flush() ? 'not blocked' : 'blocked')
if (kind === 'unref') socket.unref()
process.on('exit', () => console.log(socket.stats().queuedDatagrams > 0 ? 'some left' : 'all sent'))
