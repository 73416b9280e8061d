// Which sockets keep a process alive? Prints 'alive' when asked whether it still is, by a datagram, and ends then.
//   references.mjs idle|listening|unref|unref-later|ref|paused|closed|iterating|removed
import { UdpSocket } from 'geysir'

const kind = process.argv[2]
const socket = new UdpSocket()
const own = await socket.bind({ address: '127.0.0.1' })
const answer = () => {
  console.log('alive')
  socket.close()
}

switch (kind) {
  case 'idle':
    break
  case 'listening':
    socket.on('batch', answer)
    askAtExitOrLater()
    break
  case 'unref':
    socket.unref().on('batch', answer)
    break
  case 'unref-later':
    socket.on('batch', answer)
    socket.unref()
    break
  case 'ref':
    socket.on('batch', answer)
    socket.unref()
    socket.ref()
    askAtExitOrLater()
    break
  case 'paused':
    socket.on('batch', answer)
    socket.pause()
    break
  case 'closed':
    socket.on('batch', answer)
    socket.close()
    break
  case 'removed':
    socket.on('batch', answer)
    socket.off('batch', answer)
    break
  case 'iterating':
    askAtExitOrLater()
    for await (const batch of socket) {
      void batch
      answer()
    }
    break
}
console.log('end of program')
process.on('exit', () => console.log('exit'))

/** Asks from a socket that does not itself keep the process alive, in a few turns of the loop. */
function askAtExitOrLater() {
  const asking = new UdpSocket()
  const timer = setTimeout(() => {
    asking.send('are you alive?', own)
    asking.close()
  }, 20)
  timer.unref()
}
