// Sockets over a descriptor and over a handle that somebody else has bound.
const dgram = require('dgram')
const { once } = require('node:events')
const { handleName, tell } = require('./witness.cjs')

async function main() {
  const seen = []
  for (const from of ['fd', 'handle']) {
    const handle = dgram._createSocketHandle('127.0.0.1', 0, 'udp4', undefined, 0)
    const socket = dgram.createSocket('udp4')
    const listening = once(socket, 'listening') // it is emitted at once
    socket.bind(from === 'fd' ? { fd: handle.fd } : handle)
    await listening
    const name = handleName(socket)
    const sender = dgram.createSocket('udp4')
    sender.send(from, socket.address().port, '127.0.0.1')
    const [message, rinfo] = await once(socket, 'message')
    socket.send('back', rinfo.port, rinfo.address)
    const [answer] = await once(sender, 'message')
    sender.close()
    seen.push([name, String(message), String(answer)])
    socket.close()
  }
  tell({ seen })
  process.exit(0) // the descriptor has two owners
}
main()
