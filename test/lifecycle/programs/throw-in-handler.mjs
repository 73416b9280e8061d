// A handler throws at the first datagram. What was seen is printed when all have come.
//   throw-in-handler.mjs batch|datagram|async
import { UdpSocket } from 'geysir'

const kind = process.argv[2]
/** @type {string[]} */
const uncaught = []
/** @type {string[]} */
const seen = []
process.on('uncaughtException', (error) => uncaught.push(error.message))
process.on('unhandledRejection', (error) => uncaught.push(`rejected: ${/** @type {Error} */ (error).message}`))

const receiver = new UdpSocket()
const sender = new UdpSocket()
const to = await receiver.bind({ address: '127.0.0.1' })

/** @type {((value?: unknown) => void) | undefined} */
let wake
/** @param {string} text */
function see(text) {
  seen.push(text)
  wake?.()
  if (seen.length === 4) setImmediate(() => setImmediate(finish))
  if (text === 'first') throw new Error(`thrown at ${text}`)
}

let answers = 0
sender.on('batch', (batch) => (answers += batch.count))
if (kind === 'batch') {
  receiver.on('batch', (batch) => {
    // What a handler sent before it threw leaves.
    receiver.send('answer', batch.endpoint(0))
    for (let i = 0; i < batch.count; i++) see(batch.copy(i).toString())
  })
}
if (kind === 'datagram') receiver.on('datagram', (payload) => see(payload.toString()))
if (kind === 'async') {
  receiver.on('datagram', async (payload) => {
    const text = payload.toString()
    await null
    see(text)
  })
}

if (kind === 'datagram' || kind === 'async') {
  // All in one batch.
  receiver.pause()
  for (const text of ['first', 'other', 'third', 'lasts']) sender.send(text, to)
  sender.flush()
  receiver.resume()
} else {
  for (const text of ['first', 'second', 'third', 'last']) {
    sender.send(text, to)
    await new Promise((resolve) => (wake = resolve))
  }
}

function finish() {
  console.log(JSON.stringify({ uncaught, seen, closed: receiver.closed, batches: receiver.stats().batchesReceived, answers }))
  receiver.close()
  sender.close()
}
