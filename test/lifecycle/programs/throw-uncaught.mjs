// A handler throws, and nobody catches.
import { UdpSocket } from 'geysir'

const receiver = new UdpSocket()
const to = await receiver.bind({ address: '127.0.0.1' })
receiver.on('batch', () => {
  throw new Error('thrown in a handler')
})
const sender = new UdpSocket()
sender.send('x', to)
