// The process ends inside a handler, with sockets open and datagrams queued.
//   exit-in-handler.mjs batch|datagram|peerError|sendError|close
import { UdpSocket, capabilities } from 'geysir'

const kind = process.argv[2]
let connected = false
const errors = capabilities().receiveErrors ? { receiveErrors: true } : {}
const [socket, idle, dead] = [new UdpSocket(errors), new UdpSocket(), new UdpSocket()]
idle.on('batch', () => undefined)
const nobody = await dead.bind({ address: '127.0.0.1' })
dead.close()
const own = await socket.bind({ address: '127.0.0.1' })

socket.on(/** @type {'batch'} */ (kind), () => {
  if (!socket.closed) socket.send('queued', connected ? undefined : own)
  idle.send('queued', own)
  process.exit(7)
})
if (kind === 'batch' || kind === 'datagram') socket.send('x', own)
if (kind === 'peerError') {
  // An unconnected socket on node:dgram learns nothing of its peers.
  if (!capabilities().receiveErrors) {
    await socket.connect(nobody)
    connected = true
  }
  socket.send('x', nobody)
}
if (kind === 'sendError') socket.send('x', { address: '127.255.255.255', port: 9 })
if (kind === 'close') socket.close()
process.on('exit', (code) => console.log(`exit ${code}`))
