// Run with --expose-gc. Memory after many batches, compared with that after few: prints the growth in bytes.
//   memory.mjs BATCHES
import { UdpSocket } from 'geysir'

/** Exposed by --expose-gc. */
const collect = /** @type {() => void} */ (globalThis.gc)

const batches = Number(process.argv[2])
const receiver = new UdpSocket({ receivePacketInfo: true })
const sender = new UdpSocket()
const to = await receiver.bind({ address: '127.0.0.1' })
let handled = 0
/** @type {(value?: unknown) => void} */
let resolveRound
receiver.on('batch', (batch) => {
  let sum = 0
  for (let i = 0; i < batch.count; i++) sum += batch.payload(i).length + batch.endpoint(i).port
  handled += sum > 0 ? 1 : 0
  // Every so often the rarer ways.
  if (handled % 16 === 0) receiver.reply(batch, 0, 'answer')
  if (handled % 64 === 0) batch.retain().release()
  resolveRound()
})
sender.on('batch', () => undefined)

/** @param {number} count */
async function run(count) {
  for (const end = handled + count; handled < end;) {
    const round = new Promise((resolve) => (resolveRound = resolve))
    for (let i = 0; i < 4; i++) sender.send('a datagram', to)
    sender.flush()
    await round
  }
}

function memory() {
  collect()
  const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage()
  return { heapUsed, external, arrayBuffers, rss }
}

await run(batches / 10)
const before = memory()
await run(batches)
const after = memory()
const growth = {
  heapUsed: after.heapUsed - before.heapUsed,
  external: after.external - before.external,
  arrayBuffers: after.arrayBuffers - before.arrayBuffers,
  rss: after.rss - before.rss,
}
console.log(JSON.stringify({ handled, growth }))
receiver.close()
sender.close()
