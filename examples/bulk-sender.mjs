// Sends datagrams as fast as it can, written in place, and asks the receiver how many came.
//   node examples/bulk-sender.mjs PORT [DATAGRAMS]
import { UdpSocket, drained } from 'geysir'

const DATAGRAM_BYTES = 1200
const RUN = 64
const port = Number(process.argv[2])
const total = Number(process.argv[3] ?? 1_000_000)

const socket = new UdpSocket()
await socket.connect({ address: '127.0.0.1', port })

const start = process.hrtime.bigint()
for (let sent = 0; sent < total;) {
  const run = socket.reserveRun(DATAGRAM_BYTES, Math.min(RUN, total - sent))
  if (run === undefined) {
    await drained(socket)
    continue
  }
  for (let at = 0; at < run.length; at += DATAGRAM_BYTES) run.writeUInt32BE(sent++, at)
  socket.commitRun()
}
if (!socket.flush()) await drained(socket)
const seconds = Number(process.hrtime.bigint() - start) / 1e9

// Nobody promises that the question arrives: it is asked until there is an answer.
const asking = setInterval(() => socket.send(''), 100)
socket.send('')
socket.once('datagram', (answer) => {
  clearInterval(asking)
  const { datagrams, bytes } = JSON.parse(answer.toString())
  console.log(`sent ${total} datagrams at ${Math.round(total / seconds)} a second`)
  console.log(`${datagrams} arrived, ${total - datagrams} were lost; ${bytes} bytes`)
  socket.close()
})
