// A bound socket goes to a child process, which answers on it.
import { fork } from 'node:child_process'
import dgram from 'node:dgram'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import witness from './witness.cjs'

if (process.argv[2] === 'child') {
  process.once('message', (_message, socket) => {
    socket.on('message', (message, { port, address }) => {
      socket.send(`${message} ${witness.handleName(socket)}`, port, address, () => {
        socket.close()
        process.disconnect()
      })
    })
    process.send('ready')
  })
} else await main()

async function main() {
  const socket = dgram.createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  const handle = witness.handleName(socket)
  const child = fork(fileURLToPath(import.meta.url), ['child'])
  const ready = once(child, 'message')
  const sent = new Promise((resolve) => child.send('here', socket, resolve))
  const error = await sent
  await ready
  socket.close()
  const asker = dgram.createSocket('udp4')
  asker.send('who', port, '127.0.0.1')
  const [answer] = await once(asker, 'message')
  asker.close()
  witness.tell({ handle, error, answer: String(answer) })
}
