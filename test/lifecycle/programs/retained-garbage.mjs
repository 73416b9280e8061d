// Run with --expose-gc. Batches that are retained and dropped without release are garbage like any buffer.
import { once } from 'node:events'
import { UdpSocket } from 'geysir'

/** Exposed by --expose-gc. */
const collect = /** @type {() => void} */ (globalThis.gc)

const receiver = new UdpSocket()
const sender = new UdpSocket()
const to = await receiver.bind({ address: '127.0.0.1' })
let slabBytes = 0
receiver.on('batch', (batch) => {
  slabBytes += batch.slab.length
  batch.retain()
})
for (let i = 0; i < 100; i++) {
  sender.send('x', to)
  await once(receiver, 'batch')
  if (i % 10 === 0) collect()
}
for (let i = 0; i < 5; i++) {
  collect()
  await new Promise((resolve) => setImmediate(resolve))
}
console.log(JSON.stringify({ slabBytes, arrayBuffers: process.memoryUsage().arrayBuffers }))
receiver.close()
sender.close()
