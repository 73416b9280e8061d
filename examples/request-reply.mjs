// A service on all addresses that answers from the address it was asked at, and a client that asks until it is answered.
//   node examples/request-reply.mjs
import { UdpSocket } from 'geysir'

const ASK_AGAIN_MS = 100

const server = new UdpSocket({ receivePacketInfo: true })
const { port } = await server.bind({ address: '0.0.0.0' })
let questions = 0
server.on('batch', (batch) => {
  for (let i = 0; i < batch.count; i++) {
    if (questions++ === 0) continue // the first one is lost, as datagrams sometimes are
    // send() would leave from the address that the routing table prefers, and the connected client would not hear it.
    server.reply(batch, i, `${batch.payload(i).toString().toUpperCase()}, asked at ${batch.destination(i)}`)
  }
})

const client = new UdpSocket()
await client.connect({ address: '127.0.0.2', port })

let attempts = 0
const ask = () => {
  attempts++
  client.send('hello')
}
const asking = setInterval(ask, ASK_AGAIN_MS)
ask()
for await (const batch of client) {
  console.log(`${batch.endpoint(0).address} answered at attempt ${attempts}: ${batch.payload(0)}`)
  break // the batch, and the payload with it, is over with this step
}
clearInterval(asking)
client.close()
server.close()
