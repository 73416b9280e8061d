// Batches by async iteration: while the loop's body waits, the kernel's buffer is the queue.
//   node examples/iterate.mjs
import { setImmediate as turn } from 'node:timers/promises'
import { UdpSocket } from 'geysir'

const DATAGRAMS = 200

const socket = new UdpSocket({ receiveBufferBytes: 1 << 20 })
const here = await socket.bind({ address: '127.0.0.1' })

const sender = new UdpSocket()
for (let i = 1; i <= DATAGRAMS; i++) sender.send(String(i), here)
sender.close()

let count = 0
let sum = 0
for await (const batch of socket) {
  await turn() // anything that takes time; the batch lives until the next step
  for (let i = 0; i < batch.count; i++) sum += Number(batch.payload(i))
  count += batch.count
  if (count === DATAGRAMS) break // leaves the loop, not the socket
}
socket.close()
console.log(`${count} datagrams, their sum ${sum}`)
