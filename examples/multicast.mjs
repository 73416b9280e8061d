// One publisher, two subscribers on the same port, over the loopback interface.
//   node examples/multicast.mjs
import { UdpSocket, endpoint } from 'geysir'

const GROUP = '239.77.1.1'
const subscribers = ['first', 'second'].map((name) => {
  // Without `multicastAll: false` the kernel also delivers groups that only somebody else on this host joined.
  const socket = new UdpSocket({ reuseAddress: true, multicastAll: false, receivePacketInfo: true })
  return { name, socket, news: /** @type {string[]} */ ([]) }
})

let port = 0
for (const { name, socket, news } of subscribers) {
  // Bound to the group, a socket hears nothing else. The second one shares the port of the first.
  port = (await socket.bind({ address: GROUP, port })).port
  socket.joinGroup(GROUP, { interface: 'lo' })
  socket.on('batch', (batch) => {
    for (let i = 0; i < batch.count; i++) news.push(`${batch.payload(i)} to ${batch.destination(i)}`)
    if (news.length < 3) return
    console.log(`${name}: ${news.join(', ')}`)
    socket.leaveGroup(GROUP, { interface: 'lo' })
    socket.close()
  })
}

const publisher = new UdpSocket({ multicastInterface: 'lo', multicastTtl: 0 })
const group = endpoint(GROUP, port)
for (const word of ['one', 'two', 'three']) publisher.send(word, group)
publisher.close()
