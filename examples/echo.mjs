// An echo server, and a client that counts its echoes.
//   node examples/echo.mjs
import { UdpSocket } from 'geysir'

const ECHOES = 100

const server = new UdpSocket()
const here = await server.bind({ address: '127.0.0.1' })
server.on('batch', (batch) => {
  // Answers are queued here and leave together when the handler returns.
  for (let i = 0; i < batch.count; i++) server.send(batch.payload(i), batch.endpoint(i))
})

const client = new UdpSocket()
await client.connect(here)
let echoes = 0
client.on('batch', (batch) => {
  echoes += batch.count
  if (echoes < ECHOES) return
  console.log(`${echoes} echoes from ${here.address}`)
  client.close()
  server.close()
})
for (let i = 0; i < ECHOES; i++) client.send(`datagram ${i}`)
