// A sender that waits when its queue is full, and the counters of both sides, which add up.
//   node examples/back-pressure.mjs
import { setImmediate as turn } from 'node:timers/promises'
import { UdpSocket, drained } from 'geysir'

const DATAGRAMS = 20_000
const BURST = 100

const receiver = new UdpSocket()
const here = await receiver.bind({ address: '127.0.0.1' })
receiver.on('batch', () => undefined)

// Without coalescing the kernel's drop counter counts datagrams, so the sum at the end is exact.
const sender = new UdpSocket({ sendOffload: false, sendQueueBytes: 256 << 10, sendQueueDatagrams: 1000 })
sender.on('sendError', (error, endpoint) => console.error(`${endpoint}: ${error.code}`))

const payload = Buffer.alloc(100)
for (let count = 0; count < DATAGRAMS;) {
  payload.writeUInt32BE(count)
  if (sender.send(payload, here)) {
    count++
    // This program receives too: it takes turns.
    if (count % BURST === 0) await turn()
  } else {
    // Not queued. A network card that is slower than this loop leads here; loopback never does.
    await drained(sender)
  }
}
if (!sender.flush()) await drained(sender)
sender.close()

const { datagramsQueued, datagramsSent, datagramsFailed, datagramsDiscarded } = sender.stats()
console.log(`queued ${datagramsQueued} = sent ${datagramsSent} + failed ${datagramsFailed} + discarded ${datagramsDiscarded}`)

let { datagramsReceived, kernelDrops } = receiver.stats()
while (datagramsReceived + kernelDrops < datagramsSent) {
  await turn()
  ;({ datagramsReceived, kernelDrops } = receiver.stats())
}
receiver.close()
console.log(`sent ${datagramsSent} = received ${datagramsReceived} + dropped by the kernel ${kernelDrops}`)
